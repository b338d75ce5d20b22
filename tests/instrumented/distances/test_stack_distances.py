"""The LRU stack against a list, closed forms, and its own streaming."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from instrumented.distances.stack import LruStack, price_instructions, stack_distances
from instrumented.errors import InstrumentError


def slow_distances(blocks, sizes=None, remove_dead=False):
    """A Python list, the top last."""
    stack, distances = [], []
    for index, block in enumerate(blocks):
        if block in stack:
            depth = stack[stack.index(block) :]
            distances.append(sum(sizes[b] if sizes else 1 for b in depth))
            stack.remove(block)
        else:
            distances.append(-1)
        if not remove_dead or block in blocks[index + 1 :]:
            stack.append(block)
    return distances


blocks_of = st.lists(st.integers(0, 12), max_size=80)
sizes_of = st.lists(st.integers(1, 50), min_size=13, max_size=13)


@settings(max_examples=300)
@given(blocks_of, st.none() | sizes_of, st.booleans())
def test_equals_the_list(blocks, sizes, remove_dead):
    fast = stack_distances(blocks, sizes, remove_dead=remove_dead)
    assert fast.dtype == np.int64
    assert fast.tolist() == slow_distances(blocks, sizes, remove_dead)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from([-(2**40), -1, 0, 3, 2**50]), max_size=40))
def test_any_integers_are_identities(blocks):
    assert stack_distances(blocks).tolist() == slow_distances(blocks)


@settings(max_examples=50, deadline=None)
@given(blocks_of, sizes_of)
def test_sizes_may_be_a_mapping(blocks, sizes):
    named = {block * 10**12: size for block, size in enumerate(sizes)}
    far = [block * 10**12 for block in blocks]
    assert stack_distances(far, named).tolist() == slow_distances(blocks, sizes)


@settings(max_examples=100, deadline=None)
@given(st.lists(blocks_of, max_size=5), st.booleans())
def test_chunks_continue_the_same_stack(chunks, sized):
    sizes = list(range(1, 14)) if sized else None
    stack = LruStack(sizes)
    streamed = [d for chunk in chunks for d in stack.access(chunk).tolist()]
    assert streamed == slow_distances([b for chunk in chunks for b in chunk], sizes)


@pytest.mark.parametrize("remove_dead", [False, True])
def test_long_trace_through_many_compactions(remove_dead):
    blocks = np.random.default_rng(0).integers(0, 700, 12_000)
    fast = stack_distances(blocks, remove_dead=remove_dead)
    # The distance is the number of distinct blocks since the last access, alive at that moment.
    last = {}
    final = {block: index for index, block in enumerate(blocks.tolist())}
    for index, block in enumerate(blocks[:4000].tolist()):
        if block in last:
            between = set(blocks[last[block] + 1 : index].tolist())
            alive = {b for b in between if final[b] >= index} if remove_dead else between
            assert fast[index] == len(alive - {block}) + 1
        last[block] = index


def test_memory_follows_distinct_blocks_not_the_trace():
    stack = LruStack()
    for _ in range(20):
        stack.access(np.arange(50_000) % 64)
    assert stack._owner.size == 1024
    assert stack.nbytes == 64
    assert stack.blocks[:2].tolist() == [49_999 % 64, 49_998 % 64]


def test_a_stack_grows_with_the_identities_of_its_blocks():
    stack = LruStack()
    met = [stack.access([block]).tolist() for block in (3, 4, 12, 3)]
    assert met == [[-1], [-1], [-1], [3]]


def test_what_lies_below_all_reads_stays_there_when_slots_are_squeezed():
    """1,024 slots are full after 1,021 reads of 1 and 2 in turn, which lie on 0 all along."""
    stack = LruStack(sizes=[5, 3, 2])
    stack.access([0, *[1, 2] * 600])
    assert stack.access([1, 1, 0, 2]).tolist() == [5, 3, 10, 10]


@pytest.mark.parametrize("write", [False, True])
@pytest.mark.parametrize(("there", "more"), [(1, 1023), (400, 1000), (400, 1248), (1000, 1025)])
def test_an_instruction_may_move_as_much_as_there_is_room_for(there, more, write):
    """New blocks go on top of those there: the bottom one lies as deep as there are blocks."""
    stack = LruStack(preload=np.arange(there))
    new, kept = np.arange(there, there + more), np.arange(there + more)
    if write:
        assert stack.price([], [0, 0], new, [0, more], keep=kept).tolist() == []
    else:
        assert stack.price(new, [0, more], keep=kept).tolist() == [-1] * more
    # From the bottom there - 1, ..., 0, there, ..., there + more - 1.
    assert stack.access([there - 1, there - 1]).tolist() == [there + more, 1]


def test_cyclic_sweep_reuses_at_its_length():
    distances = stack_distances(np.tile(np.arange(37), 5))
    assert (distances[:37] == -1).all()
    assert (distances[37:] == 37).all()


def matmul_reads(m, k, p):
    """Reads of A[i, l] and B[l, j] in the order i, j, l."""
    return [
        block
        for i in range(m)
        for j in range(p)
        for step in range(k)
        for block in (i * k + step, m * k + step * p + j)
    ]


@pytest.mark.parametrize(
    ("n", "cost"), [(2, 18.569419), (3, 111.391720), (4, 365.866294), (8, 5773.552443)]
)
def test_matmul_sum_of_roots(n, cost):
    distances = stack_distances(matmul_reads(n, n, n))
    assert math.isclose(np.sqrt(distances[distances > 0]).sum(), cost, abs_tol=5e-7)


@pytest.mark.parametrize(("m", "k", "p"), [(2, 3, 4), (3, 2, 2), (4, 5, 3), (1, 4, 6)])
def test_rectangular_matmul_distances(m, k, p):
    expected = [2 * k] * (m * k * (p - 1))
    for step in range(1, k + 1):
        expected += [k * p + k + step] * (m - 1) + [k * p + 2 * k - step] * (m - 1)
    expected += [k * p + 2 * k] * (k * (m - 1) * (p - 2))
    distances = stack_distances(matmul_reads(m, k, p))
    assert sorted(distances[distances > 0].tolist()) == sorted(expected)


@settings(max_examples=50, deadline=None)
@given(blocks_of)
def test_sum_of_roots_is_a_sum_over_capacities(blocks):
    # Σ√d = Σ_c (√(c+1) − √c)·#{d > c}: each read pays every boundary it crosses.
    reuses = stack_distances(blocks)
    reuses = reuses[reuses > 0]
    crossings = sum(
        (math.sqrt(c + 1) - math.sqrt(c)) * int((reuses > c).sum()) for c in range(len(blocks) + 1)
    )
    assert math.isclose(np.sqrt(reuses).sum(), crossings, abs_tol=1e-9)


def slow_program(instructions, sizes, preload, keep):
    """ByteDMD's computation model on a list, asking the future at every step."""
    stack, distances = list(reversed(preload)), []

    def needed(block, after):
        for reads, writes in instructions[after:]:
            if block in reads:
                return True
            if block in writes:
                return False
        return block in keep

    stack = [block for block in stack if needed(block, 0)]
    for index, (reads, writes) in enumerate(instructions):
        for block in reads:
            cold = block not in stack
            depth = [] if cold else stack[stack.index(block) :]
            distances.append(-1 if cold else sum(sizes[b] for b in depth))
        for block in dict.fromkeys(reads):
            if block in stack:
                stack.remove(block)
            stack.append(block)
        for block in writes:
            if block in stack:
                stack.remove(block)
            stack.append(block)
        # An old value that this instruction replaces is already off the stack.
        stack = [block for block in stack if needed(block, index + 1)]
    return distances


