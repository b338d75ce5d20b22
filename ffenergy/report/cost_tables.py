"""Tables that add priced rows up: parts, places, sizes of memory, distances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, Final

import pandas as pd

from ffenergy.costs.decomposition import ORDER, RUN, TOTAL, TRAINING_STEP, exact_total
from ffenergy.costs.prices import ACCOUNTINGS, MANAGED
from ffenergy.costs.step_kinds import rows_of, trains_layers
from ffenergy.costs.under_profile import COMPUTE, WIRE
from ffenergy.report.book import Book
from ffenergy.report.columns import UNITS, Column, Table, amount, columns, pair, table
from ffenergy.report.numbers import DRAWN, MISSING, between, decimal, memory_size, words
from ffenergy.report.per_sample import crossings, miss_curves, per_training_sample
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.style import (
    ALGORITHM_NAMES,
    PHASES,
    ROLES,
    in_order,
    layers_in_order,
    short_name,
)

SHOWN_SIZES: Final = 2
"""Octaves between the memory sizes of the table; the picture has four sizes an octave."""
OF: Final = {RUN: "the whole run", TRAINING_STEP: "one training step"}
SCOPE_NAMES: Final = {RUN: "Whole run", TRAINING_STEP: "One training step"}


def parts(
    book: Book,
    scope: str,
    accounting: str,
    profile: str | None = None,
    measure: str | None = None,
    unit: str | None = None,
) -> Table | None:
    """Backprop → Forward-Forward in signed parts; by default energy under the headline profile."""
    rows = book.parts(scope, accounting, profile, measure)
    if rows.empty:
        return None
    name = f"parts-{scope.replace(' ', '-')}-{accounting}"
    what = ""
    priced = measure is None or measure.startswith("energy")
    if measure is not None:
        name += f"-{profile or measure}"
        what = f", under {profile}" if profile else f", {measure.replace('_', ' ')}"
    caption = f"{SCOPE_NAMES[scope]}, {accounting}"
    caption = f"{book.met(caption) if priced else caption}{what}"
    unit = UNITS[book.unit] if unit is None else unit
    return _parts_table(rows, name, caption, unit, "decomposition.csv")


def _parts_table(
    rows: pd.DataFrame,
    name: str,
    caption: str,
    unit: str,
    source: str,
    more: Sequence[Column] = (),
) -> Table:
    """Lay out the parts that are not nothing, the order where it is one, and their sum."""
    numbers = ["backprop", "forward_forward", "difference"]
    total = rows[rows["part"] == TOTAL].iloc[0]
    told = (rows["part"] == ORDER) | (rows[numbers[:2]].astype(float) != 0).any(axis=1)
    rows = rows[(rows["part"] != TOTAL) & told]
    shown = [
        *columns(["part"]),
        amount("backprop", short_name(BACKPROP), unit),
        amount("forward_forward", short_name(FORWARD_FORWARD), unit),
        amount("difference", _less(FORWARD_FORWARD, BACKPROP), unit, signed=True),
        *more,
    ]
    foot = {c.name: total[c.name] for c in shown}
    return table(name, caption, source, shown, rows, foot)


def scenarios(book: Book) -> Table | None:
    """Every algorithm as it runs, well built and at the least."""
    if book.ways is None:
        return None
    names = ["algorithm", "scenario", f"energy_{book.unit}"]  # what is asked for comes first
    rest = [f"energy_compute_{book.unit}", f"energy_movement_{book.unit}", "commute_to_compute"]
    rest += ["reading", "memory", "order", "groups", "in_flight", "bytes", "off_chip_bytes"]
    rest += ["peak_live_bytes", "note"]
    size = memory_size(int(book.scenarios["on_chip_bytes"].iloc[0]))
    what = "Whole run" if book.base == RUN else "A batch of images"
    caption = f"{what} in three scenarios, {book.headline}, {size} on the chip"
    told = [_over_backprop(row) for row in book.scenarios.to_dict("records")]
    over = Column("over", f"energy ÷ backprop ({DRAWN})")
    shown = [*columns(names), over, *columns(rest)]
    return table("scenarios", caption, "scenarios.csv", shown, book.scenarios.assign(over=told))


def _over_backprop(row: dict[Any, Any]) -> str:
    """A ratio and its interval; backprop's own is 1 under all constants."""
    if row["algorithm"] == BACKPROP:
        return "1"
    ends = {"": "ratio_to_backprop", "_low": "ratio_low", "_high": "ratio_high"}
    return _interval({end: row[name] for end, name in ends.items()}, "")


