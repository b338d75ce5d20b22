"""The film: measured snapshots, one frame each, the same bytes every time."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from PIL import Image

from ffenergy.data import Dataset
from ffenergy.errors import OutputError
from ffenergy.report import files
from ffenergy.report.pictures import film as drawing
from ffenergy.report.pictures import film_files
from ffenergy.settings import Settings
from ffenergy.trained.activities import readout_error
from ffenergy.trained.snapshots import OWN_OUTPUT, Film

Invoke = Callable[..., Result]

FRAMES = 3
SUBTITLES = drawing.Subtitles("784-20-20", "MNIST", 1.0)


def a_film() -> Film:
    rng = np.random.default_rng(0)
    goodness = {
        f"layer{k}/{kind}": rng.random((FRAMES, 50)) + (kind == "real")
        for k in (1, 2)
        for kind in ("real", "hybrid")
    }
    rows: list[dict[str, Any]] = [
        {
            "algorithm": algorithm,
            "epoch": epoch,
            "test_error": np.nan if algorithm == "bp" and epoch == 0 else 10.0 - epoch,
            "readout": OWN_OUTPUT if algorithm == "bp" else "ridge regression on 10,000 images",
            "accounting": "eager",
            "profile": "horowitz-45nm",
            "bytes_read": 10**9 * epoch,
            "bytes_written": 10**9 * epoch,
            "energy_joules": 0.0617 * epoch,  # three digits of a label
        }
        for algorithm in ("ff", "bp")
        for epoch in range(FRAMES)
    ]
    fields = rng.standard_normal((FRAMES, 16, 28, 28))
    return Film(np.arange(FRAMES), fields, goodness, pd.DataFrame(rows))


@pytest.fixture(scope="module")
def frames() -> list[np.ndarray]:
    return list(drawing.frames(a_film(), SUBTITLES))


def test_a_frame_per_snapshot_of_one_size_for_encoders(frames: list[np.ndarray]) -> None:
    assert [frame.shape for frame in frames] == [(608, 960, 3)] * FRAMES
    assert all(side % 16 == 0 for side in frames[0].shape[:2])
    assert not np.array_equal(frames[0], frames[1])
    assert all((frame[:, -6:] == 255).all() for frame in frames)  # nothing runs off the right


def test_the_gif_is_small_loops_holds_its_end_and_is_the_same_every_time(
    frames: list[np.ndarray],
) -> None:
    content, step = film_files.gif(frames, fps=5)
    assert step == 1
    assert content == film_files.gif(list(drawing.frames(a_film(), SUBTITLES)), fps=5)[0]
    with Image.open(io.BytesIO(content)) as shown:
        assert shown.info["loop"] == 0
        durations = []
        for number, frame in enumerate(frames):
            shown.seek(number)
            durations.append(shown.info["duration"])
            drawn = np.asarray(shown.convert("RGB"), dtype=int)
            assert tuple(drawn[0, 0]) == (255, 255, 255)  # paper stays white
            assert np.abs(drawn - frame).mean() < 1.5  # of 255: the palette is close
        assert durations == [200, 200, 2200]  # milliseconds


def test_a_gif_that_is_too_large_leaves_frames_out_and_takes_as_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (7, 40, 40, 3), dtype=np.uint8)
    whole, step = film_files.gif(noise, fps=10)
    assert step == 1
    monkeypatch.setattr(film_files, "LIMIT_BYTES", len(whole) // 2)
    content, step = film_files.gif(noise, fps=10)
    assert len(content) <= len(whole) // 2
    assert step == 3  # four frames of seven are more than half
    with Image.open(io.BytesIO(whole)) as all_, Image.open(io.BytesIO(content)) as file:
        some: Any = file
        assert some.n_frames == 3  # 0, 3 and 6
        assert some.info["duration"] == 3 * all_.info["duration"] == 300  # milliseconds
        some.seek(2)
        all_.seek(6)
        assert np.array_equal(some.convert("RGB"), all_.convert("RGB"))
    monkeypatch.setattr(film_files, "LIMIT_BYTES", 1000)
    for few in (noise, noise[:1]):
        with pytest.raises(OutputError, match="however few are shown"):
            film_files.gif(few, fps=10)


@pytest.mark.slow
def test_videos_are_written_and_the_same_every_time(
    frames: list[np.ndarray],
) -> None:
    first = film_files.videos("one", frames, 5)
    assert list(first) == ["one.mp4", "one.webm"]
    assert list(film_files.videos("two", frames, 5).values()) == list(first.values())
    assert first["one.mp4"][4:8] == b"ftyp"
    assert first["one.webm"].startswith(b"\x1a\x45\xdf\xa3")  # EBML, the head of WebM


def test_a_readout_finds_what_is_linearly_there_and_nothing_in_noise() -> None:
    """Ten classes of images, each a pixel of its own: one random layer keeps them apart."""
    labels = np.arange(400, dtype=np.uint8) % 10
    clear = np.zeros((400, 4, 4), np.uint8)
    clear[np.arange(400), labels // 4, labels % 4] = 255
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, clear.shape, dtype=np.uint8)
    settings = Settings.from_preset("quick").replace(layer_sizes="16,50", batch_size=5)
    weights = {
        "layer1/W": rng.standard_normal((16, 50), dtype=np.float32),
        "layer1/b": np.zeros(50, np.float32),
    }
    errors = [
        readout_error(weights, settings, Dataset("made", "test", False, x, labels, y, labels))
        for x, y in ((clear, clear), (noise, rng.permutation(noise)))
    ]
    assert errors[0] == 0
    assert 75 < errors[1] <= 100  # chance is 90 %


@pytest.fixture(scope="module")
def filmed(invoke: Invoke, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A film of the steps that the finished run takes too, which are analysed once."""
    base = tmp_path_factory.mktemp("film")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(film_files, "has_encoder", lambda: False)
        patch.setattr(files, "report", lambda *_: {})  # it has tests of its own
        like = "--layer-sizes 784,24,16 --softmax-epochs 1 --n-train 300 --batch-size 50 --offline"
        more = "--n-epochs 3 --snapshot-every 2 --quiet"
        done = invoke("animate", *like.split(), *more.split(), "--outdir", base / "run")
    assert done.exit_code == 0, done.output
    return base / "run"


