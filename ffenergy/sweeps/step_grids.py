"""Sweeps without training: one training step priced for every combination of settings."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from itertools import product
from typing import Any, Final

import pandas as pd

from ffenergy import machine_memory
from ffenergy.costs.decomposition import energies
from ffenergy.costs.measuring import measure
from ffenergy.costs.network import order_of
from ffenergy.costs.prices import ACCOUNTINGS, BYTEDMD_MEMORY, MEMORIES, PRICED_GRAIN, Prices
from ffenergy.costs.run_costs import price_steps
from ffenergy.energy import Profile, commute_to_compute
from ffenergy.energy.chip import FloatArray, ratio
from ffenergy.energy.chip import energies as drawn_energies
from ffenergy.errors import PricingError, SettingsError
from ffenergy.network.orders import STEP_MAJOR
from ffenergy.rules.registry import BACKPROP
from ffenergy.settings import Settings, check_once, parse_layer_sizes

AXES: Final = ("batch_size", "width", "depth", "layer_sizes", "optimizer", "dtype")
SEPARATORS: Final = dict.fromkeys(AXES, ",") | {"layer_sizes": ";"}
NUMBERS: Final = ("batch_size", "width", "depth")
COMPARED: Final = ("bytes", "flops", "bytedmd_operation", "bytedmd_tile", "peak_live_bytes")
"""Columns that, with the energy, have a ratio to backprop beside them."""
EXACT: Final = ("parameters", "bytes_read", "bytes_written", *COMPARED[1:])
"""Columns of integers, which stay so where a figure is missing."""
ORDER: Final = ("order", "in_flight", "groups")
"""Columns there if an order is not step-major: that of the rule, in which some have no other."""
DIGITS: Final = 100  # of a number in a list; Python itself reads no more than 4300

Pricing = Callable[[Sequence[str], Settings, Sequence[Profile], str], Prices]


def grid(
    settings: Settings, lists: Mapping[str, str | None], changes: Mapping[str, Any] | None = None
) -> list[Settings]:
    """Return the settings of every combination, the last axis of AXES running fastest.

    Args:
        settings: what every combination has in common.
        lists: values per axis of AXES as text, with commas (networks of ``layer_sizes`` with
            semicolons); None or a missing axis leaves the setting as it is. ``width`` and
            ``depth`` stand for a network of ``depth`` layers of ``width`` units.
        changes: settings laid over the common ones together with every combination, for those
            that are valid only beside it, as ``local_fields`` beside its ``layer_sizes``.

    Raises:
        SettingsError: an empty or repeated value, one that is no number, or ``layer_sizes``
            beside ``width`` or ``depth``.
    """
    axes = {name: _parsed(name, text) for name in AXES if (text := lists.get(name)) is not None}
    if "layer_sizes" in axes and {"width", "depth"} & axes.keys():
        raise SettingsError("--layer-sizes stands beside --width or --depth; give one or the other")
    if {"width", "depth"} & axes.keys():
        hidden = settings.layer_sizes[1:]
        if "width" not in axes and len(set(hidden)) > 1:
            raise SettingsError(f"--depth needs --width: the hidden layers are {list(hidden)}")
        axes.setdefault("width", [hidden[0]])
        axes.setdefault("depth", [len(hidden)])
    machine_memory.check_cells(math.prod(map(len, axes.values())), "the sweep")
    combinations = (dict(zip(axes, values, strict=True)) for values in product(*axes.values()))
    return [_replaced(settings, {**(changes or {}), **chosen}) for chosen in combinations]


def sweep(
    grid: Sequence[Settings],
    algorithms: Sequence[str],
    profiles: Sequence[Profile],
    done: Callable[[pd.DataFrame], object] = lambda table: None,
    pricing: Pricing = price_steps,
    *,
    memory: str = MEMORIES[0],
) -> pd.DataFrame:
    """Price a training step, one batch of images, of every algorithm for every combination.

    Returns a row per combination, algorithm and accounting (eager, fused): settings, counts and
    energies per training step under the first profile, in ``memory``, bytes and energy per
    training sample, and ratios to backprop under the same settings and accounting (empty without
    it). 90 % of the draws of the profile's constants put that of energies between
    ``energy_ratio_low`` and ``energy_ratio_high``, which are empty where it prices distances.
    Where a combination has another order than step-major, `ORDER` says which a row really has.
    Where the profile has no price for the dtype energies are empty, where a step cannot be
    analysed all figures of the combination; ``note`` says so. ``done`` is given the table so far
    after every combination.
    """
    rows: list[dict[str, Any]] = []
    ordered = any(settings.order != STEP_MAJOR for settings in grid)
    for settings in grid:
        cell, drawn = _cell(settings, algorithms, profiles[0], pricing, memory)
        baseline = {row["accounting"]: row for row in cell if row["algorithm"] == BACKPROP}
        for row in cell:
            own, theirs = ((name, row["accounting"]) for name in (row["algorithm"], BACKPROP))
            ends = _ends(drawn.get(own), drawn.get(theirs))
            rows.append(row | _ratios(row, baseline.get(row["accounting"])) | ends)
            if ordered:
                taken = order_of(row["algorithm"], settings)
                rows[-1] |= dict(zip(ORDER, taken, strict=True))
        done(_table(rows))
    return _table(rows)


def _table(rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One column per figure, the note last; integers stay integers beside missing figures."""
    names = dict.fromkeys(name for row in rows for name in row)
    last = [name for name in ("profile", "note") if name in names]
    table = pd.DataFrame([{name: row.get(name) for name in names} for row in rows], dtype=object)
    table = table[[*(name for name in names if name not in last), *last]].infer_objects()
    missing = [name for name in EXACT if name in names and table[name].isna().any()]
    return table.astype(dict.fromkeys(missing, "Int64"))


