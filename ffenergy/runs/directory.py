"""A run on disk: what was asked, what was measured, and how far it came.

`run.json`, `traffic.csv`, `history.csv`, `weights.npz` and `examples.npz` hold the measurement;
every other file in the directory is derived from them and can be built again (`ffenergy report`).
"""

from __future__ import annotations

import json
import math
import os
import zipfile
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from filelock import FileLock, Timeout

from ffenergy.costs.prices import FILES as PRICED
from ffenergy.errors import OutputError, SettingsError
from ffenergy.files.atomic import replacing, sweep, write_text
from ffenergy.files.documents import NUMBER_OR_NULL, check, parse_json
from ffenergy.runs import results, saved_weights
from ffenergy.settings import Settings

if TYPE_CHECKING:
    from ffenergy.runs.results import AlgorithmResult

FORMAT = 1
RESUMABLE = ("ffenergy compare", "ffenergy train")
STATUSES = ("running", "complete", "interrupted", "failed")
TRAFFIC_COLUMNS = ["algorithm", *results.TRAFFIC_COLUMNS]
HISTORY_COLUMNS = ["algorithm", "stage", "epoch", "loss"]
MEASURED = ("run.json", "traffic.csv", "history.csv", "weights.npz", "examples.npz")
DERIVED = ("summary.csv", "normalize.csv", "targets.csv", *PRICED, "report.md", "report.html")
PICTURES = ("*.png", "*.svg", "*.gif", "*.mp4", "*.webm")
FILM = ("film.csv", "film.npz")
PROGRESS = "progress.json"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"
EXPORTS = ("*.perfetto.json", "*.parquet")
ELSEWHERE = "choose another --outdir"
FORCE = f"{ELSEWHERE}, or pass --force to replace the run in it"
SCALARS = (
    "test_error",
    "train_error",
    "steps",
    "samples",
    "head_steps",
    "head_samples",
    "wall_seconds",
)
SCALAR_TYPES: Final = {
    **dict.fromkeys(SCALARS, int),
    **dict.fromkeys(("test_error", "train_error", "wall_seconds"), NUMBER_OR_NULL),
}
SIGNATURE: Final = {"name": str, "digest": str, "steps": int}
EPOCH: Final = {"stage": str, "epoch": int, "loss": NUMBER_OR_NULL, str: NUMBER_OR_NULL}
DOCUMENT: Final = {
    "status": str,
    "command": str,
    "accounting": str,
    "preset": str,
    "seed": int,
    "settings": dict,
    "versions": dict,
    "data": {
        "name": str,
        "source": str,
        "is_sample": bool,
        "train_images": int,
        "test_images": int,
        "validation_images?": int,
    },
    "profiles?": [{"name": str, "sha256": str, "text?": str}],
    "results": {str: {**SCALAR_TYPES, "signatures": [SIGNATURE]}},
}
"""What readers of `run.json` may count on, see `documents.check`."""


class RunDirectoryError(OutputError):
    """A run directory that cannot be written to, or does not hold a readable run."""


