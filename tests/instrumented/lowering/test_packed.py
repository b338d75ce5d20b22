"""Products as a BLAS runs them, by hand: panels, packed rows, slices."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented import Trace, analyse
from instrumented.books.events import Access, Event, Kind
from instrumented.lowering.nest import Lowering
from instrumented.lowering.packed import packed

Place = tuple[int, int, tuple[int, ...]]


def product(m: int, k: int, n: int) -> Trace:
    trace = Trace(record=True)
    x, w = (trace.array(np.ones(shape, np.float32), role="weight") for shape in ((m, k), (k, n)))
    for _ in range(3):
        with trace.step("s"):
            x @ w
    return trace


def first(trace: Trace) -> list[Event]:
    """Return what the first product is taken apart into."""
    return packed(trace.events[:1], trace.buffers)[0]


def places(accesses: tuple[Access, ...]) -> list[Place]:
    return [(access.buffer, access.offset, access.shape) for access in accesses]


def test_a_product_is_cleared_packed_and_run() -> None:
    trace = product(4, 700, 700)
    events, buffers = packed(trace.events[:1], trace.buffers)
    # x is buffer 0, w 1, the results 2 to 4; a panel of w lies in 5, rows of x in 6. 700 are
    # 320 and, of the other 380, a half rounded up to a multiple of 8, and 188
    slices = [(0, 320), (320, 192), (512, 188)]
    expected: list[tuple[Kind, list[Place], list[Place]]] = [(Kind.CREATE, [], [(2, 0, (4, 700))])]
    for start, depth in slices:
        for column, width in slices:
            panel = (5, 0, (depth, width))
            source = (1, 4 * (700 * start + column), (depth, width))
            expected.append((Kind.COPY, [source], [panel]))
            rows = (6, 0, (4, depth))
            if column == 0:
                expected.append((Kind.COPY, [(0, 4 * start, (4, depth))], [rows]))
            target = (2, 4 * column, (4, width))
            expected.append((Kind.MATMUL, [rows, panel, target], [target]))
    assert [(e.kind, places(e.reads), places(e.writes)) for e in events] == expected
    strides = {access.shape: access.strides for e in events[1:3] for access in e.writes}
    assert strides == {(320, 320): (1280, 4), (4, 320): (1280, 4)}
    assert {a.nbytes for a in events[3].reads} == {4 * 4 * 320, 4 * 320 * 320}
    sizes = [(info.nbytes, info.preloaded) for info in list(buffers.values())[-2:]]
    assert sizes == [(4 * 320 * 320, True), (4 * 4 * 320, True)]


@pytest.mark.parametrize(
    ("extent", "lengths"),
    [(320, [320]), (321, [160, 161]), (639, [320, 319]), (640, [320, 320]), (641, [320, 160, 161])],
)
def test_a_slice_has_320_or_half_of_what_is_left(extent: int, lengths: list[int]) -> None:
    copies = [event for event in first(product(100, extent, 100)) if event.kind is Kind.COPY]
    assert [e.writes[0].shape[1] for e in copies if e.reads[0].buffer == 0] == lengths


@pytest.mark.parametrize(
    ("m", "k", "n", "taken_apart"),
    [(100, 100, 100, False), (101, 9901, 1, True), (1, 500, 500, False), (1000, 2, 501, True)],
)
def test_a_product_of_a_million_multiply_adds_is_left_alone(
    m: int, k: int, n: int, taken_apart: bool
) -> None:
    assert (len(first(product(m, k, n))) > 1) == taken_apart


def test_other_operations_are_left_alone_and_the_buffers_are_there() -> None:
    trace = Trace(record=True)
    x, stack = (trace.array(np.ones(shape, np.float32)) for shape in ((101, 101), (2, 101, 101)))
    x + x
    x.sum(axis=0)
    np.matmul(stack, stack)
    events, buffers = packed(trace.events, trace.buffers)
    assert events == trace.events
    # two arrays and three results are buffers 0 to 4
    assert [(k, info.buffer, info.role) for k, info in buffers.items()][5:] == [
        (5, 5, "temporary"),
        (6, 6, "temporary"),
    ]


def test_a_kernel_takes_twelve_rows() -> None:
    *_, kernel = first(product(104, 100, 104))
    (nest,) = Lowering((), one_instruction=False).of(kernel)
    assert nest.loops == (104, 104, 100)
    assert nest.steps == (12, 104, 100)
    assert not nest.product
    assert [operand.axes for operand in (*nest.reads, *nest.writes)] == [
        (0, 2),
        (2, 1),
        (0, 1),
        (0, 1),
    ]


def test_a_panel_is_read_by_every_kernel() -> None:
    found = analyse(product(104, 100, 104), grain="packed", memory="cache").traffic
    # C is cleared, w and x are copied, 9 kernels read the panel; packed rows and C are read once
    matrix, square = 104 * 100, 104 * 104
    read = 2 * matrix + 9 * matrix + matrix + square
    written = square + 2 * matrix + square
    assert found[["bytes_read", "bytes_written"]].sum().tolist() == [4 * read, 4 * written]