def every_profile(book: Book) -> Table | None:
    """Forward-Forward ÷ backprop under every profile, with intervals."""
    found = book.every_profile
    if found.empty:
        return None
    known = ["ratio_as_it_runs", "ratio_best_order"]
    frame = found.assign(
        size=[memory_size(int(size)) for size in found["on_chip_bytes"]],
        **{name: [_interval(row, name) for row in found.to_dict("records")] for name in known},
    )
    shown = [
        *columns(["profile"]),
        Column("size", "on the chip"),
        Column("ratio_as_it_runs", "FF ÷ backprop as it runs"),
        Column("ratio_best_order", "a batch in the best orders, closed form"),
        Column("energy_winner", "cheaper in the best orders", number=False),
    ]
    what = "of the whole run" if book.base == RUN else "of a batch"
    caption = f"Energy {what}, Forward-Forward ÷ backprop, with {DRAWN}"
    return table("ratios", caption, "ratios.csv", shown, frame)


def _interval(row: dict[Any, Any], name: str) -> str:
    low, value, high = (row[f"{name}{end}"] for end in ("_low", "", "_high"))
    return MISSING if pd.isna(value) else f"{value:.2f} ({between(low, high)})"


def well_built_parts(book: Book) -> Table | None:
    """Backprop → Forward-Forward, both well built, in signed parts; one of them is the order."""
    rows = book.well_built_parts()
    if rows.empty:
        return None
    caption = f"{SCOPE_NAMES[book.base]}, well built"
    rows = rows.assign(share=[_share(row) for row in rows.to_dict("records")])
    share = Column("share", f"of backprop's, % ({DRAWN})")
    unit = UNITS[book.unit]
    return _parts_table(rows, "parts-well-built", caption, unit, "well-built.csv", [share])


def _share(row: dict[Any, Any]) -> str:
    """A share of backprop's energy in percent, with its interval."""
    value, low, high = (
        decimal(row[f"share_{end}"], 0.01, 1, signed=True) for end in ("of_backprop", "low", "high")
    )
    return value if low == high else f"{value} ({low} to {high})"


def counted_places(book: Book) -> list[Table]:
    """Bytes of the whole run, layer by phase, a table per algorithm; then phase by algorithm."""
    found = []
    for name, frame in book.layers_by_phases.items():
        rows = frame.rename_axis("layer").reset_index()
        rows.columns = rows.columns.astype(str)
        shown = [*columns(["layer"]), *(amount(str(c), str(c), "B") for c in frame.columns)]
        foot = dict(rows.iloc[-1])
        caption = f"{ALGORITHM_NAMES.get(name, name)}: bytes of {OF[book.base]}, eager"
        key = f"bytes-by-layer-{name}"
        found.append(table(key, caption, "traffic.csv", shown, rows.iloc[:-1], foot))
    differences = book.phase_differences
    if book.pair and not differences.empty:
        rows = differences.rename_axis("phase").reset_index()
        shown = [
            *columns(["phase"]),
            *(amount(name, short_name(name), "B") for name in book.pair),
            amount("difference", _less(*book.pair), "B", signed=True),
        ]
        caption = "Bytes per training sample of the training steps, eager"
        foot = dict(rows.iloc[-1])
        found.append(table("bytes-per-sample", caption, "traffic.csv", shown, rows.iloc[:-1], foot))
    return found


def energy_places(book: Book, key: str) -> Table:
    """Energy of the whole run by layer, phase or role, a column per algorithm and accounting."""
    frame = _spread(book.run_energy, key)
    order = {"layer": layers_in_order, "phase": _by(PHASES), "role": _by(ROLES)}[key]
    frame = frame.loc[order(map(str, frame.index))].reset_index(names=key)
    shown = [*columns([key]), *_pairs(frame, UNITS[book.unit])]
    foot = {c.name: exact_total(frame[c.name].tolist()) for c in shown[1:]}
    return table(
        f"energy-by-{key}",
        book.met(f"Energy of {OF[book.base]} by {key}"),
        "energy.csv and steps.csv",
        shown,
        frame,
        {key: TOTAL, **foot},
    )


