"""What all tests share: the command line, one finished run, and what only the slow ones need.

The process that hands tests out to workers loads this file too, and runs none of them; so what
takes seconds to import is imported by those who need it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy loads; workers share the cores

import base64
import gc
import hashlib
import json
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from click.testing import Result
    from matplotlib.figure import Figure
    from selenium import webdriver

    from ffenergy.costs.prices import Prices
    from ffenergy.costs.rehearsal import Recording
    from ffenergy.costs.step_costs import StepCosts
    from ffenergy.runs.run import Run

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = "no Chromium with chromedriver on PATH (Debian: apt-get install chromium chromium-driver)"
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")

SMALL = "--layer-sizes 784,24,16 --n-epochs 2 --softmax-epochs 1 --n-train 300 --batch-size 50"
BLANK = {  # a picture of one pixel by format
    "png": base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
    ),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
}
COMPILED = tuple(
    Path(__file__).parent / name
    for name in (
        *(f"instrumented/{room}" for room in ("analysis", "distances", "lowering", "script")),
        "scripts/test_price_reports.py",
        "validation",
    )
)
"""Tests beside those of ffenergy that run loops compiled by numba."""
FAST = "not slow and not long"
"""What `-m` is in pyproject.toml, unless said otherwise."""
WHOLE_MODULE = ("pytestmark = pytest.mark.slow", "pytestmark = pytest.mark.long")


def pytest_configure(config: pytest.Config) -> None:
    """Fewer random examples where only fast tests are asked for."""
    if config.option.dist != "no":  # this process runs none
        return
    from hypothesis import settings

    settings.register_profile("untimed", deadline=None)  # a slow machine is no failure
    settings.register_profile("fast", deadline=None, max_examples=20)
    settings.load_profile("fast" if config.option.markexpr == FAST else "untimed")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Slow modules are not even imported unless asked for: what they import may be missing."""
    if config.option.markexpr != FAST or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    return any(mark in text for mark in WHOLE_MODULE) or None


@pytest.fixture
def newcomer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and a cache of the test's own, and no data but the embedded sample."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("FFENERGY_DATA_DIR", raising=False)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session", autouse=True)
def analyses_are_shared(shared: Path) -> Iterator[None]:
    """Whatever was recorded, to the last event, is analysed once by all workers together."""
    from ffenergy.costs import best_orders, run_costs
    from ffenergy.costs.step_costs import reading_costs, step_costs

    def shared_by_all(analyse: Callable[..., StepCosts]) -> Callable[..., StepCosts]:
        def analysed(recording: Recording, *chosen: str) -> StepCosts:
            whole = (recording.events, recording.buffers, chosen)
            key = hashlib.sha256(pickle.dumps(whole)).hexdigest()
            path, unfinished = shared / key, shared / f"{key}.{os.getpid()}"
            if path.exists():
                return cast("StepCosts", pickle.loads(path.read_bytes()))
            found = analyse(recording, *chosen)
            with suppress(OSError):  # a test may have the disk full
                unfinished.write_bytes(pickle.dumps(found))
                unfinished.replace(path)
            return found

        return analysed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_costs, "step_costs", shared_by_all(step_costs))
        patch.setattr(run_costs, "reading_costs", shared_by_all(reading_costs))
        patch.setattr(best_orders, "reading_costs", shared_by_all(reading_costs))
        yield


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put what runs compiled loops last among the tests beside those of ffenergy.

    Workers begin at different places: while one compiles, half a minute in a fresh clone, another
    has tests that need none of it, and finds the machine code on disk when it comes to these.
    """
    items.sort(key=lambda item: any(map(item.path.is_relative_to, COMPILED)))


def pytest_collection_finish() -> None:
    """What has been imported and collected stays: no search for garbage goes over it again."""
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell makes what it starts in the background deaf to Ctrl-C, and so all its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def invoke(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """`ffenergy ARGUMENTS` in this process, as a newcomer has it: no data but the sample.

    Pictures take most of a report's time. Those of a run are not even made unless ``pictures``
    says so; all are blank unless they are to be ``drawn``.
    """
    from click.testing import CliRunner
    from matplotlib.figure import Figure

    from ffenergy.cli import main
    from ffenergy.report.pictures import report

    unmade = [replace(one, draw=lambda book: Figure()) for one in report.PICTURES]
    home = tmp_path_factory.mktemp("home")
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "FFENERGY_DATA_DIR": None}

    def run(*arguments: object, pictures: Literal["blank", "made", "drawn"] = "blank") -> Result:
        with pytest.MonkeyPatch.context() as patch:
            if pictures != "drawn":
                patch.setattr(Figure, "savefig", blank)
                patch.setattr(Figure, "get_layout_engine", lambda figure: None)
            if pictures == "blank":
                patch.setattr(report, "PICTURES", unmade)
            return CliRunner(env=places).invoke(main, [str(argument) for argument in arguments])

    return run


def blank(figure: Figure, stream: Any, *, format: str, **_: object) -> None:  # noqa: A002
    """Stand in for Figure.savefig."""
    stream.write(BLANK[format])


@dataclass(frozen=True)
class Finished:
    """A comparison on disk: the flags it was made with, what it printed, and its priced tables."""

    path: Path
    flags: list[str]
    output: str
    run: Run
    prices: Prices

    @property
    def html(self) -> str:
        return (self.path / "report.html").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def finished_run(
    invoke: Callable[..., Result], pytestconfig: pytest.Config, shared: Path
) -> Finished:
    """One small `compare`, trained once for all workers; only to be looked at.

    Its pictures are drawn where slow tests run, a browser's among them.
    """
    import pandas as pd

    from ffenergy.costs.prices import COLUMNS, Prices
    from ffenergy.runs.directory import RunDirectory

    pictures = "made" if pytestconfig.option.markexpr == FAST else "drawn"
    path, printed = shared / "finished", shared / "finished.txt"
    flags = [*SMALL.split(), "--offline"]
    with FileLock(shared / "finished.lock"):
        if not printed.exists():
            result = invoke("compare", *flags, "--outdir", path, pictures=pictures)
            assert result.exit_code == 0, result.output
            printed.write_text(result.stdout, encoding="utf-8")
    run = RunDirectory(path).read()
    names = tuple(record["name"] for record in run.configuration["profiles"])
    tables = {name: pd.read_csv(path / f"{name}.csv") for name in COLUMNS}
    tables["decomposition"]["profile"] = tables["decomposition"]["profile"].fillna("")
    prices = Prices(profiles=names, **tables)
    return Finished(path, flags, printed.read_text(encoding="utf-8"), run, prices)


@pytest.fixture
def copied_run(finished_run: Finished, tmp_path: Path) -> Path:
    """A copy of the finished run, to be changed."""
    return Path(shutil.copytree(finished_run.path, tmp_path / "run"))


@pytest.fixture(scope="session")
def without_checksums() -> Callable[[Path], None]:
    """Makes a run one of a version that recorded no files and sealed no documents."""

    def forget(path: Path) -> None:
        document = json.loads((path / "run.json").read_text())
        kept = {name: value for name, value in document.items() if name not in ("files", "sha256")}
        (path / "run.json").write_text(json.dumps(kept))

    return forget


@pytest.fixture(scope="session")
def browser() -> Iterator[webdriver.Chrome]:
    """Headless Chromium; who asks for the slow tests asks for it too."""
    from selenium import webdriver
    from selenium.webdriver.chrome.options import Options
    from selenium.webdriver.chrome.service import Service

    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if found is None or driver is None:
        pytest.fail(MISSING)
    options = Options()
    options.binary_location = found
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(driver))
    yield chrome
    chrome.quit()
