"""Products as a BLAS runs them: panels packed into buffers, kernels on slices of a few rows.

C is cleared. For slices of k, panels of the second operand are copied into one buffer and the
rows of the first into another; a kernel takes 12 rows at a time, reads both buffers and updates C.
Small products run unpacked. (OpenBLAS sgemm with its Haswell kernels, held against a simulated
cache in ``validation/``; the sizes are those of its driver, ``driver/level3/level3.c``.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from instrumented.books.events import Access, BufferInfo, Event, Kind

PANEL = 320  # most columns of a panel, and most of k in a slice
UNIT = 8  # between one and two panels: halves, rounded up to this
KERNEL_ROWS = 12
SMALL = 1_000_000  # multiply-adds up to which nothing is packed


def packed(
    events: Sequence[Event], buffers: Mapping[int, BufferInfo]
) -> tuple[list[Event], dict[int, BufferInfo]]:
    """Take large products of two matrices apart; return the events and all buffers.

    Two packing buffers are added, each as large as the largest panel, for all products.
    """
    first = max(buffers, default=-1) + 1
    known = dict(buffers)
    result: list[Event] = []
    largest = [1, 1]
    for event in events:
        if not _is_packed(event):
            result.append(event)
            continue
        for part in _parts(event, first, first + 1):
            result.append(part)
            for access in part.writes:
                if access.buffer >= first:
                    which = access.buffer - first
                    largest[which] = max(largest[which], access.nbytes)
    for number, nbytes in enumerate(largest):
        known[first + number] = BufferInfo(first + number, nbytes, "temporary", "packed", True)
    return result, known


def _is_packed(event: Event) -> bool:
    if event.kind is not Kind.MATMUL or len(event.reads) != 2:
        return False
    if any(len(access.shape) != 2 for access in (*event.reads, *event.writes)):
        return False
    (m, k), n = event.reads[0].shape, event.reads[1].shape[1]
    return m * n * k > SMALL


def _parts(event: Event, panel_buffer: int, rows_buffer: int) -> Iterator[Event]:
    left, right = event.reads
    (result,) = event.writes
    (m, k), n = left.shape, right.shape[1]
    yield event._replace(kind=Kind.CREATE, reads=(), axes=())
    for start, depth in _slices(k):
        rows = _buffer(rows_buffer, left, m, depth)
        for column, width in _slices(n):
            panel = _buffer(panel_buffer, right, depth, width)
            source = _part(right, start, depth, column, width)
            yield event._replace(kind=Kind.COPY, reads=(source,), writes=(panel,), axes=())
            if column == 0:
                source = _part(left, 0, m, start, depth)
                yield event._replace(kind=Kind.COPY, reads=(source,), writes=(rows,), axes=())
            target = _part(result, 0, m, column, width)
            yield event._replace(reads=(rows, panel, target), writes=(target,), axes=KERNEL)


KERNEL = ((0, 2), (2, 1), (0, 1), (0, 1))
"""Loops m, n, k of a kernel's operands: packed rows, panel, C read and written."""


def is_kernel(event: Event) -> bool:
    """Whether an event is a kernel of a packed product."""
    return event.axes == KERNEL


def _slices(extent: int) -> Iterator[tuple[int, int]]:
    """Yield start and length of the slices of k or of the panels."""
    start = 0
    while start < extent:
        left = extent - start
        if left >= 2 * PANEL:
            length = PANEL
        elif left > PANEL:
            length = -(-(left // 2) // UNIT) * UNIT
        else:
            length = left
        yield start, length
        start += length


def _part(access: Access, row: int, rows: int, column: int, columns: int) -> Access:
    down, along = access.strides
    return access._replace(
        offset=access.offset + row * down + column * along,
        shape=(rows, columns),
        nbytes=rows * columns * access.itemsize,
    )


def _buffer(number: int, like: Access, rows: int, columns: int) -> Access:
    item = like.itemsize
    shape, strides = (rows, columns), (columns * item, item)
    return Access(number, "temporary", 0, shape, strides, item, rows * columns * item)
