"""The page in a real browser: it opens, sorts, copies, reckons, fits and can be read by all."""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from ffenergy.costs.network import network_of
from ffenergy.costs.prices import ACCOUNTINGS
from ffenergy.energy import profiles
from ffenergy.report.book import Book
from ffenergy.report.page import page, whatif, who_wins
from ffenergy.report.sections import sections
from ffenergy.runs.run import Run

pytestmark = pytest.mark.slow

KIB, MIB = 2**10, 2**20
AXE = resources.files("axe_core_python").joinpath("axe.min.js").read_text(encoding="utf-8")
SIZES = pytest.mark.parametrize("width", [360, 1440])
FIRST = pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


@pytest.fixture
def opened(browser: webdriver.Chrome, finished_run: Any) -> webdriver.Chrome:
    show(browser, finished_run.path / "report.html")
    return browser


def show(browser: webdriver.Chrome, path: Path, width: int = 1440, scheme: str = "light") -> None:
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    colours = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", colours)
    browser.get(path.as_uri())


def open_all(browser: webdriver.Chrome) -> None:
    browser.execute_script("for (const d of document.querySelectorAll('details')) d.open = true")


def test_it_opens_without_complaints(opened: webdriver.Chrome) -> None:
    assert opened.get_log("browser") == []
    assert opened.find_element(By.CSS_SELECTOR, ".answer").text.startswith("As it runs")
    sources = "return performance.getEntriesByType('resource').map((entry) => entry.name)"
    assert all(name.startswith("data:") for name in opened.execute_script(sources))


@FIRST
def test_the_first_screen_has_ratio_errors_and_bars(
    browser: webdriver.Chrome, finished_run: Any, width: int, height: int
) -> None:
    show(browser, finished_run.path / "report.html", width)
    for part in (
        "h1",
        ".ratio",
        ".figure",
        ".answer",
        "#whatif .controls",
        ".bar-row:last-of-type",
    ):
        rows = browser.find_elements(By.CSS_SELECTOR, part)
        assert rows, part
        assert all(
            row.rect["y"] >= 0 and row.rect["y"] + row.rect["height"] <= height for row in rows
        )


def test_the_page_is_not_long(opened: webdriver.Chrome) -> None:
    assert opened.execute_script("return document.documentElement.scrollHeight") <= 7100


def test_charts_follow_the_colour_scheme(browser: webdriver.Chrome, finished_run: Any) -> None:
    ink = "return getComputedStyle(document.querySelector('.chart svg')).fill"
    show(browser, finished_run.path / "report.html", scheme="light")
    light = browser.execute_script(ink)
    show(browser, finished_run.path / "report.html", scheme="dark")
    assert browser.execute_script(ink) != light


def test_wide_tables_show_that_they_scroll(browser: webdriver.Chrome, finished_run: Any) -> None:
    show(browser, finished_run.path / "report.html", 390)
    script = """return [...document.querySelectorAll('.table .scroll')].map((e) => [
        e.scrollWidth > e.clientWidth,
        getComputedStyle(e).backgroundImage.split('gradient').length])"""
    tables = browser.execute_script(script)
    assert any(wide for wide, _ in tables)
    assert all(gradients == 5 for _, gradients in tables)  # four, and what stands before them


@SIZES
@SCHEMES
def test_nothing_overflows(
    browser: webdriver.Chrome, finished_run: Any, width: int, scheme: str
) -> None:
    show(browser, finished_run.path / "report.html", width, scheme)
    open_all(browser)
    assert browser.execute_script("return innerWidth") == width
    # an element may be wider than the screen only inside of one that scrolls
    wide = browser.execute_script(
        """return [...document.querySelectorAll('body *')]
        .filter((e) => !e.parentElement.closest('.scroll, pre'))
        .filter((e) => e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
        .map((e) => e.outerHTML.slice(0, 80))"""
    )
    assert wide == []
    assert browser.execute_script(
        "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
    )


