"""The simplified explicit-communication model: every value has an address, and reads pay for it.

A read from address a (1, 2, …) costs ⌈√a⌉, the Manhattan distance from a core at the origin of
the upper half-plane; writes and arithmetic are free. Inputs lie where the caller says, in the
order of the signature; every output is read once at the end. For small scalar programs. Source:
cybertronai's simplified-dally-model, after W. J. Dally, CACM 65(9), 2022.

Unlike ByteDMD nothing moves by itself: placement is the program's own. The two never share a
column.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from instrumented.distances.scalar_grain import scalar_trace
from instrumented.errors import InstrumentError

OPERATIONS: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "copy": lambda value: value,
    "not": operator.invert,
    "abs": abs,
}
UNARY = frozenset({"copy", "not", "abs"})


def read_cost(address: int) -> int:
    """Cost of one read: ⌈√address⌉."""
    return math.isqrt(address - 1) + 1


@dataclass(frozen=True)
class ExplicitProgram:
    """A straight-line program in three-address code.

    Attributes:
        inputs, outputs: addresses of the arguments and of the results.
        instructions: (operation, destination, sources) in order.
    """

    inputs: tuple[int, ...]
    instructions: tuple[tuple[str, int, tuple[int, ...]], ...]
    outputs: tuple[int, ...]

    @property
    def cost(self) -> int:
        """⌈√address⌉ over every operand read and every output.

        Raises:
            InstrumentError: an address is read before it holds a value.
        """
        return sum(map(read_cost, self._reads()))

    def run(self, *values: Any) -> tuple[Any, ...]:
        """Return what the program computes from its inputs.

        Raises:
            InstrumentError: a wrong number of values, or an address read before it holds one.
        """
        if len(values) != len(self.inputs):
            raise InstrumentError(f"{len(self.inputs)} inputs are placed, {len(values)} were given")
        self._reads()
        memory = dict(zip(self.inputs, values, strict=True))
        for name, target, sources in self.instructions:
            memory[target] = OPERATIONS[name](*(memory[source] for source in sources))
        return tuple(memory[address] for address in self.outputs)

    def _reads(self) -> list[int]:
        """Return every address that is read, in order, outputs last."""
        written = set(self.inputs)
        reads: list[int] = []
        for target, sources in (*((t, s) for _, t, s in self.instructions), (None, self.outputs)):
            unwritten = [source for source in sources if source not in written]
            if unwritten:
                raise InstrumentError(f"address {unwritten[0]} is read before it holds a value")
            reads += sources
            if target is not None:
                written.add(target)
        return reads


def parse(code: str) -> ExplicitProgram:
    """Read a program: a line of input addresses, instructions, a line of output addresses.

    An instruction is ``op destination,source[,source]``; with one source, a binary operation takes
    its destination as the first. Lines end with a newline or a semicolon.

    Raises:
        InstrumentError: a line that is none of these, or an address below 1.
    """
    lines = [line.strip() for line in code.replace(";", "\n").splitlines() if line.strip()]
    if len(lines) < 2:
        raise InstrumentError("a program needs a line of inputs and a line of outputs")
    body = []
    for line in lines[1:-1]:
        name, _, rest = line.partition(" ")
        if name not in OPERATIONS:
            raise InstrumentError(f"{line!r}: unknown operation; known: {', '.join(OPERATIONS)}")
        target, *sources = _addresses(rest, line)
        if name not in UNARY and len(sources) == 1:
            sources.insert(0, target)
        if len(sources) != (1 if name in UNARY else 2):
            raise InstrumentError(f"{line!r}: {name} does not take {len(sources)} operands")
        body.append((name, target, tuple(sources)))
    return ExplicitProgram(
        tuple(_addresses(lines[0], lines[0])), tuple(body), tuple(_addresses(lines[-1], lines[-1]))
    )


def explicit_cost(
    func: Callable[..., Any],
    args: Sequence[Any],
    *,
    inputs: Sequence[int] | None = None,
    results: Sequence[int] | None = None,
) -> int:
    """Cost of `func(*args)`, a small scalar program, under a placement of its values.

    Args:
        func: as in :func:`instrumented.bytedmd`.
        args: its arguments.
        inputs: addresses of the arguments' elements, in order; 1, 2, … if left out.
        results: an address for every value that an instruction makes, in order; if left out each
            goes to the lowest address that holds no value which is read again.

    Raises:
        InstrumentError: a wrong number of addresses, or a value placed onto one still needed.
        UncountedOperationError, EscapeError: as `bytedmd`.
    """
    found = scalar_trace(func, args)
    recorder = found.recorder
    places = list(inputs) if inputs is not None else list(range(1, len(found.inputs) + 1))
    made = recorder.values - len(found.inputs)
    for given, wanted, what in ((places, len(found.inputs), "inputs"), (results, made, "results")):
        if given is not None and (len(given) != wanted or any(address < 1 for address in given)):
            raise InstrumentError(f"{what}: give {wanted} addresses from 1 up")
    last_read = {identity: n for n, identity in enumerate(recorder.reads)}
    last_read.update(dict.fromkeys(found.results, len(recorder.reads)))
    memory = _Memory(last_read)
    for identity, place in zip(found.inputs, places, strict=True):
        memory.place(identity, place)
    chosen = iter(results) if results is not None else None
    value = len(found.inputs)
    cost = 0
    for instruction, after in enumerate(recorder.values_after):
        start, stop = recorder.read_ptr[instruction : instruction + 2]
        for identity in recorder.reads[start:stop]:
            cost += read_cost(memory.address[identity])
        memory.forget(stop)
        for identity in range(value, after):
            memory.place(identity, None if chosen is None else next(chosen))
        value = after
    return cost + sum(read_cost(memory.address[identity]) for identity in found.results)


class _Memory:
    """Which value lies where, and which addresses are free."""

    def __init__(self, last_read: dict[int, int]) -> None:
        self.address: dict[int, int] = {}
        self._last_read = last_read
        self._holds: dict[int, int] = {}

    def forget(self, reads: int) -> None:
        """Free the addresses of values that are not read again after so many reads."""
        self._holds = {
            place: identity
            for place, identity in self._holds.items()
            if self._last_read[identity] >= reads
        }

    def place(self, identity: int, place: int | None) -> None:
        """Put a value at an address, or at the lowest free one; what is never read takes none."""
        if place is None:
            place = next(number for number in itertools.count(1) if number not in self._holds)
        if place in self._holds:
            raise InstrumentError(
                f"a value is placed at address {place}, where one that is still read lies"
            )
        self.address[identity] = place
        if identity in self._last_read:
            self._holds[place] = identity


def _addresses(text: str, line: str) -> list[int]:
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        found = [0]
    if any(address < 1 for address in found):
        raise InstrumentError(f"{line!r}: give addresses from 1 up, separated by commas")
    return found
