"""Pictures of priced tables: what is drawn is what the tables say, under every unit."""

from __future__ import annotations

import dataclasses
import itertools
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.patches import StepPatch

from ffenergy.costs.decomposition import TOTAL, decomposition, with_order
from ffenergy.costs.prices import MEMORIES, Prices
from ffenergy.costs.step_kinds import COLUMNS, StepKind, What
from ffenergy.report.book import Book
from ffenergy.report.numbers import figure as digits
from ffenergy.report.numbers import memory_size
from ffenergy.report.per_sample import crossings, miss_curves, per_training_sample, weights
from ffenergy.report.pictures import energy as energy_figures
from ffenergy.report.pictures import memory as memory_figures
from ffenergy.report.pictures.drawing import LOOK, render, saved
from ffenergy.report.pictures.report import PICTURES
from ffenergy.runs.run import Run
from ffenergy.style import PART_COLOURS, PART_NAMES, PHASE_COLOURS, ROLE_COLOURS

ACCOUNTINGS = ("eager", "fused")
NOTHING = Run({"settings": {}, "accounting": "eager"})
PRICED = [picture for picture in PICTURES[5:] if picture.name != "map"]


def book(prices: Prices) -> Book:
    return Book(NOTHING, prices)


ROLES = ["data", "weight", "activation", "gradient", "optimizer_state", "temporary"]
PHASES = {
    "ff": ["negatives", "normalize", "forward", "goodness", "gradient", "optimizer"],
    "ff-greedy": ["negatives", "normalize", "forward", "goodness", "gradient", "optimizer"],
    "bp": ["forward", "backward", "gradient", "optimizer"],
}
SAMPLES = 10
FULL, SHORT = (StepKind("train", stage="all", samples=n, short=n < SAMPLES) for n in (SAMPLES, 5))
ALONE = [
    StepKind(f"train-{layer}", stage=layer, part=layer, samples=SAMPLES)
    for layer in ("layer1", "layer2")
]
STEPS = [
    ("ff", FULL, 6),
    ("ff", SHORT, 2),
    ("ff", StepKind("evaluate", What.EVALUATE, samples=100), 3),
    ("ff-greedy", ALONE[0], 6),
    ("ff-greedy", ALONE[1], 6),
    ("bp", FULL, 6),
    ("bp", SHORT, 2),
]


def made_prices(unit: str = "joules", algorithms: tuple[str, ...] = tuple(PHASES)) -> Prices:
    rng = np.random.default_rng(7)
    kinds = [(name, kind.label, kind, n) for name, kind, n in STEPS if name in algorithms]
    rows = [(name, label, *kind.row(), kind.samples, n) for name, label, kind, n in kinds]
    steps = pd.DataFrame(rows, columns=["algorithm", "step", *COLUMNS, "samples", "steps"])
    steps = steps.assign(digest="d", operations=3)
    energy, reuse, misses, live = [], [], [], []
    for (algorithm, step, *_), accounting in itertools.product(kinds, ACCOUNTINGS):
        keys = {"algorithm": algorithm, "step": step, "accounting": accounting}
        keys["memory"] = MEMORIES[0]
        priced = {**keys, "grain": "tile", "profile": "made", "layer": "layer1"}
        for phase, role in itertools.product(PHASES[algorithm], ROLES):
            place = {"phase": phase, "role": role, "component": "dram"}
            joules = rng.integers(1, 100, 3)
            names = [f"energy_{what}_{unit}" for what in ("compute", "read", "written")]
            energy.append({**priced, **place, **dict(zip(names, joules, strict=True))})
        for grain, role, k in itertools.product(("operation", "tile"), ROLES, (-1, 10, 20)):
            row = {**keys, "grain": grain, "layer": "layer1", "phase": "forward", "role": role}
            row |= {"distance_from_bytes": -1 if k < 0 else 2 ** (k - 1)}
            row |= {"distance_to_bytes": -1 if k < 0 else 2**k, "bytedmd": 1}
            reuse.append(row | {"bytes_read": int(rng.integers(1, 10**6)), "bytes_written": 7})
        for grain, k in itertools.product(("operation", "tile"), range(10, 20)):
            moved = {"bytes_read": 2 ** (30 - k), "bytes_written": 2 ** (20 - k)}
            misses.append({**keys, "grain": grain, "capacity_bytes": 2**k, **moved})
        if step.startswith("train"):
            for moment, phase in enumerate(np.repeat(PHASES[algorithm], 4)):
                alive = {role: 4096 * int(rng.integers(0, 99)) for role in ROLES}
                row = {**keys, "moment": moment, "layer": f"layer{moment // 8}", "phase": phase}
                row |= {"operation": "add", "total": sum(alive.values()), "data_set": 0}
                live.append(row | alive)
    tables = {"energy": energy, "reuse": reuse, "misses": misses, "live": live}
    frames = {name: pd.DataFrame(rows) for name, rows in tables.items()}
    empty = dict.fromkeys(("levels", "peak", "alive"), pd.DataFrame())
    split = decomposition(steps, frames["reuse"], frames["energy"], whole_run=False)
    return Prices(profiles=("made",), steps=steps, **frames, **empty, decomposition=split)


