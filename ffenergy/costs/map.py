"""The map: every on-chip size, memory, batch, width and optimiser, and who wins there.

Everything here is a closed form (`bounds`, `schedules`, `fitting.lru_order`, `batch_energy`);
`with_measured` lays ratios of programs that were counted beside it. One row per network, on-chip
size, rule and profile.

A schedule of one rule below the *bound* of the other is a proof: no program of the other rule in
the bound's class does better. Where no bound decides, the best known orders are compared, and
measured programs where there are any. What an LRU does a managed memory can do as well, so the best
known order is the cheaper of `schedules` and `lru_order`; proofs rest on the first alone, since the
second takes products as streams and is an estimate.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ffenergy.costs import batch_energy, bounds, fitting, schedules
from ffenergy.costs.network import MNIST_IMAGES, PLAIN, Network, layers_of, shape_of, shapes
from ffenergy.costs.verdicts import (
    SCALE,
    Energies,
    OffChip,
    Verdict,
    by_bytes,
    by_energy,
    with_measurement,
)
from ffenergy.energy import Profile
from ffenergy.energy.chip import Chip, FloatArray, interval
from ffenergy.network.orders import STEP_MAJOR
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

MIB: Final = 2**20
SMALLEST: Final = 2**16
LARGEST: Final = 256 * MIB
WIDTHS: Final = (1000, 2000)
DEPTH: Final = 4
BATCHES: Final = (1, 10, 32, 100, 316, 1000)
OPTIMIZERS: Final = ("sgd", "momentum", "adam")

PLACE: Final = ("layer_sizes", "optimizer", "batch_size", "on_chip_bytes", "rule")
ORDER: Final = (
    *("order", "groups", "in_flight", "bytes_best_order"),
    *("bytes_bound", "bound", "bound_class", "bytes_winner", "holds_if_replayed"),
)
LRU: Final = ("order_lru", "groups_lru", "in_flight_lru", "bytes_lru", "energy_lru", "ratio_lru")
ENERGY: Final = (
    *("profile", "energy_unit", "energy_best_order", "energy_bound"),
    *("ratio_to_backprop", "ratio_low", "ratio_high", "ratio_step_major"),
    *("ratio_to_backprop_bound", "energy_winner"),
)
COLUMNS: Final = (*PLACE, *ORDER, *ENERGY, *LRU)
"""Columns of the map. Bytes and energies are of a batch, energies in ``energy_unit``. The memory is
managed, in `LRU` it is an LRU, for both rules (`fitting.lru_order`), empty where a boundary's rows
have no room. The best order of a managed memory is never dearer than that of an LRU.
``holds_if_replayed``: the rule moves fewer bytes even than a backprop that may compute anything
again, weight updates too. Ratios are of energies, rule ÷ backprop, both in their best orders, with
the interval of 90 % of the draws of the constants; ``ratio_step_major`` has the rule in step-major
order instead, and ``ratio_to_backprop_bound`` sets its best order against backprop's bound."""
PARTS: Final = ("compute", "on_chip", "off_chip_best_order", "off_chip_bound")
"""Energies of `RuleWork.parts`."""
MEASURED: Final = ("ratio_managed", "ratio_scratchpad")
"""Columns of energy ratios, rule ÷ backprop, of programs that were counted, by their memory."""


@dataclass(frozen=True)
class Contender:
    """One rule at one on-chip size, an entry per network."""

    rule: str
    orders: tuple[schedules.Schedule, ...]
    bounds: tuple[bounds.Bound, ...]
    usual: tuple[schedules.Schedule, ...]
    lru: tuple[schedules.Schedule | None, ...]
    """Best orders in an LRU; None where none is known."""

    @cached_property
    def best(self) -> tuple[schedules.Schedule, ...]:
        """The best known orders."""
        return tuple(map(_fewest, self.orders, self.lru))

    def moved(self) -> list[OffChip]:
        """Bytes off the chip, of every network."""
        three = zip(self.best, self.orders, self.bounds, strict=True)
        return [OffChip(*(one.nbytes for one in each)) for each in three]


def local_rules() -> list[str]:
    """Rules that are held against backprop: those whose layers learn by themselves, together."""
    found = shapes().items()
    return sorted(name for name, one in found if one.local and not one.greedy and name != PLAIN)


def networks(
    widths: Sequence[int] = WIDTHS,
    depth: int = DEPTH,
    batches: Sequence[int] = BATCHES,
    optimizers: Sequence[str] = OPTIMIZERS,
) -> list[Network]:
    """Networks of MNIST's 784 pixels and ``depth`` equal layers, in every combination."""
    return [
        Network((784, *[width] * depth), batch, optimizer)
        for width in widths
        for optimizer in optimizers
        for batch in batches
    ]


def on_chip_sizes(
    smallest: int = SMALLEST, largest: int = LARGEST, an_octave: int = 1
) -> list[int]:
    """Sizes in bytes from ``smallest`` to ``largest``, so many in each doubling."""
    steps = int(an_octave * np.log2(largest / smallest) + 1e-9)
    return [round(smallest * 2 ** (k / an_octave)) for k in range(steps + 1)]