def test_snapshots_are_before_every_second_and_last_and_cost_what_the_steps_cost(
    filmed: Path,
) -> None:
    table = pd.read_csv(filmed / "film.csv")
    ff = table[table["algorithm"] == "ff"].set_index("epoch")
    assert ff.index.tolist() == [0, 2, 3]
    assert ff["readout"].unique().tolist() == ["ridge regression on 300 images"]
    # 300 images in batches of 50: six steps an epoch, all alike
    steps = pd.read_json(filmed / "run.json", typ="series")["results"]["ff"]["signatures"]
    one = next(step for step in steps if step["name"] == "train")
    assert ff["bytes_read"].tolist() == [0, 12 * one["bytes_read"], 18 * one["bytes_read"]]
    assert ff.loc[3, "energy_joules"] == pytest.approx(1.5 * ff.loc[2, "energy_joules"])
    bp = table[table["algorithm"] == "bp"].set_index("epoch")
    history = pd.read_csv(filmed / "history.csv")
    own = history[history["stage"] == "network"].set_index("epoch")["test_error"]
    assert np.isnan(bp.loc[0, "test_error"])
    assert bp.loc[3, "test_error"] == own[3]


def test_the_first_snapshot_is_the_untrained_network_and_the_last_the_trained_one(
    filmed: Path,
) -> None:
    with np.load(filmed / "film.npz") as film, np.load(filmed / "weights.npz") as weights:
        trained = weights["ff/layer1/W"]
        largest = np.argsort(-np.linalg.norm(trained, axis=0), kind="stable")[:16]
        np.testing.assert_array_equal(film["fields"][-1], trained[:, largest].T.reshape(-1, 28, 28))
        assert not np.array_equal(film["fields"][0], film["fields"][-1])
        assert film["layer2/hybrid"].shape == (3, 1000)


