"""The priced tables of a run; each is also a CSV file of the same name in the run directory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from typing import Any, Final

import pandas as pd

from ffenergy.costs.step_kinds import COLUMNS as KIND_COLUMNS
from instrumented.books.operand import ROLES

ACCOUNTINGS: Final = ("eager", "fused")
PRICED_GRAIN: Final = "tile"
"""The grain at which levels and energy are taken. In a cache, eager products run packed."""
CACHE: Final = "cache"
SCRATCHPAD: Final = "scratchpad"
MANAGED: Final = "managed"
"""Analysed only where it is asked for: it takes a pass for every size of memory."""
MEMORIES: Final = (CACHE, SCRATCHPAD, MANAGED)
"""What a step may be priced in; the first, that of a program as it runs, if nobody chooses."""
BYTEDMD_MEMORY: Final = SCRATCHPAD
"""The memory of ByteDMD, and of bytes as operations stream them."""

STEP_KEYS: Final = ("algorithm", "step")
PLACE: Final = ("layer", "phase", "role")
ENERGIES: Final = ("compute", "read", "written")
COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "steps": (*STEP_KEYS, *KIND_COLUMNS, "digest", "samples", "steps", "operations"),
    "energy": (
        *(*STEP_KEYS, "accounting", "memory", "grain", "profile", *PLACE, "component"),
        *("bytes_read", "bytes_written"),
        *(f"energy_{what}_joules" for what in ENERGIES),
    ),
    "levels": (
        *(*STEP_KEYS, "accounting", "memory", "grain", "profile", *PLACE, "level"),
        *("capacity_bytes", "bytes_read", "bytes_written"),
    ),
    "reuse": (
        *(*STEP_KEYS, "accounting", "memory", "grain", *PLACE),
        *("distance_from_bytes", "distance_to_bytes"),
        *("bytes_read", "bytes_allocated", "bytes_written", "bytedmd"),
    ),
    "misses": (
        *(*STEP_KEYS, "accounting", "memory", "grain"),
        *("capacity_bytes", "bytes_read", "bytes_written", "bytes_least"),
    ),
    "tuned": (
        *(*STEP_KEYS, "accounting", "profile", "level", "capacity_bytes"),
        *("bytes_read", "bytes_written", "tuned_bytes_read", "tuned_bytes_written"),
        "energy_saved_joules",
    ),
    "live": (
        *(*STEP_KEYS, "accounting", "moment", "layer", "phase", "operation"),
        *(*ROLES, "total", "data_set"),
    ),
    "peak": (
        *(*STEP_KEYS, "accounting", "peak_live_bytes", "peak_activation_bytes"),
        *("layer", "phase", "operation"),
    ),
    "alive": (*(*STEP_KEYS, "accounting", "role", "name", "layer", "phase", "operation", "bytes"),),
    "decomposition": (
        *("accounting", "memory", "grain", "profile", "scope", "measure", "part"),
        *("backprop", "forward_forward", "difference", "share_of_backprop"),
    ),
    "work": (*STEP_KEYS, *PLACE, "dtype", "adds", "multiplies", "specials"),
}
"""Columns of every table. A relative profile adds energy columns ending in ``_macs``."""

FILES: Final = tuple(f"{name}.csv" for name in COLUMNS)


@dataclass(frozen=True)
class Prices:
    """Exact counts and energies per step kind, and backprop → Forward-Forward in parts.

    A *step kind* is one distinct step signature of a run, such as ``train`` or ``train-short``
    (the last, shorter batch). All figures but those of ``decomposition`` are of one step in its
    own steady state; times ``steps.steps``, added over kinds, they are those of the run. Byte
    and ByteDMD columns are integers, energies are in the unit that ends the column's name.
    Key columns: ``accounting`` is eager or fused, ``grain`` operation or tile, ``memory`` what a
    step met. ``memory`` below is the one that levels and energies are of; the distances of all
    tables but ``misses``, which has every memory, are of that one and of the scratchpad's ByteDMD.

    profiles: hardware profiles, the headline first.
    steps: what a step does and in which stage (``StepKind``), digest of the signature, positives
        per step (``samples``), steps in the run (1 for a
        measurement), operations per step.
    energy: at tile grain; ``component`` is ``compute``, a level of the profile, or ``wire``.
    levels: bytes that each memory level serves; the last level has no ``capacity_bytes``.
    reuse: bins of powers of two, ``distance_from_bytes < distance <= distance_to_bytes``; both
        bounds are -1 for first reads (cold) and for what lives on, 0 for what is written and never
        read. ``bytes_allocated`` is what a cache reads in only to overwrite it.
    misses: what travels beyond an on-chip memory of ``capacity_bytes``, what a cache allocates
        among the bytes read. ``bytes_least``, reads and writes, is what no way to manage a memory
        goes below; missing for other memories, and where it was not managed.
    tuned: what lies beyond every level of a scratchpad with one order of tiles for all sizes, and
        with products tiled for each level; what energy that saves. Only where the memory is one.
    live, peak, alive: live memory moment by moment (``train…`` kinds only), its peak, and who is
        alive there; the data set stands apart.
    decomposition: measures of one full training step and of the run, in signed parts.
    work: scalar operations by dtype, which any profile can price; the same eager and fused.
    """

    profiles: tuple[str, ...]
    steps: pd.DataFrame
    energy: pd.DataFrame
    levels: pd.DataFrame
    reuse: pd.DataFrame
    misses: pd.DataFrame
    live: pd.DataFrame
    peak: pd.DataFrame
    alive: pd.DataFrame
    decomposition: pd.DataFrame
    work: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS["work"]))
    tuned: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=COLUMNS["tuned"]))
    memory: str = MEMORIES[0]

    def tables(self) -> Iterator[tuple[str, pd.DataFrame]]:
        """Every table with its name, in the order of the fields."""
        for one in fields(self):
            if one.name in COLUMNS:
                yield one.name, getattr(self, one.name)

    def only(self, accounting: str, profile: str) -> Prices:
        """The same under one accounting and one profile alone."""
        kept = {"accounting": [accounting], "profile": [profile, ""]}
        tables: dict[str, Any] = {}
        for name, table in self.tables():
            for column in table.columns.intersection(list(kept)):
                table = table[table[column].isin(kept[column])]
            tables[name] = table.reset_index(drop=True)
        return replace(self, profiles=(profile,), **tables)
