"""Two memories, all sizes in one pass, against slow obvious ones of one size each."""

from __future__ import annotations

import numpy as np
import pytest

from instrumented import Trace
from instrumented.distances.memories import COLD, FOLLOW, PRICE, WARM, Memory
from instrumented.distances.sums import ALLOCATED, BYTEDMD, READ, WRITTEN
from instrumented.lowering.cuts import Atom
from instrumented.lowering.generate import Chunk
from instrumented.lowering.lower import lower
from instrumented.lowering.stream import Accesses, Stream

STEPS, MIDDLE = 5, 2


def random_program(seed):
    """A step of random operations on little arrays, the same one five times."""
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 6, 2))
    trace = Trace(record=True)
    arrays = [trace.array(np.zeros(shape, np.float32), role="weight") for _ in range(3)]
    choices = rng.integers(0, 8, 6)
    picks = rng.integers(0, 1000, (6, 3))
    for _ in range(STEPS):
        with trace.step("step"):
            held = list(arrays)
            for choice, (a, b, c) in zip(choices, picks, strict=True):
                x, y = held[a % len(held)], held[b % len(held)]
                if choice == 0:
                    x += y
                elif choice == 1:
                    np.multiply(x, 0.5, out=y)
                elif choice == 2:
                    held.append(x * x)
                elif choice == 3:
                    held.append((x @ y.T) @ y)
                elif choice == 4:
                    x -= x.sum(axis=c % 2, keepdims=True)
                elif choice == 5:
                    flat = arrays[0].reshape(-1)
                    flat[c % flat.size :] *= 2.0
                elif choice == 6:
                    held[-1] = np.vecdot(x, x)[:, None] * y
                else:
                    with trace.fuse("scope"):
                        held.append(np.maximum(x + y, 0) * x)
    return trace


def stream_of(seed, *, fused=False, grain="tile"):
    trace = random_program(seed)
    table = lower(
        trace.events,
        trace.buffers,
        grain=grain,
        scopes=None if fused else (),
        atom=Atom(2, 2, 2, 4),
    )
    return Stream(table)


def accesses(stream):
    """Every access as (phase, instruction, block, write, bytes, marked)."""
    table = stream.table
    bounds = table.span(MIDDLE)
    return [
        (phase, *row)
        for phase, (chunk, marked, _) in stream.parts(*bounds)
        for row in zip(
            chunk.instruction.tolist(),
            chunk.block.tolist(),
            chunk.write.tolist(),
            chunk.nbytes.tolist(),
            marked.tolist(),
            strict=True,
        )
    ]


def priced(stream, *, cache):
    table = stream.table
    live = None if cache else np.flatnonzero(stream.initial)[::-1]
    places = np.zeros(len(table.operands), np.int64)
    memory = Memory(table.sizes, places, rows=table.sizes.size, data_bytes=0, live=live)
    bounds = table.span(MIDDLE)
    for phase, part in stream.parts(*bounds):
        memory.run(part, (WARM, PRICE, FOLLOW)[phase])
    return memory.finish(stream.kept).rows()


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("cache", [False, True])
def test_what_a_stream_about_one_step_leaves_out_changes_nothing(cache, fused):
    left_out = 0
    for seed in range(40):
        whole = stream_of(seed, fused=fused)
        about = Stream(whole.table, MIDDLE)
        expected, found = (priced(one, cache=cache) for one in (whole, about))
        for one, other in zip(found, expected, strict=True):
            assert one.tolist() == other.tolist()
        left_out += len(accesses(whole)) - len(accesses(about))
    assert left_out > 0


def beyond(rows, column, capacity):
    _, distance, values = rows
    return int(values[(distance > capacity) | (distance == COLD), column - READ].sum())


def simulate_cache(stream, rows, capacity):
    """A write-back, write-allocate LRU cache of one size, access by access, over the whole record.

    What a line was written in the middle step is charged to that step whenever it goes out; at
    the end the cache is emptied.
    """
    sizes = stream.table.sizes.tolist()
    lines = []  # the first is the least recently used
    dirty = {}  # bytes of the middle step in a dirty line; 0: of another step
    fills = allocations = out = held = 0
    for phase, _, block, write, nbytes, _ in rows:
        if block in lines:
            lines.remove(block)
        else:
            held += sizes[block]
            if phase == 1:
                fills += 0 if write else nbytes
                allocations += nbytes if write else 0
        lines.append(block)
        while held > capacity:
            held -= sizes[lines[0]]
            out += dirty.pop(lines.pop(0), 0)
        if write and block in lines:
            dirty[block] = nbytes if phase == 1 else 0
        elif write:  # larger than the cache: written through
            out += nbytes if phase == 1 else 0
    return fills, allocations, out + sum(dirty.values())


@pytest.mark.parametrize("fused", [False, True])
def test_cache_equals_a_simulated_write_back_cache(fused):
    for seed in range(50):
        stream = stream_of(seed, fused=fused)
        rows = priced(stream, cache=True)
        program = accesses(stream)
        for capacity in (16, 60 + seed, 400):
            simulated = simulate_cache(stream, program, capacity)
            found = tuple(beyond(rows, column, capacity) for column in (READ, ALLOCATED, WRITTEN))
            assert found == simulated, (seed, capacity)


