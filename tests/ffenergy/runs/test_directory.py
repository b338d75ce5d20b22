from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ffenergy.files.documents import sealed
from ffenergy.files.locks import LOCK
from ffenergy.runs.directory import RunDirectory, RunDirectoryError
from ffenergy.runs.results import AlgorithmResult
from ffenergy.runs.run import Run
from ffenergy.settings import Settings

Forget = Callable[[Path], None]
DATA = {"name": "mnist", "source": "cache", "is_sample": False}
SETTINGS = Settings.from_preset("quick").replace(layer_sizes="2,2").to_dict()
HEAD = {"format": 1, "status": "running", "accounting": "eager", "settings": SETTINGS, "seed": 0}
HEAD |= {"command": "ffenergy compare", "preset": "quick", "versions": {}}
HEAD |= {"data": DATA | {"train_images": 60000, "test_images": 10000}}
TRAFFIC = [["layer1", "forward", "matmul", "weight", 1, 10, 0, 2**60 + 1, 3]]
COLUMNS = ["layer", "phase", "operation", "role", "calls", "flops", "flops_special"]
COLUMNS += ["bytes_read", "bytes_written"]


def result(algorithm: str) -> AlgorithmResult:
    history = pd.DataFrame({"stage": ["layers"], "epoch": [1], "loss": [0.1 + 0.2]})
    return AlgorithmResult(
        algorithm,
        test_error=1.5,
        train_error=math.nan,
        steps=1,
        samples=2,
        head_steps=0,
        head_samples=0,
        wall_seconds=0.5,
        history=history,
        traffic=pd.DataFrame(TRAFFIC, columns=COLUMNS),
        signatures=[{"name": "train", "digest": "ab12", "steps": np.int64(1)}],
        weights={"layer1/W": np.eye(2, dtype=np.float32), "layer1/b": np.zeros(2, np.float32)},
    )


def test_a_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    run = Run(HEAD).with_result(result("ff")).with_result(result("bp"))
    run = run.with_examples({"hybrid/a": np.ones((1, 2, 3))}).with_status("complete")
    directory = RunDirectory(tmp_path / "deep" / "run")
    directory.claim()
    directory.write(run)
    back = directory.read()
    pd.testing.assert_frame_equal(back.traffic, run.traffic)
    pd.testing.assert_frame_equal(back.history, run.history)
    assert back.history["loss"][0] == 0.1 + 0.2
    assert back.configuration == run.configuration
    assert back.algorithms == ["ff", "bp"]
    assert math.isnan(back.results["ff"]["train_error"])
    np.testing.assert_array_equal(back.weights["bp/layer1/W"], np.eye(2))
    assert set(back.examples) == {"hybrid/a"}


