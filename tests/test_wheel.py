"""The wheel, built from the sdist and installed outside the repository: every command is tried."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import venv
import zipfile
from collections.abc import Callable
from email import message_from_string
from pathlib import Path
from typing import Any

import pytest
from readme_renderer import markdown

pytestmark = pytest.mark.long

ROOT = Path(__file__).parents[1]
TINY = "--layer-sizes 784,16 --n-epochs 1 --softmax-epochs 1 --n-train 300 --offline -q"
Run = Callable[..., subprocess.CompletedProcess[str]]


def checked(*command: object, **options: Any) -> subprocess.CompletedProcess[str]:
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
    return done


def environment(folder: Path) -> Path:
    """A virtual environment with the packages of this one, but without its editable installs."""
    venv.create(folder, with_pip=False, symlinks=True)
    (site,) = folder.glob("lib/python*/site-packages")
    others = [path for path in sys.path if path.endswith("-packages")]
    (site / "others.pth").write_text("\n".join(others) + "\n", encoding="utf-8")
    return folder / "bin" / "python"


def install(python: Path, *arguments: object) -> None:
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", "--no-deps"]
    checked(*pip, "--no-index", "--no-build-isolation", *arguments)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The sdist of the repository, and the wheel that is built of it."""
    base = tmp_path_factory.mktemp("dist")
    checked(sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", base, cwd=ROOT)
    (sdist,) = base.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(base, filter="data")
    source = base / sdist.name.removesuffix(".tar.gz")
    checked(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", base, cwd=source)
    (wheel,) = base.glob("*.whl")
    return {"sdist": sdist, "source": source, "wheel": wheel}


@pytest.fixture(scope="module")
def python(built: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = environment(tmp_path_factory.mktemp("installed") / "env")
    install(found, built["wheel"])
    return found


SPEC = """
preset = "quick"
algorithms = ["bp"]
[fixed]
layer_sizes = [784, 8]
n_train = 200
n_epochs = 1
"""


@pytest.fixture(scope="module")
def ffenergy(python: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """`ffenergy …` of the wheel, in a folder of its own, with no data but the sample."""
    base = tmp_path_factory.mktemp("work")
    (base / "spec.toml").write_text(SPEC, encoding="utf-8")
    kept = {name: value for name, value in os.environ.items() if name != "FFENERGY_DATA_DIR"}
    places = {"HOME": str(base), "XDG_CACHE_HOME": str(base / "cache")}

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        program = python.with_name("ffenergy")
        return checked(program, *arguments, cwd=base, env=kept | places)

    return run


def test_the_installed_package_is_the_wheel_s(python: Path, tmp_path: Path) -> None:
    code = "import ffenergy, instrumented; print(ffenergy.__file__, instrumented.__file__)"
    for path in checked(python, "-c", code, cwd=tmp_path).stdout.split():
        assert Path(path).is_relative_to(python.parents[1])


def test_every_command_runs(ffenergy: Run) -> None:
    listed = re.findall(r"^  ([a-z][a-z-]*)  ", ffenergy("--help").stdout, re.MULTILINE)
    tried = {
        "data": ["--offline"],
        "profiles": [],
        "presets": [],
        "measure": ["--layer-sizes", "784,16", "--batch-size", "10"],
        "map": ["--help"],
        "compare": [*TINY.split(), "--outdir", "run"],
        "train": ["bp", *TINY.split(), "--outdir", "bp"],
        "status": ["run"],
        "report": ["run", "--html"],
        "figures": ["run", "--offline"],
        "transfer": ["run", "--offline", "--outdir", "transfer", "-q"],
        "export": ["run", "--perfetto"],
        "diff": ["run", "run"],
        "animate": [*TINY.split(), "--outdir", "film"],
        "sweep": ["spec.toml", "--offline", "--outdir", "sweep", "-q"],
    }
    assert set(listed) <= set(tried), "say how a new command is tried"
    for name in (name for name in tried if name in listed):
        ffenergy(name, *tried[name])


def test_the_sdist_has_tests_and_docs(built: dict[str, Path]) -> None:
    for name in ("tests/conftest.py", "docs/metric.md", "README.md", "LICENSE", "CONTRIBUTING.md"):
        assert (built["source"] / name).is_file(), name
    with zipfile.ZipFile(built["wheel"]) as wheel:
        folders = {name.split("/")[0] for name in wheel.namelist()}
    assert {name for name in folders if not name.endswith(".dist-info")} == {
        "ffenergy",
        "instrumented",
    }


def test_the_readme_of_the_wheel_has_no_link_that_leads_nowhere(built: dict[str, Path]) -> None:
    with zipfile.ZipFile(built["wheel"]) as wheel:
        (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
        metadata = message_from_string(wheel.read(name).decode())
    assert metadata["Description-Content-Type"] == "text/markdown"
    html = markdown.render(metadata.get_payload())
    assert html is not None
    links = re.findall(r'(?:href|src)="([^"]+)"', html)
    assert [link for link in links if not link.startswith(("https://", "#"))] == []
    assert "](" not in html
    assert "<td>reports/best</td>" in html  # a link's words stay


def test_an_editable_clone_runs_from_the_folder_above(tmp_path: Path) -> None:
    """The clone's folder is called as the package is; so it was found first, and was empty."""
    clone = tmp_path / "ffenergy"
    tracked = checked("git", "ls-files", "-z", cwd=ROOT).stdout.split("\0")
    for name in tracked:
        if name.startswith(("ffenergy/", "instrumented/", "README", "LICENSE", "pyproject")):
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            (clone / name).write_bytes((ROOT / name).read_bytes())
    python = environment(tmp_path / "env")
    install(python, "-e", clone)
    told = checked(python, "-c", "import ffenergy.settings as s; print(s.__file__)", cwd=tmp_path)
    assert Path(told.stdout.strip()) == clone / "ffenergy" / "settings.py"