@dataclass(frozen=True)
class Run:
    """Everything a report is built from.

    configuration: what `run.json` says of the run as a whole: command, settings, versions, data,
        seed, accounting, status.
    results: per algorithm the scalars of its row in `summary.csv` and its step signatures.
    traffic, history: tables of all algorithms, columns as in `traffic.csv` and `history.csv`.
    weights: "ff/layer1/W" and so on. examples: arrays that pictures need, named by them.
    """

    configuration: dict[str, Any]
    results: dict[str, dict[str, Any]] = field(default_factory=dict)
    traffic: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=TRAFFIC_COLUMNS))
    history: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=HISTORY_COLUMNS))
    weights: Mapping[str, np.ndarray] = field(default_factory=dict)
    examples: Mapping[str, np.ndarray] = field(default_factory=dict)

    @property
    def algorithms(self) -> list[str]:
        """Names of the algorithms that finished, in the order of their training."""
        return list(self.results)

    @property
    def can_resume(self) -> bool:
        """Whether its command has --resume, which goes on with it."""
        return str(self.configuration["command"]).startswith(RESUMABLE)

    def with_status(self, status: str, reason: str = "") -> Run:
        """The same run in another state; `reason` says in one line why it stopped."""
        configuration = {**self.configuration, "status": status, "reason": reason}
        return replace(self, configuration=configuration)

    def with_profiles(self, records: Sequence[Mapping[str, Any]]) -> Run:
        """The same run priced under other profiles; a record of each as `run.json` keeps it."""
        return replace(self, configuration={**self.configuration, "profiles": list(records)})

    def with_result(self, result: AlgorithmResult) -> Run:
        """The run with one more algorithm finished."""
        row = {name: getattr(result, name) for name in SCALARS}
        row["traced"] = result.traffic is not None
        row["signatures"] = result.signatures
        weights = {f"{result.algorithm}/{name}": w for name, w in result.weights.items()}
        run = self.with_history(result.algorithm, result.history)
        if result.traffic is not None:
            run = replace(run, traffic=_joined(run.traffic, result.algorithm, result.traffic))
        return replace(
            run,
            results={**self.results, result.algorithm: row},
            weights={**self.weights, **weights},
        )

    def with_history(self, algorithm: str, history: pd.DataFrame) -> Run:
        """The run with the epochs of one algorithm, finished or not."""
        if history.empty:
            return self
        return replace(self, history=_joined(self.history, algorithm, history))

    def without_unfinished(self) -> Run:
        """The run with the epochs of finished algorithms alone."""
        finished = self.history["algorithm"].isin(self.algorithms)
        return replace(self, history=self.history[finished].reset_index(drop=True))

    def with_examples(self, examples: Mapping[str, np.ndarray]) -> Run:
        """The run with the arrays that its pictures need."""
        return replace(self, examples=examples)


def _joined(table: pd.DataFrame, algorithm: str, rows: pd.DataFrame) -> pd.DataFrame:
    rows = rows.copy()
    rows.insert(0, "algorithm", algorithm)
    return rows if table.empty else pd.concat([table, rows], ignore_index=True)