def test_a_run_in_progress_is_recognisable(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.write(Run(HEAD))
    assert json.loads((tmp_path / "run.json").read_text())["status"] == "running"
    assert directory.read().algorithms == []


def test_a_directory_with_other_files_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(
        RunDirectoryError,
        match="already holds thesis",
    ):
        RunDirectory(tmp_path).claim()


def test_a_check_leaves_the_older_run_alone(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.write(Run(HEAD))
    before = sorted(tmp_path.iterdir())
    directory.check(force=True)
    assert sorted(tmp_path.iterdir()) == before
    directory.claim(force=True)
    assert list(tmp_path.iterdir()) == []


BROKEN = {
    "run.json": ("{", "put the file back, or run the measurement again"),
    "traffic.csv": ("a,b\n1,2\n", "lacks the columns algorithm"),
    "history.csv": ("", "not readable as a table"),
    "weights.npz": ("PK nonsense", "not readable as arrays"),
    "examples.npz": ("", "not readable as arrays"),
}


@pytest.mark.parametrize(("name", "text", "says"), [(n, *v) for n, v in BROKEN.items()])
def test_a_broken_file_of_an_earlier_version_is_named(
    name: str, text: str, says: str, tmp_path: Path, without_checksums: Forget
) -> None:
    directory = RunDirectory(tmp_path)
    directory.write(Run(HEAD).with_result(result("ff")))
    without_checksums(tmp_path)
    assert directory.read().algorithms == ["ff"]
    (tmp_path / name).write_text(text)
    with pytest.raises(RunDirectoryError, match=says) as caught:
        directory.read()
    assert str(tmp_path / name) in caught.value.message
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("name", ["traffic.csv", "history.csv"])
def test_a_missing_file_is_named_once_with_what_to_do(name: str, tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.write(Run(HEAD).with_result(result("ff")))
    (tmp_path / name).unlink()
    with pytest.raises(RunDirectoryError) as caught:
        directory.read()
    assert caught.value.message == (
        f"{tmp_path / name} is not readable as a table: No such file or directory; put the file "
        "back, or run the measurement again"
    )


@pytest.mark.parametrize("document", ["run.json", "sweep.json"])
def test_a_folder_in_the_place_of_the_document_is_named(document: str, tmp_path: Path) -> None:
    (tmp_path / document).mkdir()
    directory = RunDirectory(tmp_path, document)
    with directory.locked_run(), pytest.raises(RunDirectoryError) as caught:
        directory.read_document()
    assert str(tmp_path / document) in caught.value.message
    assert "Is a directory; put the file back" in caught.value.message


def test_a_run_that_cannot_be_locked_asks_for_no_outdir(tmp_path: Path) -> None:
    (tmp_path / "run.json").touch()
    (tmp_path / LOCK).mkdir()
    with (
        pytest.raises(RunDirectoryError, match="copy the run to where it can be written"),
        RunDirectory(tmp_path).locked_run(),
    ):
        pass


def test_a_file_in_the_place_of_a_run_holds_none(tmp_path: Path) -> None:
    (tmp_path / "run.json").touch()
    with pytest.raises(RunDirectoryError, match=r"run\.json holds no run \(no run\.json\)"):
        RunDirectory(tmp_path / "run.json").read()


def test_a_run_of_an_earlier_version_is_read_with_a_word_and_then_recorded(
    tmp_path: Path, without_checksums: Forget
) -> None:
    directory = RunDirectory(tmp_path)
    directory.write(Run(HEAD).with_result(result("ff")))
    without_checksums(tmp_path)
    said: list[str] = []
    run = directory.read(said.append)
    assert len(said) == 1
    assert "written by an earlier version, without checksums" in said[0]
    with pytest.raises(RunDirectoryError, match="does not say which files are its own"):
        directory.claim(force=True)
    directory.add(run, {"summary.csv": b"a\n"})
    said.clear()
    directory.read(said.append)
    assert not said
    assert directory.files() == ["history.csv", "summary.csv", "traffic.csv", "weights.npz"]


@pytest.mark.parametrize("name", ["run.json", "traffic.csv", "history.csv", "weights.npz"])
def test_no_changed_byte_is_believed(name: str, tmp_path: Path) -> None:
    """One bit of every byte in turn, as far as there are two hundred of them."""
    directory = RunDirectory(tmp_path)
    written = Run(HEAD).with_result(result("ff"))
    directory.write(written)
    whole = (tmp_path / name).read_bytes()
    refused = 0
    for place in range(0, len(whole), 1 + len(whole) // 200):
        changed = bytearray(whole)
        changed[place] ^= 1 << place % 8
        (tmp_path / name).write_bytes(changed)
        said: list[str] = []
        try:
            run = directory.read(said.append)
        except RunDirectoryError:
            refused += 1
        else:  # one blank became another, or the key of the checksums has another name
            assert said or run.configuration == written.configuration
    assert refused > min(len(whole), 200) * 0.6


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("ff,layer1,forward,matmul,weight,1,10,0,7,3", "7 bytes_read in it, but 5 in its steps"),
        ("ff,layer1,forward,matmul,weight,1,10,0,5,3.5", "bytes_written has what is no whole"),
        ("ff,layer1,forward,matmul,weight,1,10,0,-5,3", "bytes_read has what is no whole number"),
        ("ff,layer1,forward,matmul,weight,many,10,0,5,3", "calls has what is no whole number"),
        ("bp,layer1,forward,matmul,weight,1,10,0,5,3", "rows of bp, which run.json does not have"),
    ],
)
def test_the_table_of_traffic_is_the_sum_of_the_steps(
    line: str, says: str, tmp_path: Path, without_checksums: Forget
) -> None:
    step = {"name": "train", "digest": "ab12", "steps": 1}
    step |= {"bytes_read": 5, "bytes_written": 3, "flops": 10}
    traffic = pd.DataFrame([[*TRAFFIC[0][:5], 10, 0, 5, 3]], columns=COLUMNS)
    directory = RunDirectory(tmp_path)
    directory.write(
        Run(HEAD).with_result(replace(result("ff"), traffic=traffic, signatures=[step]))
    )
    directory.read()
    without_checksums(tmp_path)
    path = tmp_path / "traffic.csv"
    path.write_text(path.read_text().splitlines()[0] + "\n" + line + "\n")
    with pytest.raises(RunDirectoryError, match=says) as caught:
        directory.read()
    assert str(path) in caught.value.message


def test_force_removes_what_the_run_wrote_and_refuses_anything_else(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path / "run")
    with directory.locked():
        directory.claim()
        directory.write(Run(HEAD), {"goodness.png": b"a picture"})
    (tmp_path / "run" / "holiday.png").write_bytes(b"mine")
    with pytest.raises(RunDirectoryError, match=r"holds holiday\.png, which no run wrote"):
        directory.check(force=True)
    assert (tmp_path / "run" / "holiday.png").read_bytes() == b"mine"
    assert (tmp_path / "run" / "goodness.png").exists()
    (tmp_path / "run" / "holiday.png").unlink()
    with directory.locked():
        directory.claim(force=True)
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_force_does_not_take_a_folder_that_holds_no_run(tmp_path: Path) -> None:
    (tmp_path / "holiday.png").write_bytes(b"mine")
    with pytest.raises(RunDirectoryError, match=r"holds holiday\.png"):
        RunDirectory(tmp_path).check(force=True)
    assert [path.name for path in tmp_path.iterdir()] == ["holiday.png"]


@pytest.mark.parametrize("name", ["../mine.txt", "/etc/hostname", ".lock", "a/b", ""])
def test_a_record_names_files_of_the_folder_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    directory = RunDirectory(tmp_path / "run")
    directory.claim()
    directory.write(Run(HEAD))
    path = tmp_path / "run" / "run.json"
    document = json.loads(path.read_text())
    path.write_text(sealed(document | {"files": document["files"] | {name: "0" * 64}}))
    with pytest.raises(RunDirectoryError, match="does not say which files are its own"):
        directory.claim(force=True)
    assert (tmp_path / "mine.txt").read_text() == "mine"


def test_a_file_that_is_not_the_runs_is_not_overwritten(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.write(Run(HEAD))
    (tmp_path / "goodness.png").write_bytes(b"mine")
    with pytest.raises(RunDirectoryError, match=r"goodness\.png is there and was not written by"):
        directory.add(Run(HEAD), {"goodness.png": b"a picture", "work.csv": b"a\n"})
    assert (tmp_path / "goodness.png").read_bytes() == b"mine"
    assert not (tmp_path / "work.csv").exists()


WEIGHTS = {
    "a layer less": ({"layer1/W": None}, "ff/layer1/W is missing"),
    "no biases": ({"layer1/b": None}, "ff/layer1/b is missing"),
    "another shape": ({"layer1/W": np.ones((2, 3))}, "(2, 3); it must be floats of shape (2, 2)"),
    "other things": ({"layer1/b": np.array(["a", "b"])}, "ff/layer1/b is <U1 of shape (2,)"),
    "not a number": ({"layer1/b": np.array([0, math.nan])}, "that are not finite"),
}


@pytest.mark.parametrize(("changes", "says"), WEIGHTS.values(), ids=WEIGHTS.keys())
def test_weights_of_another_network_are_named(
    changes: dict[str, np.ndarray | None], says: str, tmp_path: Path
) -> None:
    directory = RunDirectory(tmp_path)
    run = Run(HEAD).with_result(result("ff")).with_result(result("bp"))
    changed = {**run.weights, **{f"ff/{name}": array for name, array in changes.items()}}
    kept = {name: array for name, array in changed.items() if array is not None}
    directory.write(replace(run, weights=kept))
    with pytest.raises(RunDirectoryError) as caught:
        directory.read()
    assert says in caught.value.message
    assert caught.value.message.startswith(f"{tmp_path / 'weights.npz'}: ")
    assert "\n" not in caught.value.message
    (tmp_path / "weights.npz").unlink()
    assert directory.read().algorithms == ["ff", "bp"]


@pytest.mark.parametrize(
    "text", ["[]", '{"format": 99}', '{"format": 1}', '{"format": 1, "results": {"ff": {}}}']
)
def test_a_foreign_document_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunDirectoryError):
        RunDirectory(tmp_path).read()


DAMAGE: dict[str, tuple[str, Any, str]] = {
    "no settings": ("settings", None, "settings is missing"),
    "a setting of another type": ("settings.lr", "fast", "lr is 'fast'"),
    "no data": ("data", None, "data is missing"),
    "data as text": ("data", "mnist", "data is 'mnist', not a table of keys"),
    "no number of images": ("data.train_images", None, "data.train_images is missing"),
    "no status": ("status", None, "status is missing"),
    "no command": ("command", None, "command is missing"),
    "an error as text": (
        "results.ff.test_error",
        "abc",
        "test_error is 'abc', not a number",
    ),
    "steps with a fraction": ("results.ff.steps", 1.5, "results.ff.steps is 1.5, not a whole"),
    "steps that are true": ("results.ff.steps", True, "results.ff.steps is True"),
    "steps that no table holds": ("results.ff.steps", 10**400, "results.ff.steps is 1000"),
    "no signatures": ("results.ff.signatures", None, "results.ff.signatures is missing"),
    "odd signatures": ("results.ff.signatures", [3], "results.ff.signatures[1] is 3"),
    "a profile without its hash": ("profiles", [{"name": "x"}], "profiles[1].sha256 is missing"),
}


@pytest.mark.parametrize(("place", "value", "says"), DAMAGE.values(), ids=DAMAGE.keys())
def test_what_is_damaged_in_the_document_is_named(
    place: str, value: Any, says: str, tmp_path: Path
) -> None:
    """``value`` stands at ``place`` in its stead; None takes it away."""
    directory = RunDirectory(tmp_path)
    directory.write(Run(HEAD).with_result(result("ff")))
    path = tmp_path / "run.json"
    document = table = json.loads(path.read_text())
    *outer, last = place.split(".")
    for key in outer:
        table = table[key]
    table.pop(last, None)
    if value is not None:
        table[last] = value
    path.write_text(sealed(document))
    with pytest.raises(RunDirectoryError) as caught:
        directory.read()
    assert caught.value.message.startswith(f"{path} is damaged: ")
    assert says in caught.value.message


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000])
def test_a_document_that_json_itself_chokes_on_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(RunDirectoryError, match=r"run\.json is not readable as a run: it "):
        RunDirectory(tmp_path).read()


