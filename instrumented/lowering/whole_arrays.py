"""A small stream as whole arrays: accesses to values, for what follows single values.

A value is what one block holds between two writes. Naming values (and not blocks) says when each
is born and when it is read for the last time. Meant for operation grain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from instrumented.lowering.fusing import Flags
from instrumented.lowering.generate import BOTTOM_BLOCK
from instrumented.lowering.stream import Stream
from instrumented.lowering.uses import Ints

NO_VALUE = -1


@dataclass(frozen=True, slots=True)
class Values:
    """Accesses in program order, and the values that they find or put.

    Per access: ``instruction``, ``operand`` (a row of Table.operands), ``value`` (NO_VALUE: random
    rows of a data set), ``nbytes``, ``write``. Per value: ``sizes`` in bytes and ``buffer``.
    """

    instruction: Ints
    operand: Ints
    value: Ints
    nbytes: Ints
    write: Flags
    sizes: Ints
    buffer: Ints


def values_of(stream: Stream) -> Values:
    """Gather a whole stream."""
    columns: list[list[Ints]] = [[], [], [], [], []]
    for _, part in stream.parts():
        arrays: tuple[npt.NDArray[Any], ...] = part.chunk
        for column, found in zip(columns, arrays, strict=True):
            column.append(found.astype(np.int64))
    block, operand, nbytes, write, instruction = (np.concatenate(column) for column in columns)
    value, home = name_values(block, write.astype(np.bool_))
    table = stream.table
    return Values(
        instruction,
        operand,
        value,
        nbytes,
        write.astype(np.bool_),
        table.sizes[home],
        table.buffer[home],
    )


def name_values(block: Ints, write: Flags) -> tuple[Ints, Ints]:
    """Number the values that accesses, in program order, find in or put into their blocks.

    Args:
        block: block of every access; negative for none.
        write: whether the access writes it.

    Returns:
        value of every access (NO_VALUE without a block), and the block of every value.
    """
    order = np.argsort(block, kind="stable")
    order = order[np.searchsorted(block[order], BOTTOM_BLOCK, side="right") :]
    ordered = block[order]
    opens = np.ones(ordered.size, np.bool_)
    opens[1:] = ordered[1:] != ordered[:-1]
    born = opens | write[order]
    value = np.full(block.size, NO_VALUE, np.int64)
    value[order] = np.cumsum(born) - 1
    return value, ordered[born]
