"""A run that stops and goes on is, bit for bit and byte for byte, the run that never stopped."""

from __future__ import annotations

import dataclasses
import io
import json
import multiprocessing
import resource
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ffenergy.cli import main
from ffenergy.costs.measuring import random_dataset
from ffenergy.errors import OutputError
from ffenergy.rules.registry import rules
from ffenergy.runs.directory import RunDirectory
from ffenergy.settings import Settings
from ffenergy.training import Checkpoints, bits, train
from ffenergy.training.checkpoints import Snapshot, _first_line

SETTINGS = Settings.from_preset("quick").replace(
    layer_sizes="16,12,8", n_epochs=2, softmax_epochs=2, batch_size=100, peer_strength=0.01
)
DATA = random_dataset(SETTINGS, 250)
DATA = dataclasses.replace(
    DATA, test_images=DATA.train_images[:50], test_labels=DATA.train_labels[:50]
)
LOCAL = SETTINGS.replace(layer_sizes="64,32,12", local_fields="4x4/4x8,2x2/1x12")
LOCAL_DATA = random_dataset(LOCAL, 250)
LOCAL_DATA = dataclasses.replace(
    LOCAL_DATA, test_images=LOCAL_DATA.train_images[:50], test_labels=LOCAL_DATA.train_labels[:50]
)


class StopHereError(Exception):
    """The process ends here, as far as the training is concerned."""


def stopping_after(epochs):
    """A hook that ends the training in the epoch after so many."""
    seen = 0

    def hook(stage, epoch, weights):
        nonlocal seen
        seen += 1
        if seen > epochs:
            raise StopHereError

    return hook


def assert_same(found, expected):
    assert found.weights.keys() == expected.weights.keys()
    for name, weights in expected.weights.items():
        np.testing.assert_array_equal(found.weights[name], weights, err_msg=name)
    assert found.signatures == expected.signatures
    if expected.traffic is not None:
        pd.testing.assert_frame_equal(found.traffic, expected.traffic)
    pd.testing.assert_frame_equal(
        found.history.drop(columns="wall_seconds"), expected.history.drop(columns="wall_seconds")
    )
    for field in dataclasses.fields(expected):
        if field.type in ("int", "float") and field.name != "wall_seconds":
            assert getattr(found, field.name) == getattr(expected, field.name), field.name


@pytest.mark.parametrize("traced", [True, False])
@pytest.mark.parametrize(
    ("algorithm", "greedy_input"),
    [*((name, "recompute") for name in rules()), ("ff-greedy", "store")],
)
def test_going_on_after_any_epoch_is_never_having_stopped(
    tmp_path, algorithm, greedy_input, traced
):
    settings = SETTINGS.replace(greedy_input=greedy_input)
    expected = train(algorithm, settings, DATA, traced=traced)
    for stop in range(1, len(expected.history)):
        folder = tmp_path / str(stop)
        with pytest.raises(StopHereError):
            train(
                algorithm,
                settings,
                DATA,
                traced=traced,
                checkpoints=Checkpoints(folder, "x"),
                after_epoch=stopping_after(stop),
            )
        found = train(
            algorithm, settings, DATA, traced=traced, checkpoints=Checkpoints(folder, "x")
        )
        assert_same(found, expected)


