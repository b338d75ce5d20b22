"""A managed memory's two estimates, and what it books, worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented.distances.memories import FOLLOW, PRICE, WARM
from instrumented.lowering.generate import Chunk
from instrumented.lowering.stream import Accesses
from tests.instrumented.distances.test_managed import (
    Access,
    Program,
    managed,
    memory_of,
    stream_of,
)


def cut(stream, at):
    """The accesses before a place in a stream, and the others."""
    chunk, marked, _ = stream
    return (
        Accesses(Chunk(*(column[:at] for column in chunk)), marked[:at]),
        Accesses(Chunk(*(column[at:] for column in chunk)), marked[at:]),
    )


def singly(blocks, writes, sizes, kept=()):
    """A program in which every access is an instruction; nothing is in the memory before."""
    accesses = [Access(k, False, b, k in writes) for k, b in enumerate(blocks)]
    return Program(accesses, sizes, [b in kept for b in range(len(sizes))], True)


def test_keeping_a_written_value_goes_before_a_read_that_ends_sooner():
    """Two bytes hold the block in use and one more: that of A, which saves a write-back too.

    A is written at moment 1, read last at 13, and saves 2 bytes: it counts as if it ended at
    1 + 12 / 2 = 7. B is read at 2 and 8, and saves 1: at 8. C (3 to 7) and D (9 to 12) are there
    as they are used. So B is fetched twice, C and D once: 4 bytes, and A never goes out.
    """
    program = singly(["ABCD".index(b) for b in "ABCCCCCBDDDDA"], {0}, [1] * 4)
    upper, lower = managed(program, [2])
    assert upper.tolist() == lower.tolist() == [[4, 0]]


def test_a_read_at_once_has_no_share_of_the_write_back():
    """As above, but A is written at 1 and read at 2, too, where nothing can come between.

    So the read at 14 saves both bytes: 2 + 12 / 2 = 8, and B (3 to 9) counts as 9. Halves would
    put A at 2 + 12 / 1.5 = 10, and it would go out and come back for B's sake.
    """
    program = singly(["ABCD".index(b) for b in "AABCCCCCBDDDDA"], {0}, [1] * 4)
    upper, _ = managed(program, [2])
    assert upper.tolist() == [[4, 0]]


def test_a_read_that_ends_sooner_is_kept_however_long_it_takes():
    """Blocks of 2 bytes, all read; 4 bytes hold the block in use and one more.

    X is read at 1 and 12, A at 6 and 8, B at 9 and 11. By their ends A and B are kept, so that only
    X is fetched twice: (6 + 1) · 2 bytes. Kept from 1 to 12, X would cost two fetches.
    """
    program = singly(["XFAGBH".index(b) for b in "XFFFFAGABHBX"], (), [2] * 6)
    upper, lower = managed(program, [4])
    assert upper.tolist() == lower.tolist() == [[14, 0]]


def test_what_fits_in_part_only_is_not_kept():
    """Y (1 byte), X (3), D (2), X, Y are read with room for 4 bytes.

    Beside D there is room for two of X's bytes, so all of X comes back: Y + X + D + X, 9 bytes, and
    Y stays. Bytes kept one by one: two of X's stay instead of Y, so that 1 + 1 come back after 6.
    """
    program = singly([0, 1, 2, 1, 0], (), [1, 3, 2])
    upper, lower = managed(program, [4])
    assert (upper.tolist(), lower.tolist()) == ([[9, 0]], [[8, 0]])


def test_bytes_written_at_the_least():
    """A (3 bytes) and B (1) are written, C (1) is read, then A and B are read and dead.

    Reads: with 3 bytes two of A's stay while B and C are in use, and nothing of B beside A: 1 + 1,
    and C's byte; with 4 all of A stays, and B fits beside C and A no more; with 5 it does. Writes
    alone: A and B are both needed while C is read, 4 bytes, so with 3 one goes out.
    """
    program = singly([0, 1, 2, 0, 1], {0, 1}, [3, 1, 1])
    memory = memory_of(program, [3, 4, 5])
    memory.run(stream_of(program), PRICE)
    _, lower = memory.finish(np.array(program.kept))
    assert lower.tolist() == [[3, 3, 1], [4, 2, 0], [5, 1, 0]]


def test_the_lower_estimate_of_a_share_is_not_above_the_upper():
    """The first program, of which only the last read of A is priced.

    The upper estimate keeps A. For reads alone B ends sooner, is kept, and A's byte comes back.
    """
    program = singly(["ABCD".index(b) for b in "ABCCCCCBDDDDA"], {0}, [1] * 4)
    memory = memory_of(program, [2])
    for part, phase in zip(cut(stream_of(program), 12), (WARM, PRICE), strict=True):
        memory.run(part, phase)
    sums, lower = memory.finish(np.array(program.kept))
    _, distance, values = sums.rows()
    assert (distance.tolist(), values[:, 0].tolist()) == ([2], [1])
    assert lower.tolist() == [[2, 0, 0]]


@pytest.mark.parametrize("first", [0, 4, 6000])
def test_a_record_has_room_for_whatever_comes(first):
    """Blocks of 3 and 1 bytes, written and read in turn 2,200 times, each value then dead.

    With 4 bytes both are kept. With 3 neither: every read and every write moves its block.
    """
    program = singly([0, 1, 0, 1] * 2200, {4 * k + j for k in range(2200) for j in (0, 1)}, [3, 1])
    memory = memory_of(program, [3, 4])
    for part in cut(stream_of(program), first):
        memory.run(part, PRICE)
    place, distance, values = memory.finish(np.array(program.kept)).upper.rows()
    assert (place.tolist(), distance.tolist()) == ([0], [4])
    assert values.tolist() == [[2200 * 4, 0, 2200 * 4, 0]]


def test_a_value_that_lives_on_goes_out_at_every_capacity():
    """3 bytes written, read after 1 byte of another block, and needed after the end.

    With 3 bytes there is no room beside the other block: 3 + 1 bytes read; with 4 there is.
    """
    program = singly([0, 1, 0], {0}, [3, 1], kept={0})
    memory = memory_of(program, [4, 3])
    memory.run(stream_of(program), PRICE)
    _, lower = memory.finish(np.array(program.kept))
    assert lower.tolist() == [[3, 1 + 1, 3], [4, 1, 3]]


def test_a_value_read_at_once_never_leaves_the_least_memory():
    """3 bytes written and read last by the next access: both are booked at the least capacity."""
    program = singly([0, 0], {0}, [3])
    memory = memory_of(program, [5, 8])
    write, read = cut(stream_of(program), 1)
    memory.run(write, PRICE)
    assert not memory.settled(0, np.zeros(1, np.int64))
    memory.run(read, PRICE)
    assert memory.settled(0, np.zeros(1, np.int64))
    place, distance, values = memory.finish(np.array(program.kept)).upper.rows()
    assert (place.tolist(), distance.tolist(), values.tolist()) == ([0], [5], [[3, 0, 3, 0]])


def test_rows_of_a_data_set_come_from_behind_all_blocks_and_the_data():
    """Blocks of 3 and 1 bytes, and a data set of 100: 104 bytes hold all of them."""
    program = singly([0], (), [3, 1])
    (block, *columns), marked, _ = stream_of(program)
    memory = memory_of(program, [5], data_bytes=100)
    memory.run(Accesses(Chunk(np.full_like(block, -1), *columns), marked), PRICE)
    _, distance, values = memory.finish(np.array(program.kept)).upper.rows()
    assert (distance.tolist(), values[:, 0].tolist()) == ([3 + 1 + 100], [3])


def test_blocks_of_rows_of_a_data_set_are_behind_everything_each_time():
    """A block of 1 byte from the first of the rows on, read twice: never kept."""
    program = singly([1, 1], (), [3, 1])
    memory = memory_of(program, [5], data_bytes=100, rows=1)
    memory.run(stream_of(program), PRICE)
    _, distance, values = memory.finish(np.array(program.kept)).upper.rows()
    assert (distance.tolist(), values[:, 0].tolist()) == ([3 + 1 + 100], [1 + 1])


@pytest.mark.parametrize("phase", [WARM, FOLLOW])
def test_what_is_read_outside_of_the_step_is_not_booked(phase):
    """A block read at moments 1 and 3, another between them, and rows of a data set."""
    program = singly([0, 1, 0, 1], (), [3, 1])
    (_, *columns), marked, _ = stream_of(program)
    memory = memory_of(program, [3, 4])
    memory.run(Accesses(Chunk(np.array([0, 1, 0, -1], np.int32), *columns), marked), phase)
    place, _, _ = memory.finish(np.array(program.kept)).upper.rows()
    assert place.tolist() == []


def test_warming_up_books_no_reads_at_once_nor_values_that_nobody_reads():
    """A block read twice running, one twice in a product's instruction, and a dead write."""
    reads = [Access(0, False, 0, False), Access(1, False, 0, False)]
    product = [Access(2, True, 1, False), Access(2, True, 1, False)]
    program = Program([*reads, *product, Access(3, False, 0, True)], [3, 1], [False] * 2, True)
    memory = memory_of(program, [3, 4])
    memory.run(stream_of(program), WARM)
    place, _, _ = memory.finish(np.array(program.kept)).upper.rows()
    assert place.tolist() == []
