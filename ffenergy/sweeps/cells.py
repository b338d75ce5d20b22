"""One cell of a sweep: a training, its name by content, and the file that its outcome becomes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from functools import cache
from pathlib import Path
from typing import Any, Final

import joblib
import pandas as pd
import threadpoolctl

from ffenergy.data import Dataset, held_out, load
from ffenergy.errors import DataError, FfenergyError, OutputError
from ffenergy.files.atomic import sweep as clear_litter
from ffenergy.files.atomic import write_text
from ffenergy.files.documents import check, check_seal, parse_json, read_text, sealed
from ffenergy.files.locks import LOCK, HeldError, held
from ffenergy.runs.results import AlgorithmResult
from ffenergy.runs.run_document import EPOCH, SCALAR_TYPES, SCALARS, SIGNATURE
from ffenergy.settings import OF_HEAD, Settings
from ffenergy.trained.activities import learned
from ffenergy.training import Checkpoints, Diverged, train
from instrumented import InstrumentError

OUTCOME: Final = "outcome.json"
FINISHED: Final = ("complete", "diverged")
"""States that a training would reach again; a cell in another state is tried again."""
CLAIM_SECONDS: Final = 0.5  # from one look to the next, while another process has a cell
CHECKPOINT_SECONDS: Final = 60.0  # least time between two of a cell; short cells have none
COUNTS: Final = ("bytes_read", "bytes_written", "flops", "flops_special")
DOCUMENT: Final = {
    "cell": str,
    "algorithm": str,
    "traced": bool,
    "data": dict,
    "settings": dict,
    "status": str,
    "message": str,
    "threads": int,
    "scores": {name: kind | None for name, kind in SCALAR_TYPES.items()},
    "counts": {str: int},
    "signatures": [SIGNATURE],
    "history": [EPOCH],
    "features": [dict],
    "wrong?": list | None,
}
"""What readers of `outcome.json` may count on, see `documents.check`."""


@dataclass(frozen=True)
class DataLabel:
    """What tells the data of one cell from those of another."""

    name: str
    is_sample: bool
    train_images: int
    test_images: int

    @classmethod
    def of(cls, data: Dataset) -> DataLabel:
        """Label `data`."""
        return cls(data.name, data.is_sample, len(data.train_images), len(data.test_images))


@dataclass(frozen=True)
class DataPlace:
    """Where a worker looks for the data; as `ffenergy.data.load`."""

    data_dir: Path | None
    offline: bool

    def load(self, settings: Settings, *, progress: bool = False) -> Dataset:
        """Load the data that `settings` asks for. Raises DataError, SettingsError."""
        return held_out(_loaded(self, settings.dataset, progress), settings.n_validation)


@cache  # as bytes, and there are two data sets
def _loaded(place: DataPlace, name: str, progress: bool) -> Dataset:
    return load(place.data_dir, offline=place.offline, progress=progress, name=name)


@dataclass(frozen=True)
class Cell:
    """One training of a sweep."""

    algorithm: str
    settings: Settings
    traced: bool
    data: DataLabel

    @property
    def name(self) -> str:
        """Sixteen hexadecimal digits that stand for all that decides the outcome.

        Settings that have the common value are left out, so a setting that is invented later
        does not rename old cells.
        """
        return self._digest(self.settings.unlike_common())

    @property
    def layers_name(self) -> str:
        """As `name`, without what decides about the softmax head alone."""
        chosen = self.settings.unlike_common()
        return self._digest({key: chosen[key] for key in chosen if key not in OF_HEAD})

    def _digest(self, chosen: dict[str, Any]) -> str:
        content = {
            "algorithm": self.algorithm,
            "settings": chosen,
            "traced": self.traced,
            "data": asdict(self.data),
        }
        text = json.dumps(content, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Outcome:
    """What became of a cell. Error rates in percent, NaN where the training did not get so far.

    status: complete, diverged (the loss stopped being a number), or failed; `message` says why.
    scores: test_error, train_error, steps, samples, head_steps, head_samples, wall_seconds.
    counts: bytes_read, bytes_written, flops, flops_special, eager; empty if untraced.
    signatures: every distinct step, as in run.json; empty if untraced.
    history: a row per stage and epoch, as in history.csv.
    features: a row per hidden layer of what it has learned, see `activities.learned`; empty in
        cells that an earlier version trained.
    wrong: numbers of the images that were answered wrongly, of those that errors are on; None
        in traced cells and in those that an earlier version trained.
    """

    cell: str
    algorithm: str
    traced: bool
    data: dict[str, Any]
    settings: dict[str, Any]
    status: str
    message: str
    threads: int
    scores: dict[str, float]
    counts: dict[str, int]
    signatures: list[dict[str, Any]]
    history: list[dict[str, Any]]
    features: list[dict[str, Any]]
    wrong: list[int] | None = None

    def to_json(self) -> str:
        """The outcome as a JSON document; NaN becomes null."""
        return sealed(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Outcome:
        """Read what `to_json` wrote; raises ValueError for anything else."""
        document = parse_json(text)
        if isinstance(document, dict):
            document.setdefault("features", [])
        check(document, DOCUMENT)
        check_seal(document)
        values = {f.name: document[f.name] for f in fields(cls) if f.name in document}
        scores = {name: _number(values["scores"][name]) for name in SCALARS}
        history = [{k: _number(v) for k, v in row.items()} for row in values["history"]]
        return cls(**(values | {"scores": scores, "history": history}))


def outcome_in(folder: Path) -> Outcome | None:
    """Return the outcome that a cell's folder has, None if there is none yet.

    Raises:
        OutputError: the file is damaged.
    """
    path = folder / OUTCOME
    try:
        return Outcome.from_json(read_text(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} is not readable as a cell ({error}); delete it") from None


class CellFolder:
    """A folder per cell: `outcome.json` when it is done, checkpoints until then."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def file(self, cell: Cell) -> Path:
        """The file that the outcome of `cell` has or will have."""
        return self.path / cell.name / OUTCOME

    def find(self, cell: Cell) -> Outcome | None:
        """Return the outcome of `cell`, None if there is none yet.

        Raises:
            OutputError: the file is damaged, or holds another cell.
        """
        path = self.file(cell)
        outcome = outcome_in(path.parent)
        if outcome is None:
            return None
        identity = (cell.name, cell.algorithm, cell.traced, asdict(cell.data))
        if (outcome.cell, outcome.algorithm, outcome.traced, outcome.data) != identity:
            raise OutputError(f"{path} holds the outcome of another cell; delete it")
        wanted = cell.settings.to_dict()
        odd = [name for name, value in outcome.settings.items() if wanted.get(name) != value]
        if odd:
            raise OutputError(
                f"{path} holds a cell with another {odd[0]} (the presets have changed since); "
                f"choose another --outdir"
            )
        return outcome

    def finished(self, cell: Cell) -> Outcome | None:
        """Return the outcome of `cell` if training it again would bring nothing new."""
        outcome = self.find(cell)
        return outcome if outcome and outcome.status in FINISHED else None

    def finished_beside(self, cells: Sequence[Cell], names: Iterable[str]) -> int:
        """How many cells of these names are finished and none of `cells`."""
        found = 0
        for name in set(names) - {cell.name for cell in cells}:
            with suppress(OSError, ValueError):  # nobody would miss what cannot be read
                outcome = Outcome.from_json(read_text(self.path / name / OUTCOME))
                found += outcome.status in FINISHED
        return found

    def checkpoints(self, cell: Cell, siblings: Sequence[Cell] = ()) -> Checkpoints:
        """Where a long cell keeps its state, so that a stopped sweep goes on within it.

        siblings: cells that have the same hidden layers, which are trained once.
        """
        folder = self.file(cell).parent
        layers = [self.layers(one) for one in (cell, *siblings)] if siblings else []
        return Checkpoints(folder / "checkpoints", cell.name, CHECKPOINT_SECONDS, layers=layers)

    def layers(self, cell: Cell) -> Checkpoints:
        """Where a cell keeps its hidden layers for its siblings, until the sweep is over."""
        return Checkpoints(self.file(cell).parent / "layers", cell.layers_name)

    @contextmanager
    def claimed(self, cell: Cell, watch: Callable[[], object]) -> Iterator[None]:
        """Train `cell` alone: wait until whoever else has claimed it is done, or dead.

        `watch` is called while waiting, and may raise.
        """
        folder = self.file(cell).parent
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(held(folder / LOCK, CLAIM_SECONDS))
                    break
                except HeldError:
                    watch()
            clear_litter(folder)
            clear_litter(folder / "checkpoints")
            yield

    def keep(self, cell: Cell, outcome: Outcome) -> None:
        """Write the file of `cell`, whole or not at all. Raises OSError."""
        self.file(cell).parent.mkdir(parents=True, exist_ok=True)
        write_text(self.file(cell), outcome.to_json())


