"""A managed memory's two estimates against the best schedule, found by trying every one."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from instrumented import InstrumentError, Trace
from instrumented.analysis.step import analyse
from instrumented.distances.managed import Managed
from instrumented.distances.memories import PRICE
from instrumented.distances.stack import COLD
from instrumented.distances.sums import READ, WRITTEN
from instrumented.lowering.generate import Chunk
from instrumented.lowering.stream import Accesses


class Access(NamedTuple):
    """One access of a tiny program: an instruction's number, whether it is a product's, a block."""

    instruction: int
    product: bool
    block: int
    write: bool


class Program(NamedTuple):
    """Accesses in order, the sizes of blocks, which blocks' last values live on.

    ``empty``: nothing is in the memory before; else anything may be.
    """

    accesses: list[Access]
    sizes: list[int]
    kept: list[bool]
    empty: bool

    def marked(self) -> list[bool]:
        """Whether a write's value is needed, whether a read is the last of its value."""
        needed: set[int] = {b for b, kept in enumerate(self.kept) if kept}
        found = []
        for access in reversed(self.accesses):
            alive = access.block in needed
            found.append(alive if access.write else not alive)
            (needed.discard if access.write else needed.add)(access.block)
        return found[::-1]


@st.composite
def programs(draw):
    blocks = draw(st.integers(2, 4))
    sizes = draw(st.lists(st.integers(1, 3), min_size=blocks, max_size=blocks))
    kept = draw(st.lists(st.booleans(), min_size=blocks, max_size=blocks))
    accesses = []
    for number in range(draw(st.integers(2, 10))):
        product = draw(st.booleans())
        reads = draw(st.lists(st.integers(0, blocks - 1), max_size=2, unique=True))
        writes = draw(st.lists(st.integers(0, blocks - 1), min_size=not reads, max_size=1))
        accesses += [Access(number, product, b, False) for b in reads]
        accesses += [Access(number, product, b, True) for b in writes]
    return Program(accesses, sizes, kept, draw(st.booleans()))


def stream_of(program):
    """The accesses of a program, every block whole."""
    block = np.array([a.block for a in program.accesses], np.int32)
    chunk = Chunk(
        block,
        np.array([a.product for a in program.accesses], np.int32),
        np.array([program.sizes[b] for b in block], np.int32),
        np.array([a.write for a in program.accesses], np.uint8),
        np.array([a.instruction for a in program.accesses], np.int64),
    )
    return Accesses(chunk, np.array(program.marked(), np.uint8))


def memory_of(program, capacities, data_bytes=0, rows=None):
    return Managed(
        np.array(program.sizes, np.int64),
        np.zeros(2, np.int64),
        np.array([False, True]),
        capacities,
        rows=len(program.sizes) if rows is None else rows,
        data_bytes=data_bytes,
        empty=program.empty,
    )


def managed(program, capacities):
    """The upper estimate (bytes read and written) and the lower, at every capacity."""
    memory = memory_of(program, capacities)
    memory.run(stream_of(program), PRICE)
    sums, lower = memory.finish(np.array(program.kept))
    _, distance, values = sums.rows()
    distance = np.where(distance == COLD, np.iinfo(np.int64).max, distance)
    upper = [values[distance > c].sum(axis=0)[[READ - 1, WRITTEN - 1]] for c in capacities]
    return np.array(upper), lower[:, 1:]


def cheapest(program, capacity, *, write_backs=True):
    """Least bytes moved, over all ways to keep blocks between accesses."""
    needed = {b for b, kept in enumerate(program.kept) if kept}
    alive_after = []
    for access in reversed(program.accesses):
        alive_after.append(frozenset(needed))
        (needed.discard if access.write else needed.add)(access.block)
    alive_after.reverse()
    moments: list[list[int]] = []
    for k, access in enumerate(program.accesses):
        if access.product and k and program.accesses[k - 1].instruction == access.instruction:
            moments[-1].append(k)
        else:
            moments.append([k])
    there = [] if program.empty else [(b, False) for b in range(len(program.sizes))]
    states: dict[frozenset[tuple[int, bool]], int] = {frozenset(there): 0}
    for moment in moments:
        used = {program.accesses[k].block for k in moment}
        room = capacity - sum(program.sizes[b] for b in used)
        after: dict[frozenset[tuple[int, bool]], int] = {}
        for state, cost in states.items():
            here = dict(state)
            others = [b for b in here if b not in used]
            for bits in range(1 << len(others)):
                stay = [b for k, b in enumerate(others) if bits >> k & 1]
                if stay and sum(program.sizes[b] for b in stay) > room:
                    continue
                paid = cost + sum(program.sizes[b] for b in others if here[b] and b not in stay)
                now = {b: here[b] for b in stay}
                for k in moment:
                    b = program.accesses[k].block
                    if program.accesses[k].write:
                        now[b] = write_backs
                    elif b not in now:
                        paid += 0 if b in here else program.sizes[b]
                        now[b] = here.get(b, False)
                alive = alive_after[moment[-1]]
                new = frozenset((b, dirty) for b, dirty in now.items() if b in alive)
                after[new] = min(after.get(new, paid), paid)
        states = after
    return min(
        cost + sum(program.sizes[b] for b, dirty in s if dirty) for s, cost in states.items()
    )


