"""A run on disk, in a directory of its own.

`run.json`, `traffic.csv`, `history.csv`, `weights.npz` and `examples.npz` hold the measurement;
every other file in the directory is derived from them and can be built again (`ffenergy report`).
`run.json` names them all, each with its SHA-256: only they are removed with --force, and a file
that was changed is not read.
"""

from __future__ import annotations

import math
import os
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas.api.types import is_integer_dtype

from ffenergy import machine_memory
from ffenergy.errors import OutputError, SettingsError, remedy_of
from ffenergy.files.atomic import UNFINISHED, is_unfinished, sweep
from ffenergy.files.contents import as_csv, as_npz, from_csv, from_npz
from ffenergy.files.documents import SEAL, check, check_seal, parse_json, read_text
from ffenergy.files.folder import FILES, ChangedError, Folder, StrangerError
from ffenergy.files.locks import HeldError
from ffenergy.runs import progress_file, results
from ffenergy.runs.beside import out_of_date
from ffenergy.runs.faults import contradiction, fault_of_examples, fault_of_weights
from ffenergy.runs.occupied import (
    DOCUMENT_FILE,
    DOCUMENTS,
    ELSEWHERE,
    FORCE,
    PICTURES_FILE,
    SWEEP_FILE,
    obstacle,
    other_document,
)
from ffenergy.runs.run import HISTORY_COLUMNS, TRAFFIC_COLUMNS, Run
from ffenergy.runs.run_document import CHECKPOINT, CHECKPOINT_HISTORY, DOCUMENT, FORMAT
from ffenergy.settings import Settings

MEASURED: Final = ("traffic.csv", "history.csv", "weights.npz", "examples.npz")
CHECKPOINTS = "checkpoints"
PICTURES: Final = "figures"
TRIES: Final = 3
Say = Callable[[str], object]


class RunDirectoryError(OutputError):
    """A run directory that cannot be written to, or does not hold a readable run."""


