"""Tables and the chunks that are generated from them: random rows, room, order inside a scope."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from instrumented import Trace, analyse
from instrumented.lowering import generate
from instrumented.lowering.generate import Chunk, Generator
from instrumented.lowering.lower import lower
from instrumented.lowering.table import NestColumn, NestTable

f32 = np.float32


def far(trace: Trace, *, grain: str, fused: bool = False) -> dict[int, int]:
    """Return the bytes read at every distance."""
    reads = analyse(trace, grain=grain, fused=fused).reads
    found: dict[int, int] = reads.groupby("distance")["bytes_read"].sum().to_dict()
    return found


@pytest.mark.parametrize(("grain", "under"), [("operation", 8), ("tile", 8 + 32)])
def test_rows_of_a_data_set_are_others_every_time(grain: str, under: int) -> None:
    trace = Trace(record=True)
    images = trace.array(np.ones((10, 4), f32), role="data")
    index = trace.array(np.array([2, 7]))
    x = trace.array(np.ones(2, f32), role="weight")
    for step in range(3):
        with trace.step("s"):
            x + 1
            if step == 1:
                np.take(images, index, axis=0)
                np.take(images, index, axis=0)
            x + 1
    # x (8 bytes) is on top from the step before; 32 bytes of rows, the index (16) and the rows of
    # the second gather lie above it then: 8 and 32 + 16 + 32 + 8. The index lies under x
    # (at tile grain the rows are there before it is read), then under rows, 32 + 16. All but rows
    # are 24 bytes, the data set 160: 184
    assert far(trace, grain=grain) == {8: 8, 88: 8, under + 16: 16, 48: 16, 184: 64}


def test_data_lie_at_the_bottom_before_they_are_read() -> None:
    trace = Trace(record=True)
    images = trace.array(np.ones(4, f32), role="data")
    w = trace.array(np.ones(2, f32), role="weight")
    x = trace.array(np.ones(1, f32), role="weight")
    for step in range(3):
        with trace.step("s"):
            x + 1
            if step:
                w + 1
                images + 1
    # x (4 bytes) is on top, w (8) under it, 16 bytes of data under both
    assert far(trace, grain="operation") == {4: 4, 12: 8, 28: 16}


def test_a_fused_operation_reads_in_the_order_of_the_program() -> None:
    trace = Trace(record=True)
    a, b, c = (trace.array(np.ones(n, f32), role="weight") for n in (4, 2, 4))
    for _ in range(3):
        with trace.step("s"):
            with trace.fuse("scope"):
                t = a * 2
                t[::-1] + c
                b * 2
            c + 1
    # a (16 bytes), c (16), b (8) go on top, in this order: then c is at 24; from the step before c
    # is on top at 16, b under it at 24, a under both at 40
    assert far(trace, grain="operation", fused=True) == {16: 16, 24: 16 + 8, 40: 16}


def epilogue(trace: Trace) -> None:
    """A product over three depths, and what follows its tiles."""
    x, y = (trace.array(np.ones(shape, f32)) for shape in ((40, 33), (33, 20)))
    for _ in range(3):
        with trace.step("s"), trace.fuse("scope"):
            h = x @ y
            h += 1.5
            h *= 2.0
            h -= 0.5
            np.maximum(h, 0, out=h)
            np.add.reduce(h, axis=0)


def scatter(trace: Trace) -> None:
    """Some of a vector in four blocks is stored: the four are found, then written."""
    x = trace.array(np.ones(64, f32))
    index = trace.array(np.array([1, 5]))
    for _ in range(3):
        with trace.step("s"):
            x[:16] *= 2.0
            x[16:40] *= 2.0
            x[40:50] *= 2.0
            x[index] = 3.0


def gather(trace: Trace) -> None:
    """Rows of a data set, and streams side by side."""
    images = trace.array(np.ones((50, 40), f32), role="data")
    index = trace.array(np.arange(20))
    for _ in range(3):
        with trace.step("s"):
            rows = np.take(images, index, axis=0)
            with trace.fuse("scope"):
                np.concatenate([rows, rows * 2.0]).sum(axis=1)


def sums(trace: Trace) -> None:
    """A running sum that comes back: its blocks are read and written."""
    x = trace.array(np.ones((48, 64), f32))
    for _ in range(3):
        with trace.step("s"):
            x[:16, :5] *= 2.0
            x.sum(axis=0)
            np.matmul(x, x.T).sum(axis=1)
            stack = x.reshape(3, 16, 64)
            np.matmul(stack, stack.swapaxes(1, 2)).sum()


def generated(table: NestTable, size: int | None = None) -> list[Chunk]:
    """Return all chunks of a table; chunks of a given size leave what lies behind them alone."""
    generator = Generator(table, np.zeros(table.group_start.size - 1, np.bool_))
    whole = generator.chunk
    whole.block[:] = -7
    if size is not None:
        generator.chunk = whole.start(size)
    found = []
    for chunk in generator.until(table.group_start.size - 1):
        found.append(Chunk(*(column.copy() for column in chunk)))
        assert size is None or (whole.block[size:] == -7).all()
    return found


@pytest.mark.parametrize("more", [0, 1, 5])
@pytest.mark.parametrize("grain", ["operation", "tile"])
@pytest.mark.parametrize("scopes", [None, ()])
@pytest.mark.parametrize("program", [epilogue, scatter, gather, sums])
def test_short_chunks_hold_the_same_accesses(
    program: Callable[[Trace], None], scopes: tuple[()] | None, grain: str, more: int
) -> None:
    """A chunk with room for one turn suffices, and no instruction at operation grain is split."""
    trace = Trace(record=True)
    program(trace)
    table = lower(trace.events, trace.buffers, grain=grain, scopes=scopes)
    (whole,) = generated(table)
    parts = generated(table, table.room + more)
    assert len(parts) > 1
    for name in Chunk._fields:
        joined = np.concatenate([getattr(part, name) for part in parts])
        assert joined.tolist() == getattr(whole, name).tolist()
    if grain == "operation":
        ends = [(part.instruction[0], part.instruction[-1]) for part in parts]
        assert all(end < start for (_, end), (start, _) in itertools.pairwise(ends))
    else:
        assert whole.instruction[-1] + 1 == table.nests[:, NestColumn.COUNT].sum()


def test_an_epilogue_follows_every_tile_once() -> None:
    trace = Trace(record=True)
    x, y = (trace.array(np.ones(shape, f32)) for shape in ((2, 40, 33), (2, 33, 20)))
    with trace.step("s"), trace.fuse("scope"):
        h = x @ y
        h += 1.5
    (found,) = generated(lower(trace.events, trace.buffers, grain="tile", scopes=None))
    # twice 3 x 2 tiles of h, 3 deep: 36 instructions, and one after the last visit of each tile
    assert found.instruction[-1] + 1 == 36 + 12
    _, _, made, _, added = range(5)  # operands: x, y and h of the product, h read and written
    last = np.flatnonzero(found.operand == added)
    assert found.operand[last - 1].tolist() == [added - 1] * 12
    assert found.operand[last - 2].tolist() == [made] * 12
    assert found.block[last].tolist() == found.block[last - 2].tolist()
    assert np.unique(found.block[last]).size == 12


@pytest.mark.parametrize("grain", ["operation", "tile"])
def test_a_scatter_moves_what_it_stores(grain: str) -> None:
    trace = Trace(record=True)
    scatter(trace)
    moved = analyse(trace, grain=grain).traffic
    stored = moved[moved["operation"] == "scatter"]
    # 2 numbers of 8 bytes say where; 2 of 4 bytes are stored, and nothing of x is read
    assert (stored["bytes_read"].sum(), stored["bytes_written"].sum()) == (16, 8)


def test_a_fused_operation_costs_the_same_wherever_a_chunk_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trace = Trace(record=True)
    a, b = (trace.array(np.ones(4, f32), role="weight") for _ in "ab")
    for _ in range(5):
        with trace.step("s"):
            a + 1
            with trace.fuse("scope"):
                (b * 2).sum()
                a * 2
    expected = far(trace, grain="operation", fused=True)
    # a (16 bytes) is on top, b under it; all that a scope reads is priced before any of it moves
    assert expected == {16: 32, 32: 16}
    monkeypatch.setattr(generate, "CHUNK", 1)
    assert far(trace, grain="operation", fused=True) == expected
