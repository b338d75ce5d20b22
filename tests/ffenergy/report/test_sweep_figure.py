"""The picture of a sweep: lines where there is a grid, points where there are combinations."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from matplotlib.figure import Figure

from ffenergy.report.grids import of_trainings
from ffenergy.report.pictures import sweep_errors as figure_module
from ffenergy.report.pictures.drawing import saved
from ffenergy.report.pictures.sweep_errors import render


def row(algorithm: str = "ff", error: float = 2.0, **settings: object) -> dict[str, object]:
    return {
        "algorithm": algorithm,
        **settings,
        "n": 3,
        "n_diverged": 0,
        "n_failed": 0,
        "dataset": "mnist",
        "is_sample": False,
        "error_on": "test",
        "test_error_mean": error,
        "test_error_std": 0.1,
        "train_error_mean": 1.0,
        "bytes_read": 2_000_000_000,
        "bytes_written": 10**9,
        "energy_joules": 12.345,
        "wall_seconds_mean": 61.0,
    }


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures as they are saved."""
    figures: list[Figure] = []

    def keep(figure: Figure) -> dict[str, bytes]:
        figures.append(figure)
        return saved(figure)

    monkeypatch.setattr(figure_module, "saved", keep)
    return figures


def test_a_grid_gives_a_line_with_bars_per_algorithm_and_other_setting(
    drawn: list[Figure],
) -> None:
    rows = [
        row(name, 2 + blur / 10, n_blur=blur, goodness=goodness)
        for name in ("ff", "bp")
        for blur in (0, 4, 8)
        for goodness in ("sum", "mean")
    ]
    files = render(pd.DataFrame(rows), ["n_blur", "goodness"])
    assert set(files) == {"png", "svg"}
    (ax,) = drawn[0].axes
    assert len(ax.containers) == 4
    assert ax.get_xlabel() == "n_blur"
    assert ax.get_ylabel() == "test error, %"
    line, _, (bars,) = ax.containers[0]
    assert list(line.get_xdata()) == [0, 4, 8]
    assert line.get_ydata() == pytest.approx([2.0, 2.4, 2.8])
    assert bars.get_segments()[0][:, 1] == pytest.approx([1.9, 2.1])
    assert render(pd.DataFrame(rows), ["n_blur", "goodness"]) == files


def test_an_algorithm_without_the_swept_setting_is_a_level_line(drawn: list[Figure]) -> None:
    rows = [row("bp-hybrid", 2.9, hybrid_loss="all"), row("bp-hybrid", 3.5, hybrid_loss="top")]
    rows += [row("ff", 2.7, hybrid_loss="all")]
    render(pd.DataFrame(rows), ["hybrid_loss"])
    (ax,) = drawn[0].axes
    assert len(ax.containers) == 1  # bp-hybrid's two points
    level = [line for line in ax.lines if line.get_label() == "FF"]
    assert [list(line.get_ydata()) for line in level] == [[2.7, 2.7]]
    title = " ".join(drawn[0].get_suptitle().split())
    assert title.startswith("Least error: FF 2.70 %, BP hybrids 2.90 % (hybrid_loss=all)")
    assert "level lines: hybrid_loss is not theirs" in title


def test_single_combinations_give_points_the_best_on_top(drawn: list[Figure]) -> None:
    rows = [row(error=3.0 - k / 10, lr=10.0**-k, temperature=k + 1.0) for k in range(5)]
    render(pd.DataFrame(rows), ["lr", "temperature"])
    (ax,) = drawn[0].axes
    assert ax.get_xlabel() == "test error, %"
    assert ax.get_yticklabels()[-1].get_text() == "lr=0.0001, temperature=5.0"


def test_one_configuration_of_each_rule_gives_points_however_few_they_are(
    drawn: list[Figure],
) -> None:
    # two rates and two rules, but no rule at both: no line would join anything
    rows = [row("ff", 2.1, lr=1e-4), row("bp", 1.5, lr=1e-3), row("bp-hybrid", 2.4, lr=1e-4)]
    render(pd.DataFrame(rows), ["lr"])
    (ax,) = drawn[0].axes
    assert ax.get_xlabel() == "test error, %"
    assert [t.get_text() for t in ax.get_yticklabels()] == ["BP hybrids", "FF", "backprop"]


def test_points_of_several_rules_are_named_with_their_rule(drawn: list[Figure]) -> None:
    rows = [row("ff", 2.1, lr=k / 10, decay=float(k)) for k in range(1, 4)]
    render(pd.DataFrame([*rows, row("bp", 1.5, lr=9.0, decay=9.0)]), ["lr", "decay"])
    labels = [t.get_text() for t in drawn[0].axes[0].get_yticklabels()]
    assert labels[-1] == "backprop"
    assert "FF, lr=0.1, decay=1.0" in labels


def test_rates_have_a_logarithmic_axis_and_words_none(drawn: list[Figure]) -> None:
    render(pd.DataFrame([row(lr=1e-4), row(lr=1e-2)]), ["lr"])
    render(pd.DataFrame([row(init="sqrt2"), row(init="fan_in")]), ["init"])
    assert drawn[0].axes[0].get_xscale() == "log"
    assert [t.get_text() for t in drawn[1].axes[0].get_xticklabels()] == ["sqrt2", "fan_in"]


def test_long_names_of_networks_take_lines() -> None:
    assert figure_module.wrapped("784-1000-1000-1000", 12) == "784-1000-\n1000-1000"
    assert figure_module.wrapped("784-500", 12) == "784-500"


def test_nothing_complete_is_no_picture() -> None:
    lost = {**row(lr=1.0), "n": 0, "test_error_mean": math.nan}
    assert render(pd.DataFrame([lost]), ["lr"]) == {}


def test_the_printed_table_shows_what_is_missing() -> None:
    lost = {**row(lr=1.0), "n": 0, "n_diverged": 3, "bytes_read": None}
    lost |= {"test_error_mean": math.nan, "energy_joules": math.nan}
    table = of_trainings(pd.DataFrame([row(lr=0.5), lost]), ["lr"])
    # 2 GB read and 1 GB written
    first, second = ([cell.text for cell in row] for row in table.rows)
    assert first == ["FF", "0.5", "2.00", "0.10", "1.00", "3/3", "3.000", "12.35", "61.0"]
    assert table.headings[6:8] == ["moved, GB", "energy, J"]
    assert second[2] == "–"
    assert second[5:8] == ["0/3", "–", "–"]
