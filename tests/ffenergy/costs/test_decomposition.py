"""Backprop → Forward-Forward: the parts add up exactly, and the sentence says what they say."""

from __future__ import annotations

import math
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffenergy.costs.decomposition import PART_OF_PHASE, PARTS, DecompositionError, decompose
from ffenergy.report.answer import answer
from ffenergy.report.numbers import quantity

PHASES = [
    "negatives",
    "normalize",
    "forward",
    "goodness",
    "backward",
    "gradient",
    "optimizer",
    "head",
    "evaluate",
]


def costs(bp, ff, measure="bytes"):
    rows = [("bp", "layer1", *item) for item in bp.items()]
    rows += [("ff", "layer1", *item) for item in ff.items()]
    return pd.DataFrame(rows, columns=["algorithm", "layer", "phase", measure])


BP = {"forward": 100, "goodness": 5, "backward": 80, "gradient": 90, "optimizer": 40}
FF = {
    "negatives": 10,
    "normalize": 20,
    "forward": 190,
    "goodness": 8,
    "gradient": 180,
    "optimizer": 40,
}


def test_every_phase_belongs_to_exactly_one_part():
    assert sorted(PART_OF_PHASE) == sorted(PHASES)
    assert sum(map(len, PARTS.values())) == len(PHASES)


def test_parts_worked_by_hand():
    table = decompose(costs(BP, FF), ["bytes"]).set_index("part")
    # forward + gradient: (190 + 180) − (100 + 90) = 180; total 448 − 315 = 133
    assert table["difference"].to_dict() == {
        "backward_pass_removed": -80,
        "second_pass_added": 180,
        "negatives_made": 10,
        "goodness_added": 3,
        "normalisation_added": 20,
        "optimiser_difference": 0,
        "head_difference": 0,
        "evaluate_difference": 0,
        "total": 133,
    }
    assert table.loc["total", "backprop"] == 315
    assert table.loc["total", "forward_forward"] == 448
    assert table.loc["total", "share_of_backprop"] == pytest.approx(133 / 315)


CELLS = st.lists(
    st.tuples(
        st.sampled_from(["ff", "bp", "random"]),
        st.sampled_from(["input", "layer1", "head"]),
        st.sampled_from(PHASES),
        st.integers(0, 2**62),
        st.floats(0, 1e30, allow_subnormal=False),
    ),
    max_size=30,
).map(
    lambda rows: pd.DataFrame(
        [("ff", "input", "forward", 1, 1e-12), ("bp", "input", "forward", 1, 1e-12), *rows],
        columns=["algorithm", "layer", "phase", "bytes", "joules"],
    )
)


@given(CELLS)
def test_integer_parts_add_up_exactly(frame):
    table = decompose(frame, ["bytes"])
    parts = table[table["part"] != "total"]
    total = table[table["part"] == "total"].iloc[0]
    by_algorithm = {
        name: sum(int(value) for value in rows)
        for name, rows in frame.groupby("algorithm")["bytes"]
    }
    for column, expected in [
        ("backprop", by_algorithm["bp"]),
        ("forward_forward", by_algorithm["ff"]),
        ("difference", by_algorithm["ff"] - by_algorithm["bp"]),
    ]:
        assert sum(int(value) for value in parts[column]) == int(total[column]) == expected


@given(CELLS)
def test_float_parts_add_up_to_the_total_shown(frame):
    table = decompose(frame, ["joules"])
    parts = table.loc[table["part"] != "total", "difference"]
    total = table.loc[table["part"] == "total"].iloc[0]
    assert math.fsum(parts) == total["difference"]
    scale = total["forward_forward"] + total["backprop"]
    exact = total["forward_forward"] - total["backprop"]
    assert total["difference"] == pytest.approx(exact, abs=1e-14 * scale)


def test_several_measures():
    frame = costs(BP, FF).assign(joules=0.5)
    table = decompose(frame, ["bytes", "joules"])
    assert table.groupby("measure").size().to_dict() == {"bytes": 9, "joules": 9}
    counted = table[table["measure"] == "bytes"]
    numbers = counted[["backprop", "forward_forward", "difference"]].to_numpy().ravel()
    assert {type(number) for number in numbers} == {int}  # beside joules too


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda f: f.drop(columns="phase"), "no column 'phase'"),
        (lambda f: f[f["algorithm"] == "bp"], "no costs of algorithm 'ff'"),
        (lambda f: f.replace({"phase": {"goodness": "guess"}}), "phase 'guess' belongs to no part"),
        (lambda f: f.assign(bytes=float("nan")), "bytes has missing values"),
    ],
)
def test_tables_that_cannot_be_split(change, message):
    with pytest.raises(DecompositionError, match=message):
        decompose(change(costs(BP, FF)), ["bytes"])


