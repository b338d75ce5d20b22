"""Kills aimed at every rename, lock and removal, a disk full at every write, many at one folder.

Every command runs in a forked process that dies where it is told to. What it leaves must be a run
that can be read, and going on from it must end in what an undisturbed run writes.
"""

from __future__ import annotations

import errno
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from filelock import BaseFileLock

from ffenergy.cli import main
from ffenergy.files.locks import LOCK
from ffenergy.report.book import Book
from ffenergy.report.page import page
from ffenergy.report.pictures import drawing, report
from ffenergy.report.pictures.drawing import Picture
from ffenergy.runs.directory import RunDirectory
from ffenergy.sweeps.cells import Outcome

pytestmark = pytest.mark.usefixtures("newcomer")

TINY = "--layer-sizes 784,8 --n-epochs 2 --softmax-epochs 1 --n-train 100 --batch-size 50"
RUN = [*TINY.split(), "--offline", "--resume", "--checkpoint-seconds", "0"]
SPEC = """
preset = "quick"
algorithms = ["bp"]
seeds = [0, 1]
[fixed]
layer_sizes = [784, 8]
n_train = 100
n_epochs = 1
batch_size = 50
"""
LOADED = (page, report)  # once, for all forked processes
FEW = (2, 5, 9, 14)  # of some dozens of events; the slow test takes all
KILLED = -signal.SIGKILL


def slowly(*values: object) -> Any:
    """Parameters of a test that takes long."""
    return pytest.param(*values, marks=pytest.mark.long)


def few(book: Book, pictures: Iterable[Picture], *_: object) -> Iterator[Any]:
    """Stand in for drawing: two pictures, both blank."""
    for picture in list(pictures)[:2]:
        yield picture, {"png": b"blank", "svg": b"<svg></svg>"}


def forked(arguments: list[str], told: Path, prepare: Callable[[], object] = lambda: None) -> int:
    """`ffenergy ARGUMENTS` in a process of its own; its exit code, or minus the signal it died of.

    What it says on standard error is in the file `told`.
    """
    child = os.fork()
    if child == 0:
        code = 70
        try:
            with told.open("w") as stream:
                sys.stdout = sys.stderr = stream
                drawing.render = few  # type: ignore[assignment]  # drawing takes nearly all of the time of such a run
                prepare()
                main(arguments, prog_name="ffenergy")
        except SystemExit as end:
            code = int(end.code or 0)
        except BaseException as error:  # noqa: BLE001  # a process of its own: it ends here
            told.write_text(f"Traceback: {error!r}")
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def dying(last: int) -> Callable[[], None]:
    """Make a process kill itself before, or after, rename, lock or removal number `last` / 2."""
    seen = 0

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def event(*args: Any, **kwargs: Any) -> Any:
            nonlocal seen
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
            answer = function(*args, **kwargs)
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return answer

        return event

    def prepare() -> None:
        for name in ("replace", "unlink", "rmdir"):
            setattr(os, name, around(getattr(os, name)))
        for name in ("acquire", "release"):
            setattr(BaseFileLock, name, around(getattr(BaseFileLock, name)))

    return prepare


def content(folder: Path) -> dict[str, Any]:
    """What a run or a sweep says, without times, and that nothing is left lying about."""
    assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")]
    found: dict[str, Any] = {
        "names": sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))
    }
    for path in folder.rglob("*.csv"):
        lines = [line.split(",") for line in path.read_text().splitlines()]
        kept = [k for k, name in enumerate(lines[0]) if not name.startswith("wall_seconds")]
        found[path.name] = [[line[k] for k in kept] for line in lines]
    for path in folder.rglob("outcome.json"):
        found[path.parent.name] = Outcome.from_json(path.read_text()).counts
    if (folder / "run.json").exists():
        run = RunDirectory(folder).read()
        found["status"] = run.configuration["status"]
        found["weights"] = {name: array.tobytes() for name, array in run.weights.items()}
    return found


def whole(folder: Path) -> None:
    """The run there is one that can be read, if there is any."""
    if (folder / "run.json").exists():
        RunDirectory(folder).read()
    for path in folder.glob("cells/*/outcome.json"):
        Outcome.from_json(path.read_text())


def command(kind: str, out: Path, base: Path) -> list[str]:
    if kind == "sweep":
        spec = base / "spec.toml"
        spec.write_text(SPEC)
        return ["sweep", str(spec), "--workers", "1", "--offline", "--outdir", str(out)]
    if kind == "report":
        return ["report", str(out)]
    algorithms = {"train": ["train", "ff"], "compare": ["compare", "--algorithms", "bp,random"]}
    more = ["--no-trace"] if kind == "train" else []
    return [*algorithms[kind], *more, *RUN, "--outdir", str(out)]


@pytest.fixture
def begun(tmp_path: Path) -> Callable[[str, Path], None]:
    """Bring a folder to where a command begins: for a report there is a run."""

    def begin(kind: str, out: Path) -> None:
        if kind == "report":
            told = tmp_path / "told"
            assert forked(command("train", out, tmp_path), told) == 0, told.read_text()

    return begin