@pytest.mark.parametrize("optimizer", ["adamw", "momentum", "sgd"])
def test_local_layers_and_other_optimizers_go_on_too(tmp_path, optimizer):
    settings = LOCAL.replace(optimizer=optimizer, n_train=250)
    expected = train("ff", settings, LOCAL_DATA)
    with pytest.raises(StopHereError):
        train(
            "ff",
            settings,
            LOCAL_DATA,
            checkpoints=Checkpoints(tmp_path / "c", "x"),
            after_epoch=stopping_after(1),
        )
    assert_same(
        train("ff", settings, LOCAL_DATA, checkpoints=Checkpoints(tmp_path / "c", "x")), expected
    )


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(tmp_path, newcomer):
    arguments = [
        *("compare", "--algorithms", "ff,bp", "--quiet", "--n-train", "300", "--offline"),
        *("--layer-sizes", "784,16,16", "--n-epochs", "30", "--softmax-epochs", "5"),
        *("--resume", "--checkpoint-seconds", "0", "--outdir"),
    ]
    main([*arguments, str(tmp_path / "undisturbed")], standalone_mode=False)

    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["ffenergy.cli.compare"])
    moments = np.random.default_rng(0)
    killed = tmp_path / "killed"
    command = f"from ffenergy.cli import main; main({[*arguments, str(killed)]}, 'ffenergy')"
    kills = 0
    while kills < 20:
        process = server.Process(target=exec, args=(command, {}))
        process.start()
        while not (killed / ".lock").exists() and process.is_alive():
            time.sleep(0.002)
        process.join(moments.uniform(0, 0.3))
        assert process.is_alive() or kills, "the run is too short to be killed"
        if not process.is_alive():
            break
        process.kill()
        process.join()
        kills += 1
    main([*arguments, str(killed)], standalone_mode=False)

    for name in ("traffic.csv", "energy.csv", "levels.csv", "peak.csv", "decomposition.csv"):
        assert (killed / name).read_text() == (tmp_path / "undisturbed" / name).read_text(), name
    for name in ("history.csv", "summary.csv", "targets.csv"):
        found, expected = (
            pd.read_csv(folder / name).drop(columns="wall_seconds", errors="ignore")
            for folder in (killed, tmp_path / "undisturbed")
        )
        pd.testing.assert_frame_equal(found, expected, obj=name)
    runs = [RunDirectory(folder).read() for folder in (killed, tmp_path / "undisturbed")]
    for name, weights in runs[1].weights.items():
        np.testing.assert_array_equal(runs[0].weights[name], weights, err_msg=name)
    assert kills == 20
    assert {p.name for p in killed.iterdir()} == {
        p.name for p in (tmp_path / "undisturbed").iterdir()
    }


def snapshot(number):
    return Snapshot(
        "ff",
        0,
        number,
        {"layer1/W": np.full(3, number, np.float32)},
        {"steps": number},
        [{"stage": "layers", "epoch": k, "loss": 0.1 * k} for k in range(1, number + 1)],
    )


@pytest.fixture
def two(tmp_path):
    """Checkpoints of epochs 3 and 4 (the last two of four), and what was warned of."""
    warned = []
    checkpoints = Checkpoints(tmp_path / "checkpoints", "mine", warn=warned.append)
    for number in (1, 2, 3, 4):
        checkpoints.save(snapshot(number))
    return checkpoints, sorted(checkpoints.folder.glob("*.checkpoint")), warned


def test_the_last_two_are_kept(two):
    checkpoints, paths, warned = two
    assert [path.name for path in paths] == ["00000003.checkpoint", "00000004.checkpoint"]
    found = checkpoints.latest("ff")
    assert found == dataclasses.replace(snapshot(4), arrays=found.arrays)
    np.testing.assert_array_equal(found.arrays["layer1/W"], np.full(3, 4, np.float32))
    assert checkpoints.latest("bp") is None
    assert not warned