def slow_scratchpad(stream):
    """Distances on a list of live values, the top first, and how far each written value goes."""
    table, sizes = stream.table, stream.table.sizes.tolist()
    rows = accesses(stream)
    stack = np.flatnonzero(stream.initial).tolist()
    read, cost, written = {}, 0, {}
    far, owed = {}, {}

    def settle(block):
        if owed.get(block):
            written[far[block]] = written.get(far[block], 0) + owed.pop(block)

    def needed(at, block):
        later = next((row for row in rows[at + 1 :] if row[2] == block), None)
        return (not later[3]) if later else bool(stream.kept[block])

    numbers = sorted({row[1] for row in rows})
    spans = {number: [k for k, row in enumerate(rows) if row[1] == number] for number in numbers}
    for number in numbers:
        mine = spans[number]
        reads = [k for k in mine if not rows[k][3]]
        depth = {}
        for k in reads:
            block = rows[k][2]
            above = stack[: stack.index(block) + 1]
            depth[k] = sum(sizes[b] for b in above)
        seen = []
        for k in reads:
            phase, _, block, _, nbytes, _ = rows[k]
            if phase == 1 and nbytes:
                near = sizes[block] if block in seen else depth[k]
                read[near] = read.get(near, 0) + nbytes
                bytes_ = range(depth[k] - sizes[block] + 1, depth[k] + 1)
                whole = sum(int(np.ceil(np.sqrt(d))) for d in bytes_)
                cost += whole if nbytes == sizes[block] else whole * nbytes // sizes[block]
            far[block] = max(far.get(block, 0), depth[k])
            if block not in seen:
                seen.append(block)
                stack.remove(block)
                stack.insert(0, block)
        for k in reads:
            block = rows[k][2]
            later_read = any(rows[j][2] == block and not rows[j][3] for j in mine if j > k)
            if block in stack and not later_read and not needed(k, block):
                stack.remove(block)
        for k in mine:
            phase, _, block, write, nbytes, _ = rows[k]
            if not write:
                continue
            settle(block)
            far[block] = 0
            if phase == 1:
                owed[block] = nbytes
            if block in stack:
                stack.remove(block)
            if needed(k, block):
                stack.insert(0, block)
    for block in list(owed):
        if table.preloaded[block]:
            far[block] = COLD
        settle(block)
    return read, cost, written


@pytest.mark.parametrize("grain", ["tile", "operation"])
@pytest.mark.parametrize("fused", [False, True])
def test_scratchpad_equals_a_list_of_live_values(fused, grain):
    for seed in range(12):
        stream = stream_of(seed, fused=fused, grain=grain)
        _, distance, values = priced(stream, cache=False)
        read, cost, written = slow_scratchpad(stream)
        for column, expected in ((READ, read), (WRITTEN, written)):
            moved = values[:, column - READ]
            found = dict(zip(distance[moved > 0].tolist(), moved[moved > 0].tolist(), strict=True))
            assert found == expected, seed
        assert values[:, BYTEDMD - READ].sum() == cost, seed


@pytest.mark.parametrize(("live", "far", "cost"), [([1, 0], 16, 14), ([0], COLD, 0)])
def test_a_read_of_a_part_of_a_block_pays_its_share_of_the_whole(live, far, cost):
    """4 of the 10 bytes of a block that lies under 6 others, at 7 to 16, or nowhere: free.

    ⌈√7⌉ to ⌈√9⌉ are 3 each, ⌈√10⌉ to ⌈√16⌉ are 4: 9 + 28 = 37, of which 4 / 10 are 14.8, so 14.
    """
    memory = Memory(
        np.array([6, 10]), np.zeros(1, np.int64), rows=2, data_bytes=0, live=np.array(live)
    )
    one = np.ones(1, np.int32)
    chunk = Chunk(one, 0 * one, 4 * one, np.zeros(1, np.uint8), np.zeros(1, np.int64))
    memory.run(Accesses(chunk, np.zeros(1, np.uint8)), PRICE)
    _, distance, values = memory.finish(np.array([True, True])).rows()
    assert (distance.tolist(), values[:, BYTEDMD - READ].tolist()) == ([far], [cost])


@pytest.mark.parametrize("live", [None, np.empty(0, np.int64)])
@pytest.mark.parametrize("phase", [WARM, PRICE])
def test_rows_on_the_stack_are_not_counted_beside_their_data_set(live, phase):
    """A row of 10 bytes is brought in, then another is read: behind 10 − 10 + 100 bytes."""
    memory = Memory(np.array([6, 10]), np.zeros(1, np.int64), rows=1, data_bytes=100, live=live)
    zero = np.zeros(1, np.int32)
    for block, write, when in ((1, 1, phase), (-1, 0, PRICE)):
        bit = np.array([write], np.uint8)
        chunk = Chunk(zero + block, zero, zero + 10, bit, np.array([1 - write]))
        memory.run(Accesses(chunk, bit), when)
    _, distance, values = memory.finish(np.array([True, True])).rows()
    assert distance[values[:, 0] > 0].tolist() == [100]
