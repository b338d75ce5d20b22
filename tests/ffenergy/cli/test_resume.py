"""--resume, the lock and `ffenergy status`, as a user meets them."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from filelock import FileLock

from ffenergy.cli.status import told
from ffenergy.energy import ChosenProfile
from ffenergy.errors import OutputError
from ffenergy.files.atomic import write_text
from ffenergy.files.documents import sealed
from ffenergy.files.folder import Folder
from ffenergy.report.book import Book
from ffenergy.runs import progress_file
from ffenergy.runs.directory import RunDirectory
from ffenergy.runs.run import Run

Invoke = Callable[..., Result]

TINY = ["--layer-sizes", "784,16,16", "--n-epochs", "2", "--softmax-epochs", "1"]
TINY += ["--n-train", "300", "--offline"]


@pytest.fixture(scope="module")
def trained_once(invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "run"
    result = invoke("train", "bp", *TINY, "--no-trace", "--outdir", path)
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def trained(trained_once: Path, tmp_path: Path) -> Path:
    """A finished run, to be changed."""
    return Path(shutil.copytree(trained_once, tmp_path / "run"))


@pytest.fixture
def trained_ff(invoke: Invoke, tmp_path: Path) -> Path:
    path = tmp_path / "ff"
    result = invoke("train", "ff", *TINY, "--no-trace", "--outdir", path)
    assert result.exit_code == 0, result.output
    return path


def test_resuming_a_complete_run_trains_nothing(invoke: Invoke, trained: Path) -> None:
    before = json.loads((trained / "run.json").read_text())
    result = invoke("train", "bp", "--no-trace", "--offline", "--resume", "--outdir", trained)
    assert result.exit_code == 0, result.output
    assert json.loads((trained / "run.json").read_text()) == before


def test_a_complete_run_without_its_weights_is_resumed_with_the_pictures_it_had(
    invoke: Invoke, trained_ff: Path
) -> None:
    before = dict(np.load(trained_ff / "examples.npz"))
    (trained_ff / "weights.npz").unlink()
    result = invoke("train", "ff", "--no-trace", "--offline", "--resume", "--outdir", trained_ff)
    assert result.exit_code == 0, result.output
    after = dict(np.load(trained_ff / "examples.npz"))
    assert after.keys() == before.keys()
    assert all(np.array_equal(after[name], before[name]) for name in before)


def test_a_resumed_run_is_priced_under_its_own_profiles_or_those_asked_for(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    flags = ["train", "bp", "--offline", "--quiet", "--outdir", path]
    priced: list[str] = []
    under: list[str] = []

    def note(run: Run, chosen: Iterable[ChosenProfile], say: object) -> Book:
        under.extend(found.profile.name for found in chosen)
        return Book(run)  # pricing has tests of its own

    monkeypatch.setattr(Book, "of", note)
    for more in (
        [*TINY, "--profile", "horowitz-45nm"],
        ["--resume"],
        ["--resume", "--profile", "dally-wire"],
    ):
        result = invoke(*flags, *more)
        assert result.exit_code == 0, result.output
        (record,) = json.loads((path / "run.json").read_text())["profiles"]
        priced.append(record["name"])
    assert priced == under == ["horowitz-45nm", "horowitz-45nm", "dally-wire"]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--no-trace", "--n-epochs", "7"], "goes on with --n-epochs 2, not 7; leave the flag out"),
        (["--no-trace", "--preset", "seed"], "goes on with preset 'quick'"),
        ([], "the run began with --no-trace; give it again"),
    ],
)
def test_a_run_is_resumed_as_what_it_was(
    invoke: Invoke, trained: Path, flags: list[str], told: str
) -> None:
    result = invoke("train", "bp", *flags, "--offline", "--resume", "--outdir", trained)
    assert result.exit_code == 2
    assert told in result.output
    assert len(result.output.strip().splitlines()) == 1


CHOSEN = ["--layer-sizes", "784,200,200", "--n-train", "300", "--offline", "--no-trace"]
CHOSEN += ["--n-epochs", "2", "--softmax-epochs", "1", "--in-flight", "auto"]


def test_a_run_in_the_order_for_a_chip_goes_on_by_its_own_command(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*told: Any) -> None:
        if len(told[-1]) > 1:  # epochs
            raise KeyboardInterrupt

    paths = whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    command = ["train", "mono-forward", *CHOSEN, "--checkpoint-seconds", "0"]
    assert invoke(*command, "--outdir", whole).exit_code == 0
    with monkeypatch.context() as patched:
        patched.setattr("ffenergy.runs.progress_file.leave", stop)
        patched.setattr("ffenergy.cli.job.WATCH_SECONDS", 0.0)
        assert "a checkpoint to go on" in invoke(*command, "--outdir", stopped).stderr
    resumed = invoke(*command, "--resume", "--outdir", stopped)
    assert resumed.exit_code == 0, resumed.output
    settings = [json.loads((path / "run.json").read_text())["settings"] for path in paths]
    assert settings[0] == settings[1]
    assert settings[0]["in_flight"] > 1
    once, twice = (dict(np.load(path / "weights.npz")) for path in paths)
    assert all(np.array_equal(once[name], twice[name]) for name in once | twice)
    other = invoke(*command, "--resume", "--outdir", stopped, "--profile", "tpuv4i")
    assert other.exit_code == 2
    began = f"goes on with --order layer-major --in-flight {settings[0]['in_flight']}"
    assert began in other.stderr
    assert "but --in-flight auto is --order step-major --in-flight 1 here; leave" in other.stderr


@pytest.mark.parametrize(
    "command",
    [
        ["train", "bp", *TINY],
        ["animate", *TINY],
        ["measure", "--layer-sizes", "784,8", "--batch-size", "4"],
        ["measure", "--layer-sizes", "784,8", "--batch-size", "4,8"],
    ],
)
def test_two_processes_do_not_write_into_one_directory(
    invoke: Invoke, command: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "run"
    path.mkdir()
    (path / "run.json").write_text("of the other process")
    with FileLock(path / ".lock"):
        result = invoke(*command, "--quiet", "--force", "--outdir", path)
    assert result.exit_code == 4
    assert "another process is training" in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert (path / "run.json").read_text() == "of the other process"


def test_a_lock_that_cannot_be_taken_is_one_line(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(tmp_path / "run" / ".lock"))

    monkeypatch.setattr(FileLock, "acquire", denied)
    result = invoke("train", "bp", *TINY, "--outdir", tmp_path / "run")
    assert result.exit_code == 4
    remedy = "Permission denied; choose another --outdir"
    assert result.output == f"Error: cannot write to {tmp_path / 'run'}: {remedy}\n"


def test_a_file_that_may_not_be_written_is_named_with_what_to_do(
    invoke: Invoke, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def denied(path: Path, *_: object) -> bytes:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr("ffenergy.files.folder.write_bytes", denied)
    result = invoke("export", trained, "--perfetto")
    assert result.exit_code == 4
    assert "step.perfetto.json: Permission denied; change its permissions" in result.output


def test_a_stop_between_two_algorithms_is_told_as_that(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, stopped = RunDirectory.write, []

    def stop(self: RunDirectory, run: Run, *derived: Any) -> None:
        write(self, run, *derived)
        if run.algorithms == ["bp"] and not stopped:
            stopped.append(run)
            raise KeyboardInterrupt

    monkeypatch.setattr(RunDirectory, "write", stop)
    result = invoke("train", "bp,random", *TINY, "--no-trace", "--outdir", tmp_path / "run")
    assert result.exit_code == 130
    assert "Error: interrupted after backprop; kept: backprop (in " in result.stderr


def test_an_unknown_algorithm_is_refused(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("compare", "--algorithms", "ff,hebb", "--outdir", tmp_path / "run")
    assert result.exit_code == 2
    assert "--algorithms has 'hebb'; choose among ff, ff-greedy" in result.output


@pytest.mark.parametrize("command", [["train", "ff,ff"], ["compare", "--algorithms", "ff, ff"]])
def test_an_algorithm_named_twice_is_refused(
    invoke: Invoke, command: list[str], tmp_path: Path
) -> None:
    result = invoke(*command, "--offline", "--outdir", tmp_path / "run")
    assert result.exit_code == 2
    assert "has 'ff' twice; name each once, with commas" in result.output
    assert not (tmp_path / "run").exists()


def test_resuming_where_there_is_no_run_begins_one(invoke: Invoke, tmp_path: Path) -> None:
    flags = [*TINY, "--no-trace", "--resume", "--outdir", tmp_path / "run"]
    result = invoke("train", "random", *flags)
    assert result.exit_code == 0, result.output
    assert "Writing to" in result.output


def test_status_of_a_complete_run(invoke: Invoke, trained: Path) -> None:
    result = invoke("status", trained)
    assert result.exit_code == 0, result.output
    first, second = result.output.splitlines()
    assert first.startswith("ffenergy train bp")
    assert first.endswith(": complete")
    assert second.startswith("  backprop: done, test error ")


def test_status_shows_a_file_name_that_is_no_utf8(invoke: Invoke, trained: Path) -> None:
    path = trained / "run.json"
    document = json.loads(path.read_text())
    write_text(path, sealed(document | {"command": "ffenergy train bp --outdir run\udcff"}))
    result = invoke("status", trained)
    assert result.exit_code == 0, result.output
    assert result.output.startswith("ffenergy train bp --outdir run\\udcff: complete")


def test_status_of_no_run(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("status", tmp_path)
    assert result.exit_code == 4
    assert "holds no run" in result.output


def test_status_of_a_run_in_training() -> None:
    run = Run({"status": "running", "command": "ffenergy compare"})
    row = {"stage": "layers", "loss": 0.5, "loss_layer1": 0.4, "loss_layer2": 0.6}
    row |= {"separation_layer1": 94.0, "separation_layer2": 93.0}
    row |= {"cumulative_bytes_read": 3 * 10**9, "cumulative_bytes_written": 10**9}
    history = [row | {"epoch": n, "wall_seconds": 2.0 * n} for n in (1, 2, 3)]
    planned = [{"stage": "layers", "epochs": 30}, {"stage": "head", "epochs": 50}]
    progress = {"algorithm": "ff", "planned": planned, "history": history}
    lines = told(run, progress, is_training=True)
    assert lines == [
        "ffenergy compare: running",
        (
            "  Forward-Forward, stage layers: epoch 3 of 30, loss 0.5000 / 0.4000 / 0.6000, "
            "separation 94.0 / 93.0 %, 3.0 GB read and 1.0 GB written so far, "
            "about 54 s left, then head"  # 27 epochs of 2 s
        ),
    ]
    assert told(run, progress, is_training=False)[0].endswith("stopped; go on with --resume")
    film = Run({"status": "running", "command": "ffenergy animate"})
    assert told(film, None, is_training=False) == [
        "ffenergy animate: stopped; begin again with --force"
    ]


@pytest.mark.parametrize("status", ["failed", "interrupted"])
def test_status_says_why_a_run_ended(status: str) -> None:
    run = Run({"status": status, "reason": "loss is inf", "command": "ffenergy compare"})
    goes_on = "; go on with --resume" if status == "interrupted" else ""
    told_so = f"ffenergy compare: {status}: loss is inf{goes_on}"
    assert told(run, None, is_training=False) == [told_so]


EPOCH = {"stage": "layers", "epoch": 1, "loss": 0.5, "wall_seconds": 1.0}
PROGRESS = {"algorithm": "ff", "planned": [{"stage": "layers", "epochs": 3}], "history": [EPOCH]}


@pytest.mark.parametrize(
    ("history", "says"),
    [
        ([], "Forward-Forward: no epoch is done yet"),
        ([EPOCH | {"loss": None}], "epoch 1 of 3, loss not known, time left not known"),
        ([EPOCH | {"loss_layer1": 0.5}], "epoch 1 of 3, loss 0.5000, time left"),
    ],
    ids=["no epochs", "a loss that was no number", "one layer, whose loss is the mean"],
)
def test_status_of_little_progress(
    tmp_path: Path, history: list[dict[str, object]], says: str
) -> None:
    (tmp_path / "progress.json").write_text(json.dumps(PROGRESS | {"history": history}))
    run = Run({"status": "running", "command": "ffenergy compare"})
    assert says in told(run, progress_file.found(tmp_path), is_training=True)[-1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[]", "it is [], not a table of keys"),
        ("{", "Expecting property name"),
        (json.dumps({"algorithm": "ff"}), "planned is missing"),
        (json.dumps(PROGRESS | {"history": [EPOCH | {"loss": "low"}]}), "history[1].loss is 'low'"),
        (json.dumps(PROGRESS | {"planned": []}), "stage 'layers' is not in planned"),
    ],
)
def test_damaged_progress_is_named(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "progress.json"
    path.write_text(content)
    with pytest.raises(OutputError) as caught:
        progress_file.found(tmp_path)
    assert caught.value.message.startswith(f"{path} is not readable as progress: {says}")


def test_progress_stays_small_and_a_changed_number_is_noticed(tmp_path: Path) -> None:
    sizes = []
    for epochs in (10, 10_000):
        history = [EPOCH | {"epoch": n, "wall_seconds": 2.0 * n} for n in range(1, epochs + 1)]
        progress_file.leave(tmp_path, "ff", {"layers": epochs}, history)
        sizes.append((tmp_path / "progress.json").stat().st_size)
        found = progress_file.found(tmp_path)
        assert found is not None
        assert [row["epoch"] for row in found["history"]] == list(range(epochs - 5, epochs + 1))
    assert sizes[1] < 1.1 * sizes[0]  # some more digits
    path = tmp_path / "progress.json"
    path.write_text(path.read_text().replace('"loss": 0.5', '"loss": 0.4'))
    with pytest.raises(OutputError, match="it was changed since it was written"):
        progress_file.found(tmp_path)


def test_other_bits_are_refused_in_one_line_unless_allowed(invoke: Invoke, trained: Path) -> None:
    path = trained / "run.json"
    document = json.loads(path.read_text())
    (began,) = document["bits"]
    assert set(began) >= {"NumPy", "BLAS", "BLAS kernels", "BLAS threads", "Python", "SIMD"}
    other = began | {"BLAS threads": "64"}
    path.write_text(sealed(document | {"bits": [other]}))
    flags = ["train", "bp", "--no-trace", "--offline", "--resume", "--outdir", trained, "-q"]
    refused = invoke(*flags)
    assert refused.exit_code == 2
    now = began["BLAS threads"]
    assert f"would give other bits than a run that never stopped: BLAS threads 64, now {now}; " in (
        refused.output
    )
    assert "--allow-different-bits" in refused.output
    assert len(refused.output.strip().splitlines()) == 1
    for _ in range(2):  # from then on the bits are those of now
        allowed = invoke(*flags, "--allow-different-bits")
        assert allowed.exit_code == 0, allowed.output
        assert json.loads(path.read_text())["bits"] == [other, began]
    assert invoke(*flags).exit_code == 0


def test_a_run_that_is_finished_in_the_meantime_stays_finished(
    invoke: Invoke, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--resume reads the run under the lock: what another process does until then is seen."""
    path = trained / "run.json"
    complete = json.loads(path.read_text())
    path.write_text(sealed(complete | {"status": "running", "results": {}}))
    taken = Folder.locked

    def others_finish_first(folder: Folder) -> Any:
        path.write_text(sealed(complete))
        return taken(folder)

    monkeypatch.setattr(Folder, "locked", others_finish_first)
    monkeypatch.setattr("ffenergy.cli.job.train_algorithm", None)  # nothing is left to train
    resumed = invoke("train", "bp", "--no-trace", "--offline", "--resume", "--outdir", trained)
    assert resumed.exit_code == 0, resumed.output
    assert json.loads(path.read_text())["status"] == "complete"


@pytest.mark.parametrize("command", [["report"], ["figures"], ["export", "--parquet"], ["animate"]])
def test_what_is_derived_is_not_written_while_another_process_writes(
    command: list[str], invoke: Invoke, trained: Path
) -> None:
    with RunDirectory(trained).locked():
        before = {path: path.read_bytes() for path in trained.iterdir() if path.is_file()}
        result = invoke(*command, trained, "--quiet", *["--offline"] * (command == ["figures"]))
        assert result.exit_code == 4
        assert "another process is training into" in result.output
        assert {path: path.read_bytes() for path in trained.iterdir() if path.is_file()} == before
