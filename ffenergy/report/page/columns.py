"""How each kind of column looks on the page: one place for headings, units and swatches."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from ffenergy.report.page.blocks import Column, fixed, si, text
from ffenergy.report.style import (
    ALGORITHM_COLOURS,
    ALGORITHM_NAMES,
    PART_COLOURS,
    PART_NAMES,
    PHASE_COLOURS,
    ROLE_COLOURS,
    short_name,
)

UNITS = {"joules": "J", "macs": "MAC"}
HEADINGS = {
    "accounting": "accounting",
    "layer": "layer",
    "stage": "stage",
    "step": "step",
    "operation": "operation",
    "reached": "reached",
    "epoch": "epoch",
}
BYTES = {
    "bytes": "bytes",
    "bytes_read": "read",
    "bytes_written": "written",
    "training_bytes_read": "read",
    "training_bytes_written": "written",
    "layer_bytes_without": "layer without it",
    "peak_live_bytes": "peak live memory",
    "peak_activation_bytes": "of it activations",
    "cumulative_bytes_read": "read so far",
    "cumulative_bytes_written": "written so far",
}
SHARES = {
    "share_of_layer_energy": "of the layer's energy, %",
    "share_of_total_energy": "of the run's energy, %",
    "share_of_layer_bytes": "of the layer's bytes, %",
    "share_of_total_bytes": "of the run's bytes, %",
    "normalize_energy_share": "normalisation, % of energy",
}
ENERGIES = {
    "energy_compute": "compute",
    "energy_movement": "movement",
    "energy": "energy",
    "training_energy": "energy",
    "layer_energy_without": "layer without it",
}
FIXED = {
    "test_error": ("test error, %", 2),
    "train_error": ("training error, %", 2),
    "target_error": ("target, %", 1),
    "commute_to_compute": ("movement / compute", 2),
    "wall_seconds": ("wall time, s", 1),
    "loss": ("loss, nats", 4),
    "bytes_per_flop": ("bytes per flop", 3),
}


def column(name: str) -> Column:
    """The column of a CSV file by its name there. Raises KeyError for one without a look."""
    if name in ("algorithm", "phase", "role", "part"):
        return _key(name)
    if name in FIXED:
        heading, decimals = FIXED[name]
        return Column(name, heading, fixed(decimals))
    if name in BYTES:
        return Column(name, BYTES[name], si("B"), family="memory" if "peak" in name else "bytes")
    if name in SHARES:
        return Column(name, SHARES[name], fixed(1, 0.01))
    if name in ("flops", "cumulative_flops"):
        return Column(name, "arithmetic", si("flop"))
    if name.startswith("bytedmd"):
        return Column(name, f"ByteDMD, {name.split('_')[1]}", si(""))
    for unit, symbol in UNITS.items():
        bare = name.replace(f"_{unit}", "")
        if bare != name and bare in ENERGIES:
            return Column(name, ENERGIES[bare], si(symbol), family="energy")
    return Column(name, HEADINGS[name], text(), number=name == "epoch")


def columns(names: Iterable[str]) -> list[Column]:
    """Several columns by name."""
    return [column(name) for name in names]


def amount(name: str, heading: str, unit: str, *, signed: bool = False) -> Column:
    """A column of quantities under a heading of its own; those of one unit share a prefix."""
    return Column(name, heading, si(unit, signed=signed), family=unit)


def _key(name: str) -> Column:
    looks: dict[str, tuple[Callable[[str], str], Mapping[str, str]]] = {
        "algorithm": (lambda key: ALGORITHM_NAMES.get(key, key), ALGORITHM_COLOURS),
        "part": (lambda key: PART_NAMES.get(key, key), PART_COLOURS),
        "phase": (str, PHASE_COLOURS),
        "role": (lambda key: key.replace("_", " "), ROLE_COLOURS),
    }
    show, colours = looks[name]
    return Column(name, name, text(show), number=False, colours=lambda key: colours.get(key, ""))


def pair(algorithm: str, accounting: str) -> str:
    """Heading of a column that belongs to one algorithm under one accounting."""
    return f"{short_name(algorithm)} {accounting}"