class RunDirectory:
    """The directory a run is written to, checked before any work begins.

    `document` is the file in it that says what was done, and which files were written.
    """

    def __init__(self, path: Path, document: str = DOCUMENT_FILE) -> None:
        self.path = path
        self.folder = Folder(path, document)

    def holds_run(self) -> bool:
        """Whether there is a run here, readable or not."""
        return (self.path / self.folder.document).exists()

    def check(self, *, force: bool = False, remedy: str = FORCE) -> None:
        """Prove that a run could be written here, and change nothing that matters.

        With `force` an older run may be here, whose files it names, but nothing else.

        Raises RunDirectoryError if the directory cannot be made or written, if another process
        writes here, or if there is anything that would not be replaced; `remedy` ends the message
        where `force` would help.
        """
        probe = self.path / f".writable.{os.urandom(6).hex()}{UNFINISHED}"
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            probe.touch(exist_ok=False)
            probe.unlink()
            if self.folder.is_locked:
                raise self._in_use()
            self._check_contents(force=force, remedy=remedy)
        except OSError as error:
            raise self._not_writable(error) from error

    def _check_contents(self, *, force: bool, remedy: str) -> None:
        if found := obstacle(self.folder, self._own(), force=force, remedy=remedy):
            raise RunDirectoryError(found)

    def _own(self) -> set[str]:
        """What a run keeps beside its files: what comes and goes, and folders in it."""
        own = {progress_file.FILE}
        checkpoints = self.path / CHECKPOINTS
        if checkpoints.is_dir() and all(
            is_unfinished(path) or is_checkpoint(path) for path in checkpoints.iterdir()
        ):
            own.add(CHECKPOINTS)
        pictures = Folder(self.path / PICTURES, PICTURES_FILE)
        with suppress(ValueError):  # damaged: whose they are is not known
            if pictures.path.is_dir() and not pictures.strangers(()):
                own.add(PICTURES)
        return own

    def _not_writable(self, error: OSError, remedy: str = ELSEWHERE) -> RunDirectoryError:
        return RunDirectoryError(
            f"cannot write to {self.path}: {error.strerror or error}; {remedy}"
        )

    def _in_use(self) -> RunDirectoryError:
        return RunDirectoryError(
            f"another process is training into {self.path}, or writing its report; wait for it, or "
            "work in another folder"
        )

    def claim(self, *, force: bool = False, remedy: str = FORCE) -> None:
        """Check, under the lock, and clear an older run away: what it recorded, and only that."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._check_contents(force=force, remedy=remedy)
            (self.path / progress_file.FILE).unlink(missing_ok=True)
            for name, is_own in ((CHECKPOINTS, is_checkpoint), (PICTURES, None)):
                inner = self.path / name
                if name not in self._own():
                    continue
                if is_own is None:
                    Folder(inner, PICTURES_FILE).clear()
                for path in inner.iterdir():
                    path.unlink()
                inner.rmdir()
            self.folder.clear()
        except OSError as error:
            raise self._not_writable(error) from error

    @contextmanager
    def locked(self, remedy: str = ELSEWHERE) -> Iterator[None]:
        """Keep every other process from writing here.

        Raises RunDirectoryError if one does so already, or if the lock cannot be taken, where
        `remedy` ends the message.
        """
        with ExitStack() as stack:
            try:
                stack.enter_context(self.folder.locked())
            except HeldError:
                raise self._in_use() from None
            except OSError as error:
                raise self._not_writable(error, remedy) from error
            sweep(self.path / CHECKPOINTS)
            yield

    @contextmanager
    def locked_run(self) -> Iterator[None]:
        """The same where there is a run, so that it can be read and added to. RunDirectoryError."""
        if not self.holds_run():
            raise self._no_run()
        with self.locked("copy the run to where it can be written"):
            yield

    def write(self, run: Run, derived: Mapping[str, bytes] | None = None) -> None:
        """Write the measurement and, by name, files derived from it: all of it or nothing."""
        contents = {"traffic.csv": as_csv(run.traffic), "history.csv": as_csv(run.history)}
        for name, arrays in (("weights.npz", run.weights), ("examples.npz", run.examples)):
            if arrays:
                contents[name] = as_npz(arrays)
        self.change({**run.configuration, "results": run.results}, {**contents, **(derived or {})})

    def add(self, run: Run, derived: Mapping[str, bytes], gone: Collection[str] = ()) -> None:
        """Write files derived from `run`, which is here, all of them or none; remove those `gone`.

        The measurement stays as it is; one that an earlier version wrote is recorded from now on.
        """
        earlier = {}
        if self._recorded() is None:
            paths = [self.path / name for name in MEASURED]
            earlier = {path.name: path.read_bytes() for path in paths if path.exists()}
        document = {**run.configuration, "results": run.results}
        self.change(document, {**earlier, **derived}, gone)

    def change(
        self, document: Mapping[str, Any], contents: Mapping[str, bytes], gone: Collection[str] = ()
    ) -> None:
        """Write `contents` and the document, all or nothing. Raises RunDirectoryError, OSError.

        A table that changes loses the Parquet file beside it, unless that is written too.
        """
        try:
            gone = {*gone, *out_of_date(self.folder.recorded(), contents, gone)}
            self.folder.change(document, contents, gone)
        except StrangerError as stranger:
            raise RunDirectoryError(
                f"{self.path / str(stranger)} is there and was not written by this program; move "
                "it away, or work in another folder"
            ) from None
        except ValueError as error:
            raise self._damaged(self.folder.document, error) from error

    def read(self, say: Say = lambda line: None) -> Run:
        """Read a run back. Raises RunDirectoryError naming the file that is missing or broken.

        `say` is told of a run that an earlier version wrote, without checksums.
        """
        for left in reversed(range(TRIES)):
            document = self._read_document()
            try:
                run = self._run_of(document)
            except RunDirectoryError:
                if not left or self._read_document() == document:
                    raise  # it was not replaced in the meantime
            else:
                break
        if FILES not in document:
            say(
                f"warning: {self.path} was written by an earlier version, without checksums: what "
                "is in its files is taken as it is"
            )
        return run

    def _run_of(self, document: Mapping[str, Any]) -> Run:
        recorded = document.get(FILES)
        configuration = {k: v for k, v in document.items() if k not in (FILES, SEAL, "results")}
        rows = document["results"]
        run = Run(
            configuration=configuration,
            results={name: _numbers(row) for name, row in rows.items()},
            traffic=self._table("traffic.csv", recorded, TRAFFIC_COLUMNS, results.COUNTS),
            history=self._table("history.csv", recorded, HISTORY_COLUMNS, ("epoch",)),
            weights=self._read_weights(document, recorded),
            examples=self._arrays("examples.npz", recorded),
        )
        if problem := contradiction(run.results, run.traffic):
            raise self._damaged("traffic.csv", problem)
        if problem := fault_of_examples(run.examples):
            raise self._faulty("examples.npz", problem)
        return run

    def _read_document(self) -> dict[str, Any]:
        path = self.path / self.folder.document
        try:
            document = parse_json(read_text(path))
        except (FileNotFoundError, NotADirectoryError):
            raise self._no_run() from None
        except (OSError, ValueError) as error:
            raise self._unreadable(path.name, "a run", error) from error
        if not isinstance(document, dict) or document.get("format") != FORMAT:
            raise RunDirectoryError(
                f"{path} is not a run of format {FORMAT}; run the measurement again"
            )
        try:
            check(document, DOCUMENT)
            Settings.from_saved(document["settings"])
            check_seal(document, needed=FILES in document)
        except (ValueError, SettingsError) as error:
            raise self._damaged(path.name, error) from error
        return document

    def _no_run(self) -> RunDirectoryError:
        if (self.path / SWEEP_FILE).exists():
            again = shlex.join(
                ["ffenergy", "sweep", str(self.path / "sweep.toml"), "--outdir", str(self.path)]
            )
            return RunDirectoryError(
                f"{self.path} holds a sweep, not a run; `{again}` goes on with it and writes its "
                "tables again"
            )
        other = other_document(self.folder)
        what = f"{DOCUMENTS[other]} ({other}) and no run" if other else "no run"
        return RunDirectoryError(
            f"{self.path} holds {what} (no {self.folder.document}); give the --outdir of an "
            "earlier run"
        )

    def _damaged(self, name: str, reason: object) -> RunDirectoryError:
        return RunDirectoryError(f"{self.path / name} is damaged: {reason}; {self._remedy(name)}")

    def _unreadable(self, name: str, what: str, error: Exception) -> RunDirectoryError:
        """What cannot be read as `what`; the path comes first, so the reason goes without it."""
        reason = getattr(error, "strerror", None) or error
        remedy = remedy_of(error) or self._remedy(name)
        return RunDirectoryError(
            f"{self.path / name} is not readable as {what}: {reason}; {remedy}"
        )

    def _remedy(self, name: str) -> str:
        if name in (*MEASURED, self.folder.document) or self.folder.document != DOCUMENT_FILE:
            return "put the file back, or run the measurement again"
        again = shlex.join(["ffenergy", "report", str(self.path)])
        return f"put the file back; `{again}` builds it again"

    def files(self) -> list[str]:
        """Names of the files that the run wrote, or that are there where it recorded nothing."""
        recorded = self._recorded()
        there = sorted(path.name for path in self.path.iterdir() if path.is_file())
        return [name for name in there if recorded is None or name in recorded]

    def read_document(self) -> dict[str, Any]:
        """Read the document that says what was done. Raises RunDirectoryError, OSError."""
        self._recorded()  # which checks it
        found: dict[str, Any] = parse_json(read_text(self.path / self.folder.document))
        return found

    def read_table(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """Read a table that has at least `columns`. Raises RunDirectoryError."""
        return self._table(name, self._recorded(), columns)

    def read_arrays(self, name: str) -> dict[str, np.ndarray]:
        """Read an archive of named arrays, none if there is none. Raises RunDirectoryError."""
        return self._arrays(name, self._recorded())

    def read_bytes(self, name: str) -> bytes:
        """Read a file that the run wrote, as it was written. Raises RunDirectoryError."""
        return self._content(name, self._recorded())

    def _recorded(self) -> dict[str, str] | None:
        try:
            return self.folder.recorded()
        except ValueError as error:
            raise self._damaged(self.folder.document, error) from error
        except OSError as error:
            raise self._unreadable(self.folder.document, "a document", error) from error

    def _content(self, name: str, recorded: Mapping[str, str] | None) -> bytes:
        """Read a file, as long as it is recorded, or nothing is. Raises OSError."""
        if recorded is not None and name not in recorded:
            raise FileNotFoundError(f"{self.folder.document} does not name it")
        try:
            return self.folder.content(name, recorded[name] if recorded is not None else None)
        except ChangedError as error:
            raise self._damaged(name, error) from None

    def _table(
        self,
        name: str,
        recorded: Mapping[str, str] | None,
        columns: Sequence[str],
        counts: Collection[str] = (),
    ) -> pd.DataFrame:
        try:
            table = from_csv(self._content(name, recorded))
        except (OSError, ValueError) as error:
            raise self._unreadable(name, "a table", error) from error
        missing = [column for column in columns if column not in table.columns]
        if missing:
            raise RunDirectoryError(
                f"{self.path / name} lacks the columns {', '.join(missing)}; {self._remedy(name)}"
            )
        for column in counts:
            values = table[column]
            if len(values) and not (is_integer_dtype(values.dtype) and values.min() >= 0):
                raise self._damaged(name, f"{column} has what is no whole number")
        return table

    def _arrays(self, name: str, recorded: Mapping[str, str] | None) -> dict[str, np.ndarray]:
        try:
            return from_npz(self._content(name, recorded), machine_memory.most())
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise self._unreadable(name, "arrays", error) from error

    def _read_weights(
        self, document: Mapping[str, Any], recorded: Mapping[str, str] | None
    ) -> dict[str, np.ndarray]:
        weights = self._arrays("weights.npz", recorded)
        sizes = Settings.from_saved(document["settings"]).layer_sizes
        for algorithm in dict.fromkeys(name.split("/")[0] for name in weights):
            head = f"{algorithm}/"
            own = {k.removeprefix(head): w for k, w in weights.items() if k.startswith(head)}
            if problem := fault_of_weights(own, sizes):
                raise self._faulty("weights.npz", f"{head}{problem}")
        return weights

    def _faulty(self, name: str, problem: str) -> RunDirectoryError:
        remedy = "train the run again, or remove the file to do without its pictures"
        return RunDirectoryError(f"{self.path / name}: {problem}; {remedy}")


def is_checkpoint(path: Path) -> bool:
    """Whether a file's name is that of a checkpoint, or of the history beside them."""
    numbered = path.suffix == CHECKPOINT and path.stem.isdigit()
    return numbered or path.name == CHECKPOINT_HISTORY


def _numbers(row: dict[str, Any]) -> dict[str, Any]:
    """A row as read from JSON, null back to NaN."""
    return {key: math.nan if value is None else value for key, value in row.items()}
