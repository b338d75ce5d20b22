"""A lowered trace as a stream: chunks of accesses, eager or fused, never a whole array of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

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
)
from instrumented.lowering.generate import INSTRUCTION, Chunk, Generator
from instrumented.lowering.table import NestColumn, SlotColumn, Table

Bits = npt.NDArray[np.uint8]


class Accesses(NamedTuple):
    """A part of a stream: a chunk, and which of its accesses are ``marked``.

    Marked are writes whose value is read again or lives on, and reads that are the last of theirs.
    """

    chunk: Chunk
    marked: Bits


class Stream:
    """The accesses of a table in program order, of the steps that are asked for.

    ``kept`` marks the blocks whose last value lives on: those of preloaded buffers and the rows
    gathered from a data set. ``initial`` marks those that are read before they are written.
    ``count`` is the number of accesses before fusion.
    """

    def __init__(self, table: Table) -> None:
        self.table = table
        scope = np.asarray(table.scope, np.int64)
        products = np.zeros(len(table.events), np.bool_)
        first = table.slots[table.nests[:, NestColumn.FIRST], SlotColumn.OPERAND]
        event = table.event_of_operand[first]
        products[event[table.nests[:, NestColumn.PRODUCT] == 1]] = True
        self.owners = Owners(table.event_of_operand, scope, products)
        self.kept: Flags = table.preloaded
        self.initial: Flags = np.zeros(table.sizes.size, np.bool_)
        self.count, self.bits = self._look_ahead()

    @property
    def groups(self) -> int:
        """Groups of the table."""
        return int(self.table.group_start.size) - 1

    def parts(self, *bounds: int) -> Iterator[tuple[int, Accesses]]:
        """Yield accesses, each with the number of bounds (rising group numbers) it lies behind."""
        generator = Generator(self.table)
        held = nothing_held(self.table.sizes.size)
        marked = np.empty(generator.chunk.block.size, np.uint8)
        start = 0
        for passed, bound in enumerate((*bounds, self.groups)):
            for chunk in generator.until(bound):
                count = fuse_chunk(
                    chunk, start, held, self.owners, self.table.sizes, self.bits, marked
                )
                start += chunk.block.size
                if self.table.one_instruction:
                    reads_first(chunk, marked, count)
                yield passed, Accesses(chunk.start(count), marked[:count])

    @property
    def instructions(self) -> int:
        """Instructions of the whole table."""
        return self._instructions

    def _look_ahead(self) -> tuple[int, Bits]:
        generator = Generator(self.table)
        held = nothing_held(self.table.sizes.size)
        bits = np.zeros(1 << 16, np.uint8)
        start = 0
        for chunk in generator.until(self.groups):
            while start + chunk.block.size > 8 * bits.size:
                bits = np.concatenate([bits, np.zeros_like(bits)])
            look_ahead(chunk, start, held, self.owners, self.table.sizes, self.initial, bits)
            start += chunk.block.size
        close(held, self.kept, bits)
        self._instructions = int(generator.state[INSTRUCTION])
        return start, bits