def test_no_run_at_all(tmp_path: Path) -> None:
    with pytest.raises(RunDirectoryError, match="holds no run"):
        RunDirectory(tmp_path / "absent").read()


EXAMPLES = {
    "text": ({"goodness/layer1/real": np.array(["a"])}, "<U1 of shape (1,)"),
    "no array": ({"hybrid/a": np.array(1.0)}, "hybrid/a is float64 of shape (); it must be floats"),
    "none": ({"goodness/layer1/hybrid": np.empty(0)}, "along 1 axes, not empty"),
    "one of two": ({"goodness/layer1/real": None}, "goodness/layer1/real is missing"),
    "two shapes": ({"hybrid/b": np.ones((5, 2, 2))}, "of shapes (5, 2, 2) and (6, 2, 2), not of"),
}


@pytest.mark.parametrize(("changes", "says"), EXAMPLES.values(), ids=EXAMPLES.keys())
def test_examples_that_cannot_be_drawn_are_named(
    changes: dict[str, np.ndarray | None], says: str, tmp_path: Path
) -> None:
    directory = RunDirectory(tmp_path)
    cases = {f"goodness/layer1/{kind}": np.array([1.0, np.inf]) for kind in ("real", "hybrid")}
    cases |= {f"hybrid/{part}": np.ones((6, 2, 2)) for part in ("a", "b")}
    run = Run(HEAD).with_result(result("ff")).with_examples(cases)
    directory.write(run)
    assert directory.read().examples.keys() == cases.keys()
    changed = {name: array for name, array in {**cases, **changes}.items() if array is not None}
    directory.write(run.with_examples(changed))
    with pytest.raises(RunDirectoryError) as caught:
        directory.read()
    assert says in caught.value.message
    assert caught.value.message.startswith(f"{tmp_path / 'examples.npz'}: ")
