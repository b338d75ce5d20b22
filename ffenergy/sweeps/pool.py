"""Cells on several processes of this machine, or on the workers of a Dask cluster."""

from __future__ import annotations

import logging
import os
import re
import shlex
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import joblib
from joblib.externals.loky.process_executor import BrokenProcessPool

from ffenergy.errors import FfenergyError, SettingsError
from ffenergy.rules import registry
from ffenergy.sweeps.cells import Cell, CellFolder, CellTask, DataPlace, Outcome, run_cell

ATTEMPTS: Final = 3  # times that a killed worker's cells are taken up again
ADDRESS: Final = re.compile(r"([a-z]+://)?[^\s/]+:[0-9]+(/\S*)?")
"""Of a scheduler: a host and a port."""
ANSWER_SECONDS: Final = 5  # for a scheduler
PARENT_SECONDS: Final = 0.2  # from one look at the parent to the next


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
        Raises SettingsError for a scheduler that is no address.
        """
        if scheduler is not None and not ADDRESS.fullmatch(scheduler):
            raise SettingsError(
                f"--scheduler has {scheduler!r}; write the address that `dask scheduler` prints, "
                "such as tcp://10.0.0.1:8786"
            )
        cores = joblib.cpu_count()
        count = count or cores
        return cls(count, 1 if scheduler else max(1, cores // count), scheduler)


def run(
    cells: Sequence[Cell],
    place: DataPlace,
    folder: Path,
    workers: Workers,
    say: Callable[[str], object] = lambda line: None,
    finished: Collection[str] = (),
) -> Iterator[Outcome]:
    """Train `cells` but those named `finished`; yield each one's outcome as it is done, once.

    By then the outcome is in `folder`. When a worker dies its cells are trained again. Cells that
    differ in their head alone share their hidden layers, where workers see the folder.

    Raises:
        SettingsError: no scheduler at that address, or Dask is not installed.
        FfenergyError: workers die again and again.
        KeyboardInterrupt: Ctrl-C; what is finished is in `folder`.
    """
    kept = CellFolder(folder)
    tasks = _tasks(cells, place, folder.resolve(), workers.threads)
    left = {task.cell.name: task for task in tasks if task.cell.name not in finished}
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with _outcomes(list(left.values()), workers) as outcomes:
                for outcome in outcomes:
                    cell = left.pop(outcome.cell).cell
                    if not kept.file(cell).exists():  # trained on a machine without this folder
                        kept.keep(cell, outcome)
                    yield outcome
        except _killed() as error:
            if attempt < ATTEMPTS:
                say(f"A worker died ({type(error).__name__}); its cells are trained again.")
                continue
            raise FfenergyError(
                f"workers died {ATTEMPTS} times, perhaps for want of memory; "
                f"cells left: {len(left)}; lower --workers and give the same command again; "
                f"`{shown_by(folder.parent)}` shows the cells that are done"
            ) from None
        for cell in cells:
            kept.layers(cell).clear()
        return


def shown_by(sweep: Path) -> str:
    """The command that shows how far a sweep is, without its tables."""
    return shlex.join(["ffenergy", "status", str(sweep)])


def _tasks(cells: Iterable[Cell], place: DataPlace, folder: Path, threads: int) -> list[CellTask]:
    """The first cells of all that share hidden layers, then the others, side by side."""
    alike: dict[str, list[Cell]] = {}
    for cell in cells:
        alike.setdefault(cell.layers_name, []).append(cell)
    groups = alike.values()
    turns = [group[0] for group in groups] + [cell for group in groups for cell in group[1:]]
    return [
        CellTask(
            cell, [one for one in alike[cell.layers_name] if one != cell], place, folder, threads
        )
        for cell in turns
    ]


@contextmanager
def _outcomes(tasks: Sequence[CellTask], workers: Workers) -> Iterator[Iterator[Outcome]]:
    """One pass over `tasks`, as they are done."""
    if workers.scheduler is not None:
        with _client(workers.scheduler) as client:
            yield _by_cluster(client, tasks, workers)
        return
    # after Ctrl-C joblib's own thread still finds work for a pool that has ended, and logs that
    logging.getLogger("concurrent.futures").setLevel(logging.CRITICAL)
    with joblib.parallel_config(backend="loky", inner_max_num_threads=workers.threads):
        parallel = joblib.Parallel(
            n_jobs=workers.count,
            batch_size=1,
            pre_dispatch="n_jobs",  # with an empty queue the pool stops cleanly on Ctrl-C
            return_as="generator_unordered",
        )
        apart = partial(_run_apart, registry.referenced(), os.getpid())
        task = joblib.delayed(run_cell if workers.count == 1 else apart)
        yield parallel(task(one) for one in tasks)


def _run_apart(rules: Sequence[str], sweep: int, task: CellTask) -> Outcome:
    """As `run_cell`, in a process of its own, which ends when the process `sweep` does."""
    _prepare(rules)
    _end_with(sweep)
    return run_cell(task)


def _prepare(rules: Sequence[str]) -> None:
    """Make a process a worker: Ctrl-C is for the sweep, which ends its workers.

    ``rules`` are those that --rule named: nothing else tells the process of them.
    """
    for rule in rules:
        registry.add(rule)
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)


@cache  # one thread a process
def _end_with(parent: int) -> None:
    """End this process when its parent has ended, however that was: orphans get another parent."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os._exit(1)  # files are written whole or not at all

    threading.Thread(target=watch, daemon=True).start()


# ---- a cluster -------------------------------------------------------------------------


class AbandonedError(Exception):
    """Nobody waits for the cell any more: the sweep, its connection or the scheduler is gone."""


def _by_cluster(client: Any, tasks: Sequence[CellTask], workers: Workers) -> Iterator[Outcome]:
    """Train on all workers of a cluster, which may grow. Raises FfenergyError if it is gone."""
    from distributed import as_completed

    run = partial(_run_on_cluster, registry.referenced())
    futures = [client.submit(run, task, pure=False) for task in tasks]
    try:
        done = as_completed(futures)  # type: ignore[no-untyped-call]
        for future in done:
            yield future.result()
    except (CancelledError, OSError) as error:
        raise FfenergyError(
            f"the cluster at {workers.scheduler} is gone ({type(error).__name__}); cells that are "
            "done are kept: start it again and give the same command"
        ) from None


def _run_on_cluster(rules: Sequence[str], task: CellTask) -> Outcome:
    """As `run_cell`, on a worker of a cluster, as long as somebody waits for it."""
    from distributed import Status, get_worker

    worker: Any = get_worker()
    key = worker.get_current_task()

    def watch() -> None:
        known = worker.state.tasks.get(key)
        if worker.status != Status.running or known is None or known.state != "executing":
            raise AbandonedError(task.cell.name)

    _prepare(rules)
    return run_cell(task, watch)


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