def test_the_same_run_gives_the_same_film_and_says_what_is_missing(
    invoke: Invoke, filmed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (filmed / "film.gif").read_bytes()
    monkeypatch.setattr(film_files, "has_encoder", lambda: False)
    done = invoke("animate", filmed)
    assert done.exit_code == 0, done.output
    assert (filmed / "film.gif").read_bytes() == before
    assert "MP4 and WebM need an encoder: pip install 'ffenergy[film]'" in done.output


@pytest.mark.slow
def test_a_film_too_large_for_a_gif_has_its_videos_and_says_what_the_gif_shows(
    invoke: Invoke, filmed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (filmed / "film.gif").read_bytes()
    monkeypatch.setattr(film_files, "LIMIT_BYTES", len(before) - 1)
    done = invoke("animate", filmed)
    assert done.exit_code == 0, done.output
    assert "film.gif, film.mp4, film.webm. film.gif shows one of every 2 frames" in done.output
    assert 0 < len((filmed / "film.gif").read_bytes()) < len(before)


DAMAGE: dict[str, tuple[str, bytes, str]] = {
    "an empty archive": ("film.npz", b"", "film.npz is not readable as arrays"),
    "an empty table": ("film.csv", b"", "film.csv is not readable as a table"),
    "a table that is no text": ("film.csv", b"\xff\xfe\x00", "film.csv is not readable as a table"),
    "a table of something else": ("film.csv", b"a,b\n1,2\n", "film.csv lacks the columns"),
    "a table without energy": (
        "film.csv",
        b"algorithm,test_error,readout,profile,bytes_read,bytes_written\nff,1,r,p,1,1\n",
        "column energy_joules is not there",
    ),
    "a table of too few rows": (
        "film.csv",
        b"algorithm,test_error,readout,profile,bytes_read,bytes_written,energy_macs\nff,1,r,p,1,1,1",
        "does not have 3 rows of ff and bp each",
    ),
}


@pytest.mark.parametrize(("name", "content", "says"), DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_film_is_named(
    invoke: Invoke,
    filmed: Path,
    tmp_path: Path,
    name: str,
    content: bytes,
    says: str,
    without_checksums: Callable[[Path], None],
) -> None:
    run = shutil.copytree(filmed, tmp_path / "run")
    (run / name).write_bytes(content)
    done = invoke("animate", run)
    assert done.exit_code == 4, done.output
    assert f"{name} is damaged: it was changed since it was written" in done.output
    without_checksums(run)
    done = invoke("animate", run)
    assert done.exit_code == 4, done.output
    assert says in done.output
    assert len(done.output.splitlines()) == 2  # the first says that there are no checksums


def test_an_archive_without_snapshots_is_no_film() -> None:
    film = a_film()
    arrays = film.arrays()
    assert Film.of(arrays, film.table).goodness.keys() == film.goodness.keys()
    for name in arrays:
        with pytest.raises(ValueError, match="with an entry per snapshot"):
            Film.of({**arrays, name: arrays[name][1:]}, film.table)


def test_mistakes_end_in_one_line(invoke: Invoke, filmed: Path, tmp_path: Path) -> None:
    for arguments, code, reason in (
        (("animate", filmed, "--n-epochs", "2"), 2, "--n-epochs is for a new training"),
        (("animate", "--n-epochs", "0", "--outdir", tmp_path / "new"), 2, "at least one epoch"),
        (("animate", tmp_path), 4, "holds no"),
        (("animate", filmed, "--fps", "nan"), 2, "nan is not a number"),
    ):
        done = invoke(*arguments)
        assert done.exit_code == code, done.output
        assert reason in done.output
        assert len([line for line in done.output.splitlines() if "Error: " in line]) == 1


def test_a_readout_of_units_that_answer_to_nothing_is_a_guess() -> None:
    """All features 0: no answer is better than another, and class 0 is told for all."""
    settings = Settings.from_preset("quick").replace(layer_sizes="4,3")
    weights = {"layer1/W": np.zeros((4, 3), np.float32), "layer1/b": -np.ones(3, np.float32)}
    images = np.ones((10, 2, 2), np.uint8)
    labels = np.arange(10, dtype=np.uint8)
    data = Dataset("made", "test", False, images, labels, images, labels)
    assert readout_error(weights, settings, data) == 90.0


def test_goodness_beyond_all_numbers_is_filmed_at_the_edge() -> None:
    film = a_film()
    film.goodness["layer1/real"][1, :3] = np.inf
    film.goodness["layer2/real"][:] = film.goodness["layer2/hybrid"][:] = np.inf
    assert len(list(drawing.frames(film, SUBTITLES))) == FRAMES