def cut_short(content):
    return content[: len(content) // 2]


def one_bit_off(content):
    return content[:-40] + bytes([content[-40] ^ 1]) + content[-39:]


def of_the_future(content):
    return content.replace(b"checkpoint 3 ", b"checkpoint 9 ", 1)


def of_another_program(content):
    return b"PK" + content


def pickled(content):
    packed = io.BytesIO()
    np.savez(packed, values=np.array([{"a": 1}], dtype=object))
    return _first_line(packed.getbuffer()) + packed.getvalue()


@pytest.mark.parametrize(
    ("damage", "why"),
    [
        (cut_short, "cut short or damaged"),
        (one_bit_off, "cut short or damaged"),
        (of_the_future, "it has format 9, this program reads 3"),
        (of_another_program, "does not begin like a checkpoint"),
        (pickled, "an array holds Python objects, which are not read"),
        (lambda content: b"", "does not begin like a checkpoint"),
    ],
)
def test_a_bad_checkpoint_gives_way_to_the_one_before_it(two, damage, why):
    checkpoints, (_, newest), warned = two
    newest.write_bytes(damage(newest.read_bytes()))
    assert checkpoints.latest("ff").epoch == 3
    assert len(warned) == 1
    assert why in warned[0]
    assert str(newest) in warned[0]
    assert warned[0].endswith("; taking the one before it")


def rows(checkpoints):
    return [json.loads(line)["epoch"] for line in history_of(checkpoints).read_text().splitlines()]


def history_of(checkpoints):
    return checkpoints.folder / "history.jsonl"


def test_the_history_is_in_a_file_that_only_grows(two):
    checkpoints, _, _ = two
    assert rows(checkpoints) == [1, 2, 3, 4]
    before = history_of(checkpoints).read_bytes()
    checkpoints.save(snapshot(5))
    assert history_of(checkpoints).read_bytes().startswith(before)
    far = dataclasses.replace(snapshot(500), arrays=snapshot(5).arrays)
    checkpoints.save(far)
    sizes = [path.stat().st_size for path in checkpoints.folder.glob("*.checkpoint")]
    assert max(sizes) - min(sizes) < 10  # digits of numbers


def test_going_back_to_an_older_checkpoint_cuts_the_history_off(two):
    checkpoints, (_, newest), _ = two
    newest.write_bytes(b"")
    again = dataclasses.replace(checkpoints)  # as another process finds it
    assert again.latest("ff").history == snapshot(3).history
    other = dataclasses.replace(snapshot(4), history=[*snapshot(3).history, {"epoch": 44}])
    again.save(other)
    assert rows(checkpoints) == [1, 2, 3, 44]
    assert dataclasses.replace(checkpoints).latest("ff").history == other.history


def test_rows_of_an_append_that_was_killed_are_cut_off(two):
    checkpoints, _, warned = two
    with history_of(checkpoints).open("ab") as stream:
        stream.write(b'{"epoch": 5}\n{"ep')
    again = dataclasses.replace(checkpoints)
    assert again.latest("ff").history == snapshot(4).history
    again.save(snapshot(6))
    assert rows(checkpoints) == [1, 2, 3, 4, 5, 6]
    assert not warned


@pytest.mark.parametrize("damage", [lambda c: c[:10], lambda c: c.replace(b"0.3", b"0.4")])
def test_a_history_that_was_changed_is_not_believed(two, damage):
    checkpoints, _, warned = two
    path = history_of(checkpoints)
    path.write_bytes(damage(path.read_bytes()))
    assert dataclasses.replace(checkpoints).latest("ff") is None
    assert "the rows of history.jsonl are not those that were written" in warned[0]
    path.unlink()
    assert dataclasses.replace(checkpoints).latest("ff") is None


def test_the_next_algorithm_begins_a_history_of_its_own(two):
    checkpoints, _, _ = two
    checkpoints.save(dataclasses.replace(snapshot(1), algorithm="bp"))
    assert rows(checkpoints) == [1]
    assert checkpoints.latest("bp").history == snapshot(1).history


def test_a_bad_checkpoint_that_is_the_only_one_gives_way_to_none(two):
    checkpoints, (older, newest), warned = two
    older.unlink()
    newest.write_bytes(b"")
    assert checkpoints.latest("ff") is None
    assert warned[0].endswith("; there is none before it")


def test_checkpoints_of_another_run_are_not_taken_up(two):
    checkpoints, paths, warned = two
    other = dataclasses.replace(checkpoints, identity="another")
    assert other.latest("ff") is None
    assert len(warned) == len(paths)


def test_checkpoints_of_other_bits_are_taken_up_only_if_that_is_allowed(two, monkeypatch):
    checkpoints, paths, warned = two
    now = bits.deciding()
    monkeypatch.setattr(bits, "deciding", lambda: now | {"BLAS threads": "64"})
    assert checkpoints.latest("ff") is None
    assert len(warned) == len(paths)
    assert f"would give other bits: BLAS threads {now['BLAS threads']}, now 64" in warned[0]
    assert dataclasses.replace(checkpoints, any_bits=True).latest("ff").epoch == 4


def test_a_full_disk_leaves_the_last_good_one(two):
    checkpoints, paths, _ = two
    large = dataclasses.replace(snapshot(5), arrays={"layer1/W": np.zeros(100_000)})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))  # no file grows beyond 10 kB
    try:
        with pytest.raises(OutputError, match=r"last good one is 00000004\.checkpoint.*--resume"):
            checkpoints.save(large)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert sorted(checkpoints.folder.glob("*.checkpoint")) == paths
    assert checkpoints.latest("ff").history == snapshot(4).history


def test_clearing_leaves_what_is_not_a_checkpoint(two):
    checkpoints, _, _ = two
    (checkpoints.folder / "notes.txt").write_text("mine")
    checkpoints.clear()
    assert [path.name for path in checkpoints.folder.iterdir()] == ["notes.txt"]
    assert isinstance(checkpoints.folder, Path)