@SIZES
@SCHEMES
def test_axe_finds_nothing(
    browser: webdriver.Chrome, finished_run: Any, width: int, scheme: str
) -> None:
    show(browser, finished_run.path / "report.html", width, scheme)
    open_all(browser)
    assert_accessible(browser)


def assert_accessible(browser: webdriver.Chrome) -> None:
    browser.set_script_timeout(120)  # every part of every chart is looked at
    browser.execute_script(AXE)
    found = browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
    told = [
        f"{rule['id']}: {node['html'][:120]}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]
    assert told == []
    assert "color-contrast" in {rule["id"] for rule in found["passes"]}


def test_a_page_of_a_run_without_anything(
    browser: webdriver.Chrome, finished_run: Any, tmp_path: Path
) -> None:
    empty = Run(finished_run.run.configuration).with_status("failed", "no reason")
    (tmp_path / "empty.html").write_text(page(Book(empty), sections(Book(empty))), encoding="utf-8")
    show(browser, tmp_path / "empty.html", 360)
    assert browser.get_log("browser") == []
    assert_accessible(browser)


@SIZES
def test_a_map_has_a_page_too(
    browser: webdriver.Chrome, invoke: Any, tmp_path: Path, width: int
) -> None:
    out = tmp_path / "map"
    done = invoke("map", "--width", "100", "--depth", "2", "--outdir", out)
    assert done.exit_code == 0, done.output
    show(browser, out / "map.html", width)
    assert browser.get_log("browser") == []
    assert_accessible(browser)
    assert browser.find_element(By.ID, "wins-network-text").text == "784-100-100"
    cells = browser.find_elements(By.CSS_SELECTOR, "#wins td")
    assert len(cells) == 6 * 13  # batches and on-chip sizes of the map


def test_pictures_are_drawn(opened: webdriver.Chrome) -> None:
    open_all(opened)
    for image in opened.find_elements(By.TAG_NAME, "img"):
        assert int(image.get_property("naturalWidth")) > 100
        assert image.get_attribute("alt")


def column(browser: webdriver.Chrome, table: str, name: str) -> list[str]:
    script = """const table = document.querySelector(`#${arguments[0]} table`);
    const at = table.querySelector(`[data-name="${arguments[1]}"]`).cellIndex;
    return [...table.tBodies[0].rows].map((row) => row.cells[at].dataset.value)"""
    found: list[str] = browser.execute_script(script, table, name)
    return found


def heading(browser: webdriver.Chrome, table: str, name: str) -> Any:
    return browser.find_element(By.CSS_SELECTOR, f'#{table} th[data-name="{name}"]')


def test_a_click_sorts_and_another_turns_round(opened: webdriver.Chrome) -> None:
    before = column(opened, "accuracy-table", "energy_joules")
    th = heading(opened, "accuracy-table", "energy_joules")
    assert th.get_attribute("aria-sort") == "none"
    button = th.find_element(By.TAG_NAME, "button")
    button.click()
    assert column(opened, "accuracy-table", "energy_joules") == sorted(before, key=float)
    assert th.get_attribute("aria-sort") == "ascending"
    button.click()
    assert column(opened, "accuracy-table", "energy_joules") == sorted(before, key=float)[::-1]
    assert th.get_attribute("aria-sort") == "descending"
    heading(opened, "accuracy-table", "algorithm").find_element(By.TAG_NAME, "button").click()
    assert column(opened, "accuracy-table", "algorithm") == sorted(["ff", "bp", "random"] * 2)
    assert th.get_attribute("aria-sort") == "none"


def test_the_keyboard_sorts_too_and_totals_stay_last(opened: webdriver.Chrome) -> None:
    open_all(opened)
    th = heading(opened, "energy-by-phase", "ff|eager")
    th.find_element(By.TAG_NAME, "button").send_keys(Keys.ENTER)
    values = column(opened, "energy-by-phase", "ff|eager")
    assert values == sorted(values, key=float)
    foot = opened.find_element(By.CSS_SELECTOR, "#energy-by-phase tfoot th")
    assert foot.get_attribute("data-value") == "total"


def test_missing_values_sort_last_both_ways(opened: webdriver.Chrome) -> None:
    open_all(opened)
    th = heading(opened, "history-table", "test_error")
    for _ in range(2):
        th.find_element(By.TAG_NAME, "button").click()
        values = column(opened, "history-table", "test_error")
        assert "" in values
        assert "" not in values[: values.index("")]
        assert set(values[values.index("") :]) == {""}


def test_a_table_copies_as_csv(opened: webdriver.Chrome, finished_run: Any, tmp_path: Path) -> None:
    opened.execute_script("navigator.clipboard.writeText = async (t) => { window.copied = t; }")
    opened.find_element(By.CSS_SELECTOR, "#accuracy-table .copy").click()
    path = tmp_path / "copied.csv"
    path.write_text(opened.execute_script("return window.copied"), encoding="utf-8")
    copied = pd.read_csv(path)
    source = pd.read_csv(finished_run.path / "summary.csv")
    pd.testing.assert_frame_equal(copied, source[list(copied)], check_dtype=False, rtol=0, atol=0)


def choose(
    browser: webdriver.Chrome, profile: str, size: int, scope: str, reading: str = "eager"
) -> None:
    Select(browser.find_element(By.ID, "whatif-profile")).select_by_value(profile)
    for group, value in (("scopes", scope), ("readings", reading)):
        browser.find_element(By.CSS_SELECTOR, f'#whatif-{group} input[value="{value}"]').click()
    slide = """const slider = document.getElementById('whatif-size');
    slider.value = Math.log2(arguments[0]);
    slider.dispatchEvent(new Event('input'))"""
    browser.execute_script(slide, size)


def shown_energies(browser: webdriver.Chrome) -> dict[str, list[float]]:
    """Compute, each level, and all, by algorithm, of the reading that is chosen."""
    script = """return [...document.querySelectorAll('#whatif-numbers tr[data-algorithm]')].map(
        (row) => [row.dataset.algorithm,
                  [...row.querySelectorAll('[data-value]')].map((c) => Number(c.dataset.value))])"""
    return dict(browser.execute_script(script))


@pytest.mark.parametrize("reading", ACCOUNTINGS)
@pytest.mark.parametrize("scope", ["training step", "run"])
@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("jouppi-7nm-hbm2", KIB),
        ("jouppi-7nm-hbm2", MIB),
        ("horowitz-45nm", 16 * KIB),
        ("horowitz-45nm", 4 * MIB),
        ("eyeriss-relative", 64 * KIB),
        ("a100-measured", 32 * MIB),
        ("a100-measured", 256 * KIB),
    ],
)
def test_the_what_if_is_what_python_computes(
    opened: webdriver.Chrome, finished_run: Any, name: str, size: int, scope: str, reading: str
) -> None:
    choose(opened, name, size, scope, reading)
    profile, prices = profiles()[name], finished_run.prices
    costs = whatif.costs(prices, profile, size)
    costs = costs[(costs["scope"] == scope) & (costs["accounting"] == reading)]
    sums = costs.groupby(["algorithm", "component"])["energy"].sum()
    found = shown_energies(opened)
    assert set(found) == {algorithm for algorithm, _ in sums.index}
    for algorithm, values in found.items():
        parts = [sums.get((algorithm, c), 0.0) for c in ("compute", *profile.level_names)]
        assert values == pytest.approx([*parts, sum(parts)], rel=1e-12)
    told = opened.find_element(By.ID, "whatif-sentence").text
    assert told == whatif.sentences(prices, profile, size)[scope, reading]


