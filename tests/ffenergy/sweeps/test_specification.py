"""Sweep files: which cells they stand for, and what is refused, with the place and the key."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from ffenergy.settings import Settings
from ffenergy.sweeps.specification import SpecificationError, parse, read

SHIPPED = sorted((Path(__file__).parents[3] / "sweeps").glob("*.toml"))
GRID = """
preset = "quick"
algorithms = ["ff", "bp"]
seeds = [3, 4]
[fixed]
n_epochs = 2
[grid]
lr = [1e-3, 1e-4]
layer_sizes = [[784, 8], "784,8,8"]
[[cells]]
algorithms = ["random"]
softmax_lr = 0.5
"""


def test_a_grid_is_every_combination_in_the_order_of_the_file() -> None:
    found = parse(tomllib.loads(GRID))
    # grid: 2 rates x 2 networks x 2 algorithms x 2 seeds; cells: 1 x 1 x 2 seeds
    assert len(found.trainings) == 16 + 2
    assert found.swept == ("lr", "layer_sizes", "softmax_lr")
    base = Settings.from_preset("quick").replace(n_epochs=2)
    first = base.replace(lr=1e-3, layer_sizes="784,8", seed=3)
    assert found.trainings[:2] == (("ff", first, False), ("ff", first.replace(seed=4), False))
    assert found.trainings[2] == ("bp", first, False)
    assert found.trainings[-1] == ("random", base.replace(softmax_lr=0.5, seed=4), False)
    assert not found.traced


def test_equal_cells_are_one() -> None:
    text = 'preset = "quick"\nalgorithms = ["ff"]\n[grid]\nlr = [1e-3]\n[[cells]]\nlr = 1e-3'
    assert len(parse(tomllib.loads(text)).trainings) == 1


def test_nothing_varied_is_one_cell_per_algorithm_with_the_presets_seed() -> None:
    text = 'preset = "seed"\nalgorithms = ["ff", "bp"]\nvalidation = 10000\ntrace = true'
    found = parse(tomllib.loads(text))
    settings = Settings.from_preset("seed").replace(n_validation=10000)
    assert found.trainings == (("ff", settings, False), ("bp", settings, False))
    assert found.traced
    assert found.swept == ()


HEAD = 'preset = "quick"\nalgorithms = ["ff"]\n'
BAD = {
    "no preset": ('algorithms = ["ff"]', "preset is missing"),
    "unknown preset": ('preset = "huge"\nalgorithms = ["ff"]', "unknown preset 'huge'"),
    "unknown key": (HEAD + "speed = 3", "unknown key 'speed'"),
    "a setting at the top": (HEAD + "lr = 3", "settings belong under"),
    "unknown algorithm": ('preset = "quick"\nalgorithms = ["fff"]', "unknown algorithm 'fff'"),
    "no algorithm": ('preset = "quick"\nalgorithms = []', "must be a list"),
    "unknown setting": (HEAD + "[grid]\nlearning = [1]", "[grid]: unknown setting 'learning'"),
    "a value that is no list": (HEAD + "[grid]\nlr = 1e-3", "[grid]: lr is 0.001; it must be"),
    "an empty list": (HEAD + "[grid]\nlr = []", "it must be a list"),
    "a value out of range": (HEAD + "[grid]\nlr = [1, -1]", "[grid]: lr is -1.0"),
    "a word for a number": (HEAD + '[[cells]]\nlr = "fast"', "[[cells]] number 1: lr is 'fast'"),
    "the second grid": (HEAD + "[[grid]]\nlr = [1]\n[[grid]]\nlr = [0]", "[[grid]] number 2"),
    "a flat network": (HEAD + "[grid]\nlayer_sizes = [784, 8]", "a network is a list"),
    "a width with a fraction": (HEAD + "[fixed]\nlayer_sizes = [784, 20.7]", "has 20.7, which"),
    "a width that is none": (HEAD + "[fixed]\nlayer_sizes = [784, true]", "has True, which"),
    "seed in the grid": (HEAD + "[grid]\nseed = [1]", "write seeds = "),
    "validation in the grid": (HEAD + "[fixed]\nn_validation = 1", "write validation = "),
    "no seeds": (HEAD + "seeds = []", "seeds is empty"),
    "a seed that is none": (HEAD + "seeds = [0.5]", "seeds has 0.5"),
    "a seed below 0": (HEAD + "seeds = [-1]", "seeds has -1; it must be a list of whole"),
    "a seed too large": (HEAD + f"seeds = [{2**63}]", ": seeds: seed is 9223372036854775808; it"),
    "more held out than counts": (HEAD + f"validation = {2**63}", ": validation: n_validation is "),
    "less than none held out": (HEAD + "validation = -5", "validation is -5; it must be at least"),
    "a seed twice": (HEAD + "seeds = [1, 2, 1]", "seeds names 1 twice; name each value once"),
    "a value twice": (HEAD + "[grid]\nlr = [0.1, 0.10]", "[grid]: lr names 0.1 twice"),
    "an algorithm twice": (
        'preset = "quick"\nalgorithms = ["bp", "bp"]',
        "algorithms names bp twice",
    ),
    "trace as a number": (HEAD + "trace = 1", "true or false"),
    "unknown data set": (HEAD + '[fixed]\ndataset = "cats"', "[fixed]: dataset is 'cats'"),
    "not TOML": ("preset = ", "not TOML"),
    "a list for an algorithm": (
        'preset = "quick"\nalgorithms = [["bp"]]',
        "unknown algorithm ['bp']",
    ),
    "a number too large for a float": (
        HEAD + f"[fixed]\nlr = {'9' * 401}",
        "it must be a finite number",
    ),
    "a number of too many digits": (HEAD + f"validation = {'9' * 5001}", "too many digits"),
    "fixed and in the grid": (
        HEAD + "[fixed]\nlr = 0.5\n[grid]\nlr = [0.1]",
        "[fixed]: lr is set by every grid and cell too, so that it says nothing here; leave it out",
    ),
    "auto beside an order": (
        HEAD + '[fixed]\norder = "layer-major"\nin_flight = "auto"',
        '[fixed]: in_flight = "auto" chooses order; leave one out',
    ),
    "auto in a grid of orders": (
        HEAD + '[grid]\nlayer_groups = ["3"]\nin_flight = ["auto"]',
        '[grid]: in_flight = "auto" chooses layer_groups; leave one out',
    ),
    "an order that no rule of a grid can take": (
        HEAD + '[grid]\nalgorithms = ["bp"]\norder = ["layer-major"]',
        "[grid]: order is 'layer-major', which bp cannot take; choose step-major",
    ),
    "lists without end": (HEAD + f"seeds = {'[' * 5000}", "nested too deeply"),
}


@pytest.mark.parametrize(("text", "told"), BAD.values(), ids=BAD.keys())
def test_what_is_refused_is_named(text: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(SpecificationError) as caught:
        read(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert told in caught.value.message
    assert "\n" not in caught.value.message


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SpecificationError, match="No such file"):
        read(tmp_path / "absent.toml")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_the_sweeps_that_come_with_the_project_can_be_read(path: Path) -> None:
    found = read(path)
    assert len(found.trainings) > 1
    if "tuning" in path.stem:  # nothing is chosen by the test set
        assert all(one.settings.n_validation for one in found.trainings)


def test_there_are_sweeps_for_the_open_questions() -> None:
    names = {path.stem for path in SHIPPED}
    assert {"n-blur", "goodness", "width-epochs", "best-tuning", "bp-tuning"} <= names


def test_an_order_may_be_left_to_the_chip() -> None:
    asked = parse(
        {
            "preset": "quick",
            "algorithms": ["ff", "bp"],
            "fixed": {"in_flight": "auto"},
            "grid": {"lr": [1e-3, 1e-4]},
        }
    )
    assert all(one.auto for one in asked.trainings)
    assert {one.settings.in_flight for one in asked.trainings} == {1}
    one = parse(
        {"preset": "quick", "algorithms": ["ff"], "cells": [{"in_flight": "auto"}, {"lr": 1.0}]}
    )
    assert [training.auto for training in one.trainings] == [True, False]


def test_an_order_left_to_the_chip_stands_beside_one_that_is_named() -> None:
    grids = [{"order": ["step-major"]}, {"in_flight": ["auto"]}]
    found = parse({"preset": "quick", "algorithms": ["ff", "mono-forward"], "grid": grids})
    # two rules, each in two orders: the settings are alike until the chip is asked
    told = [(one.algorithm, one.auto) for one in found.trainings]
    assert told == [("ff", False), ("mono-forward", False), ("ff", True), ("mono-forward", True)]


def test_a_rule_without_the_order_has_its_own() -> None:
    text = 'preset = "quick"\nalgorithms = ["ff", "bp", "random"]\n[grid]\n'
    found = parse(tomllib.loads(text + 'order = ["step-major", "layer-major"]'))
    orders = [(one.algorithm, one.settings.order) for one in found.trainings]
    step = [(name, "step-major") for name in ("ff", "bp", "random")]
    assert orders == [*step, ("ff", "layer-major")]


def test_what_is_fixed_is_where_a_grid_may_start_from() -> None:
    text = HEAD + "[fixed]\nlr = 0.5\n[[grid]]\nlr = [0.1]\n[[grid]]\nn_epochs = [3]"
    rates = [one.settings.lr for one in parse(tomllib.loads(text)).trainings]
    assert rates == [0.1, 0.5]