def side(rule: str, found: Iterable[Network], on_chip_bytes: int) -> Contender:
    """Best orders that run, and bounds, of one rule with ``on_chip_bytes`` on the chip."""
    orders, least, usual, lru = [], [], [], []
    shape = shape_of(rule)
    for network in found:
        batches = _batches(network)
        orders.append(schedules.best_order(rule, network, on_chip_bytes, batches=batches))
        least.append(bounds.least(rule, network, on_chip_bytes))
        known = orders[-1]
        if shape.local and not shape.greedy:
            known = schedules.step_major_only(rule, network, on_chip_bytes)
        in_lru = fitting.lru_order(rule, network, on_chip_bytes, batches=batches)
        if in_lru is not None and in_lru.room_bytes > on_chip_bytes:
            in_lru = None
        lru.append(in_lru)
        is_usual = in_lru is not None and in_lru.order == STEP_MAJOR
        usual.append(_fewest(known, in_lru if is_usual else None))
    return Contender(rule, tuple(orders), tuple(least), tuple(usual), tuple(lru))


def _fewest(*found: schedules.Schedule | None) -> schedules.Schedule:
    return min(filter(None, found), key=lambda one: one.nbytes)


class RuleWork:
    """What the batches of one rule compute, as arrays over networks: the same at every size."""

    def __init__(self, rule: str, found: Sequence[Network]) -> None:
        """Count the work of every network once."""
        work = [batch_energy.work_of(rule, network) for network in found]
        self.arithmetic = np.array(
            [[one.multiply_adds, one.multiplies, one.specials] for one in work], dtype=np.float64
        )
        self.on_chip = np.array([[one.on_chip_bytes] for one in work], dtype=np.float64)
        layers = [layers_of(rule, network) for network in found]
        self.behind = np.array([sum(one.states) + sum(one.activities) for one in layers])

    def energies(self, chip: Chip, on_chip_bytes: int, found: Contender) -> Energies:
        """Energies of a side on a chip."""
        price = chip.prices(on_chip_bytes, self.behind)
        inside = self.arithmetic @ np.stack([price.multiply_add, price.multiply, price.special])
        inside = inside + self.on_chip * price.on_chip_byte
        ways = (found.best, found.orders, found.bounds, found.usual, found.lru)
        moved = (np.array([[one.nbytes if one else np.nan] for one in way]) for way in ways)
        return Energies(*(inside + nbytes * price.off_chip_byte for nbytes in moved))

    def parts(self, chip: Chip, on_chip_bytes: int, found: Contender) -> FloatArray:
        """Nominal energies of a side: a row per network, columns `PARTS`."""
        price = chip.prices(on_chip_bytes, self.behind)
        each = np.stack([price.multiply_add, price.multiply, price.special])[:, 0]
        near = np.broadcast_to(price.on_chip_byte[..., 0], len(self.on_chip))
        far = np.broadcast_to(price.off_chip_byte[..., 0], len(self.on_chip))
        best = np.array([one.nbytes for one in found.best], dtype=np.float64)
        bound = np.array([one.nbytes for one in found.bounds], dtype=np.float64)
        columns = (self.arithmetic @ each, self.on_chip[:, 0] * near, best * far, bound * far)
        return np.stack(columns, axis=1)


def rows(
    found: Sequence[Network],
    sizes: Sequence[int],
    profiles: Sequence[Profile],
    rules: Sequence[str],
) -> pd.DataFrame:
    """The map as a table, columns `COLUMNS`; backprop's own rows have no winner.

    Raises:
        SettingsError: a rule without a closed form.
        PricingError: a profile without a price for float32.
    """
    chips = [Chip(profile) for profile in profiles]
    work = {rule: RuleWork(rule, found) for rule in (BACKPROP, *rules)}
    parts: list[dict[str, Any]] = []
    for size in sizes:
        sides = {rule: side(rule, found, size) for rule in work}
        energies = [
            {rule: work[rule].energies(chip, size, sides[rule]) for rule in work} for chip in chips
        ]
        for rule in (*rules, BACKPROP):
            order = _order_columns(sides[rule], sides[BACKPROP], found, size)
            for chip, spent in zip(chips, energies, strict=True):
                parts.append(order | _energy_columns(chip.profile, rule, spent))
    table = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in COLUMNS})
    return table.astype({"in_flight": "Int64", "in_flight_lru": "Int64", "bytes_lru": "Int64"})