def components(book: Book) -> Table | None:
    """Energy of arithmetic and of what each memory level serves."""
    if book.prices is None or book.run_energy.empty:
        return None
    frame = _spread(book.run_energy, "component")
    levels = book.prices.levels
    levels = levels[levels["profile"] == book.headline]
    ordered = levels.sort_values("capacity_bytes", na_position="last")["level"].unique()
    order = [name for name in (COMPUTE, *ordered, WIRE) if name in frame.index]
    frame = frame.loc[order].reset_index(names="component")
    shown = [Column("component", "served by", number=False), *_pairs(frame, UNITS[book.unit])]
    foot = {c.name: exact_total(frame[c.name].tolist()) for c in shown[1:]}
    return table(
        "energy-by-component",
        book.met(f"Energy of {OF[book.base]} by what serves it"),
        "energy.csv and steps.csv",
        shown,
        frame,
        {"component": TOTAL, **foot},
    )


def beyond(book: Book) -> Table | None:
    """Bytes per training sample that travel beyond an on-chip memory, by its size."""
    caption = book.met("Bytes per training sample that travel beyond an on-chip memory")
    return _by_size("beyond", caption, book.miss_curves)


def least(book: Book) -> Table | None:
    """What no way to manage a memory goes below, where it is managed."""
    if book.prices is None or book.prices.memory != MANAGED:
        return None
    curves = {name: miss_curves(book.prices, name, least=True) for name in book.miss_curves}
    caption = "The least that any way to manage that memory lets travel, a lower estimate"
    return _by_size("least", caption, curves)


def _by_size(name: str, caption: str, by_accounting: Mapping[str, pd.DataFrame]) -> Table | None:
    found = {
        f"{algorithm}|{accounting}": curves[algorithm]
        for accounting, curves in by_accounting.items()
        for algorithm in curves
    }
    if not found:
        return None
    frame = pd.DataFrame(found).ffill()
    sizes = [size for size in frame.index if _power(int(size)) % SHOWN_SIZES == 0]
    frame = frame.loc[sizes].rename_axis("capacity_bytes").reset_index()
    shown = [_size_column("capacity_bytes", "on-chip memory"), *_pairs(frame, "B")]
    return table(name, caption, "misses.csv and steps.csv", shown, frame)


def meetings(book: Book) -> Table | None:
    """Sizes of on-chip memory at which two algorithms change places."""
    rows = []
    for accounting, curves in book.miss_curves.items():
        for a, b in combinations(map(str, curves), 2):
            for size, height in crossings(curves, a, b):
                names = f"{short_name(a)} = {short_name(b)}"
                rows.append((accounting, names, size, height))
    if not rows:
        return None
    frame = pd.DataFrame(rows, columns=["accounting", "pair", "capacity_bytes", "bytes"])
    shown = [
        *columns(["accounting"]),
        Column("pair", "who", number=False),
        _size_column("capacity_bytes", "on-chip memory"),
        amount("bytes", "travelling beyond it, per sample", "B"),
    ]
    caption = book.met("Where they change places")
    return table("crossings", caption, "misses.csv", shown, frame)


def distances(book: Book) -> Table | None:
    """Bytes read per training sample by reuse distance."""
    rows = book.distances
    if rows.empty:
        return None
    frame = _spread(rows.assign(value=rows["bytes_read"]), "distance_to_bytes")
    order = sorted(frame.index, key=lambda size: (size < 0, size))
    frame = frame.loc[order].rename_axis("distance_to_bytes").reset_index()
    shown = [_size_column("distance_to_bytes", "distance up to"), *_pairs(frame, "B")]
    return table(
        "distances",
        book.met("Bytes read per training sample by reuse distance, tile grain"),
        "reuse.csv and steps.csv",
        shown,
        frame,
    )


