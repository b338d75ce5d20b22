"""The history of a run: a row per epoch, kept small in memory, and a file of rows that only grows.

What a checkpoint holds must not grow with the epochs before it. So rows are appended to a file, a
line of JSON each, and a checkpoint says how many bytes of that file are its own, with a digest.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any, Final, overload

import pandas as pd

from ffenergy.files.documents import LARGEST

PLACE: Final = {"bytes": int, "sha256": str}
"""What a checkpoint says of the file, see `documents.check`."""
Row = dict[str, Any]


class History(Sequence[Row]):
    """Rows as they came, each handed out as a dict; numbers take 8 bytes each."""

    def __init__(self, rows: Iterable[Mapping[str, Any]] = ()) -> None:
        self._blocks: list[_Block] = []
        for row in rows:
            self.append(row)

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row of an epoch; rows of one stage have the same names."""
        if not self._blocks or self._blocks[-1].names != tuple(row):
            self._blocks.append(_Block(tuple(row)))
        self._blocks[-1].append(row)

    def frame(self) -> pd.DataFrame:
        """Return all rows as a table; what a row has not is NaN."""
        names = dict.fromkeys(name for block in self._blocks for name in block.names)
        return pd.DataFrame(
            {name: [v for block in self._blocks for v in block.column(name)] for name in names}
        )

    def __len__(self) -> int:
        return sum(map(len, self._blocks))

    @overload
    def __getitem__(self, place: int) -> Row: ...

    @overload
    def __getitem__(self, place: slice) -> list[Row]: ...

    def __getitem__(self, place: int | slice) -> Row | list[Row]:
        if isinstance(place, slice):
            return [self[number] for number in range(*place.indices(len(self)))]
        number = range(len(self))[place]
        for block in self._blocks:
            if number < len(block):
                return block.row(number)
            number -= len(block)
        raise IndexError(place)

    def __iter__(self) -> Iterator[Row]:
        for block in self._blocks:
            yield from map(block.row, range(len(block)))


class _Block:
    """Rows of equal names, column by column."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self._columns: list[Any] = []
        self._length = 0

    def append(self, row: Mapping[str, Any]) -> None:
        if not self._length:
            self._columns = [array(code) if (code := _code(v)) else [] for v in row.values()]
        for k, value in enumerate(row.values()):
            column = self._columns[k]
            if isinstance(column, array) and column.typecode != _code(value):
                column = self._columns[k] = list(column)
            column.append(value)
        self._length += 1

    def column(self, name: str) -> Iterable[Any]:
        if name not in self.names:
            return repeat(math.nan, self._length)
        column: Iterable[Any] = self._columns[self.names.index(name)]
        return column

    def row(self, number: int) -> Row:
        return {
            name: column[number] for name, column in zip(self.names, self._columns, strict=True)
        }

    def __len__(self) -> int:
        return self._length


def _code(value: Any) -> str:
    """The type code of an array that holds such values as they are; empty if there is none."""
    if isinstance(value, float):
        return "d"
    return "q" if type(value) is int and abs(value) < LARGEST else ""


class HistoryFile:
    """The rows of a history in a file, appended as they come.

    It may hold more than is known here, from a process that was killed: that is cut off when rows
    are added next.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rows = self._bytes = 0
        self._digest = hashlib.sha256()

    def add(self, history: Sequence[Row]) -> dict[str, Any]:
        """Write the rows that are not in it yet; return what a checkpoint must say of it.

        Raises OSError; what was there is still good.
        """
        fresh = history[self._rows :]
        content = b"".join(json.dumps(row).encode() + b"\n" for row in fresh)
        with self.path.open("r+b" if self.path.exists() else "xb") as stream:
            stream.seek(self._bytes)
            stream.truncate()
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        self._rows += len(fresh)
        self._bytes += len(content)
        self._digest.update(content)
        return {"bytes": self._bytes, "sha256": self._digest.hexdigest()}

    def read(self, place: Mapping[str, Any]) -> list[Row]:
        """Return the rows up to where a checkpoint says, and go on from there.

        Raises ValueError if they are not those that were written.
        """
        try:
            with self.path.open("rb") as stream:
                content = stream.read(place["bytes"])
        except OSError as error:
            raise ValueError(f"{self.path.name}: {error.strerror or error}") from None
        digest = hashlib.sha256(content)
        if digest.hexdigest() != place["sha256"]:
            raise ValueError(f"the rows of {self.path.name} are not those that were written")
        rows = [json.loads(line) for line in content.splitlines()]
        self._rows, self._bytes, self._digest = len(rows), len(content), digest
        return rows
