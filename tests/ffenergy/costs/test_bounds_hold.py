"""No program goes below a bound: the best replacement of small programs, found by exhaustion.

A program is a list of operations on blocks, each of which has all its blocks on the chip at once.
`cheapest` tries every eviction, so it finds what a managed memory can do at best; the program then
repeats, and what one batch adds in the steady state is held against the bound.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ffenergy.costs import bounds
from ffenergy.costs.network import Network, layers_of

WIDTH, BATCH = 8, 8


class Program:
    """Operations of one batch after the other, and the sizes of their blocks."""

    def __init__(self) -> None:
        self.sizes: dict[str, int] = {}
        self.steps: list[tuple[frozenset[str], frozenset[str], frozenset[str], int]] = []

    def block(self, name: str, size: int) -> str:
        self.sizes[name] = size
        return name

    def do(
        self, reads: list[str], writes: list[str], dead: Sequence[str] = (), extra: int = 0
    ) -> None:
        """An operation, the blocks that are dead after it, and bytes that only pass by."""
        self.steps.append((frozenset(reads), frozenset(writes), frozenset(dead), extra))


def cheapest(program: Program, capacity: int) -> float:
    """Least bytes over the edge of the chip for the whole program; infinite if it has no room."""
    sizes = program.sizes
    # state: blocks on the chip, each with whether it is dirty; cost: bytes so far
    states = {frozenset(): 0}
    for reads, writes, dead, extra in program.steps:
        used = reads | writes
        after: dict[frozenset[tuple[str, bool]], int] = {}
        for state, cost in states.items():
            here = dict(state)
            paid = cost + extra + sum(sizes[b] for b in reads - here.keys())
            others = [b for b in here if b not in used]
            room = capacity - sum(sizes[b] for b in used)
            if room < 0:
                continue
            now = {b: b in writes or here.get(b, False) for b in used if b not in dead}
            for kept, loss in kept_sets(others, here, sizes, room):
                new = frozenset([*now.items(), *((b, here[b]) for b in kept)])
                total = paid + loss
                if total < after.get(new, total + 1):
                    after[new] = total
        states = after
    return min(states.values(), default=float("inf"))


def kept_sets(others, here, sizes, room):
    """Every way to make room: maximal sets that stay, and the bytes of dirty ones that go."""
    found = []
    for bits in range(1 << len(others)):
        kept = [b for k, b in enumerate(others) if bits >> k & 1]
        if sum(sizes[b] for b in kept) <= room:
            found.append(frozenset(kept))
    maximal = [one for one in found if not any(one < other for other in found)]
    return [(one, sum(sizes[b] for b in others if here[b] and b not in one)) for one in maximal]


def parameters(program, layers, states):
    return [
        [program.block(f"W{k}.{s}", weight) for s in range(1 + states)]
        for k, weight in enumerate(layers.weights, start=1)
    ]


def backprop(network: Network, batches: int) -> Program:
    program, layers = Program(), layers_of("bp", network)
    weights = parameters(program, layers, network.states)
    depth = len(weights)
    for t in range(batches):
        h = [program.block(f"h{k}@{t}", network.batch_size * n) for k, n in enumerate(layers.sizes)]
        d = [program.block(f"d{k}@{t}", network.batch_size * n) for k, n in enumerate(layers.sizes)]
        program.do([], [h[0]], extra=layers.images)
        for k in range(depth):
            program.do([h[k], weights[k][0]], [h[k + 1]])
        program.do([h[depth]], [d[depth]], dead=[h[depth]])
        for k in reversed(range(depth)):
            if k:
                program.do([d[k + 1], weights[k][0]], [d[k]])
            program.do([h[k], d[k + 1], *weights[k]], weights[k], dead=[h[k], d[k + 1]])
    return program


def forward_forward(network: Network, batches: int, in_flight: int) -> Program:
    program, layers = Program(), layers_of("ff", network)
    weights = parameters(program, layers, network.states)
    rows = layers.rows
    for start in range(0, batches, in_flight):
        flight = range(start, start + in_flight)
        for t in flight:
            for k, n in enumerate(layers.sizes):
                program.block(f"h{k}@{t}", rows * n)
        for k, own in enumerate(weights):
            for t in flight:
                if k == 0:
                    program.do([], [f"h0@{t}"], extra=layers.images)
                program.do([f"h{k}@{t}", own[0]], [f"h{k + 1}@{t}"])
                last = [f"h{k + 1}@{t}"] if k + 1 == len(weights) else []
                program.do([f"h{k}@{t}", f"h{k + 1}@{t}", *own], own, dead=[f"h{k}@{t}", *last])
    return program


def per_batch(make, capacity, short, long):
    """Bytes that a batch adds in the steady state."""
    return (cheapest(make(long), capacity) - cheapest(make(short), capacity)) / (long - short)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
@pytest.mark.parametrize("capacity", [330, 380, 440, 520])
def test_the_best_replacement_of_backprop_is_no_cheaper(optimizer, capacity):
    network = Network((WIDTH, WIDTH, WIDTH), BATCH, optimizer, itemsize=1)
    found = per_batch(lambda n: backprop(network, n), capacity, 3, 5)
    assert found >= bounds.backprop_once(network, capacity).nbytes
    assert found >= bounds.backprop_replay(network, capacity).nbytes


@pytest.mark.parametrize("optimizer", ["sgd", "momentum"])
@pytest.mark.parametrize("in_flight", [1, 2, 3])
@pytest.mark.parametrize("capacity", [430, 520, 640])
def test_the_best_replacement_of_any_order_of_ff_is_no_cheaper(optimizer, in_flight, capacity):
    network = Network((WIDTH, WIDTH, WIDTH, WIDTH), BATCH, optimizer, itemsize=1)
    found = per_batch(
        lambda n: forward_forward(network, n, in_flight), capacity, in_flight, 3 * in_flight
    )
    assert found >= bounds.local_once("ff", network, capacity).nbytes


def test_exhaustion_finds_the_best_by_hand():
    # A B C A B C, read only, room for two: three come in; A stays over C and is free, B comes in
    # again over A, and C has stayed: 3 + 1. LRU would read all six.
    program = Program()
    for name in "ABCABC":
        program.block(name, 1)
        program.do([name], [])
    assert cheapest(program, 2) == 4
    assert cheapest(program, 3) == 3
    # a dirty block that must leave is written: W (born), B, C with room for two, then W again
    program = Program()
    for name in "WBC":
        program.block(name, 1)
    program.do([], ["W"])
    program.do(["B", "C"], [])
    program.do(["W"], [])
    assert cheapest(program, 2) == 1 + 2 + 1  # W out, B and C in, W in