def sentence(bp, ff):
    result = answer(decompose(costs(bp, ff), ["bytes"]), "bytes", "B", "Over one step, eager")
    return result, result.sentences()


def test_answer_when_ff_costs_more():
    result, text = sentence(BP, FF)
    assert (result.saved, result.added_back, result.normalisation) == (80, 213, 20)
    assert result.kept == -133
    # 80 / 315 = 25.4 %; 448 / 315 = 1.42; 20 / 80 = 25 %
    assert text == (
        "Over one step, eager, removing the backward pass saves 80.0 B (25.4 % of backprop's"
        " 315 B). Forward-Forward adds back 213 B, so none of the saving is real: it costs 1.42"
        " times what backprop costs. L2 normalisation alone eats 25.0 % of the saving (20.0 B)."
    )


def test_answer_when_part_of_the_saving_is_real():
    result, text = sentence(BP, {**BP, "backward": 0, "normalize": 20})
    assert result.kept_share == 0.75
    assert "75.0 % of the saving is real" in text
    assert "eats 25.0 % of the saving" in text


def test_answer_when_everything_else_is_cheaper_too():
    _, text = sentence(BP, {**BP, "backward": 0, "optimizer": 10})
    assert "other phases save another 30.0 B, so all of the saving is real" in text
    assert text.endswith("L2 normalisation eats none of it.")


def test_answer_when_the_two_cost_the_same():
    _, text = sentence(BP, {**BP, "backward": 0, "negatives": 80})
    assert "none of the saving is real and the two cost the same" in text


def test_answer_when_normalisation_costs_more_than_the_saving():
    _, text = sentence(BP, {**FF, "normalize": 200})
    assert "L2 normalisation alone costs 2.50 times the saving (200 B)" in text


@pytest.mark.parametrize(("normalize", "clause"), [(0, "eats none"), (7, "costs 7.00 B on top")])
def test_answer_without_a_backward_pass(normalize, clause):
    result, text = sentence({"forward": 10}, {"forward": 20, "normalize": normalize})
    assert math.isnan(result.kept_share)
    assert math.isnan(result.normalisation_share)
    assert "spends nothing on the backward phase" in text
    assert clause in text


def test_answer_when_backprop_normalises_more():
    _, text = sentence({**BP, "normalize": 9}, FF | {"normalize": 4})
    assert "L2 normalisation costs 5.00 B less than in backprop" in text


def test_answer_needs_one_ungrouped_decomposition():
    with pytest.raises(DecompositionError, match="no rows for 'joules'"):
        answer(decompose(costs(BP, FF), ["bytes"]), "joules", "J", "here")
    twice = pd.concat([decompose(costs(BP, FF), ["bytes"])] * 2)
    with pytest.raises(DecompositionError, match="several rows for 'bytes'"):
        answer(twice, "bytes", "B", "here")


@given(
    st.dictionaries(st.sampled_from(PHASES), st.integers(0, 10**15), min_size=1),
    st.dictionaries(st.sampled_from(PHASES), st.integers(0, 10**15), min_size=1),
)
def test_the_answer_is_short_sentences_whatever_the_signs(bp, ff):
    result, text = sentence(bp, ff)
    assert result.saved - result.added_back == result.kept
    assert text.endswith(".")
    assert "nan" not in text
    assert "inf" not in text
    sentences = re.split(r"(?<=\.)\s+(?=[A-Z])", text)
    assert len(sentences) in (2, 3)
    assert max(len(one.split()) for one in sentences) <= 25


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0, "B", "0 B"),
        (999.9, "B", "1.00 kB"),
        (1_234_567, "B", "1.23 MB"),
        (1.5e-3, "J", "1.50 mJ"),
        (2e-14, "J", "0.0200 pJ"),
        (12345678, "ByteDMD", "12,345,678 ByteDMD"),
        (12, "ByteDMD", "12.0 ByteDMD"),
    ],
)
def test_quantities(value, unit, text):
    assert quantity(value, unit) == text
