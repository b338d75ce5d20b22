"""The scalar grain: ByteDMD of an ordinary NumPy function, one instruction per scalar operation.

The function runs on object arrays of tracked scalars, so the instructions come in the order of
NumPy's own object loops, and are then priced on one LRU stack of live values. Equal to the
published ByteDMD (cybertronai/ByteDMD) to the integer; its rules and limits in `docs/metric.md`.
For tiny programs: one Python call per scalar operation.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from instrumented.distances.bytedmd import bytedmd_cost
from instrumented.distances.scalar_values import ScalarRecorder, Tracked, plain
from instrumented.distances.stack import price_instructions
from instrumented.errors import EscapeError, InstrumentError, UncountedOperationError

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ScalarTrace:
    """Every scalar read of a program, in order.

    Attributes:
        distances: `(reads,)` stack distances in elements, 1 for the top.
        phases: `(reads,)` number of the phase that each read belongs to.
        phase_names: names of the phases; the first is everything outside of them.
        escapes: how many values left as plain numbers; what was computed from them looks free.
        recorder: the instructions, as they were written down.
        inputs: identities of the arguments, in the order of the signature and of their elements.
        results: identities of what the program returned.
    """

    distances: Ints
    phases: Ints
    phase_names: tuple[str, ...]
    escapes: int
    recorder: ScalarRecorder
    inputs: tuple[int, ...]
    results: tuple[int, ...]


_RECORDING: ContextVar[ScalarRecorder | None] = ContextVar("recording", default=None)


@contextmanager
def phase(name: str) -> Iterator[None]:
    """Name the phase of an update (`forward`, `backward`, `update`) inside a measured program.

    Does nothing where nothing is measured, so that one program runs both ways.
    """
    recorder = _RECORDING.get()
    if recorder is None:
        yield
        return
    outer = recorder.phase
    recorder.phase = recorder.phase_number(name)
    try:
        yield
    finally:
        recorder.phase = outer


def bytedmd(func: Callable[..., Any], args: Sequence[Any], bytes_per_element: int = 1) -> int:
    """ByteDMD of `func(*args)`: the sum of ⌈√distance⌉ over every byte read.

    Args:
        func: works on NumPy arrays, lists and numbers, as the program to be measured would.
        args: its positional arguments: ndarrays of numbers, numbers, nested lists or tuples of
            them, or None. They are preloaded, the first on top, and are not modified.
        bytes_per_element: size of every scalar, arguments and results alike.

    Returns:
        The cost, a dimensionless integer.

    Raises:
        UncountedOperationError: the program does something that has no scalar lowering.
        EscapeError: a value would leave the trace (`float(x)`, an assignment into a float array).
        InstrumentError: an argument of another kind, or a size below one byte.

    Source: the README of ByteDMD (cybertronai), "Computation Model".
    """
    if bytes_per_element < 1:
        raise InstrumentError(f"bytes_per_element is {bytes_per_element}; give at least 1")
    distances = bytedmd_trace(func, args)
    return bytedmd_cost(distances * bytes_per_element, bytes_per_element)


def bytedmd_trace(func: Callable[..., Any], args: Sequence[Any]) -> Ints:
    """Stack distances of every scalar read of `func(*args)`, in elements, in program order.

    Arguments and errors as in `bytedmd`. Returns `(reads,)` int64, 1 for the top of the stack.
    """
    return scalar_trace(func, args).distances


def scalar_trace(
    func: Callable[..., Any], args: Sequence[Any], *, records_escapes: bool = False
) -> ScalarTrace:
    """Run `func(*args)` on tracked scalars; arguments and errors as in `bytedmd`.

    With `records_escapes`, `float`, `int` and `complex` read a value and let it out, as in the
    published ByteDMD, instead of raising EscapeError.
    """
    recorder = ScalarRecorder(records_escapes=records_escapes)
    preloader = _Preloader(recorder)
    # The first argument ends on top, and inside an argument the last element.
    tracked = [preloader.track(argument) for argument in reversed(args)][::-1]
    preloaded = recorder.values
    token = _RECORDING.set(recorder)
    try:
        result = _call(func, tracked)
    finally:
        _RECORDING.reset(token)
    values_after = np.array([preloaded, *recorder.values_after], np.int64)
    results = _identities(result)
    read_ptr = np.array(recorder.read_ptr, np.int64)
    distances = price_instructions(
        np.array(recorder.reads, np.int64),
        read_ptr,
        np.arange(preloaded, recorder.values),
        values_after - preloaded,
        preload=np.arange(preloaded)[::-1],
        keep=np.array(results, np.int64),
    )
    return ScalarTrace(
        distances,
        np.repeat(np.array(recorder.phases, np.int64), np.diff(read_ptr)),
        tuple(recorder.phase_names),
        recorder.escapes,
        recorder,
        tuple(dict.fromkeys(_identities(tracked))),
        tuple(results),
    )


class _Preloader:
    """Replaces the numbers in the arguments; one object met twice stays one object."""

    def __init__(self, recorder: ScalarRecorder) -> None:
        self._recorder = recorder
        self._seen: dict[int, object] = {}

    def track(self, argument: Any) -> Any:
        if argument is None:
            return None
        if type(argument) in (bool, int, float, complex):
            return self._recorder.value(argument)
        if id(argument) not in self._seen:
            self._seen[id(argument)] = self._container(argument)
        return self._seen[id(argument)]

    def _container(self, argument: Any) -> object:
        if isinstance(argument, np.generic) and argument.dtype.kind in "biufc":
            return self._recorder.value(argument.item())
        if type(argument) in (list, tuple):
            return type(argument)([self.track(element) for element in argument])
        if type(argument) is np.ndarray and argument.dtype.kind in "biufcO":
            tracked = np.empty_like(argument, dtype=object)  # the same memory order
            for index in np.ndindex(argument.shape):
                tracked[index] = self.track(plain(argument[index]))
            return tracked
        raise InstrumentError(
            f"the scalar grain cannot preload an argument of type {type(argument).__name__}; give "
            "plain ndarrays of numbers, numbers, or lists and tuples of them"
        )


def _identities(result: Any) -> list[int]:
    """The values that a result holds, wherever they lie in it."""
    if type(result) is Tracked:
        return [result._identity]
    if isinstance(result, dict):
        result = list(result.values())
    elif isinstance(result, np.ndarray):
        result = list(result.flat) if result.dtype == object else []
    if isinstance(result, list | tuple):
        return [identity for element in result for identity in _identities(element)]
    return []


def _call(func: Callable[..., Any], arguments: Sequence[Any]) -> Any:
    """Run the program; what NumPy cannot do with objects is refused under its own name."""
    try:
        return func(*arguments)
    except (EscapeError, TypeError, AttributeError, IndexError) as error:
        _refuse(error)
    except ValueError as error:
        if "object too deep" not in str(error):  # otherwise the program's own mistake
            raise
        _refuse(error)


def _refuse(error: Exception) -> NoReturn:
    name = _numpy_function(error.__traceback__)
    if name is None and isinstance(error, InstrumentError):
        raise error
    named = re.search(r"ufunc '(\w+)'|callable (\w+) method", str(error))
    if name is None and named:
        name = f"np.{named[1] or named[2]}"
    advice = ""
    if re.search("type (float|int|bool) which has no callable", str(error)):
        advice = " (a plain constant lies in the array; write ** 0.5, or a * mask for np.maximum)"
    kind = EscapeError if isinstance(error, EscapeError) else UncountedOperationError
    raise kind(
        f"the scalar grain cannot lower {name or 'this program'}: {error}{advice}"
    ) from error


def _numpy_function(traceback: TracebackType | None) -> str | None:
    """The outermost public NumPy function on the way to the error, if its Python is on it."""
    while traceback is not None:
        package, *modules = traceback.tb_frame.f_globals.get("__name__", "").split(".")
        name = traceback.tb_frame.f_code.co_name.split(".")[-1]
        if package == "numpy" and not name.startswith("_"):
            submodules = [module for module in modules if module in ("linalg", "fft", "random")]
            return ".".join(["np", *submodules, name])
        traceback = traceback.tb_next
    return None
