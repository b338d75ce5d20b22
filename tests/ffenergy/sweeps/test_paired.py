"""McNemar's test, intervals, crossings and the two by two, on cases counted by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from ffenergy.data import load
from ffenergy.data.dataset import Dataset
from ffenergy.settings import Settings
from ffenergy.sweeps.cells import Cell, DataLabel, Outcome, _outcome
from ffenergy.sweeps.paired import interval, mcnemar, paired_table
from ffenergy.sweeps.tables import counted
from ffenergy.sweeps.targets import Curve, cheapest, crossing, ratio, targets_table
from ffenergy.sweeps.two_by_two import differs, two_by_two
from ffenergy.training import train

LABEL = DataLabel("mnist", True, 60, 20)
SMALL = {"layer_sizes": "784,8,8", "n_train": 300, "n_epochs": 1, "softmax_epochs": 1}


def test_mcnemar_is_the_binomial_of_the_images_that_one_alone_gets_wrong() -> None:
    # of 10 images 2 are the first's: (1 + 10 + 45) / 1024 in each tail
    assert mcnemar(2, 8) == mcnemar(8, 2) == pytest.approx(2 * 56 / 1024)
    assert mcnemar(5, 5) == 1.0
    assert mcnemar(0, 0) == 1.0
    assert mcnemar(0, 6) == pytest.approx(2 / 64)


def test_the_interval_of_a_mean() -> None:
    # of 1, 2, 3: standard error √(1/3), Student's t with 2 degrees of freedom 4.303
    low, high = interval([1.0, 2.0, 3.0])
    assert (low, high) == pytest.approx((2 - 4.303 / math.sqrt(3), 2 + 4.303 / math.sqrt(3)))
    assert all(map(math.isnan, interval([1.0])))
    low, high = interval([0.0, 1.0] * 10)  # t with 19 degrees is 2.0930
    assert high - low == pytest.approx(2 * 2.0930 * math.sqrt(5 / 19 / 20), rel=1e-3)


def trained(algorithm: str, seed: int, wrong: list[int] | None) -> tuple[Cell, Outcome]:
    settings = Settings.from_preset("quick").replace(seed=seed)
    cell = Cell(algorithm, settings, False, LABEL)
    error = math.nan if wrong is None else 100 * len(wrong) / LABEL.test_images
    return cell, Outcome(
        cell=cell.name, algorithm=algorithm, traced=False, data=vars(LABEL),
        settings=settings.to_dict(), status="complete", message="", threads=1,
        scores={"test_error": error}, counts={}, signatures=[], history=[], features=[],
        wrong=wrong,
    )  # fmt: skip


def test_trainings_are_paired_on_the_images_of_every_seed() -> None:
    cells = [
        trained("ff", 0, [1, 2, 3, 4]),
        trained("ff", 1, [1, 2]),
        trained("ff", 2, [5]),
        trained("bp", 1, [2, 7, 8]),
        trained("bp", 0, [4]),
        trained("random", 0, None),  # traced: nobody knows which
    ]
    (row,) = paired_table(cells, []).to_dict("records")
    assert (row["first"], row["second"], row["n"], row["seeds"]) == ("ff", "bp", 2, "0 1")
    # seed 0: 1, 2, 3 are ff's alone; seed 1: 1 is ff's, 7 and 8 are backprop's
    assert (row["first_alone"], row["second_alone"]) == ("3 1", "0 2")
    assert row["mcnemar_p"] == "0.25 1"
    assert row["mcnemar_p_largest"] == 1.0
    # 20 images: 15 points more wrong, then 5 less; t with one degree of freedom 12.706
    assert row["difference_mean"] == pytest.approx(5)
    assert row["difference_high"] == pytest.approx(5 + 12.706 * 10)


@pytest.fixture(scope="module")
def sample() -> Dataset:
    return load(offline=True, progress=False)


@pytest.mark.parametrize("algorithm", ["ff", "ff-label", "mono-forward", "ridge"])
def test_a_cell_tells_which_images_it_got_wrong(algorithm: str, sample: Dataset) -> None:
    settings = Settings.from_preset("quick").replace(**SMALL)
    label = DataLabel.of(sample)
    cell = Cell(algorithm, settings, False, label)
    result = train(algorithm, settings, sample, traced=False)
    outcome = Outcome.from_json(_outcome(cell, "complete", 1, "", result, sample).to_json())
    assert outcome.wrong is not None
    assert 100 * len(outcome.wrong) / label.test_images == outcome.scores["test_error"]
    assert max(outcome.wrong) < label.test_images
    traced = train(algorithm, settings, sample)
    assert traced.wrong is None
    assert traced.test_error == result.test_error
    assert traced.traffic is not None
    found = counted(cell, outcome)  # what the traced training counts, without one
    for name in ("bytes_read", "bytes_written", "flops", "flops_special"):
        assert found.counts[name] == traced.traffic[name].sum()


def test_a_curve_crosses_between_two_trainings() -> None:
    # error falls from 4 to 1 while energy grows fourfold: 2 is half way in both logarithms
    assert crossing([10.0, 40.0], [4.0, 1.0], 2.0) == pytest.approx(20)
    assert crossing([10.0, 40.0], [4.0, 1.0], 4.0) == 10
    assert crossing([10.0, 40.0], [4.0, 1.0], 5.0) == 10  # at most
    assert crossing([10.0, 40.0], [4.0, 1.0], 1.0) == 40
    assert crossing([10.0, 40.0], [4.0, 1.0], 0.9) == math.inf
    assert crossing([10.0, 40.0, 90.0], [4.0, 1.0, 9.0], 1.0) == 40  # the first time


def test_the_interval_of_a_crossing_is_over_all_resamples_of_the_seeds() -> None:
    narrow = Curve("narrow", (10.0, 40.0), {0: (4.0, 1.0), 1: (4.0, 2.5)})
    wide = Curve("wide", (100.0, 400.0), {0: (4.0, 1.0), 1: (4.0, 1.0), 2: (9.0, 9.0)})
    found = cheapest([wide, narrow], 2.0)
    assert found is not None
    # mean curve 4 → 1.75; resamples: seed 0 twice (1/4) 20 J, both (1/2), seed 1 twice (1/4)
    # misses on the narrow curve and crosses the wide one at 200 J
    between = 10 * 4 ** (math.log(4 / 2) / math.log(4 / 1.75))
    assert found.energy == pytest.approx(between)
    assert found.training == "narrow"
    assert (found.low, found.high) == pytest.approx((20, 200))
    assert (found.missed, found.at_first) == (0, False)
    alone = cheapest([narrow], 2.0)
    assert alone is not None
    assert (alone.missed, alone.high) == (0.25, math.inf)
    # backprop reaches it at 5 J with every seed; a resample that misses costs infinitely more
    steady = Curve("steady", (4.0, 5.0), {0: (3.0, 2.0), 1: (3.0, 2.0)})
    assert ratio([narrow], [steady], 2.0) == pytest.approx((between / 5, 4, math.inf))
    assert ratio([narrow], [steady], 0.5) is None  # missed
    assert ratio([narrow], [steady], 3.5) is None  # backprop's first training has it
    assert cheapest([narrow, Curve("other", (1.0,), {7: (1.0,)})], 2.0) is None


def grid() -> pd.DataFrame:
    """Two rules, two numbers of epochs, two seeds each."""
    rows = [
        ("ff", epochs, seed, error, energy)
        for epochs, energy, errors in ((1, 10.0, (4.0, 4.2)), (2, 20.0, (2.5, 2.7)))
        for seed, error in enumerate(errors)
    ]
    rows += [("bp-hybrid", 1, seed, 2.0, 7.0) for seed in range(2)]
    table = pd.DataFrame(
        rows, columns=["algorithm", "n_epochs", "seed", "test_error", "energy_joules"]
    )
    numbers = [str(number) for number in range(len(table))]
    return table.assign(
        cell=numbers, status="complete", train_error=0.0, wall_seconds=1.0, dataset="mnist",
        is_sample=False, error_on="test", accounting="eager", memory="cache",
        profile="jouppi-7nm-hbm2", bytes_read=60, bytes_written=40, flops=50, flops_special=0,
    )  # fmt: skip


def test_targets_tell_crossings_apart() -> None:
    cells = grid()
    summary = cells.groupby(["algorithm", "n_epochs"], sort=False, as_index=False).first()
    summary = summary.rename(columns={"test_error": "test_error_mean"})
    summary = summary.assign(test_error_std=0.1, n=2)
    table = targets_table(summary, ["n_epochs", "seed"], "energy_joules", cells)
    found = table.set_index(["algorithm", "target_error"])["crossing"]
    assert found["ff", 5.0] == "first training"
    assert found["ff", 3.0] == "between"
    assert found["ff", 2.0] == "missed"
    assert found["bp-hybrid", 2.0] == "first training"


def test_rules_stand_by_what_they_differ_in() -> None:
    cells = grid()
    known = {"0": {"peak_live_bytes": 1000, "built_bytes": 60, "built_flops": 40}}
    known["0"] |= {"built_memory": "scratchpad"}
    found = two_by_two(cells, ["n_epochs"], "energy_joules", lambda name: known.get(name, {}))
    assert found["learning"].tolist() == ["local", "local", "backprop"]
    assert found["supervision"].tolist() == ["unsupervised (hybrids)"] * 3
    first = found.iloc[0]
    assert (first["n"], first["bytes_total"], first["bytes_per_flop"]) == (2, 100, 2.0)
    assert (first["peak_live_bytes"], first["built_bytes_per_flop"]) == (1000, 1.5)
    assert (first["memory"], first["built_memory"]) == ("cache", "scratchpad")
    assert first["test_error_high"] == pytest.approx(4.1 + 12.706 * 0.1)
    assert np.isnan(found["peak_live_bytes"].astype(float)[1])
    assert differs(cells)
    # ff and bp differ in both ways of learning and supervision, the control learns nothing
    assert not differs(pd.DataFrame({"algorithm": ["ff", "bp", "random"]}))
    assert differs(pd.DataFrame({"algorithm": ["mono-forward", "bp"]}))