def swept(table: pd.DataFrame) -> list[str]:
    """Return the axes along which a sweep has more than one value.

    ``layer_sizes`` is left out where width and depth say it all.
    """
    varied = [name for name in AXES if len(table[name].drop_duplicates()) > 1]
    told = table["width"].notna().all() and {"width", "depth"} & set(varied)
    return [name for name in varied if name != "layer_sizes" or not told]


def _cell(
    settings: Settings,
    algorithms: Sequence[str],
    profile: Profile,
    pricing: Pricing,
    memory: str,
) -> tuple[list[dict[str, Any]], Mapping[tuple[str, str], FloatArray]]:
    """Rows of a combination; energies under every draw of the constants, where there are any."""
    note = _why_unpriced(settings, profile)
    sizes = settings.layer_sizes
    uniform = len(set(sizes[1:])) == 1
    cell: list[dict[str, Any]] = [
        {
            "batch_size": settings.batch_size,
            "width": sizes[1] if uniform else None,
            "depth": settings.n_layers,
            "layer_sizes": "-".join(map(str, sizes)),
            "optimizer": settings.optimizer,
            "dtype": settings.dtype,
            "algorithm": algorithm,
            "accounting": accounting,
            "memory": memory,
            "profile": profile.name,
            "note": note,
        }
        for algorithm, accounting in product(algorithms, ACCOUNTINGS)
    ]
    try:
        priced = pricing(algorithms, settings, [] if note else [profile], memory)
    except PricingError as error:
        return [row | {"note": error.message} for row in cell], {}
    flops = {algorithm: _flops(algorithm, settings) for algorithm in algorithms}
    for row in cell:
        which = row["algorithm"], row["accounting"]
        row |= _counts(priced, settings, *which) | {"flops": flops[row["algorithm"]]}
        row |= _energy(priced, settings, *which, profile, priced_at_all=not note)
    if note or not profile.levels:
        return cell, {}
    every = product(algorithms, ACCOUNTINGS)
    return cell, {which: _drawn(priced, *which, profile) for which in every}


def _drawn(prices: Prices, algorithm: str, accounting: str, profile: Profile) -> FloatArray:
    """Energy of a batch of images under every draw of the profile's constants."""
    work = prices.work[prices.work["algorithm"] == algorithm]
    levels = _rows(prices.levels, algorithm, accounting)
    drawn = drawn_energies(profile, work, levels[levels["grain"] == PRICED_GRAIN])
    return drawn * float(_of_a_batch(prices, algorithm))


def _ends(ours: FloatArray | None, theirs: FloatArray | None) -> dict[str, float | None]:
    """The interval of a ratio of energies."""
    names = ("energy_ratio_low", "energy_ratio_high")
    if ours is None or theirs is None:
        return dict.fromkeys(names)
    found = ratio(ours, theirs)
    return dict(zip(names, (found.low, found.high), strict=True))


def _counts(
    prices: Prices, settings: Settings, algorithm: str, accounting: str
) -> dict[str, int | float]:
    reuse = _rows(prices.reuse, algorithm, accounting)
    reuse = reuse[reuse["memory"] == BYTEDMD_MEMORY]
    counted = reuse.groupby("grain")[["bytes_read", "bytes_written", "bytedmd"]].sum()
    share = _of_a_batch(prices, algorithm)
    sums = counted.map(lambda n: round(int(n) * share)).to_dict()
    read, written = (sums[f"bytes_{way}"]["operation"] for way in ("read", "written"))
    live = _rows(prices.live, algorithm, accounting)
    peak = _rows(prices.peak, algorithm, accounting)
    return {
        # weights stay in memory from before the first step, so they are alive at every moment
        "parameters": int(live["weight"].max()) // _itemsize(settings),
        "bytes_read": read,
        "bytes_written": written,
        "bytes_per_sample": (read + written) / settings.batch_size,
        "bytedmd_operation": sums["bytedmd"]["operation"],
        "bytedmd_tile": sums["bytedmd"]["tile"],
        "peak_live_bytes": int(peak["peak_live_bytes"].max()),
    }