def energy_of(prices: Prices, algorithm: str, step: str, accounting: str) -> float:
    rows = prices.energy
    keys = {"algorithm": algorithm, "step": step, "accounting": accounting}
    for name, value in keys.items():
        rows = rows[rows[name] == value]
    return float(rows[[c for c in rows if str(c).startswith("energy_")]].to_numpy().sum())


def bars(ax: Axes) -> list[Any]:
    return list(ax.patches)


def widths(ax: Axes) -> list[float]:
    return [bar.get_width() for bar in bars(ax)]


def test_a_step_counts_by_its_share_of_the_samples_of_its_stage() -> None:
    weight = weights(made_prices().steps)
    # 6 steps of 10 and 2 of 5 see 70 samples; a stage of FF greedy sees 60 in each layer
    assert weight["ff", "train"] == 6 / 70
    assert weight["ff", "train-short"] == 2 / 70
    assert weight["ff-greedy", "train-layer1"] == weight["ff-greedy", "train-layer2"] == 6 / 60
    assert ("ff", "evaluate") not in weight.index


def test_costs_per_sample_add_layers_up_and_leave_evaluations_out() -> None:
    prices = made_prices()
    ones = prices.steps.assign(bytes=prices.steps["samples"])
    found = per_training_sample(ones, prices.steps, ["bytes"], ["algorithm"])
    # one byte per sample in each stage: two stages are two bytes
    assert found["bytes"].tolist() == pytest.approx([1, 2, 1])


def test_waterfall_goes_from_backprop_to_forward_forward() -> None:
    prices = made_prices()
    figure = energy_figures.waterfall(book(prices))
    assert figure is not None
    assert [ax.get_title() for ax in figure.axes] == list(ACCOUNTINGS)
    for ax in figure.axes:
        totals = [
            energy_of(prices, name, "train", ax.get_title()) * 1e6 / SAMPLES
            for name in ("bp", "ff")
        ]
        drawn = widths(ax)
        assert [drawn[0], drawn[-1]] == pytest.approx(totals)
        assert sum(drawn[:-1]) == pytest.approx(drawn[-1])
        ends = [bar.get_x() + bar.get_width() for bar in bars(ax)]
        assert [bar.get_x() for bar in bars(ax)[1:-1]] == ends[:-2]
    assert "µJ per training sample" in figure.get_supxlabel()
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert "L2 normalisation added" in names
    assert "softmax head" not in names  # neither algorithm spends anything there


def test_waterfall_of_well_built_rules_has_the_order_of_computation() -> None:
    prices = made_prices()
    usual = prices.decomposition[prices.decomposition["accounting"] == "fused"]
    best = usual.copy()
    total = best["part"] == TOTAL
    best.loc[total, "forward_forward"] *= 0.5
    best.loc[total, "difference"] = best["forward_forward"] - best["backprop"]
    ways: Any = SimpleNamespace(parts=with_order(usual, best))
    figure = energy_figures.waterfall(Book(NOTHING, prices, ways=ways))
    assert figure is not None
    assert [ax.get_title() for ax in figure.axes] == [*ACCOUNTINGS, "well built"]
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    at = names.index("order of computation")
    built = widths(figure.axes[2])
    assert built[at] == pytest.approx(-0.5 * energy_of(prices, "ff", "train", "fused") * 1e6 / 10)
    assert sum(built[:-1]) == pytest.approx(built[-1])
    assert [widths(ax)[at] for ax in figure.axes[:2]] == [0, 0]
    labels = [len(ax.texts) for ax in figure.axes]
    assert labels == [len(names) - 1, len(names) - 1, len(names)]  # no figure where it is no part


@pytest.mark.parametrize(("unit", "scale"), [("joules", 1e6), ("macs", 1e-6)])
def test_stacked_bars_add_up_to_the_energy_of_a_sample(unit: str, scale: float) -> None:
    prices = made_prices(unit)
    figure = energy_figures.by_phase_and_role(book(prices))
    assert figure is not None
    shown = list(itertools.product(("ff", "ff-greedy", "bp"), ACCOUNTINGS))
    steps: dict[Any, float] = dict(weights(prices.steps))
    for ax in figure.axes:
        labels = [label.get_text() for label in ax.get_yticklabels()]
        assert labels[:2] == ["FF, eager", "FF, fused"]
        assert len(labels) == len(shown)
        lengths = np.array(widths(ax)).reshape(-1, len(shown)).sum(axis=0)
        for length, (algorithm, accounting) in zip(lengths, shown, strict=True):
            expected = sum(
                energy_of(prices, algorithm, str(step), accounting) * weight
                for (name, step), weight in steps.items()
                if name == algorithm
            )
            assert length == pytest.approx(expected * scale)
    assert ("MAC" if unit == "macs" else "µJ") in figure.axes[1].get_xlabel()


