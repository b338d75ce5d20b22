"""What all tests share: the command line, one finished run, and what only the slow ones need."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read when NumPy loads; workers share the cores

import base64
import json
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pandas as pd
import pytest
from click.testing import CliRunner, Result
from filelock import FileLock
from matplotlib.figure import Figure

from ffenergy.cli import main
from ffenergy.costs.prices import COLUMNS, Prices
from ffenergy.runs.directory import Run, RunDirectory

if TYPE_CHECKING:
    from selenium import webdriver

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
MISSING = "no Chromium with chromedriver on PATH (Debian: apt-get install chromium chromium-driver)"
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage")

hypothesis.settings.register_profile("untimed", deadline=None)  # a slow machine is no failure
hypothesis.settings.load_profile("untimed")

SMALL = "--layer-sizes 784,24,16 --n-epochs 2 --softmax-epochs 1 --n-train 300 --batch-size 50"
BLANK = {  # a picture of one pixel by format
    "png": base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAG7buVgAAAABJRU5ErkJggg=="
    ),
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>',
}
FAST = "not slow and not long"
"""What `-m` is in pyproject.toml, unless said otherwise."""
WHOLE_MODULE = ("pytestmark = pytest.mark.slow", "pytestmark = pytest.mark.long")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Slow modules are not even imported unless asked for: what they import may be missing."""
    if config.option.markexpr != FAST or collection_path.suffix != ".py":
        return None
    text = collection_path.read_text(encoding="utf-8")
    return any(mark in text for mark in WHOLE_MODULE) or None


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """A shell makes what it starts in the background deaf to Ctrl-C, and so all its children."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def invoke(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Result]:
    """`ffenergy ARGUMENTS` in this process, as a newcomer has it: no data but the sample.

    Pictures are blank unless ``pictures`` is true: drawing them takes most of a report's time.
    """
    home = tmp_path_factory.mktemp("home")
    places = {"HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "FFENERGY_DATA_DIR": None}

    def run(*arguments: object, pictures: bool = False) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            if not pictures:
                patch.setattr(Figure, "savefig", blank)
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
    invoke: Callable[..., Result],
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Finished:
    """One small `compare`, trained once for all workers; only to be looked at.

    Its pictures are drawn where slow tests run, a browser's among them.
    """
    pictures = pytestconfig.option.markexpr != FAST
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    path, printed, flags = base / "finished", base / "finished.txt", [*SMALL.split(), "--offline"]
    with FileLock(base / "finished.lock"):
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