def _batches(network: Network) -> int:
    """Full batches of an epoch, the most that can be in flight."""
    return max(MNIST_IMAGES // network.batch_size, 1)


@dataclass(frozen=True)
class Contest:
    """A rule against backprop under one profile, arrays of (networks, on-chip sizes).

    ``winner`` has places on `SCALE`; ``ratio`` is of energies in best orders, rule ÷ backprop, and
    90 % of the draws of the profile's constants lie from ``low`` to ``high``.
    """

    winner: npt.NDArray[np.int64]
    ratio: FloatArray
    low: FloatArray
    high: FloatArray


def contests(
    found: Sequence[Network],
    sizes: Sequence[int],
    profiles: Iterable[Profile],
    rule: str = FORWARD_FORWARD,
) -> list[Contest]:
    """Who spends less energy, and how much: one per profile."""
    work, against = RuleWork(rule, found), RuleWork(BACKPROP, found)
    sides = [(size, side(rule, found, size), side(BACKPROP, found, size)) for size in sizes]
    contest = []
    for chip in map(Chip, profiles):
        columns = []
        for size, ours, theirs in sides:
            one, other = work.energies(chip, size, ours), against.energies(chip, size, theirs)
            ratio = one.best / other.best
            winner = by_energy(one, other)
            columns.append((winner, ratio[:, 0], *interval(ratio)))
        contest.append(Contest(*(np.stack(one, axis=1) for one in zip(*columns, strict=True))))
    return contest


def regimes(network: Network, rule: str = FORWARD_FORWARD) -> tuple[int, int]:
    """On-chip bytes from which one layer fits with its state, and from which all fit."""
    states = layers_of(rule, network).states
    return max(states), sum(states)


def _order_columns(
    ours: Contender, theirs: Contender, found: Sequence[Network], size: int
) -> dict[str, Any]:
    """Columns that know no price."""
    is_rule = ours.rule != BACKPROP
    return {
        "layer_sizes": ["-".join(map(str, network.layer_sizes)) for network in found],
        "optimizer": [network.optimizer for network in found],
        "batch_size": [network.batch_size for network in found],
        "on_chip_bytes": [size] * len(found),
        "rule": [ours.rule] * len(found),
        "order": [one.order for one in ours.best],
        "groups": [written(one.groups) for one in ours.best],
        "in_flight": [one.in_flight for one in ours.best],
        "bytes_best_order": [one.nbytes for one in ours.best],
        "bytes_bound": [bound.nbytes for bound in ours.bounds],
        "bound": [bound.name for bound in ours.bounds],
        "bound_class": [bound.schedule_class for bound in ours.bounds],
        "bytes_winner": [
            str(by_bytes(*both)) if is_rule else ""
            for both in zip(ours.moved(), theirs.moved(), strict=True)
        ],
        "holds_if_replayed": [
            is_rule and order.nbytes < bounds.backprop_replay(network, size).nbytes
            for order, network in zip(ours.orders, found, strict=True)
        ],
        "order_lru": [one.order if one else "" for one in ours.lru],
        "groups_lru": [written(one.groups) if one else "" for one in ours.lru],
        "in_flight_lru": [one.in_flight if one else pd.NA for one in ours.lru],
        "bytes_lru": [one.nbytes if one else pd.NA for one in ours.lru],
    }


def written(groups: schedules.Groups) -> str:
    """Groups of layers as text: 1|2-3|4 are three groups."""
    return "|".join(
        str(group[0]) if len(group) == 1 else f"{group[0]}-{group[-1]}" for group in groups
    )


def _energy_columns(profile: Profile, rule: str, spent: Mapping[str, Energies]) -> dict[str, Any]:
    """Columns under one profile."""
    ours, theirs = spent[rule], spent[BACKPROP]
    ratio = ours.best / theirs.best
    low, high = interval(ratio)
    n = len(ratio)
    verdicts = by_energy(ours, theirs)
    return {
        "profile": [profile.name] * n,
        "energy_unit": [profile.result_unit] * n,
        "energy_best_order": ours.best[:, 0],
        "energy_bound": ours.bound[:, 0],
        "ratio_to_backprop": ratio[:, 0],
        "ratio_low": low,
        "ratio_high": high,
        "ratio_step_major": ours.usual[:, 0] / theirs.best[:, 0],
        "ratio_to_backprop_bound": ours.best[:, 0] / theirs.bound[:, 0],
        "energy_winner": [str(SCALE[one]) if rule != BACKPROP else "" for one in verdicts],
        "energy_lru": ours.lru[:, 0],
        "ratio_lru": ours.lru[:, 0] / theirs.lru[:, 0],
    }


def with_measured(table: pd.DataFrame, measured: pd.DataFrame) -> pd.DataFrame:
    """The map with the columns `MEASURED`, empty where nothing was counted.

    ``measured`` has them, `PLACE` and ``profile``. Where it has a figure, that decides what no
    bound does: of a managed memory, as the map's own is, else of a scratchpad.
    """
    keys = [*PLACE, "profile"]
    joined = table.merge(measured[[*keys, *MEASURED]], how="left", on=keys, validate="1:1")
    ratio = joined[list(MEASURED)].bfill(axis=1).iloc[:, 0]
    known = ratio.notna() & (joined["rule"] != BACKPROP)
    joined.loc[known, "energy_winner"] = [
        str(with_measurement(Verdict(verdict), float(value)))
        for verdict, value in zip(joined.loc[known, "energy_winner"], ratio[known], strict=True)
    ]
    return joined