def curves(sizes: list[float], a: list[float], b: list[float]) -> pd.DataFrame:
    return pd.DataFrame({"a": a, "b": b}, index=sizes)


def test_curves_cross_where_straight_lines_on_log_log_axes_do() -> None:
    # a falls 8, 2 and b stays 4: halfway in logarithms, at size 2
    assert crossings(curves([1, 4], [8, 2], [4, 4]), "a", "b") == [pytest.approx((2, 4))]
    # there and back: 8, 2, 8 around 4
    found = crossings(curves([1, 4, 16], [8, 2, 8], [4, 4, 4]), "a", "b")
    assert found == [pytest.approx((2, 4)), pytest.approx((8, 4))]


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([8, 4, 2], [4, 2, 1], []),
        ([8, 4, 8], [4, 4, 4], []),  # touches and turns back
        ([4, 4, 4], [4, 4, 4], []),  # the same
        ([4, 4, 2], [4, 4, 4], []),  # parts from a common start
        ([8, 4, 2], [4, 4, 4], [(2, 4)]),  # through a size of the table
        ([8, 4, 4, 2], [4, 4, 4, 4], [(2, 4)]),  # together for a while: where they meet
        ([8, 4, 0], [4, 5, 4], [(2 ** (1 / (1 + np.log2(5 / 4))), None)]),  # none at zero
    ],
)
def test_crossings(a: list[float], b: list[float], expected: list[tuple[float, float]]) -> None:
    sizes = [1.0, 2.0, 4.0, 8.0][: len(a)]
    found = crossings(curves(sizes, a, b), "a", "b")
    assert [size for size, _ in found] == pytest.approx([size for size, _ in expected])


def test_miss_curves_go_on_with_their_last_value_and_sum_layers() -> None:
    prices = made_prices()
    misses = prices.misses
    short = misses[(misses["algorithm"] != "bp") | (misses["capacity_bytes"] < 2**15)]
    found = miss_curves(dataclasses.replace(prices, misses=short), "eager")
    at = 2**12
    step = 2 ** (30 - 12) + 2 ** (20 - 12)
    assert found.loc[at, "ff"] == pytest.approx(step * 8 / 70)
    assert found.loc[at, "ff-greedy"] == pytest.approx(2 * step * 6 / 60)
    assert found.loc[2**19, "bp"] == found.loc[2**14, "bp"] > 0


def test_miss_curves_are_drawn_with_their_crossings() -> None:
    prices = made_prices(algorithms=("ff", "bp"))
    misses = prices.misses
    flat = misses["bytes_read"].where(misses["algorithm"] != "ff", 2**17)
    figure = memory_figures.miss_curve(
        book(dataclasses.replace(prices, misses=misses.assign(bytes_read=flat)))
    )
    assert figure is not None
    for ax in figure.axes:
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
        rings = ax.lines[-1]
        assert len(rings.get_xdata()) == 1
        assert 2**12 < rings.get_xdata()[0] < 2**14
        assert "FF = backprop at 8" in ax.get_title()
        assert "KiB" in ax.get_title()
    assert "per training sample" in figure.axes[0].get_ylabel()
    assert figure.axes[0].yaxis.get_major_formatter()(0.25) == "250 kB"


def test_the_headline_of_miss_curves_says_where_forward_forward_moves_less() -> None:
    def at(ff: list[int]) -> str:
        sizes = [2**k for k in range(10, 14)]
        return memory_figures.less(pd.DataFrame({"ff": ff, "bp": [3] * 4}, index=sizes))

    sizes = {"never": at([3, 4, 5, 6]), "once": at([5, 2, 4, 4]), "above": at([3, 2, 1, 0])}
    assert sizes == {"never": "", "once": "at 2 KiB", "above": "from 2 KiB to 8 KiB"}
    assert at([1, 4, 2, 4]) == "at some sizes from 1 KiB to 4 KiB"
    both = memory_figures.less_moved({"eager": sizes["once"], "fused": sizes["once"]})
    assert both == "Forward-Forward moves less at 2 KiB"
    one = memory_figures.less_moved({"eager": "", "fused": sizes["above"]})
    assert one == "Forward-Forward moves less at no size eager, from 2 KiB to 8 KiB fused"
    assert "at every size" in memory_figures.less_moved({"eager": "", "fused": ""})


