"""One small run with its page, a browser to look at it, and how tests take signals."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

from ffenergy.cli import main
from ffenergy.costs.prices import COLUMNS, Prices
from ffenergy.runs.directory import Run, RunDirectory

SMALL = ["--layer-sizes", "784,24,16", "--n-epochs", "2", "--softmax-epochs", "1"]
SMALL += ["--n-train", "300", "--batch-size", "50", "--offline", "--quiet"]


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = (
    "no Chromium with chromedriver on PATH (Debian: apt-get install chromium chromium-driver); "
    "what is seen in a browser is not tested"
)
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")


@dataclass(frozen=True)
class Finished:
    """A run on disk, and its priced tables as its CSV files have them."""

    path: Path
    run: Run
    prices: Prices

    @property
    def html(self) -> str:
        return (self.path / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell makes what it starts in the background deaf to Ctrl-C, and so all its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def finished_run(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    base = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(base / "home"))
        patch.setenv("XDG_CACHE_HOME", str(base / "cache"))
        patch.delenv("FFENERGY_DATA_DIR", raising=False)
        result = CliRunner().invoke(main, ["compare", *SMALL, "--outdir", str(base / "run")])
    assert result.exit_code == 0, result.output
    run = RunDirectory(base / "run").read()
    names = tuple(record["name"] for record in run.configuration["profiles"])
    tables = {name: pd.read_csv(base / "run" / f"{name}.csv") for name in COLUMNS}
    tables["decomposition"]["profile"] = tables["decomposition"]["profile"].fillna("")
    return Finished(base / "run", run, Prices(profiles=names, **tables))


@dataclass
class ReadTable:
    """A table of a page: column names, and the exact values of every row, the foot last."""

    names: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)

    @property
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows, columns=self.names)


class PageReader(HTMLParser):
    """Reads what a page holds: its tables, pictures, addresses and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, ReadTable] = {}
        self.images: list[dict[str, str]] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self._table: ReadTable | None = None
        self._cell = False
        self.html = html
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.addresses += [given[name] for name in ("src", "href", "action") if name in given]
        if tag == "img":
            self.images.append(given)
        if tag == "figure" and given.get("class") == "table":
            self._table = self.tables[given["id"]] = ReadTable()
        if self._table is None:
            return
        if "data-name" in given:
            self._table.names.append(given["data-name"])
        if tag == "tr" and self._table.names:
            self._table.rows.append([])
            self._table.texts.append([])
        self._cell = "data-value" in given
        if self._cell:
            self._table.rows[-1].append(given["data-value"])
            self._table.texts[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "figure":
            self._table = None
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._cell and self._table is not None:
            self._table.texts[-1][-1] += data.strip()


@pytest.fixture(scope="session")
def read_page() -> type[PageReader]:
    return PageReader


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """Headless Chromium; its tests are skipped where there is none, but not in CI."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if found is None or driver is None:
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    options = Options()
    options.binary_location = found
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()