@dataclass(frozen=True)
class CellTask:
    """Train `cell` on `threads` BLAS threads and keep its outcome in `folder`, if it is here.

    siblings: cells of the same sweep with the same hidden layers, which one of them trains.
    """

    cell: Cell
    siblings: Sequence[Cell]
    place: DataPlace
    folder: Path
    threads: int


def run_cell(task: CellTask, watch: Callable[[], object] = lambda: None) -> Outcome:
    """Train a cell.

    A cell that is finished already is not trained again: a worker may die between writing the
    outcome and handing it over, and another sweep may be at it. One that was begun goes on with the
    BLAS threads it was begun with, if there are cores for them, so that its bits are the same. What
    goes wrong becomes the outcome's status. `watch` is called many times an epoch and may raise, to
    end the training.
    """
    cell, cells, threads = task.cell, CellFolder(task.folder), task.threads
    with ExitStack() as stack:
        checkpoints = None
        if task.folder.is_dir():  # else another machine without a shared disk: the sweep writes
            stack.enter_context(cells.claimed(cell, watch))
            known = cells.finished(cell)
            if known is not None:
                return known
            checkpoints = cells.checkpoints(cell, task.siblings)
            begun = checkpoints.threads() or threads
            threads = begun if begun <= joblib.cpu_count() else threads
        with threadpoolctl.threadpool_limits(threads, user_api="blas"):
            outcome = _trained(replace(task, threads=threads), checkpoints, watch)
        if checkpoints:
            cells.keep(cell, outcome)
            checkpoints.clear()
    return outcome