def test_histograms_hold_every_byte_read() -> None:
    prices = made_prices()
    figure = memory_figures.reuse_distances(book(prices))
    assert figure is not None
    reuse = prices.reuse[prices.reuse["grain"] == "tile"]
    keys = ["algorithm", "accounting"]
    sums = per_training_sample(reuse, prices.steps, ["bytes_read"], keys).set_index(keys)
    order = list(itertools.product(("ff", "ff-greedy", "bp"), ACCOUNTINGS))
    for ax, key in zip(figure.axes, order, strict=True):
        drawn = sum(bar.get_height() for bar in bars(ax))
        assert drawn == pytest.approx(sums.loc[key, "bytes_read"] / 1e6)
    labels = [label.get_text() for label in figure.axes[-1].get_xticklabels()]
    assert labels[-1] == "first\nread"


def test_areas_are_the_live_bytes_and_the_peak_is_their_highest_point() -> None:
    prices = made_prices(algorithms=("ff", "bp"))
    figure = memory_figures.live_memory(book(prices))
    assert figure is not None
    order = list(itertools.product(ACCOUNTINGS, ("ff", "bp")))
    for ax, (accounting, algorithm) in zip(figure.axes, order, strict=True):
        live = prices.live
        live = live[(live["algorithm"] == algorithm) & (live["accounting"] == accounting)]
        rows = live[live["step"] == "train"]
        areas = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
        assert [area.get_label() for area in areas] == list(ROLE_COLOURS)
        heights, edges, _ = areas[-1].get_data()
        moments = np.searchsorted(edges, np.arange(len(rows)), side="right") - 1
        assert heights[moments] * 2**20 == pytest.approx(rows["total"].to_numpy())
        peak = rows["total"].max() / 2**20
        marker = ax.lines[0]
        assert marker.get_ydata()[0] == pytest.approx(peak)
        assert f"peak {digits(peak)} MiB" in [text.get_text() for text in ax.texts]
    assert "MiB" in figure.axes[0].get_ylabel()


def test_pictures_are_drawn_for_what_is_there() -> None:
    alone = made_prices(algorithms=("ff",))
    assert energy_figures.waterfall(book(alone)) is None
    for draw in (memory_figures.miss_curve, memory_figures.reuse_distances):
        assert draw(book(alone)) is not None
    nothing = made_prices()
    nothing = dataclasses.replace(nothing, steps=nothing.steps[nothing.steps["step"] == "evaluate"])
    assert energy_figures.by_phase_and_role(book(nothing)) is None
    assert memory_figures.live_memory(book(nothing)) is None


@pytest.mark.slow
def test_priced_pictures_are_drawn_the_same_every_time_and_stay_small() -> None:
    prices = made_prices(algorithms=("ff", "bp"))
    first = {picture.name: files for picture, files in render(book(prices), PICTURES)}
    assert list(first) == [picture.name for picture in PRICED]
    assert all(len(files["svg"]) < 300_000 for files in first.values())
    assert first == {picture.name: files for picture, files in render(book(prices), PICTURES)}
    assert all(len(picture.alt.split()) > 10 for picture in PRICED)


@pytest.mark.slow
def test_nothing_written_overlaps() -> None:
    prices = made_prices()
    for picture in PRICED:
        with rc_context(LOOK):
            figure = picture.draw(book(prices))
            assert figure is not None
            saved(figure, ("png",))
        for ax in figure.axes:
            for labels in (ax.get_xticklabels(), ax.get_yticklabels()):
                boxes = [label.get_window_extent() for label in labels if label.get_visible()]
                assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))


@pytest.mark.parametrize(
    ("nbytes", "text"),
    [(100, "100 B"), (1024, "1 KiB"), (1.5 * 2**20, "1.5 MiB"), (2**31, "2 GiB")],
)
def test_memory_sizes(nbytes: float, text: str) -> None:
    assert memory_size(nbytes) == text


def test_digits_keep_zeros_and_wear_a_minus() -> None:
    assert [digits(x) for x in (28, 0, -2.6, 123, 4e4)] == [
        "28.0",
        "0",
        "−2.60",
        "123",
        "40,000",
    ]
    assert digits(2.0, sign="+") == "+2.00"


def test_one_colour_for_one_thing() -> None:
    assert len(set(ROLE_COLOURS.values())) == len(ROLE_COLOURS)
    assert list(PART_COLOURS) == list(PART_NAMES)
    assert len(set(PART_COLOURS.values())) == len(PART_COLOURS)
    assert set(PART_COLOURS.values()) <= set(PHASE_COLOURS.values())