few = st.lists(st.integers(0, 7), max_size=4)
programs = st.lists(st.tuples(few, st.lists(st.integers(0, 7), max_size=3, unique=True)))


def flat(instructions, part) -> tuple[np.ndarray, np.ndarray]:
    lists = [instruction[part] for instruction in instructions]
    pointers = np.cumsum([0] + [len(each) for each in lists])
    return np.array([block for each in lists for block in each], np.int64), pointers


@settings(max_examples=200, deadline=None)
@given(
    programs,
    st.lists(st.integers(1, 20), min_size=8, max_size=8),
    st.permutations(range(8)).map(lambda order: order[:5]),
    st.sets(st.integers(0, 7)),
)
def test_instructions_equal_the_list(instructions, sizes, preload, keep):
    fast = price_instructions(
        *flat(instructions, 0), *flat(instructions, 1), sizes, preload, sorted(keep)
    )
    assert fast.tolist() == slow_program(instructions, sizes, preload, keep)


@settings(max_examples=100, deadline=None)
@given(st.lists(programs, min_size=2, max_size=4))
def test_steps_priced_one_by_one_equal_the_whole(steps):
    # Keeping every block between the calls is exact where each is read again: a last step does.
    whole = [*[i for step in steps for i in step], (list(range(8)), [])]
    stack = LruStack(preload=range(8))
    parts = []
    for number, step in enumerate(steps):
        later = [i for rest in steps[number + 1 :] for i in rest]
        survivors = [b for b in range(8) if first_use_is_a_read(b, later)]
        parts += stack.price(*flat(step, 0), *flat(step, 1), keep=survivors).tolist()
    parts += stack.price(range(8), [0, 8]).tolist()
    assert parts == price_instructions(*flat(whole, 0), *flat(whole, 1), preload=range(8)).tolist()


