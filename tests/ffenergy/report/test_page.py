"""The page as a file: every number from the CSV files, nothing from elsewhere."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from click.testing import Result

from ffenergy.costs.prices import ACCOUNTINGS, Prices
from ffenergy.energy import load_profile
from ffenergy.report import findings, headline, per_sample
from ffenergy.report.book import Book
from ffenergy.report.numbers import exact, figure, fixed, prefixed
from ffenergy.report.page import page as render
from ffenergy.report.sections import sections
from ffenergy.runs.run import Run

Invoke = Callable[..., Result]


def page(run: Run, prices: Prices | None = None) -> str:
    book = Book(run, prices)
    return render(book, sections(book))


KEEP = ["algorithm", "accounting"]
DIRECT = {
    "accuracy-table": "summary.csv",
    "bytes-table": "summary.csv",
    "normalize-table": "normalize.csv",
    "history-table": "history.csv",
}


@pytest.fixture(scope="module")
def read(finished_run: Any, read_page: Any) -> Any:
    return read_page(finished_run.html)


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


@pytest.mark.parametrize(("table", "file"), DIRECT.items())
def test_tables_are_the_files(finished_run: Any, read: Any, table: str, file: str) -> None:
    shown = read.tables[table].frame
    source = pd.read_csv(finished_run.path / file, dtype=str, keep_default_na=False)
    assert len(shown) == len(source) > 0
    for name in shown:
        numbers = (pd.to_numeric(column[name], errors="coerce") for column in (shown, source))
        found, expected = numbers
        assert ((found == expected) | (shown[name] == source[name])).all(), name


def test_parts_are_those_of_the_decomposition(finished_run: Any, read: Any) -> None:
    table = finished_run.prices.decomposition
    headline = finished_run.prices.profiles[0]
    for scope, accounting in itertools.product(("run", "training step"), ACCOUNTINGS):
        rows = table[
            (table["profile"] == headline)
            & (table["measure"] == "energy_joules")
            & (table["scope"] == scope)
            & (table["accounting"] == accounting)
        ].set_index("part")
        shown = read.tables[f"parts-{scope.replace(' ', '-')}-{accounting}"].frame
        assert shown["part"].iloc[-1] == "total"
        for column in ("backprop", "forward_forward", "difference"):
            found = shown.set_index("part")[column].astype(float)
            expected = rows[column].astype(float)
            pd.testing.assert_series_equal(found, expected[found.index], rtol=0, atol=0)
            left_out = rows.drop(found.index)
            assert not left_out[["backprop", "forward_forward"]].astype(float).any(axis=None)


@pytest.mark.parametrize("key", ["phase", "layer", "role"])
def test_places_are_energies_times_steps(finished_run: Any, read: Any, key: str) -> None:
    prices = finished_run.prices
    rows = prices.energy[prices.energy["profile"] == prices.profiles[0]]
    rows = rows.merge(prices.steps[["algorithm", "step", "steps"]])
    energies = [f"energy_{what}_joules" for what in ("compute", "read", "written")]
    rows = rows.assign(value=rows[energies].sum(axis=1) * rows["steps"])
    shown = read.tables[f"energy-by-{key}"].frame.set_index(key).astype(float)
    assert len(shown.columns) == 6
    for name in shown:
        algorithm, accounting = name.split("|")
        own = rows[(rows["algorithm"] == algorithm) & (rows["accounting"] == accounting)]
        expected = own.groupby(key)["value"].sum()
        for place, value in shown[name].items():
            total = expected.sum() if place == "total" else expected.get(place, 0.0)
            assert value == pytest.approx(total, rel=1e-12)


def test_memory_tables_are_per_training_sample(finished_run: Any, read: Any) -> None:
    prices = finished_run.prices
    beyond = read.tables["beyond"].frame.astype(float).set_index("capacity_bytes")
    for name in beyond:
        algorithm, accounting = name.split("|")
        curve = per_sample.miss_curves(prices, accounting)[algorithm]
        for size, value in beyond[name].items():
            held = curve[curve.index <= size].iloc[-1]
            assert value == pytest.approx(held, rel=1e-12)
    shown = read.tables["distances"].frame.astype(float).set_index("distance_to_bytes")
    met = prices.reuse["memory"] == prices.memory
    reuse = prices.reuse[met & (prices.reuse["grain"] == "tile")]
    samples = per_sample.per_training_sample(reuse, prices.steps, ["bytes_read"], KEEP)
    totals = samples.set_index(KEEP)["bytes_read"]
    for name in shown:
        assert shown[name].sum() == pytest.approx(totals[tuple(name.split("|"))], rel=1e-12)


def test_live_memory_is_that_of_the_file(finished_run: Any, read: Any) -> None:
    shown = read.tables["peaks"].frame
    keys = ["algorithm", "step", "accounting"]
    peak = finished_run.prices.peak.set_index(keys)
    assert set(shown["algorithm"]) == {"ff", "bp"}
    for row in shown.to_dict("records"):
        expected = peak.loc[tuple(row[key] for key in keys)]
        assert int(row["peak_live_bytes"]) == expected["peak_live_bytes"]
        assert row["operation"] == expected["operation"]


def test_every_shown_number_rounds_its_exact_value(read: Any) -> None:
    scales = dict(zip("pnµmkMGT", (1e-12, 1e-9, 1e-6, 1e-3, 1e3, 1e6, 1e9, 1e12), strict=True))
    checked = 0
    for name, table in read.tables.items():
        headings = re.findall(
            r'<th scope="col"[^>]*><button type="button">([^<]*)</button>',
            read_figure(read, name),
        )
        for values, texts in zip(table.rows, table.texts, strict=True):
            for heading, value, text in zip(headings, values, texts, strict=True):
                unit = re.search(r",\s([pnµmkMGT]?)(?:J|B|flop)$", heading)
                if unit is None or not re.fullmatch(r"[+−]?[\d,]+\.?\d*", text):
                    continue
                number = float(text.replace(",", "").replace("−", "-"))
                digits = len(text.partition(".")[2])
                scaled = float(value) / scales.get(unit[1], 1.0)
                assert number == pytest.approx(scaled, abs=0.5000001 * 10**-digits), heading
                checked += 1
    assert checked > 100


def read_figure(read: Any, name: str) -> str:
    start = read.html.index(f'<figure class="table" id="{name}">')
    return str(read.html[start : read.html.index("</figure>", start)])


def test_the_answer_comes_first_and_everything_else_is_there(finished_run: Any, read: Any) -> None:
    book = Book(finished_run.run, finished_run.prices)
    text = plain(read.text)
    ratio = headline.ratios(book)["energy"]
    first = headline.sentences(book)[0]
    told = ["Does Forward-Forward save energy?", f"{figure(ratio)}×", "well built", "test error"]
    told += [first, "Well built it"]
    places = [text.index(words) for words in (*told, "On-chip memory", "Accuracy beside cost")]
    assert places == sorted(places)
    scenarios = pd.read_csv(finished_run.path / "scenarios.csv").set_index(
        ["algorithm", "scenario"]
    )
    for scenario in ("as it runs", "well built"):
        low, high = scenarios.loc[("ff", scenario), ["ratio_low", "ratio_high"]]
        assert f"{scenario} ({low:.2f}–{high:.2f})" in text
    for answer in book.answers.values():
        assert answer.sentences() in text
    for words in ("SAMPLE, not the full data set", "Jouppi et al. 2021", "no cache", "seed 0"):
        assert words in text
    for sentence in findings.findings(book):
        assert sentence in text
    assert finished_run.run.configuration["command"] in text


def test_the_page_needs_nothing_else(finished_run: Any, read: Any) -> None:
    assert len(finished_run.html.encode()) < 2e6
    inside = [one for one in read.addresses if not one.startswith("#")]
    for address in inside:
        assert address.startswith("data:"), address
    for image in read.images:
        assert len(image["alt"]) > 20
    names = {image["data-name"] for image in read.images}
    assert names == {path.stem for path in finished_run.path.glob("*.png")}
    assert "default-src 'none'" in finished_run.html


@pytest.mark.slow  # its pictures are drawn
def test_charts_wear_the_colours_of_the_page(finished_run: Any, read: Any) -> None:
    charts = [image for image in read.images if "src" not in image]
    others = {image["data-name"] for image in read.images if "src" in image}
    assert others == {"hybrids", "receptive-fields"}
    assert len(charts) >= 6
    html = finished_run.html
    drawn = "".join(re.findall(r"<svg role.*?</svg>", html, flags=re.DOTALL))
    assert "var(--page)" in drawn
    assert not re.search("#(ffffff|000000|e5e5e5)", drawn)
    ids = re.findall(r'\bid="([^"]+)"', drawn)
    assert len(ids) == len(set(ids)) > 100
    used = set(re.findall(r'href="#([^"]+)"', drawn)) | set(re.findall(r"url\(#([^)]+)\)", drawn))
    assert used <= set(ids)


def test_what_a_run_lacks_is_said_in_one_line(read_page: Any, finished_run: Any) -> None:
    settings = finished_run.run.configuration
    read = read_page(page(Run(settings).with_status("interrupted", "during Forward-Forward")))
    assert read.tables == {}
    assert read.images == []
    for told in (
        "No algorithm of this run has finished.",
        "The run has no priced steps",
        "The run has no finished epoch.",
        "The run has no weights and no examples to draw.",
        "This run is not complete (interrupted: during Forward-Forward).",
    ):
        assert told in read.text


def test_without_backprop_there_is_no_comparison(read_page: Any, finished_run: Any) -> None:
    prices = finished_run.prices
    alone = {
        name: table[table["algorithm"] == "ff"]
        for name, table in prices.tables()
        if name != "decomposition"
    }
    alone["decomposition"] = prices.decomposition.iloc[:0]
    run = dataclasses.replace(finished_run.run, results={"ff": finished_run.run.results["ff"]})
    read = read_page(page(run, dataclasses.replace(prices, **alone)))
    assert "The run lacks Forward-Forward or backprop" in read.text
    assert set(read.tables["energy-by-phase"].names) == {"phase", "ff|eager", "ff|fused"}


def test_ratios_name_a_profile_that_the_bars_below_cannot_have(finished_run: Any) -> None:
    """A profile of distances has no memory whose size one could choose."""
    profile = load_profile(finished_run.prices.profiles[0])
    distances = dataclasses.replace(profile, levels=())
    for hardware, told in ((profile, ""), (distances, f", under {profile.name}")):
        book = Book(finished_run.run, finished_run.prices, (hardware,))
        assert f"the energy of backprop, whole run{told}</p>" in render(book, [])


def test_nothing_in_a_run_can_write_on_the_page(finished_run: Any) -> None:
    evil = "</script><script>alert('1')</script>"
    run = finished_run.run
    data = {**run.configuration["data"], "source": evil, "name": evil}
    configuration = {**run.configuration, "command": evil, "data": data}
    html = page(dataclasses.replace(run, configuration=configuration), finished_run.prices)
    assert evil not in html
    assert "<script>alert" not in html


@pytest.mark.slow
def test_report_html_writes_the_same_page_again(invoke: Invoke, finished_run: Any) -> None:
    before = finished_run.html
    marks = {p: p.stat().st_mtime_ns for p in finished_run.path.glob("*.png")}
    result = invoke("report", finished_run.path, "--html", pictures="drawn")
    assert result.exit_code == 0, result.output
    assert str(finished_run.path / "report.html") in result.output
    assert finished_run.html == before
    assert {p: p.stat().st_mtime_ns for p in marks} == marks


def test_the_embedded_data_are_the_sums_of_reuse_csv(finished_run: Any) -> None:
    found = re.search(r'id="whatif-data">(.*?)</script>', finished_run.html)
    assert found is not None
    data = json.loads(found[1])
    reuse = pd.read_csv(finished_run.path / "reuse.csv")
    steps = pd.read_csv(finished_run.path / "steps.csv")
    reuse = reuse[(reuse["grain"] == "tile") & (reuse["memory"] == finished_run.prices.memory)]
    tile = reuse.merge(steps[["algorithm", "step", "steps"]])
    for algorithm, accounting in itertools.product(("ff", "bp", "random"), ACCOUNTINGS):
        own = tile[(tile["algorithm"] == algorithm) & (tile["accounting"] == accounting)]
        bins = data["histogram"]["run"][algorithm][accounting].values()
        for k, name in enumerate(("bytes_read", "bytes_written", "bytes_allocated"), start=1):
            embedded = sum(row[k] for rows in bins for row in rows)
            assert embedded == (own[name] * own["steps"]).sum()


@pytest.mark.parametrize(
    ("values", "texts", "unit"),
    [
        # 1.5 MJ is the largest: four digits of it, and the others with as many decimals
        ([1.5e6, 2000.0, 1.0], ["1.500", "0.002", "≈ 0"], "MJ"),
        ([2.5e-4, 0.0, -1e-4], ["250.0", "0", "−100.0"], "µJ"),
        ([12, 7], ["12", "7"], "J"),
        ([], [], "J"),
    ],
)
def test_one_prefix_for_a_column(values: list[float], texts: list[str], unit: str) -> None:
    assert prefixed()(values, "J", values) == (texts, unit)


def test_missing_values_are_dashes_and_empty() -> None:
    assert fixed(2)([1.005, float("nan")], "x", []) == (["1.00", "–"], "x")
    assert [exact(v) for v in (float("nan"), None, 0.1, 3, "ff")] == ["", "", "0.1", "3", "ff"]