def test_the_bars_are_the_energies(opened: webdriver.Chrome) -> None:
    choose(opened, "horowitz-45nm", 64 * KIB, "run")
    energies = shown_energies(opened)
    choose(opened, "horowitz-45nm", 64 * KIB, "run", "fused")
    every = [*energies.values(), *shown_energies(opened).values()]
    largest = max(values[-1] for values in every)  # of both readings
    choose(opened, "horowitz-45nm", 64 * KIB, "run")
    script = """return [...document.querySelectorAll('#whatif-results .bar')].map(
        (bar) => [...bar.children].map((part) => part.getBoundingClientRect().width)
                 .concat(bar.getBoundingClientRect().width))"""
    bars = opened.execute_script(script)
    assert len(bars) == len(energies)
    for (off, on, compute, full), values in zip(bars, energies.values(), strict=True):
        expected = [values[-2], sum(values[1:-2]), values[0]]
        scaled = [energy * full / largest for energy in expected]
        assert [off, on, compute] == pytest.approx(scaled, abs=0.05)


@pytest.mark.parametrize(("reading", "off"), [("well built", 2), ("the least", 3)])
def test_other_scenarios_are_the_closed_forms(
    opened: webdriver.Chrome, finished_run: Any, reading: str, off: int
) -> None:
    choose(opened, "jouppi-7nm-hbm2", 4 * MIB, "training step")
    opened.find_element(By.CSS_SELECTOR, f'#whatif-readings input[value="{reading}"]').click()
    Select(opened.find_element(By.ID, "whatif-batch")).select_by_value("316")
    network = network_of(finished_run.run.settings)
    assert network is not None
    closed = whatif.closed_forms(network, [profiles()["jouppi-7nm-hbm2"]])
    place = closed["batches"].index(316), closed["sizes"].index(4 * MIB)
    found = shown_energies(opened)
    assert set(found) == {"ff", "bp"}
    for rule, values in found.items():
        parts = closed["energies"]["jouppi-7nm-hbm2"][rule][place[0]][place[1]]
        expected = [parts[0], parts[1], parts[off]]
        assert values == pytest.approx([*expected, sum(expected)], rel=1e-9)
    told = opened.find_element(By.ID, "whatif-sentence").text
    assert told.startswith("Per batch of 316, under jouppi-7nm-hbm2 with 4 MiB on the chip")