def first_use_is_a_read(block, instructions):
    for reads, writes in instructions:
        if block in reads:
            return True
        if block in writes:
            return False
    return True


def test_what_nobody_keeps_leaves_a_stack_that_was_read_often():
    stack = LruStack(preload=range(4))
    assert stack.access([3, 2, 3, 2]).tolist() == [4, 4, 2, 2]
    assert stack.blocks.tolist() == [2, 3, 0, 1]  # from the top
    # 2 and 3 are not kept: 1 lies under 0 alone
    assert stack.price([1], [0, 1], keep=[0, 1]).tolist() == [2]
    assert stack.blocks.tolist() == [1, 0]


def test_a_write_replaces_the_value_of_its_block():
    # C = C + A, twice: the old C dies as it is read, the new one lies on top.
    reads, read_ptr = [0, 1, 0, 2], [0, 2, 4]
    distances = price_instructions(reads, read_ptr, [0, 0], [0, 1, 2], [8, 4, 4], [0, 1, 2], [0])
    # Stack from the top: C 8, A 4, B 4; then C' 8, B 4.
    assert distances.tolist() == [8, 12, 8, 12]


def test_unread_results_stay_only_if_kept():
    def distance_of_a(keep):
        # t = f(b); then read a.
        return price_instructions([1, 0], [0, 1, 2], [2], [0, 1, 1], None, [0, 1], keep)[-1]

    assert distance_of_a(()) == 1
    assert distance_of_a([2]) == 2


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stack_distances([0.5]), "blocks has dtype float64"),
        (lambda: stack_distances([[1]]), "shape"),
        (lambda: stack_distances([3], [1, 1]), "block 3, which has no entry"),
        (lambda: stack_distances([0, 2], [1, 1]), "block 2, which has no entry"),
        (lambda: stack_distances([-1], [1, 1]), "block -1, which has no entry"),
        (lambda: stack_distances([1], {2: 4}), "block 1 has no entry"),
        (lambda: stack_distances([0], [0]), "at least one byte"),
        (lambda: LruStack(preload=[1, 1]), "twice"),
        (lambda: price_instructions([1, 2], [0, 1]), "read_ptr must rise from 0 to 2"),
        (
            lambda: price_instructions([1], [0, 1], [2], [0, 0, 1]),
            "counts 1 instructions and write_ptr 2",
        ),
    ],
)
def test_errors_say_what_was_wrong(call, message):
    with pytest.raises(InstrumentError, match=message):
        call()


def test_empty_trace():
    assert stack_distances([]).tolist() == []
    assert price_instructions([], [0]).tolist() == []
