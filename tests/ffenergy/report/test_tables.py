"""Tables and sentences from frames small enough to add up by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pandas as pd
import pytest

from ffenergy.costs.run_totals import RunTotals
from ffenergy.report import markdown, tables, text
from ffenergy.report.book import Book
from ffenergy.report.columns import Column
from ffenergy.report.columns import table as laid_out
from ffenergy.report.findings import data_line, findings
from ffenergy.report.numbers import figure, fixed
from ffenergy.report.sections import sections
from ffenergy.runs.run import HISTORY_COLUMNS, TRAFFIC_COLUMNS, Run
from ffenergy.style import TARGET_ERRORS, layers_in_order

#           layer     phase        read     written    flops
FF = [
    ("input", "negatives", 100, 100, 50),
    ("layer1", "normalize", 300, 100, 100),
    ("layer1", "forward", 400, 200, 4000),
    ("layer1", "optimizer", 700, 300, 500),
    ("layer1", "head", 50, 50, 100),
    ("head", "gradient", 30, 20, 100),  # of the head that is trained apart
    ("head", "evaluate", 100, 50, 150),
]  # training: 1100 + 700 + ... = 2200 bytes, normalise 400 of them; run: 2500 bytes
BP = [
    ("layer1", "forward", 200, 100, 2000),
    ("layer1", "backward", 300, 100, 1000),
    ("head", "gradient", 100, 50, 500),
    ("layer1", "optimizer", 700, 300, 500),
    ("head", "evaluate", 100, 50, 100),
]  # training: 1850 bytes; run: 2000


def traffic(algorithm: str, rows: list[tuple[str, str, int, int, int]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(algorithm, *row[:2], "add", "weight", 1, row[4], 0, *row[2:4]) for row in rows],
        columns=TRAFFIC_COLUMNS,
    )


def history(algorithm: str, errors: list[float]) -> pd.DataFrame:
    columns = [*HISTORY_COLUMNS, "test_error"]
    columns += ["cumulative_bytes_read", "cumulative_bytes_written", "cumulative_flops"]
    rows = [
        (algorithm, "head", epoch, 0.5, error, 1000 * epoch, 10 * epoch, 7 * epoch)
        for epoch, error in enumerate(errors, 1)
    ]
    return pd.DataFrame(rows, columns=columns)


def row(error: float, *, head_steps: int = 0, samples: int = 10) -> dict[str, Any]:
    times = {"steps": 1, "samples": samples, "head_samples": 10, "wall_seconds": 1.0}
    return {"test_error": error, "train_error": 0.1, "head_steps": head_steps, **times}


def counted(run: Run) -> pd.DataFrame:
    return Book(run).counted


def reached(run: Run) -> pd.DataFrame:
    return Book(run).reached


@pytest.fixture
def run() -> Run:
    data = {"name": "mnist", "source": "cache", "is_sample": False}
    return Run(
        configuration={
            "status": "complete",
            "command": "ffenergy compare",
            "accounting": "eager",
            "data": data | {"train_images": 60000, "test_images": 10000},
            "settings": {"threshold": 1.0},
            "seed": 0,
            "versions": {},
        },
        results={"ff": row(2.5, head_steps=1), "bp": row(1.5)},
        traffic=pd.concat([traffic("ff", FF), traffic("bp", BP)], ignore_index=True),
        history=pd.concat([history("ff", [4.0, 2.5]), history("bp", [2.9, 1.5])]),
    )


def test_summary_adds_up(run: Run) -> None:
    table = counted(run).set_index("algorithm")
    assert table.loc["ff", "bytes_read"] == 1680
    assert table.loc["ff", "bytes_written"] == 820
    assert table.loc["ff", "bytes_per_flop"] == 2500 / 5000
    assert table.loc["ff", "normalize_bytes_share"] == 400 / 2500
    assert table.loc["ff", "bytes_per_training_sample"] == 2200 / 10
    assert table.loc["bp", "bytes_per_training_sample"] == 1850 / 10


def test_normalize_per_layer(run: Run) -> None:
    (found,) = Book(run).normalize.to_dict("records")
    assert found["layer"] == "layer1"
    assert found["share_of_layer_bytes"] == 400 / 2100
    assert found["share_of_total_bytes"] == 400 / 2500
    assert found["layer_bytes_without"] == 1700


def test_layers_by_phases_has_exact_margins(run: Run) -> None:
    table = Book(run).layers_by_phases["ff"]
    assert list(table.index) == ["input", "layer1", "head", "all"]
    assert table.loc["all", "all"] == 2500
    assert table.loc["layer1", "all"] == 2100
    assert table.loc["all", "normalize"] == 400


def test_phase_differences_add_up_to_the_difference(run: Run) -> None:
    table = Book(run).phase_differences["difference"]
    assert table["backward"] == -40
    assert table["normalize"] == 40
    assert table["all"] == pytest.approx(220 - 185)
    assert table.drop("all").sum() == pytest.approx(table["all"])


def test_targets_reached_and_missed(run: Run) -> None:
    table = reached(run).set_index(["algorithm", "target_error"])
    assert table.loc[("ff", 5.0), "bytes"] == 1010
    assert table.loc[("ff", 3.0), "bytes"] == 2020
    assert not table.loc[("ff", 2.0), "reached"]
    assert table.loc[("ff", 2.0), "test_error"] == 2.5
    assert table.loc[("bp", 2.0), "epoch"] == 2


def test_targets_of_a_run_without_a_trace_have_no_costs(run: Run) -> None:
    counted = [name for name in run.history.columns if str(name).startswith("cumulative_")]
    untraced = replace(run, history=run.history.drop(columns=counted), traffic=run.traffic[:0])
    table = reached(untraced).set_index(["algorithm", "target_error"])
    assert table.loc[("bp", 2.0), "reached"]
    assert table.loc[("bp", 2.0), "epoch"] == 2
    assert table[["bytes", "flops"]].isna().all(axis=None)


def test_findings_are_computed(run: Run) -> None:
    told = " ".join(findings(Book(run)))
    assert "moved 1.19× the bytes of backprop" in told  # 220 / 185
    assert "(1.25×) and ended at 2.50 % against 1.50 %" in told  # 2500 / 2000
    assert "100.0 % of that saving" in told
    assert "18.2 % of the bytes of Forward-Forward's training steps, 16.0 %" in told
    assert "Forward-Forward missed it (best 2.50 %); backprop" in told
    assert "ratio 2.00×" in told  # to 3 %: 2020 / 1010


def test_findings_are_honest_when_the_signs_turn(run: Run) -> None:
    swapped = run.traffic.assign(algorithm=run.traffic["algorithm"].map({"ff": "bp", "bp": "ff"}))
    results = {"ff": row(9.0), "bp": row(8.0, head_steps=1), "random": row(7.0, samples=0)}
    turned = replace(run, traffic=swapped, results=results)
    told = " ".join(findings(Book(turned.with_status("failed", "bp: loss is nan"))))
    assert "moved 0.84× the bytes" in told
    assert "Forward-Forward and backprop did no better than not training at all" in told
    assert "not complete (failed: bp: loss is nan)" in told
    assert "removing the backward pass saved" not in told  # here it saved nothing


def test_less_moved_is_said_as_less(run: Run) -> None:
    cheap = run.traffic[run.traffic["phase"] != "normalize"]
    told = " ".join(findings(Book(replace(run, traffic=cheap))))
    assert "B less than backprop" in told
    assert "(0.0 % of that saving)" in told


def test_a_sample_is_marked(run: Run) -> None:
    data = run.configuration["data"] | {"is_sample": True}
    sampled = replace(run, configuration=run.configuration | {"data": data})
    assert "SAMPLE" in data_line(sampled)
    assert "not those of full MNIST" in " ".join(findings(Book(sampled)))


def test_one_untraced_algorithm_reports_without_costs(run: Run) -> None:
    alone = Run(run.configuration, {"bp": row(1.5)}, history=history("bp", [1.5]))
    assert "–" in text.everything(Book(alone))
    assert Book(alone).comparison.empty
    assert pd.isna(counted(alone).loc[0, "flops"])


def test_a_rule_that_is_not_here_is_told_without_prices(run: Run) -> None:
    names = {"ff": "somebodys"}
    lost = replace(
        run,
        results={"somebodys": run.results["ff"], "bp": run.results["bp"]},
        traffic=run.traffic.assign(algorithm=run.traffic["algorithm"].replace(names)),
        history=run.history.assign(algorithm=run.history["algorithm"].replace(names)),
    )
    assert "somebodys" in markdown.page(Book(lost), sections(Book(lost)))
    of_bp = SimpleNamespace(by_place=pd.DataFrame({"algorithm": ["bp"]}))
    (found,) = tables.normalize(lost, cast("RunTotals", of_bp)).to_dict("records")
    assert (found["algorithm"], found["accounting"]) == ("somebodys", "eager")


def test_what_was_not_trained_missed_no_target(run: Run) -> None:
    far = run.history.assign(test_error=90.0)
    assert "No trained network reached" in " ".join(findings(Book(replace(run, history=far))))
    none = {"ff": row(90.0, samples=0), "bp": row(90.0, samples=0)}
    told = " ".join(findings(Book(replace(run, history=far, results=none))))
    assert "reached" not in told


def test_a_run_whose_errors_were_never_taken_claims_none(run: Run) -> None:
    results = {"ff": row(math.nan, head_steps=1), "bp": row(1.5), "random": row(math.nan)}
    bare = replace(run, results=results, history=run.history.drop(columns="test_error"))
    table = reached(bare)
    assert len(table) == 3 * len(TARGET_ERRORS)
    assert not table["reached"].any()
    told = " ".join(findings(Book(bare)))
    assert "ended at unknown against 1.50 % test error" in told
    assert "untrained control" not in told
    assert "nan" not in text.everything(Book(bare))


def test_no_algorithm_at_all(run: Run) -> None:
    empty = Run(run.configuration).with_status("interrupted", "during Forward-Forward")
    assert "not complete" in text.everything(Book(empty))
    assert "not complete" in markdown.page(Book(empty), sections(Book(empty)))


def test_printed_lines_fit(run: Run) -> None:
    assert max(map(len, text.everything(Book(run)).splitlines())) <= text.WIDTH


def test_a_wide_table_repeats_its_keys() -> None:
    names = [c * 30 for c in "abcde"]
    keys = [Column("who", "who", number=False), Column("layer", "layer", number=False)]
    frame = pd.DataFrame([{"who": "FF", "layer": "layer1", **dict.fromkeys(names, 1.0)}])
    columns = [*keys, *(Column(name, name, form=fixed(1)) for name in names)]
    lines = text.table(laid_out("wide", "caption", "", columns, frame)).splitlines()
    assert max(map(len, lines)) <= text.WIDTH
    assert sum(line.startswith("FF   layer1") for line in lines) == 3  # two columns fit beside


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0, "0"), (1234.5, "1,234"), (12.345, "12.3"), (0.0123456, "0.0123"), (-999.9, "−1,000")],
)
def test_three_digits(value: float, shown: str) -> None:
    assert figure(value) == shown


def test_layers_come_in_their_order_once() -> None:
    names = ["head", "layer10", "layer2", "input", "layer2", "other"]
    assert layers_in_order(names) == ["input", "layer2", "layer10", "head", "other"]
