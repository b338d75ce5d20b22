"""Every picture is drawn from what the run has, and left out where it has nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from ffenergy.report.book import Book
from ffenergy.report.pictures import energy, learning
from ffenergy.report.pictures.drawing import render
from ffenergy.report.pictures.report import PICTURES
from ffenergy.runs.run import Run
from ffenergy.style import ALGORITHM_COLOURS, PHASE_COLOURS

PNG = b"\x89PNG\r\n"


def full_run() -> Run:
    rng = np.random.default_rng(0)
    row = {"samples": 10, "head_steps": 0, "test_error": 2.0}
    traffic = pd.DataFrame(
        {
            "algorithm": ["ff", "ff", "bp"],
            "layer": ["layer1", "layer2", "layer1"],
            "phase": ["normalize", "forward", "backward"],
            "operation": "add",
            "role": "weight",
            "calls": 1,
            "flops": 5,
            "flops_special": 0,
            "bytes_read": 10**9,
            "bytes_written": 10**9,
        }
    )
    history = pd.DataFrame(
        {
            "algorithm": ["ff", "ff", "bp"],
            "stage": ["layers", "head", "network"],
            "epoch": 1,
            "loss": 0.5,
            "loss_layer1": [0.4, np.nan, np.nan],
            "train_error": [np.nan, 1.0, 1.0],
            "test_error": [np.nan, 2.0, 2.0],
            "cumulative_bytes_read": 10**9,
            "cumulative_bytes_written": 10**9,
        }
    )
    kinds = ("real", "hybrid")
    examples = {f"goodness/layer1/{kind}": rng.random(50) for kind in kinds}
    examples |= {f"hybrid/{p}": rng.random((6, 28, 28)) for p in ("a", "b", "mask", "hybrid")}
    return Run(
        configuration={
            "accounting": "eager",
            "settings": {"threshold": 1.0, "n_blur": 6},
            "data": {"name": "mnist", "is_sample": False},
        },
        results={"ff": dict(row), "bp": dict(row)},
        traffic=traffic,
        history=history,
        weights={"ff/layer1/W": rng.standard_normal((784, 20))},
        examples=examples,
    )


@pytest.mark.slow
def test_all_pictures_are_drawn_the_same_every_time() -> None:
    first = {picture.name: files for picture, files in render(Book(full_run()), PICTURES)}
    assert list(first) == [picture.name for picture in PICTURES[:5]]
    charts = {picture.name for picture in PICTURES if picture.chart}
    for name, files in first.items():
        assert files["png"].startswith(PNG)
        assert ("svg" in files) == (name in charts)
        if name in charts:
            ElementTree.fromstring(files["svg"])  # noqa: S314 - drawn right here
            assert len(files["svg"]) < 300_000
    assert first == {picture.name: files for picture, files in render(Book(full_run()), PICTURES)}


def test_pictures_are_told_in_words() -> None:
    assert all(len(picture.alt.split()) > 5 for picture in PICTURES)


def test_an_empty_run_has_no_pictures() -> None:
    assert list(render(Book(Run({"settings": {}, "accounting": "eager"})), PICTURES)) == []


def test_bars_stack_to_the_traffic_and_wear_the_colours_of_their_phase() -> None:
    figure = energy.traffic(Book(full_run()))
    assert figure is not None
    ff, bp = figure.axes
    patches: list[Any] = list(ff.patches)
    tops = [patch.get_y() + patch.get_height() for patch in patches]
    assert max(tops) == 2.0  # GB, layer1 and layer2 alike
    assert "4.00 GB" in ff.get_title()
    assert "GB" in ff.get_ylabel()
    assert "2.00 GB" in bp.get_title()


def test_every_axis_of_the_curves_names_its_unit() -> None:
    figure = learning.training_curves(Book(full_run()))
    assert figure is not None
    assert [ax.get_ylabel() for ax in figure.axes] == [
        "training loss (nats per case)",
        "error (%)",
        "test error (%)",
    ]
    assert figure.axes[2].get_xlabel() == "moved since the start of the run"
    assert figure.axes[2].xaxis.get_major_formatter()(2e9) == "2 GB"
    labels = figure.axes[1].get_legend_handles_labels()[1]
    assert "1.37 %: Hinton 2022, FF" in labels


def test_curves_are_drawn_where_no_error_was_taken() -> None:
    run = full_run()
    bare = replace(run, history=run.history.drop(columns=["train_error", "test_error"]))
    figure = learning.training_curves(Book(bare))
    assert figure is not None
    losses, errors, _ = figure.axes
    assert losses.lines
    assert [str(line.get_label()) for line in errors.lines] == ["1.37 %: Hinton 2022, FF"]


def test_receptive_fields_show_the_largest_norms() -> None:
    run = full_run()
    figure = learning.receptive_fields(Book(run))
    assert figure is not None
    largest = int(np.argmax(np.linalg.norm(run.weights["ff/layer1/W"], axis=0)))
    assert figure.axes[0].get_title().startswith(f"unit {largest},")
    assert len([ax for ax in figure.axes if ax.get_title()]) == 16


def test_colours_are_distinct() -> None:
    for palette in (PHASE_COLOURS, ALGORITHM_COLOURS):
        assert len(set(palette.values())) == len(palette)