def peaks(book: Book) -> Table | None:
    """The moment of the most live bytes of every kind of training step."""
    if book.prices is None:
        return None
    rows = book.prices.peak
    rows = rows_of(rows, trains_layers(book.prices.steps))
    if rows.empty:
        return None
    names = ["algorithm", "step", "accounting", "peak_live_bytes", "peak_activation_bytes"]
    names += ["layer", "phase", "operation"]
    return table("peaks", "Most live memory of a training step", "peak.csv", columns(names), rows)


def _spread(rows: pd.DataFrame, key: str) -> pd.DataFrame:
    """Values added up: a row per `key`, a column ``algorithm|accounting``, in the usual order."""
    names = in_order(rows["algorithm"].unique(), ALGORITHM_NAMES)
    found: dict[str, dict[Any, int | float]] = {}
    for name in names:
        for accounting in ACCOUNTINGS:
            own = rows[(rows["algorithm"] == name) & (rows["accounting"] == accounting)]
            groups = own.groupby(key, sort=False)["value"]
            found[f"{name}|{accounting}"] = {k: exact_total(v.tolist()) for k, v in groups}
    return pd.DataFrame(found).fillna(0)


def _pairs(frame: pd.DataFrame, unit: str) -> list[Column]:
    names = [str(name) for name in frame if "|" in str(name)]
    return [amount(name, pair(*name.split("|")), unit) for name in names]


def _less(ours: str, baseline: str) -> str:
    return f"{short_name(ours)} − {short_name(baseline)}"


def _by(order: tuple[str, ...]) -> Any:
    return lambda found: in_order(found, order)


def _size_column(name: str, heading: str) -> Column:
    return Column(name, heading, form=words(lambda size: _size(float(size))))


def _size(nbytes: float) -> str:
    return "first read" if nbytes < 0 else memory_size(nbytes)


def _power(size: int) -> int:
    """The exponent of a power of two; -1, which is odd, for any other size."""
    return size.bit_length() - 1 if size & (size - 1) == 0 else -1


def tuned(book: Book) -> Table | None:
    """Bytes beyond every level of the headline profile, one order against tuned products.

    Where the two disagree on who moves less, both are named.
    """
    if book.prices is None or book.prices.tuned.empty:
        return None
    orders, keys = ("", "tuned_"), ["algorithm", "accounting", "capacity_bytes"]
    rows = book.prices.tuned
    rows = rows[rows["profile"] == book.headline]
    named = [f"{order}bytes_{way}" for order in orders for way in ("read", "written")]
    added = per_training_sample(rows, book.prices.steps, named, keys)
    moved = {
        order: added.assign(
            bytes=added[f"{order}bytes_read"] + added[f"{order}bytes_written"]
        ).pivot_table(index=keys[1:], columns="algorithm", values="bytes", sort=False)
        for order in orders
    }
    both = (BACKPROP, FORWARD_FORWARD)
    if not set(both) <= set(moved[""].columns):
        return None
    frame = moved[""].rename_axis(columns=None).reset_index()
    for name in both:
        frame[f"tuned_{name}"] = moved["tuned_"][name].to_numpy()
    moves = [frame[[f"{order}{name}" for name in both]].to_numpy() for order in orders]
    frame["less"] = [_winners(*one, *best) for one, best in zip(*moves, strict=True)]
    shown = [
        *columns(["accounting"]),
        Column("capacity_bytes", "on-chip memory", form=words(lambda size: memory_size(int(size)))),
        *(
            amount(f"{order}{name}", f"{short_name(name)}{', tuned' if order else ''}", "B")
            for name in both
            for order in orders
        ),
        Column("less", "moves less", number=False),
    ]
    caption = (
        f"Beyond each level of {book.headline}, per training sample: products in one order for all"
        " sizes, or each tiled for that size"
    )
    return table("tuned", caption, "tuned.csv and steps.csv", shown, frame)


def _winners(backprop: float, forward: float, tuned_backprop: float, tuned_forward: float) -> str:
    """Name the rule that moves less; both, and where, if tuning changes who that is."""
    one, best = (
        "as much" if a == b else short_name(BACKPROP if a < b else FORWARD_FORWARD)
        for a, b in ((backprop, forward), (tuned_backprop, tuned_forward))
    )
    return one if one == best else f"{one}; tuned {best}"
