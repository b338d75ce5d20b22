"""Cells on several processes of this machine, or on the workers of a Dask cluster."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from ffenergy.errors import FfenergyError, SettingsError
from ffenergy.rules import registry
from ffenergy.sweeps.cells import Cell, CellFolder, DataPlace, Outcome, run_cell

ATTEMPTS: Final = 3  # times that a killed worker's cells are taken up again
ANSWER_SECONDS: Final = 5  # for a scheduler


@dataclass(frozen=True)
class Workers:
    """Who trains: `count` processes here, or all workers of the cluster behind `scheduler`.

    Each cell has `threads` BLAS threads.
    """

    count: int
    threads: int
    scheduler: str | None = None

    @classmethod
    def choose(cls, count: int | None, scheduler: str | None) -> Workers:
        """Share the cores: `count` workers (one per core if None) that together fill them.

        A cluster's workers get one BLAS thread each; how many there are is the cluster's affair.
        """
        cores = joblib.cpu_count()
        count = count or cores
        return cls(count, 1 if scheduler else max(1, cores // count), scheduler)


def run(
    cells: Sequence[Cell],
    place: DataPlace,
    folder: Path,
    workers: Workers,
    say: Callable[[str], object] = lambda line: None,
) -> Iterator[Outcome]:
    """Train `cells`; yield each one's outcome as it is done, in any order, once.

    By then the outcome is in `folder`. When a worker dies its cells are trained again.

    Raises:
        SettingsError: no scheduler at that address, or Dask is not installed.
        FfenergyError: workers die again and again.
        KeyboardInterrupt: Ctrl-C; what is finished is in `folder`.
    """
    kept = CellFolder(folder)
    left = {cell.name: cell for cell in cells}
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _backend(workers) as jobs:
                for outcome in _once(list(left.values()), place, folder, workers, jobs):
                    cell = left.pop(outcome.cell)
                    if not kept.file(cell).exists():  # trained on a machine without this folder
                        kept.keep(cell, outcome)
                    yield outcome
        except _killed() as error:
            if attempt < ATTEMPTS:
                say(f"A worker died ({type(error).__name__}); its cells are trained again.")
                continue
            raise FfenergyError(
                f"workers died {ATTEMPTS} times, perhaps for want of memory; "
                f"{len(left)} cells are left: lower --workers and give the same command again"
            ) from None
        return


def _once(
    cells: Sequence[Cell], place: DataPlace, folder: Path, workers: Workers, jobs: int
) -> Iterator[Outcome]:
    """One pass over `cells` under the backend that is active."""
    apart = bool(workers.scheduler) or jobs != 1
    task = joblib.delayed(partial(_run_apart, registry.referenced()) if apart else run_cell)
    parallel = joblib.Parallel(
        n_jobs=jobs,
        batch_size=1,
        # a cluster may grow; a local pool with an empty queue stops cleanly on Ctrl-C
        pre_dispatch="all" if workers.scheduler else "n_jobs",
        return_as="generator_unordered",
    )
    yield from parallel(task(cell, place, folder.resolve(), workers.threads) for cell in cells)


def _run_apart(
    rules: Sequence[str], cell: Cell, place: DataPlace, folder: Path, threads: int
) -> Outcome:
    """As `run_cell`, in a process of its own: Ctrl-C is for the sweep, which ends its workers.

    ``rules`` are those that --rule named: nothing else tells the process of them.
    """
    for rule in rules:
        registry.add(rule)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    return run_cell(cell, place, folder, threads)


@contextmanager
def _backend(workers: Workers) -> Iterator[int]:
    """Activate joblib's backend; give the number of jobs to ask it for."""
    if workers.scheduler is None:
        with joblib.parallel_config(backend="loky", inner_max_num_threads=workers.threads):
            yield workers.count
        return
    with (
        _client(workers.scheduler) as client,
        joblib.parallel_config(backend="dask", client=client),
    ):
        yield -1


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError:
        raise SettingsError(
            "--scheduler needs Dask; install it with pip install 'ffenergy[cluster]'"
        ) from None
    try:
        client = Client(address, timeout=ANSWER_SECONDS)  # type: ignore[no-untyped-call]
        client.wait_for_workers(1, timeout=ANSWER_SECONDS)
    except (OSError, ValueError) as error:  # a timeout is an OSError
        raise SettingsError(
            f"--scheduler {address}: no cluster with workers answers ({type(error).__name__}); "
            "start `dask scheduler` and `dask worker`, and name the address that it prints"
        ) from None
    return client


def _killed() -> tuple[type[BaseException], ...]:
    """The errors that say that a worker died, locally and, if Dask is there, on a cluster."""
    try:
        from distributed import KilledWorker
    except ImportError:
        return (BrokenProcessPool,)
    return (BrokenProcessPool, KilledWorker)