@pytest.mark.parametrize(
    ("kind", "events"),
    [("train", FEW), *(slowly(kind, None) for kind in ("train", "compare", "sweep", "report"))],
)
def test_a_kill_at_any_rename_lock_or_removal_loses_and_doubles_nothing(
    kind: str, events: tuple[int, ...] | None, tmp_path: Path, begun: Callable[[str, Path], None]
) -> None:
    told = tmp_path / "told"
    undisturbed = tmp_path / "undisturbed"
    begun(kind, undisturbed)
    assert forked(command(kind, undisturbed, tmp_path), told) == 0, told.read_text()
    expected = content(undisturbed)
    kills = 0
    for event in events or range(1, 10_000):
        out = tmp_path / str(event)
        begun(kind, out)
        code = forked(command(kind, out, tmp_path), told, dying(event))
        if code != KILLED:
            assert code == 0, told.read_text()
            assert not events, "the run is too short to be killed"
            break
        kills += 1
        whole(out)
        assert forked(command(kind, out, tmp_path), told) == 0, (event, told.read_text())
        assert content(out) == expected, event
    assert kills >= len(FEW)
    print(f"{kind}: {kills} kills survived")  # noqa: T201


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        ("train", 9),
        *(pytest.param(k, 1, marks=pytest.mark.long) for k in ("train", "compare", "sweep")),
    ],
)
def test_a_disk_that_is_full_at_any_write_is_one_line_and_loses_nothing(
    kind: str, steps: int, tmp_path: Path
) -> None:
    told = tmp_path / "told"
    assert forked(command(kind, tmp_path / "undisturbed", tmp_path), told) == 0, told.read_text()
    expected = content(tmp_path / "undisturbed")

    def full(last: int) -> Callable[[], None]:
        flushed, written = os.fsync, 0

        def fsync(descriptor: int) -> None:
            nonlocal written
            written += 1
            if written >= last:
                raise OSError(errno.ENOSPC, "No space left on device")
            flushed(descriptor)

        return lambda: setattr(os, "fsync", fsync)

    failures = 0
    for write in range(1, 1000, steps):
        out = tmp_path / str(write)
        code = forked(command(kind, out, tmp_path), told, full(write))
        if code == 0:
            break
        failures += 1
        errors = [line for line in told.read_text().splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1, told.read_text()
        assert "Traceback" not in told.read_text()
        whole(out)
        assert forked(command(kind, out, tmp_path), told) == 0, (write, told.read_text())
        assert content(out) == expected, write
    assert failures > 3
    print(f"{kind}: disk full at {failures} writes survived")  # noqa: T201


@pytest.mark.parametrize("count", [2, slowly(4), slowly(8)])
@pytest.mark.parametrize("kind", ["train", slowly("sweep")])
def test_many_processes_at_one_folder_write_one_run(kind: str, count: int, tmp_path: Path) -> None:
    told = tmp_path / "told"
    assert forked(command(kind, tmp_path / "undisturbed", tmp_path), told) == 0, told.read_text()
    out = tmp_path / "shared"
    arguments = command(kind, out, tmp_path)
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            code = forked(arguments, tmp_path / f"told{number}")
            os._exit(code)
        children.append(child)
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    for number, code in enumerate(codes):
        said = (tmp_path / f"told{number}").read_text()
        assert code in (0, 4), said
        assert code == 0 or "another process" in said or "already holds" in said, said
    assert 0 in codes
    assert content(out) == content(tmp_path / "undisturbed")


def test_a_clock_that_goes_backwards_changes_nothing(tmp_path: Path) -> None:
    told = tmp_path / "told"
    assert forked(command("train", tmp_path / "undisturbed", tmp_path), told) == 0

    def backwards() -> None:
        began, calls = time.time(), 0

        def earlier() -> float:
            nonlocal calls
            calls += 1
            return began - 3600 * calls

        time.time = earlier

    assert forked(command("train", tmp_path / "run", tmp_path), told, backwards) == 0
    assert content(tmp_path / "run") == content(tmp_path / "undisturbed")
    for row in RunDirectory(tmp_path / "run").read().results.values():
        assert row["wall_seconds"] > 0


def test_force_that_is_killed_at_any_removal_can_be_given_again(tmp_path: Path) -> None:
    told, out = tmp_path / "told", tmp_path / "run"
    arguments = command("train", out, tmp_path)
    force = [flag for flag in arguments if flag != "--resume"] + ["--force"]
    assert forked(arguments, told) == 0, told.read_text()
    for event in (6, 13):
        assert forked(force, told, dying(event)) == KILLED
        assert forked(force, told) == 0, told.read_text()
        assert json.loads((out / "run.json").read_text())["status"] == "complete"
    (out / "mine.txt").write_text("mine")
    assert forked(force, told) == 4
    assert (out / "mine.txt").exists()
    assert (out / LOCK).exists()
