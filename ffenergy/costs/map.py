"""The map: every on-chip size, memory, batch, width and optimiser, and who wins there.

Everything here is a closed form (`bounds`, `schedules`, `batch_energy`); `with_measured` lays
ratios of programs that were counted beside it. One row per network, on-chip size, rule and profile.

A schedule of one rule below the *bound* of the other is a proof: no program of the other rule in
the bound's class does better. Where no bound decides, the best known orders are compared, and
measured programs where there are any.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from ffenergy.costs import batch_energy, bounds, fitting, schedules
from ffenergy.costs.network import PLAIN, Network, layers_of, shape_of, shapes
from ffenergy.energy import Profile
from ffenergy.energy.chip import SHARE, Chip, FloatArray, interval
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

MIB: Final = 2**20
SMALLEST: Final = 2**16
LARGEST: Final = 256 * MIB
WIDTHS: Final = (1000, 2000)
DEPTH: Final = 4
BATCHES: Final = (1, 10, 32, 100, 316, 1000)
OPTIMIZERS: Final = ("sgd", "momentum", "adam")
IMAGES: Final = 60_000
"""Training images: with the batch size they limit the batches in flight to those of an epoch."""

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
managed, in `LRU` it is an LRU, for both rules (`fitting.lru_order`).
``holds_if_replayed``: the rule moves fewer bytes even than a backprop that may compute anything
again, weight updates too. Ratios are of energies, rule ÷ backprop, both in their best orders, with
the interval of 90 % of the draws of the constants; ``ratio_step_major`` has the rule in step-major
order instead, and ``ratio_to_backprop_bound`` sets its best order against backprop's bound."""
PARTS: Final = ("compute", "on_chip", "off_chip_best_order", "off_chip_bound")
"""Energies of `RuleWork.parts`."""
MEASURED: Final = ("ratio_managed", "ratio_scratchpad")
"""Columns of energy ratios, rule ÷ backprop, of programs that were counted, by their memory."""


# ---- who wins ------------------------------------------------------------------------------------

CLOSE: Final = 0.05
"""Formulas of best orders decide between two rules only if they differ by more than this."""
MARGIN: Final = 0.02
"""What is taken as equal in energy: the model of on-chip bytes is no closer than that."""


class Verdict(StrEnum):
    """Which of a rule and backprop costs less, and how that is known."""

    RULE_PROVEN = "rule, proven"
    RULE_MEASURED = "rule, measured"
    RULE_KNOWN = "rule, best known orders"
    UNDECIDED = "undecided"
    BP_KNOWN = "backprop, best known orders"
    BP_MEASURED = "backprop, measured"
    BP_PROVEN = "backprop, proven"


SCALE: Final = tuple(Verdict)
"""From the rule's proven to backprop's proven win."""


def by_bytes(rule_best: float, rule_bound: float, bp_best: float, bp_bound: float) -> Verdict:
    """Who moves fewer bytes off the chip: best known orders and lower bounds of both."""
    if rule_best < bp_bound:
        return Verdict.RULE_PROVEN
    if bp_best < rule_bound:
        return Verdict.BP_PROVEN
    if rule_best < (1 - CLOSE) * bp_best:
        return Verdict.RULE_KNOWN
    if bp_best < (1 - CLOSE) * rule_best:
        return Verdict.BP_KNOWN
    return Verdict.UNDECIDED


def by_energy(
    rule_best: FloatArray, rule_bound: FloatArray, bp_best: FloatArray, bp_bound: FloatArray
) -> npt.NDArray[np.int64]:
    """Who spends less energy, whatever the constants are within their ranges: places on `SCALE`.

    Arrays of (…, draws); the answer has the shape without the draws. A win counts as proven, or
    known, if it holds by 2 % or more in 95 % of the draws of the constants; bytes off the chip are
    those of bounds and best orders, all else is the model of `batch_energy`, the same for both.
    """
    sure = (1 + SHARE) / 2  # the upper end of a two-sided interval

    def cheaper(one: FloatArray, other: FloatArray) -> npt.NDArray[np.bool_]:
        return np.asarray((one < (1 - MARGIN) * other).mean(axis=-1) >= sure)

    place = np.full(rule_best.shape[:-1], SCALE.index(Verdict.UNDECIDED), dtype=np.int64)
    place[cheaper(rule_best, bp_best)] = SCALE.index(Verdict.RULE_KNOWN)
    place[cheaper(bp_best, rule_best)] = SCALE.index(Verdict.BP_KNOWN)
    place[cheaper(rule_best, bp_bound)] = SCALE.index(Verdict.RULE_PROVEN)
    place[cheaper(bp_best, rule_bound)] = SCALE.index(Verdict.BP_PROVEN)
    return place


