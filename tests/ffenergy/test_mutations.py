"""Random damage to the files of a run and of a sweep: no traceback, no hang, no changed number.

One byte, a few bytes, a cut or an exchange in one file; then every command that reads it. What a
command prints and writes must be what it prints and writes of the undamaged run, or it must say in
one line what is wrong, or warn.
"""

from __future__ import annotations

import pickle
import random
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from ffenergy.energy import ChosenProfile
from ffenergy.errors import FfenergyError
from ffenergy.report.book import Book
from ffenergy.report.pictures import drawing
from ffenergy.report.pictures.drawing import Picture
from ffenergy.runs import progress_file
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run

Invoke = Callable[..., Result]
COMMANDS = ("status", "report", "figures", "export --parquet", "resume")
SPEC = """
preset = "quick"
algorithms = ["bp"]
seeds = [0, 1]
trace = true
[fixed]
layer_sizes = [784, 8]
n_train = 100
n_epochs = 1
"""


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Return the content with one kind of damage."""
    found = bytearray(content)
    place = chance.randrange(len(found))
    kind = chance.choice(("bit", "digit", "cut", "gap", "doubled", "noise"))
    if kind == "bit":
        found[place] ^= 1 << chance.randrange(8)
    elif kind == "digit":
        digits = [k for k, byte in enumerate(found) if chr(byte).isdigit()] or [place]
        found[chance.choice(digits)] = ord(chance.choice("0123456789"))
    elif kind == "cut":
        del found[place:]
    elif kind == "gap":
        del found[place : place + chance.randint(1, 20)]
    elif kind == "doubled":
        found[place:place] = found[place : place + chance.randint(1, 200)]
    else:
        found[place : place + 8] = chance.randbytes(8)
    return bytes(found)


@pytest.fixture(scope="module", autouse=True)
def few_pictures() -> Iterator[None]:
    """Drawing would take nearly all of the time."""

    def few(book: Book, pictures: Iterable[Picture], *_: object) -> Iterator[Any]:
        for picture in list(pictures)[:2]:
            yield picture, {"png": b"blank", "svg": b"<svg></svg>"}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "render", few)
        yield


@pytest.fixture
def run(copied_run: Path) -> Path:
    return copied_run


@pytest.fixture
def equal_runs_have_one_book(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was read back to the last bit as it was is priced once: the readers are on trial."""
    priced, books = Book.of, dict[bytes, Book]()

    def of(run: Run, profiles: Sequence[ChosenProfile], *rest: Any) -> Book:
        key = pickle.dumps((run, [chosen.record() for chosen in profiles]))
        return books[key] if key in books else books.setdefault(key, priced(run, profiles, *rest))

    monkeypatch.setattr(Book, "of", of)


def test_no_damaged_file_of_a_run_is_believed(run: Path, tmp_path: Path) -> None:
    """A hundred times what every command begins with: reading the run."""
    chance = random.Random(0)  # noqa: S311
    directory = RunDirectory(run)
    names = [*directory.files(), "run.json"]
    whole = directory.read()
    refused = warned = 0
    for number in range(100):
        name = ("run.json", "traffic.csv", "history.csv", chance.choice(names))[number % 4]
        undamaged = (run / name).read_bytes()
        said: list[str] = []
        try:
            (run / name).write_bytes(damaged(undamaged, chance))
            found = RunDirectory(run).read(said.append)
        except FfenergyError as error:
            refused += "\n" not in error.message
        else:
            warned += bool(said)
            assert said or found.configuration == whole.configuration, (number, name)
            assert said or found.results == whole.results
            assert said or found.traffic.equals(whole.traffic)
            assert said or found.history.equals(whole.history)
            assert said or list(found.weights) == list(whole.weights)
        finally:
            (run / name).write_bytes(undamaged)
    assert refused > 50