CAPACITIES = [1, 2, 3, 4, 5, 6, 8, 12]


READ_TWICE = Program(  # a value is kept past a read of its own
    [Access(k, False, b, k == 0) for k, b in enumerate([0, 1, 0, 1, 0])], [3, 1], [False] * 2, True
)


@given(programs())
@example(READ_TWICE)
def test_no_schedule_is_below_the_lower_estimate_and_one_is_as_good_as_the_upper(program):
    upper, lower = managed(program, CAPACITIES)
    for capacity, high, low in zip(CAPACITIES, upper.sum(axis=1), lower.sum(axis=1), strict=True):
        assert low <= cheapest(program, capacity) <= high


@given(programs())
def test_reads_of_blocks_that_are_alike_are_at_their_least(program):
    """By the lower estimate always, by the upper where there are no write-backs to be saved."""
    program = program._replace(sizes=[1] * len(program.sizes))
    reading = program._replace(accesses=[a for a in program.accesses if not a.write])
    for one in (program, reading):
        upper, lower = managed(one, CAPACITIES)
        for capacity, high, low in zip(CAPACITIES, upper[:, 0], lower[:, 0], strict=True):
            assert low == cheapest(one, capacity, write_backs=False)
            assert low == high or one is program


@given(programs(), st.sampled_from(CAPACITIES))
def test_the_lower_estimate_of_a_capacity_does_not_depend_on_the_others(program, capacity):
    _, among = managed(program, CAPACITIES)
    _, alone = managed(program, [capacity])
    assert among[CAPACITIES.index(capacity)].tolist() == alone[0].tolist()


@given(programs())
def test_a_larger_memory_never_moves_more(program):
    for estimate in managed(program, CAPACITIES):
        assert (np.diff(estimate, axis=0) <= 0).all()


@pytest.mark.parametrize("write", [False, True])
def test_a_sweep_just_over_capacity_costs_an_lru_memory_everything_and_this_one_little(write):
    """A hundred blocks in turn, read (and written), with room for ninety.

    Ninety hold 89 besides the one in use; of the 99 others the memory chooses which come back from
    outside, a share of (100 − 90) / 99.
    """
    trace = Trace(record=True)
    array = trace.array(np.zeros(100 * 256, np.float32), role="weight")
    for _ in range(5):
        with trace.step("step"):
            if write:
                array *= 0.5
            else:
                array.sum()
    capacity = 90 * 1024
    lru = analyse(trace, grain="tile")
    found = analyse(trace, grain="tile", memory="managed", capacities=[capacity])
    everything = 100 * 1024
    assert lru.misses([capacity])[0] == everything
    assert 9 * 1024 <= found.misses([capacity])[0] <= 12 * 1024
    if write:
        written = found.writes
        beyond = (written["distance"] > capacity) | (written["distance"] == COLD)
        assert 9 * 1024 <= written.loc[beyond, "bytes_written"].sum() <= 12 * 1024


@pytest.mark.parametrize(
    "asked", [{"capacities": []}, {"capacities": [0]}, {"grain": "operation", "capacities": [1]}]
)
def test_it_is_managed_for_the_capacities_that_are_named_at_tile_grain(asked):
    trace = Trace(record=True)
    trace.array(np.zeros(3)) * 2
    with pytest.raises(InstrumentError, match="capacities in bytes, and the grain tile"):
        analyse(trace, **{"grain": "tile", "memory": "managed", **asked})


@pytest.mark.parametrize(
    ("m", "n", "k"),
    [
        (m, n, k)
        for width, inputs in ((500, 784), (1000, 784))
        for m, n, k in (
            (200, width, inputs),  # forward, first layer
            (200, width, width),  # forward
            (inputs, width, 200),  # gradient, first layer
            (width, width, 200),  # gradient
            (100, width, width),  # backward
        )
    ],
)
def test_a_product_is_never_below_its_bound(m, n, k):
    """However memory is managed: every operand once, and 2mnk/√S − 2S elements (Smith et al.)."""
    trace = Trace(record=True)
    left, right, out = (
        trace.array(np.zeros(shape, np.float32), role="weight")
        for shape in ((m, k), (k, n), (m, n))
    )
    np.matmul(left, right, out=out)
    sizes = [2 ** (12 + 2 * octave) for octave in range(8)]
    found = analyse(trace, grain="tile", memory="managed", capacities=sizes)
    assert found.least is not None
    least = found.least["bytes_read"] + found.least["bytes_written"]
    for size, low in zip(sizes, least.tolist(), strict=True):
        held = size / 4
        bound = max(m * k + k * n + m * n, 2 * m * n * k / math.sqrt(held) - 2 * held)
        assert 4 * bound <= beyond(found, size)
        assert low <= beyond(found, size)


def beyond(found, size):
    """Bytes read and written beyond a memory."""
    table = found.table
    far = table[(table["distance"] > size) | (table["distance"] == COLD)]
    return int(far["bytes_read"].sum() + far["bytes_written"].sum())