class RunDirectory:
    """The directory a run is written to, checked before any work begins."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def check(
        self, *, force: bool = False, replaced: Collection[str] = (), remedy: str = FORCE
    ) -> None:
        """Prove that a run could be written here, and change nothing that matters.

        Raises RunDirectoryError if the directory cannot be made or written, or if it holds
        anything but files named in `replaced` and `force` is False; `remedy` ends that message.
        """
        probe = self.path / f".writable.{os.getpid()}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            occupied = any(path.name not in (LOCK, *replaced) for path in self.path.iterdir())
            probe.touch(exist_ok=False)
            probe.unlink()
        except OSError as error:
            raise self._not_writable(error) from error
        if occupied and not force:
            what = "an older run" if (self.path / "run.json").exists() else "other files"
            raise RunDirectoryError(f"{self.path} already holds {what}; {remedy}")

    def _not_writable(self, error: OSError) -> RunDirectoryError:
        return RunDirectoryError(
            f"cannot write to {self.path}: {error.strerror or error}; choose another --outdir"
        )

    def claim(self, *, force: bool = False) -> None:
        """Check, and clear away an older run: the files that a run writes, and only those."""
        self.check(force=force)
        self._clear()

    def _clear(self) -> None:
        for name in (*MEASURED, *DERIVED, PROGRESS):
            (self.path / name).unlink(missing_ok=True)
        for path in (self.path / CHECKPOINTS).glob("*.checkpoint"):
            path.unlink()
        for pattern in (*PICTURES, *FILM, *EXPORTS):
            for path in self.path.glob(pattern):
                path.unlink()

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep every other process from writing a run into this directory.

        Raises RunDirectoryError if one does so already, or if the lock cannot be taken.
        """
        lock = FileLock(self.path / LOCK)
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock.acquire(blocking=False)
        except Timeout:
            raise RunDirectoryError(
                f"another process is training into {self.path}; wait for it or choose another "
                "--outdir"
            ) from None
        except OSError as error:
            raise self._not_writable(error) from error
        try:
            sweep(self.path)
            yield
        finally:
            lock.release()
            (self.path / LOCK).unlink(missing_ok=True)

    def write(self, run: Run) -> None:
        """Write the measurement; `run.json` comes last, so a reader finds the tables it names."""
        self.write_table("traffic.csv", run.traffic)
        self.write_table("history.csv", run.history)
        for name, arrays in (("weights.npz", run.weights), ("examples.npz", run.examples)):
            if arrays:
                with replacing(self.path / name) as stream:
                    np.savez(stream, allow_pickle=False, **arrays)
        self.write_state(run)

    def write_state(self, run: Run) -> None:
        """Write `run.json` alone."""
        document = {**run.configuration, "results": run.results}
        text = json.dumps(plain(document), indent=2, ensure_ascii=False, allow_nan=False)
        write_text(self.path / "run.json", text + "\n")

    def write_table(self, name: str, table: pd.DataFrame) -> None:
        """Write one table as CSV; floats keep every digit."""
        write_text(self.path / name, table.to_csv(index=False, lineterminator="\n"))

    def read(self) -> Run:
        """Read a run back. Raises RunDirectoryError naming the file that is missing or broken."""
        document = self._read_document()
        rows = document.pop("results")
        return Run(
            configuration=document,
            results={name: _numbers(row) for name, row in rows.items()},
            traffic=self.read_table("traffic.csv", TRAFFIC_COLUMNS),
            history=self.read_table("history.csv", HISTORY_COLUMNS),
            weights=self._read_weights(document),
            examples=self.read_arrays("examples.npz"),
        )

    def _read_document(self) -> dict[str, Any]:
        path = self.path / "run.json"
        try:
            document = parse_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise RunDirectoryError(
                f"{self.path} holds no run (no run.json); give the --outdir of an earlier run"
            ) from None
        except (OSError, ValueError) as error:
            raise RunDirectoryError(f"{path} is not readable as a run: {error}") from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise RunDirectoryError(
                f"{path} is not a run of format {FORMAT}; run the measurement again"
            )
        try:
            check(document, DOCUMENT)
            Settings.from_saved(document["settings"])
        except (ValueError, SettingsError) as error:
            raise RunDirectoryError(
                f"{path} is damaged: {error}; put the file back, or run the measurement again"
            ) from error
        return document

    def read_table(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Read a table that has at least `columns`. Raises RunDirectoryError."""
        path = self.path / name
        try:
            table = pd.read_csv(path, engine="python")  # its floats are exact
        except (OSError, ValueError) as error:  # pandas' parser errors are ValueErrors
            reason = " ".join(str(error).split())
            raise RunDirectoryError(f"{path} is not readable as a table: {reason}") from error
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise RunDirectoryError(f"{path} lacks the columns {', '.join(missing)}")
        return table

    def _read_weights(self, document: Mapping[str, Any]) -> dict[str, np.ndarray]:
        weights = self.read_arrays("weights.npz")
        sizes = Settings.from_saved(document["settings"]).layer_sizes
        for algorithm in dict.fromkeys(name.split("/")[0] for name in weights):
            head = f"{algorithm}/"
            own = {k.removeprefix(head): w for k, w in weights.items() if k.startswith(head)}
            problem = saved_weights.fault(own, sizes)
            if problem:
                raise RunDirectoryError(
                    f"{self.path / 'weights.npz'}: {head}{problem}; train the run again, or "
                    "remove the file to do without its pictures"
                )
        return weights

    def read_arrays(self, name: str) -> dict[str, np.ndarray]:
        """Read an archive of named arrays, none if there is none. Raises RunDirectoryError."""
        path = self.path / name
        if not path.exists():
            return {}
        try:
            with np.load(path, allow_pickle=False) as archive:
                return dict(archive)
        except (OSError, EOFError, ValueError, TypeError, zipfile.BadZipFile) as error:
            reason = " ".join(str(error).split())  # TypeError: it is a single array
            raise RunDirectoryError(f"{path} is not readable as arrays: {reason}") from error


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it.

    JSON has no NaN, no NumPy scalars and no tuples: null, numbers and lists instead.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    """A row as read from JSON, null back to NaN."""
    return {key: math.nan if value is None else value for key, value in row.items()}