def _of_a_batch(prices: Prices, algorithm: str) -> Fraction:
    """Which share of an algorithm's steps is one batch of images."""
    steps = prices.steps
    return Fraction(steps.loc[steps["algorithm"] == algorithm, "steps"].iloc[0])


def _energy(
    prices: Prices,
    settings: Settings,
    algorithm: str,
    accounting: str,
    profile: Profile,
    *,
    priced_at_all: bool,
) -> dict[str, float | None]:
    unit = profile.column("compute").rsplit("_", 1)[1]
    names = [f"energy_{what}{unit}" for what in ("compute_", "movement_", "")]
    values: list[float | None] = [None, None, None, None, None, None]
    if priced_at_all:
        rows = _rows(prices.energy, algorithm, accounting)
        every = energies(rows)
        share = float(_of_a_batch(prices, algorithm))
        compute, movement, total = (float(every[name].sum()) * share for name in names)
        own = float(every[names[2]][rows["phase"] == "normalize"].sum()) * share
        ratio = float(commute_to_compute(movement, compute))
        values = [compute, movement, total, total / settings.batch_size, ratio, own / total]
    per_sample = f"energy_per_sample_{unit}"
    return dict(
        zip(
            [*names, per_sample, "commute_to_compute", "normalize_energy_share"],
            values,
            strict=True,
        )
    )


def _ratios(row: Mapping[str, Any], baseline: Mapping[str, Any] | None) -> dict[str, float | None]:
    ratios: dict[str, float | None] = {}
    for name in (*COMPARED, "energy"):
        own, theirs = (None if r is None else _compared(r, name) for r in (row, baseline))
        ratios[f"{name}_ratio_to_bp"] = own / theirs if own is not None and theirs else None
    return ratios


def _compared(row: Mapping[str, Any], name: str) -> float | None:
    if name == "bytes":
        return float(row["bytes_read"] + row["bytes_written"]) if "bytes_read" in row else None
    if name == "energy":
        name = next((n for n in ("energy_joules", "energy_macs") if n in row), name)
    value = row.get(name)
    return None if value is None else float(value)


def _rows(table: pd.DataFrame, algorithm: str, accounting: str) -> pd.DataFrame:
    return table[(table["algorithm"] == algorithm) & (table["accounting"] == accounting)]


def _flops(algorithm: str, settings: Settings) -> int:
    """Additions, multiplications and comparisons of a step, on the trainer's own full batch."""
    return int(measure(algorithm, settings, steps=1).traffic["flops"].sum())


def _itemsize(settings: Settings) -> int:
    return {"float32": 4, "float64": 8}[settings.dtype]


def _why_unpriced(settings: Settings, profile: Profile) -> str:
    try:
        profile.operations(settings.dtype)
    except PricingError as error:
        return error.message
    return ""


def _replaced(settings: Settings, chosen: Mapping[str, Any]) -> Settings:
    """Lay one combination over the settings; width and depth become layer sizes."""
    plain = {name: value for name, value in chosen.items() if name not in ("width", "depth")}
    if "width" in chosen:
        hidden = (chosen["width"],) * chosen["depth"]
        plain["layer_sizes"] = (settings.layer_sizes[0], *hidden)
    return settings.replace(**plain)


def _parsed(name: str, text: str) -> list[Any]:
    flag = f"--{name.replace('_', '-')}"
    parts = [part.strip() for part in text.split(SEPARATORS[name])]
    if "" in parts:
        raise SettingsError(f"{flag} has an empty value in {text!r}; write values like {_EXAMPLE}")
    values: list[Any] = parts
    if name in NUMBERS:
        values = [_number(flag, part) for part in parts]
    elif name == "layer_sizes":  # however they are written
        values = [",".join(map(str, parse_layer_sizes(part))) for part in parts]
    check_once(flag, values)
    return values


_EXAMPLE: Final = "10,100,1000 (networks: 784,500;784,1000)"


def _number(flag: str, part: str) -> int:
    if not part.isascii() or not part.isdigit() or len(part) > DIGITS or int(part) < 1:
        raise SettingsError(
            f"{flag} has {reprlib.repr(part)}; write whole numbers from 1 on, such as 10,100"
        )
    return int(part)