@dataclass(frozen=True)
class _Watched:
    """Calls `watch` whenever a training tells how far it is; see `training.run.Progress`."""

    watch: Callable[[], object]

    def start(self, stage: str, total: int) -> None:
        self.watch()

    def advance(self, n: int, **values: float) -> None:
        self.watch()

    def finish(self) -> None:
        self.watch()


def _trained(
    task: CellTask, checkpoints: Checkpoints | None, watch: Callable[[], object]
) -> Outcome:
    cell, threads = task.cell, task.threads
    try:
        data = task.place.load(cell.settings)
        if DataLabel.of(data) != cell.data:
            raise DataError(f"the worker found other data ({data.name}, {data.source})")
        result = train(
            cell.algorithm,
            cell.settings,
            data,
            traced=cell.traced,
            progress=_Watched(watch),
            checkpoints=checkpoints,
        )
    except Diverged as stop:
        return _outcome(cell, "diverged", threads, stop.message, stop.partial)
    except FfenergyError as error:
        return _outcome(cell, "failed", threads, error.message)
    except (InstrumentError, MemoryError, OSError) as error:
        return _outcome(cell, "failed", threads, f"{type(error).__name__}: {error}")
    return _outcome(cell, "complete", threads, "", result, data)


def _outcome(
    cell: Cell,
    status: str,
    threads: int,
    message: str,
    result: AlgorithmResult | None = None,
    data: Dataset | None = None,
) -> Outcome:
    traffic = None if result is None else result.traffic
    history = _records(result.history) if result is not None else []
    features = []
    if result is not None and data is not None:
        features = learned(cell.algorithm, cell.settings, result.weights, history, data)
    return Outcome(
        cell=cell.name,
        algorithm=cell.algorithm,
        traced=cell.traced,
        data=asdict(cell.data),
        settings=cell.settings.to_dict(),
        status=status,
        message=message,
        threads=threads,
        scores={name: getattr(result, name, math.nan) for name in SCALARS},
        counts={} if traffic is None else {name: int(traffic[name].sum()) for name in COUNTS},
        signatures=result.signatures if result is not None else [],
        history=history,
        features=features,
        wrong=None if result is None or result.wrong is None else result.wrong.tolist(),
    )


def _records(history: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): v for k, v in row.items()} for row in history.to_dict("records")]


def _number(value: Any) -> Any:
    return math.nan if value is None else value