@pytest.mark.long
@pytest.mark.usefixtures("equal_runs_have_one_book")
def test_a_thousand_damages_through_every_command(
    invoke: Invoke, run: Path, tmp_path: Path
) -> None:
    chance = random.Random(1)  # noqa: S311
    directory = RunDirectory(run)
    names = [*directory.files(), "run.json"]
    expected = {
        command: answer(invoke, command, run, tmp_path / command.split()[0]) for command in COMMANDS
    }
    counts = {"refused": 0, "as undamaged": 0, "warned": 0}
    for number in range(800):
        copy = Path(shutil.copytree(run, tmp_path / str(number)))
        name = chance.choice([*names, "run.json", "traffic.csv", "history.csv"])
        (copy / name).write_bytes(damaged((copy / name).read_bytes(), chance))
        command = COMMANDS[number % len(COMMANDS)]
        result, written = answer(invoke, command, copy, copy)
        counts[judged(result, written, expected[command], f"{number}, {command}, {name}")] += 1
        shutil.rmtree(copy)
    print(counts)  # noqa: T201
    assert counts["refused"] > 100
    assert counts["as undamaged"] > 100  # pictures and tables that are made anew


def answer(invoke: Invoke, command: str, run: Path, copy: Path) -> tuple[Result, dict[str, bytes]]:
    """Give a command, to a copy of the run; return what it said and the tables that are there."""
    if not copy.exists():
        shutil.copytree(run, copy)
    if command == "resume":
        resumed = ["compare", "--offline", "--resume"]
        result = invoke(*resumed, "--outdir", copy)
    else:
        word, *flags = command.split()
        result = invoke(word, copy, *flags, *["--offline"] * (word == "figures"))
    return result, {p.name: p.read_bytes() for p in copy.glob("*.csv")}


def judged(
    result: Result,
    written: dict[str, bytes],
    expected: tuple[Result, dict[str, bytes]],
    what: str,
) -> str:
    """Say which of the three allowed answers this is."""
    assert not isinstance(result.exception, Exception), (what, result.exception)
    if result.exit_code:
        errors = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
        assert len(errors) == 1, (what, result.output)
        return "refused"
    if "warning" in result.stderr:
        return "warned"
    told, tables = expected
    assert lines(result) == lines(told), what
    if "report" in what or "resume" in what:
        assert written == tables, what
    return "as undamaged"


def lines(result: Result) -> list[str]:
    """What was printed, without the folder's own path."""
    return [re.sub(r"(?<!\S)/\S+", "PATH", line) for line in result.stdout.splitlines()]


@pytest.mark.long
def test_two_hundred_damages_to_a_sweep(invoke: Invoke, tmp_path: Path) -> None:
    chance = random.Random(2)  # noqa: S311
    spec = tmp_path / "spec.toml"
    spec.write_text(SPEC)

    def sweep(out: Path) -> Result:
        return invoke("sweep", spec, "--workers", "1", "--offline", "--outdir", out)

    whole = tmp_path / "whole"
    expected = sweep(whole)
    assert expected.exit_code == 0, expected.output
    tables = {path.name: path.read_bytes() for path in whole.glob("*.csv")}
    names = [
        path.relative_to(whole) for path in whole.rglob("*") if path.suffix in (".json", ".csv")
    ]
    counts = {"refused": 0, "as undamaged": 0, "warned": 0}
    for number in range(200):
        copy = Path(shutil.copytree(whole, tmp_path / str(number)))
        name = chance.choice(names)
        (copy / name).write_bytes(damaged((copy / name).read_bytes(), chance))
        result = sweep(copy)
        written = {path.name: path.read_bytes() for path in copy.glob("*.csv")}
        counts[judged(result, written, (expected, tables), f"{number}, report, {name}")] += 1
        shutil.rmtree(copy)
    print(counts)  # noqa: T201
    assert counts["refused"] > 40


def test_damaged_progress_is_read_as_it_was_or_refused(tmp_path: Path) -> None:
    chance = random.Random(3)  # noqa: S311
    rows = [{"stage": "layers", "epoch": n, "loss": 0.5, "wall_seconds": n} for n in range(1, 9)]
    progress_file.leave(tmp_path, "ff", {"layers": 20}, rows)
    path = tmp_path / progress_file.FILE
    whole, undamaged = progress_file.found(tmp_path), path.read_bytes()
    for _ in range(200):
        path.write_bytes(damaged(undamaged, chance))
        try:
            found = progress_file.found(tmp_path)
        except FfenergyError:
            continue
        assert found == whole or "sha256" not in (found or {})
