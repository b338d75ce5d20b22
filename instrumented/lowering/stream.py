"""A lowered trace as a stream: chunks of accesses, eager or fused, never a whole array of them.

But for small streams, at operation grain: these are gathered as accesses to values. A value is
what one block holds between two writes. Naming values (and not blocks) says when each is born and
when it is read for the last time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from instrumented.lowering.fusing import (
    Flags,
    Owners,
    close,
    fuse_chunk,
    look_ahead,
    nothing_held,
    reads_first,
    show_bits,
)
from instrumented.lowering.fusion_scopes import NO_SCOPE
from instrumented.lowering.generate import BOTTOM_BLOCK, Chunk, Generator
from instrumented.lowering.holding import Held, held, last_groups, outlived
from instrumented.lowering.layout import Ints
from instrumented.lowering.table import NestColumn, NestTable, SlotColumn

Bits = npt.NDArray[np.uint8]


class Accesses(NamedTuple):
    """A part of a stream: a chunk, and which of its accesses are ``marked``.

    Marked are writes whose value is read again or lives on, and reads that are the last of theirs.
    None is of a group before ``group``.
    """

    chunk: Chunk
    marked: Bits
    group: int = 0


class Ahead(NamedTuple):
    """What is known of a stream before it runs: see the properties of ``Stream``."""

    initial: Flags
    bits: Bits


class Stream:
    """The accesses of a table in program order, of the steps that are asked for.

    ``kept`` marks the blocks whose last value lives on: those of preloaded buffers and the rows
    gathered from a data set. ``initial`` marks those that are read before they are written. What
    has to be known ahead is found when it is first asked for, which takes a pass over all accesses.

    Args:
        table: a lowered trace.
        about: the only step that is asked about; of those before it what has no part in where
            things lie at its beginning is left out (``holding.outlived``). None: all is there.
    """

    def __init__(self, table: NestTable, about: int | None = None) -> None:
        self.table = table
        self.about = about
        scope = np.asarray(table.scope, np.int64)
        products = np.zeros(len(table.events), np.bool_)
        first = table.slots[table.nests[:, NestColumn.FIRST], SlotColumn.OPERAND]
        event = table.event_of_operand[first]
        products[event[table.nests[:, NestColumn.PRODUCT] == 1]] = True
        self.owners = Owners(table.event_of_operand, scope, products)
        self.kept: Flags = table.preloaded
        self.fused = bool((scope != NO_SCOPE).any())

    @property
    def groups(self) -> int:
        """Groups of the table."""
        return int(self.table.group_start.size) - 1

    def parts(self, *bounds: int, marks: bool = True) -> Iterator[tuple[int, Accesses]]:
        """Yield accesses, each with the number of bounds (rising group numbers) it lies behind.

        Without ``marks`` nothing is marked, and an eager stream needs not be looked through ahead.
        """
        generator = Generator(self.table, self._left_out)
        state = nothing_held(self.table.sizes.size) if self.fused else None
        marked = np.zeros(generator.chunk.block.size, np.uint8)
        aside = np.empty((marked.size if self.table.one_instruction else 0, 4), np.int64)
        start = group = 0
        for passed, bound in enumerate((*bounds, self.groups)):
            for chunk in generator.until(bound):
                count = chunk.block.size
                if state is not None:
                    count = fuse_chunk(
                        chunk, start, state, self.owners, self.table.sizes, self.bits, marked
                    )
                elif marks:
                    show_bits(self.bits, start, count, marked)
                if self.table.one_instruction:
                    reads_first(chunk, marked, count, aside)
                yield passed, Accesses(chunk.start(count), marked[:count], group)
                start += chunk.block.size
                group = generator.group

    @property
    def initial(self) -> Flags:
        """Per block, whether it is read before it is written."""
        return self._ahead.initial

    @property
    def bits(self) -> Bits:
        """A bit per access before fusion: those that are marked."""
        return self._ahead.bits

    @cached_property
    def last(self) -> Ints:
        """Per block the last group that has it in an operand."""
        return last_groups(self._held, self.table.sizes.size)

    @cached_property
    def _held(self) -> Held:
        return held(self.table)

    @cached_property
    def _left_out(self) -> Flags:
        if self.about is None:
            return np.zeros(self.groups, np.bool_)
        return outlived(self._held, self.table, self.table.span(self.about)[0])

    @cached_property
    def _ahead(self) -> Ahead:
        generator = Generator(self.table, self._left_out)
        state = nothing_held(self.table.sizes.size)
        initial = np.zeros(self.table.sizes.size, np.bool_)
        bits = np.zeros(generator.chunk.block.size, np.uint8)  # for eight chunks
        start = 0
        for chunk in generator.until(self.groups):
            while start + chunk.block.size > 8 * bits.size:
                bits = np.concatenate([bits, np.zeros_like(bits)])
            look_ahead(chunk, start, state, self.owners, self.table.sizes, initial, bits)
            start += chunk.block.size
        close(state, self.kept, bits)
        return Ahead(initial, bits)


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
    """Gather a whole stream, a small one."""
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