def with_measurement(verdict: Verdict, ratio: float) -> Verdict:
    """The verdict where a measured ratio of the rule to backprop is at hand; a proof stands."""
    if verdict in (Verdict.RULE_PROVEN, Verdict.BP_PROVEN) or not ratio > 0:
        return verdict
    if ratio < 1 - CLOSE:
        return Verdict.RULE_MEASURED
    return Verdict.BP_MEASURED if ratio > 1 + CLOSE else Verdict.UNDECIDED


# ---- the table -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Contender:
    """One rule at one on-chip size, an entry per network."""

    rule: str
    orders: tuple[schedules.Schedule, ...]
    bounds: tuple[bounds.Bound, ...]
    usual: tuple[schedules.Schedule, ...]
    lru: tuple[schedules.Schedule | None, ...] = ()
    """Best orders in an LRU, if they are asked for; None for a rule that has none there."""


@dataclass(frozen=True)
class Energies:
    """Joules (or MAC) of best orders, bounds, step-major order and in an LRU, (networks, draws).

    NaN in an LRU where no order is known.
    """

    best: FloatArray
    bound: FloatArray
    usual: FloatArray
    lru: FloatArray


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
    orders, least, usual = [], [], []
    shape = shape_of(rule)
    for network in found:
        batches = _batches(network)
        orders.append(schedules.best_order(rule, network, on_chip_bytes, batches=batches))
        least.append(bounds.least(rule, network, on_chip_bytes))
        if shape.local and not shape.greedy:
            usual.append(schedules.step_major_only(rule, network, on_chip_bytes))
        else:
            usual.append(orders[-1])
    return Contender(rule, tuple(orders), tuple(least), tuple(usual))


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
        price, n = chip.prices(on_chip_bytes, self.behind), len(found.orders)
        inside = self.arithmetic @ np.stack([price.multiply_add, price.multiply, price.special])
        inside = inside + self.on_chip * price.on_chip_byte
        best, bound, usual, lru = (
            inside
            + np.array([[one.nbytes if one else np.nan] for one in side]) * price.off_chip_byte
            for side in (found.orders, found.bounds, found.usual, found.lru or [None] * n)
        )
        return Energies(best, bound, usual, lru)

    def parts(self, chip: Chip, on_chip_bytes: int, found: Contender) -> FloatArray:
        """Nominal energies of a side: a row per network, columns `PARTS`."""
        price = chip.prices(on_chip_bytes, self.behind)
        each = np.stack([price.multiply_add, price.multiply, price.special])[:, 0]
        near = np.broadcast_to(price.on_chip_byte[..., 0], len(self.on_chip))
        far = np.broadcast_to(price.off_chip_byte[..., 0], len(self.on_chip))
        best = np.array([one.nbytes for one in found.orders], dtype=np.float64)
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
        sides = {rule: _with_lru(side(rule, found, size), found, size) for rule in work}
        energies = [
            {rule: work[rule].energies(chip, size, sides[rule]) for rule in work} for chip in chips
        ]
        for rule in (*rules, BACKPROP):
            order = _order_columns(sides[rule], sides[BACKPROP], found, size)
            for chip, spent in zip(chips, energies, strict=True):
                parts.append(order | _energy_columns(chip.profile, rule, spent))
    table = pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in COLUMNS})
    return table.astype({"in_flight": "Int64", "in_flight_lru": "Int64", "bytes_lru": "Int64"})


def _with_lru(found: Contender, networks: Sequence[Network], size: int) -> Contender:
    lru = (fitting.lru_order(found.rule, one, size, batches=_batches(one)) for one in networks)
    return replace(found, lru=tuple(lru))


def _batches(network: Network) -> int:
    """Full batches of an epoch, the most that can be in flight."""
    return max(IMAGES // network.batch_size, 1)


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
            winner = by_energy(one.best, one.bound, other.best, other.bound)
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
    cells = list(zip(ours.orders, ours.bounds, theirs.orders, theirs.bounds, strict=True))
    return {
        "layer_sizes": ["-".join(map(str, network.layer_sizes)) for network in found],
        "optimizer": [network.optimizer for network in found],
        "batch_size": [network.batch_size for network in found],
        "on_chip_bytes": [size] * len(found),
        "rule": [ours.rule] * len(found),
        "order": [order.order for order in ours.orders],
        "groups": [written(order.groups) for order in ours.orders],
        "in_flight": [order.in_flight for order in ours.orders],
        "bytes_best_order": [order.nbytes for order in ours.orders],
        "bytes_bound": [bound.nbytes for bound in ours.bounds],
        "bound": [bound.name for bound in ours.bounds],
        "bound_class": [bound.schedule_class for bound in ours.bounds],
        "bytes_winner": [
            str(by_bytes(order.nbytes, bound.nbytes, best.nbytes, least.nbytes)) if is_rule else ""
            for order, bound, best, least in cells
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
    verdicts = by_energy(ours.best, ours.bound, theirs.best, theirs.bound)
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
