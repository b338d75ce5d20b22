"""Tracked scalars: numbers that write down each instruction done with them.

They stand as elements in NumPy's object arrays, so the order of the instructions is that of
NumPy's own object loops. One Python operator (or one of the methods that NumPy's loops look up,
`sqrt`, `exp`, …) is one instruction; moving a number is none.
"""

from __future__ import annotations

import math
import operator
from array import array
from collections.abc import Callable
from typing import Any

import numpy as np

from instrumented.errors import EscapeError

Method = Callable[..., Any]


def plain(number: Any) -> Any:
    """The Python number for a NumPy one; anything else as it is."""
    return number.item() if isinstance(number, np.generic) else number


class ScalarRecorder:
    """The instructions of one run, compactly: what each reads, and how many values exist after it.

    Values are numbered from 0 as they come to be, so an instruction wrote what was added by it.
    """

    __slots__ = (
        *("escapes", "phase", "phase_names", "phases", "read_ptr", "reads"),
        *("records_escapes", "values", "values_after"),
    )

    def __init__(self, *, records_escapes: bool = False) -> None:
        self.records_escapes = records_escapes
        self.escapes = 0
        self.phase = 0
        self.phase_names = [""]
        self.phases = array("q")
        self.reads = array("q")
        self.read_ptr = array("q", [0])
        self.values = 0
        self.values_after = array("q")

    def phase_number(self, name: str) -> int:
        """The number of a phase, opened when it is first named."""
        if name not in self.phase_names:
            self.phase_names.append(name)
        return self.phase_names.index(name)

    def value(self, number: object) -> Tracked:
        """A new value: preloaded before the first instruction, the last one's result after it."""
        tracked = Tracked(self, self.values, number)
        self.values += 1
        return tracked

    def instruction(self, result: object, reads: tuple[int, ...]) -> Any:
        """One instruction and its result, every number in it tracked.

        A nested call may have written values of its own by now: they belong to instructions
        already closed, because only what is tracked after this line is written by this one.
        """
        self._read(reads)
        tracked = self._tracked(result)
        self.values_after.append(self.values)
        return tracked

    def look(self, reads: tuple[int, ...]) -> None:
        """A read whose outcome steers the program and leaves the stack: bool, index, hash."""
        self._read(reads)
        self.values_after.append(self.values)

    def escaped(self, read: int) -> None:
        """A read whose outcome leaves the trace as a plain number: what it makes looks free."""
        self.escapes += 1
        self.look((read,))

    def _read(self, reads: tuple[int, ...]) -> None:
        self.reads.extend(reads)
        self.read_ptr.append(len(self.reads))
        self.phases.append(self.phase)

    def _tracked(self, result: object) -> Any:
        if type(result) is Tracked:
            return result
        if isinstance(result, np.ndarray):
            moved = np.empty_like(result, dtype=object)
            for index in np.ndindex(result.shape):
                moved[index] = self._tracked(plain(result[index]))
            return moved
        if isinstance(result, tuple | list):  # divmod gives two values
            return type(result)(self._tracked(element) for element in result)
        return self.value(result)


class Tracked:
    """A number with an identity; text and pickling are refused, `float`, `int`, `complex` too.

    The conversions are let through where the recorder records escapes.
    """

    __slots__ = ("_identity", "_number", "_recorder")

    def __init__(self, recorder: ScalarRecorder, identity: int, number: Any) -> None:
        self._recorder = recorder
        self._identity = identity
        self._number = number

    def __bool__(self) -> bool:
        self._recorder.look((self._identity,))
        return bool(self._number)

    def __index__(self) -> int:
        index = operator.index(self._number)
        self._recorder.look((self._identity,))
        return index

    def __hash__(self) -> int:
        self._recorder.look((self._identity,))
        return hash(self._number)

    def __repr__(self) -> str:
        return f"<tracked value {self._identity}>"

    def __copy__(self) -> Tracked:
        return self

    def __deepcopy__(self, memo: dict[int, object]) -> Tracked:
        return self


def _way_out(name: str, advice: str) -> Method:
    """A way out: refused, or read and recorded where the recorder says so."""
    leave = CONVERSIONS.get(name)

    def method(self: Tracked, *operands: object) -> object:
        if not self._recorder.records_escapes or leave is None:
            raise EscapeError(
                f"{name}() of a tracked scalar would leave the trace, and what is computed from it "
                f"would look free; {advice}"
            )
        self._recorder.escaped(self._identity)
        return leave(self._number, *operands)

    return method


def _operation(function: Method) -> Method:
    """An operator: evaluate, then record, so calls nested in the evaluation come first."""

    def method(self: Tracked, *operands: object) -> object:
        recorder = self._recorder
        reads, numbers = [self._identity], []
        for operand in operands:
            if type(operand) is Tracked:
                reads.append(operand._identity)
                numbers.append(operand._number)
            else:
                numbers.append(operand)
        return recorder.instruction(function(self._number, *numbers), tuple(reads))

    return method


def _reflected(function: Method) -> Method:
    """An operator with the tracked scalar on the right of something untracked."""

    def method(self: Tracked, left: object) -> object:
        return self._recorder.instruction(function(left, self._number), (self._identity,))

    return method


def _elementary(name: str) -> Method:
    """A function of NumPy's, on plain numbers."""
    ufunc = getattr(np, name)

    def function(*numbers: object) -> object:
        return plain(ufunc(*numbers))

    return function


BINARY: dict[str, Method] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "divmod": divmod,
    "pow": pow,
    "lshift": operator.lshift,
    "rshift": operator.rshift,
    "and": operator.and_,
    "or": operator.or_,
    "xor": operator.xor,
    "matmul": operator.matmul,
}
UNREFLECTED: dict[str, Method] = {
    **{name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
    **{name: getattr(operator, name) for name in ("neg", "pos", "abs", "invert")},
    "trunc": math.trunc,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
}
# What NumPy's object loops look up on the elements; the published tracer has none of them.
ELEMENTARY = (
    *("sqrt", "cbrt", "exp", "exp2", "expm1", "log", "log2", "log10", "log1p"),
    *("sin", "cos", "tan", "arcsin", "arccos", "arctan", "sinh", "cosh", "tanh"),
    *("arcsinh", "arccosh", "arctanh", "arctan2", "hypot", "fmod", "rint", "fabs"),
    *("degrees", "radians", "deg2rad", "rad2deg", "conjugate"),
)
CONVERSIONS: dict[str, Method] = {"float": float, "int": int, "complex": complex}
WAYS_OUT = {
    "float": "use np.sqrt, np.exp, … or the operators, which are tracked",
    "int": "use // or np.floor, which are tracked",
    "complex": "use complex arguments",
    "str": "print results outside of the measured function",
    "format": "print results outside of the measured function",
    "reduce_ex": "keep tracked scalars inside the measured function",
}

for _name, _function in {**BINARY, **UNREFLECTED}.items():
    setattr(Tracked, f"__{_name}__", _operation(_function))
for _name, _function in BINARY.items():
    setattr(Tracked, f"__r{_name}__", _reflected(_function))
for _name in ELEMENTARY:
    setattr(Tracked, _name, _operation(_elementary(_name)))
for _name, _advice in WAYS_OUT.items():
    setattr(Tracked, f"__{_name}__", _way_out(_name.removesuffix("_ex"), _advice))
