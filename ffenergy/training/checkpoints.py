"""Checkpoints: the whole state of a run after an epoch, taken, kept on disk, put back.

On disk they are whole, versioned, with a checksum; the last two are kept.

A file is one line of text, ``ffenergy checkpoint <version> <SHA-256 of the rest>``, then an
uncompressed .npz archive whose member ``values`` is JSON in UTF-8. Nothing is pickled. The rows of
the history are in a file beside them, of which a checkpoint says how much is its own.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from ffenergy import machine_memory
from ffenergy.errors import OutputError
from ffenergy.files.atomic import replacing, sweep
from ffenergy.files.contents import as_npz, from_npz
from ffenergy.files.documents import check, parse_json
from ffenergy.rules.kit.stages import Rule
from ffenergy.runs.run_document import CHECKPOINT, CHECKPOINT_HISTORY
from ffenergy.training import bits
from ffenergy.training.history import PLACE, History, HistoryFile, Row
from ffenergy.training.session import Session
from instrumented import Trace
from instrumented.books.ledger import ledger_from, plain_ledger

VERSION: Final = 3
KEPT: Final = 2
HEAD: Final = {
    "identity": str,
    "bits": {str: str},
    "algorithm": str,
    "stage": int,
    "epoch": int,
    "values": dict,
    "history": PLACE,
}
"""What is kept beside the arrays, see `documents.check`."""

SCALARS: Final = (
    "steps",
    "samples",
    "head_steps",
    "head_samples",
    "test_error",
    "train_error",
    "elapsed",
)


@dataclass(frozen=True)
class Snapshot:
    """A run after ``epoch`` epochs of its stage number ``stage`` (from 0).

    arrays: parameters, optimiser state, running means. values: everything else, as JSON holds
    it: counters, random states, and the trace's ledger (None if untraced). history: a row per
    epoch so far.
    """

    algorithm: str
    stage: int
    epoch: int
    arrays: dict[str, np.ndarray]
    values: dict[str, Any]
    history: Sequence[Row] = ()


def take(session: Session, rule: Rule, stage: int, epoch: int) -> Snapshot:
    """Return the state of ``session`` now, between two epochs."""
    values = {name: getattr(session, name) for name in SCALARS}
    values["random"] = {key: r.bit_generator.state for key, r in session.random.items()}
    values["ledger"] = (
        plain_ledger(session.trace.ledger) if isinstance(session.trace, Trace) else None
    )
    return Snapshot(session.algorithm, stage, epoch, rule.state(), values, session.history)


def restore(snapshot: Snapshot, session: Session, rule: Rule) -> None:
    """Bring ``session``, whose stage has just been opened, to where the snapshot was taken.

    What opening the stage again has drawn and moved is undone: random states and counters become
    those of the snapshot.
    """
    rule.load(snapshot.arrays)
    for key, stream in session.random.items():
        stream.bit_generator.state = snapshot.values["random"][key]
    for name in SCALARS:
        setattr(session, name, snapshot.values[name])
    session.history = History(snapshot.history)
    if isinstance(session.trace, Trace):
        session.trace.continue_from(ledger_from(snapshot.values["ledger"]))


class BadCheckpointError(Exception):
    """A file that is no whole checkpoint of this version; the message says why."""


@dataclass
class Checkpoints:
    """The checkpoints of one run directory.

    every_seconds: least time between two of them. identity: says which run this is (settings,
        data). A checkpoint of another identity is not taken up, nor, unless `any_bits`, one that
        was trained with what gives other bits (see `bits.py`).
    warn: told in one line of every checkpoint that could not be used.
    layers: where trainings that differ in their head alone keep the hidden layers they share, of
        each training one; the first is this one's own.
    """

    folder: Path
    identity: str
    every_seconds: float = 0.0
    warn: Callable[[str], None] = lambda line: None
    any_bits: bool = False
    layers: Sequence[Checkpoints] = ()
    _last: float = field(default_factory=time.monotonic)
    _rows: HistoryFile = field(init=False, repr=False, compare=False)
    _algorithm: str = ""  # whose rows those are

    def __post_init__(self) -> None:
        self._rows = HistoryFile(self.folder / CHECKPOINT_HISTORY)

    def due(self) -> bool:
        """Whether it is time for the next one."""
        return time.monotonic() - self._last >= self.every_seconds

    def save(self, snapshot: Snapshot) -> None:
        """Write a checkpoint, then drop all but the last two.

        Raises OutputError if it cannot be written; those before it are still there.
        """
        newest = max((number for number, _ in self._numbered()), default=0)
        path = self.folder / f"{newest + 1:08d}{CHECKPOINT}"
        try:
            self.folder.mkdir(exist_ok=True)
            if snapshot.algorithm != self._algorithm:
                self._rows, self._algorithm = HistoryFile(self._rows.path), snapshot.algorithm
            _write(path, snapshot, self.identity, self._rows.add(snapshot.history))
        except OSError as error:
            kept = self._numbered()
            state = f"the last good one is {kept[-1][1].name}" if kept else "there is none yet"
            raise OutputError(
                f"cannot write the checkpoint {path}: {error.strerror or error}; {state}; "
                "make room and go on with --resume"
            ) from error
        for _, old in self._numbered()[:-KEPT]:
            old.unlink(missing_ok=True)
        self._last = time.monotonic()

    def keep_layers(self, take: Callable[[], Snapshot]) -> None:
        """Write down what ``take`` returns, the state before the head, unless another one has."""
        if self.layers and not any(one.found() for one in self.layers):
            self.layers[0].save(take())

    def latest(self, algorithm: str) -> Snapshot | None:
        """Return the newest usable checkpoint of ``algorithm``, else hidden layers that are shared.

        None if there is neither.
        """
        own = self._newest(algorithm)
        shared = (one.latest(algorithm) for one in self.layers)
        return own or next((found for found in shared if found), None)

    def _newest(self, algorithm: str) -> Snapshot | None:
        paths = [path for _, path in self._numbered()]
        for place, path in reversed(list(enumerate(paths))):
            try:
                snapshot, rows = _read(path, self.identity, any_bits=self.any_bits)
                if snapshot.algorithm == algorithm:
                    return self._with_history(snapshot, rows)
            except BadCheckpointError as error:
                instead = "taking the one before it" if place else "there is none before it"
                self.warn(f"{path} cannot be used: {error}; {instead}")
        return None

    def _with_history(self, snapshot: Snapshot, rows: dict[str, Any]) -> Snapshot:
        found = HistoryFile(self._rows.path)
        try:
            history = found.read(rows)
        except ValueError as error:
            raise BadCheckpointError(str(error)) from error
        self._rows, self._algorithm = found, snapshot.algorithm
        return replace(snapshot, history=history)

    def threads(self) -> int | None:
        """BLAS threads that a training here was begun with; None if it is not, or nobody can say.

        Whoever goes on with as many goes on with the same bits.
        """
        for _, path in reversed(self._numbered()):
            with suppress(BadCheckpointError):
                return bits.blas_threads(_head(_whole(path))[1]["bits"])
        return None

    def found(self) -> bool:
        """Whether there is any checkpoint."""
        return bool(self._numbered())

    def usable(self, algorithm: str) -> bool:
        """Whether `latest` would take one up, without a word of those that it would not."""
        return replace(self, warn=lambda line: None).latest(algorithm) is not None

    def clear(self) -> None:
        """Remove all checkpoints, and the folder if nothing else is in it."""
        for _, path in self._numbered():
            path.unlink(missing_ok=True)
        self._rows.path.unlink(missing_ok=True)
        self._algorithm = ""
        sweep(self.folder)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _numbered(self) -> list[tuple[int, Path]]:
        """All checkpoint files by number, the oldest first."""
        paths = self.folder.glob(f"*{CHECKPOINT}")
        return sorted((int(path.stem), path) for path in paths if path.stem.isdigit())


def _write(path: Path, snapshot: Snapshot, identity: str, rows: Mapping[str, Any]) -> None:
    head = {
        "identity": identity,
        "bits": bits.deciding(),
        "algorithm": snapshot.algorithm,
        "stage": snapshot.stage,
        "epoch": snapshot.epoch,
        "values": snapshot.values,
        "history": rows,
    }
    text = np.frombuffer(json.dumps(head).encode(), np.uint8)
    payload = memoryview(as_npz({"values": text, **snapshot.arrays}))
    with replacing(path) as stream:
        stream.write(_first_line(payload))
        stream.write(payload)


def _read(path: Path, identity: str, *, any_bits: bool) -> tuple[Snapshot, dict[str, Any]]:
    return parsed(_whole(path), identity, any_bits=any_bits)


def _whole(path: Path) -> memoryview:
    """Return what follows a checkpoint's first line, if that fits it; raises BadCheckpointError."""
    try:
        content = memoryview(path.read_bytes())
    except OSError as error:
        raise BadCheckpointError(error.strerror or str(error)) from error
    line, _, _ = bytes(content[:200]).partition(b"\n")
    words = line.split()
    if words[:2] != [b"ffenergy", b"checkpoint"] or len(words) != 4:
        raise BadCheckpointError("it does not begin like a checkpoint")
    if words[2] != str(VERSION).encode():
        raise BadCheckpointError(
            f"it has format {words[2].decode(errors='replace')}, this program reads {VERSION}"
        )
    payload = content[len(line) + 1 :]
    if _first_line(payload) != line + b"\n":
        raise BadCheckpointError("its checksum does not fit: it is cut short or damaged")
    return payload


def parsed(
    payload: memoryview, identity: str, *, any_bits: bool = False
) -> tuple[Snapshot, dict[str, Any]]:
    """Return the snapshot in what follows a checkpoint's first line, and where its history is.

    Raises BadCheckpointError.
    """
    arrays, head = _head(payload)
    if head["identity"] != identity:
        raise BadCheckpointError("it belongs to a run with other settings or data")
    change = bits.difference(head["bits"], bits.deciding())
    if change and not any_bits:
        raise BadCheckpointError(f"going on from it would give other bits: {change}")
    snapshot = Snapshot(head["algorithm"], head["stage"], head["epoch"], arrays, head["values"])
    return snapshot, head["history"]


def _head(payload: memoryview) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Return the arrays and the values of a checkpoint; raises BadCheckpointError."""
    try:
        arrays = from_npz(payload, machine_memory.most())
        head = parse_json(arrays.pop("values").tobytes().decode("utf-8"))
        check(head, HEAD)
    except (ValueError, KeyError) as error:
        raise BadCheckpointError(f"it cannot be read: {error}") from error
    return arrays, head


def _first_line(payload: memoryview) -> bytes:
    return f"ffenergy checkpoint {VERSION} {hashlib.sha256(payload).hexdigest()}\n".encode()