def test_as_published_goes_back(opened: webdriver.Chrome) -> None:
    choose(opened, "jouppi-7nm-hbm2", 64 * KIB, "run")
    open_all(opened)
    note = opened.find_element(By.ID, "whatif-note")
    assert "whatever their size here" in note.text
    opened.find_element(By.ID, "whatif-own").click()
    assert opened.find_element(By.ID, "whatif-size-text").text == "1 MiB"
    assert "the profile's own sizes" in note.text
    Select(opened.find_element(By.ID, "whatif-profile")).select_by_value("a100-measured")
    assert "192 KiB and 40 MiB are no powers of two" in note.text


def test_the_map_follows_chip_network_and_optimiser(
    opened: webdriver.Chrome, finished_run: Any
) -> None:
    network = network_of(finished_run.run.settings)
    assert network is not None
    data = who_wins.payload(network, [profiles()["tpuv4i"]])
    Select(opened.find_element(By.ID, "wins-profile")).select_by_value("tpuv4i")
    slide = """const slider = document.getElementById('wins-network');
    slider.value = arguments[0];
    slider.dispatchEvent(new Event('input'))"""
    last = len(data["networks"]) - 1
    opened.execute_script(slide, last)
    opened.find_element(By.CSS_SELECTOR, '#wins-optimizers input[value="sgd"]').click()
    assert opened.find_element(By.ID, "wins-network-text").text == data["networks"][last]
    places = data["places"]["tpuv4i"][data["networks"][last]]["sgd"]
    cells = opened.execute_script("""return [...document.querySelectorAll('#wins tbody tr')]
        .reverse().flatMap((row) => [...row.querySelectorAll('td')].map(
            (cell) => [Number(cell.dataset.verdict), Number(cell.dataset.value)]))""")
    assert cells == [
        [int(digit), one[0]] for digit, one in zip(places["winner"], places["ratio"], strict=True)
    ]
    told = opened.find_element(By.ID, "wins-sentence").text
    assert data["networks"][last] in told
    assert f"of {len(cells)} places" in told
