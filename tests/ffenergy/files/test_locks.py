"""A lock is held by one process at a time, and by none that is dead."""

from __future__ import annotations

import multiprocessing
import os
import time
from pathlib import Path

import pytest

from ffenergy.files.locks import HeldError, held, is_held

PROCESSES = 4


def _contend(lock: Path, count: int) -> None:
    """Take the lock `count` times; whoever is inside finds nobody else's mark there."""
    mark = lock.with_name("inside")
    for _ in range(count):
        with held(lock, patience=60):
            descriptor = os.open(mark, os.O_CREAT | os.O_EXCL)  # fails if another one is inside
            os.close(descriptor)
            mark.unlink()


@pytest.mark.parametrize("acquisitions", [400, pytest.param(10_000, marks=pytest.mark.slow)])
def test_four_processes_never_hold_a_lock_at_once(acquisitions: int, tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=_contend, args=(tmp_path / ".lock", acquisitions // PROCESSES))
        for _ in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(300)
    assert [process.exitcode for process in processes] == [0] * PROCESSES


def _hold(lock: Path) -> None:
    with held(lock):
        lock.with_name("held").touch()
        time.sleep(60)


def test_a_lock_is_seen_and_freed_when_its_holder_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    assert not is_held(lock)
    process = multiprocessing.get_context("fork").Process(target=_hold, args=(lock,))
    process.start()
    while not lock.with_name("held").exists():
        time.sleep(0.01)
    assert is_held(lock)
    with pytest.raises(HeldError), held(lock):
        pass
    process.kill()
    process.join()
    assert not is_held(lock)
    with held(lock):
        pass
    assert lock.exists()  # unlinked, it could be held twice
