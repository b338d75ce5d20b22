"""``numpy.random`` as the user's modules see it: what is drawn is traced, from the same stream."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import BuiltinMethodType, MethodType
from typing import Any

import numpy as np

from instrumented.books.counters import NO_WORK
from instrumented.books.events import Kind
from instrumented.books.traced import Traced
from instrumented.rules.random_draws import PARAMETERS
from instrumented.rules.traffic_rules import Args, Kwargs, Parameters
from instrumented.rules.unwrap import strip
from instrumented.script.leaving import TRACED_KINDS, without_settings
from instrumented.script.numpy_functions import Function
from instrumented.script.script_arrays import ScriptArray
from instrumented.script.tracing import ScriptTrace

IN_PLACE = frozenset({"shuffle"})

OTHER_NAMES = frozenset({"ranf", "sample"})
"""Functions of numpy.random that call one of its methods."""

SETTINGS = frozenset(
    """
    seed get_state set_state default_rng get_bit_generator set_bit_generator spawn
    __getstate__ __setstate__ __reduce__
    """.split()
)
"""Methods that draw nothing."""

DRAWS = PARAMETERS | {
    "bytes": Parameters.parse("length"),
    **dict.fromkeys(("rand", "randn"), Parameters.parse("*size")),
    **dict.fromkeys(("randint", "random_integers"), PARAMETERS["integers"]),
    **dict.fromkeys(("random_sample", "ranf", "sample", "tomaxint"), PARAMETERS["random"]),
}
"""Parameters of what draws by name, of older names too."""


class RandomNumbers:
    """Makes the traced members of numpy.random.

    Args:
        trace: where what is drawn comes in.
    """

    def __init__(self, trace: ScriptTrace) -> None:
        self._trace = trace
        self._is_drawing = False
        self._generator = self._drawing(np.random.Generator)
        self._state = self._drawing(np.random.RandomState)

    def member(self, name: str, member: Any) -> Any:
        """Return a member of numpy.random as the user sees it."""
        if name == "default_rng":
            return Function(self._default_rng, member, "random.default_rng")
        if member is np.random.Generator:
            return self._generator
        if member is np.random.RandomState:
            return self._state
        is_method = isinstance(member, MethodType | BuiltinMethodType) or name in OTHER_NAMES
        return self.method(member, name) if is_method else member

    def method(self, method: Any, name: str) -> Any:
        """Return a method of a generator, of NumPy's own too, that books what it draws."""
        if name in SETTINGS:
            return method
        draw = functools.partial(self._drawn, in_place=name in IN_PLACE)
        return Function(draw, method, f"random.{name}")

    def _default_rng(
        self, function: Callable[..., Any], operation: str, args: Args, kwargs: Kwargs
    ) -> Any:
        del operation
        plain = [self._trace.let_out(value, "seed") for value in args]
        named = {key: self._trace.let_out(value, "seed") for key, value in kwargs.items()}
        made = function(*plain, **named)
        is_given = any(made is value for value in (*plain, *named.values()))
        return made if is_given else self._generator(made.bit_generator)

    def _drawing(self, kind: Any) -> Any:
        """Make the class of a generator whose draws are traced."""

        class Meta(type):
            def __instancecheck__(cls, value: Any) -> bool:
                return isinstance(value, kind)

        def as_plain(self: Any) -> Any:  # pickled and copied as NumPy's own
            return kind.__reduce__(self)

        members: dict[str, Any] = {"__reduce__": as_plain, "__module__": kind.__module__}
        for name in dir(kind):
            if name.startswith("_") or name in SETTINGS or not callable(getattr(kind, name)):
                continue
            members[name] = self._unbound(getattr(kind, name), name)
        made = Meta(kind.__name__, (kind,), members)
        made.__qualname__ = kind.__qualname__
        return made

    def _unbound(self, method: Callable[..., Any], name: str) -> Callable[..., Any]:
        drawn, in_place = self._drawn, name in IN_PLACE

        def draw(self: Any, *args: Any, **kwargs: Any) -> Any:
            def bound(*plain: Any, **named: Any) -> Any:
                return method(self, *plain, **named)

            return drawn(bound, f"random.{name}", args, kwargs, in_place=in_place)

        draw.__name__, draw.__doc__ = name, method.__doc__
        return draw

    def _drawn(
        self,
        method: Callable[..., Any],
        operation: str,
        args: Args,
        kwargs: Kwargs,
        *,
        in_place: bool,
    ) -> Any:
        """Run a method of a random number generator; what it draws is made."""
        if self._is_drawing or self._trace.booking.look():
            return method(*args, **kwargs)
        if in_place and not (args and isinstance(args[0], Traced)):
            return method(*args, **kwargs)
        inside: list[Traced] = []
        plain, named = strip(args, inside), strip(kwargs, inside)
        parameters = DRAWS.get(operation.removeprefix("random."))
        if inside and parameters is not None:
            args, kwargs = without_settings(parameters, f"numpy.{operation}", args, kwargs)
            inside = []
            plain, named = strip(args, inside), strip(kwargs, inside)
        self._is_drawing = True
        try:
            answer = method(*plain, **named)
        finally:
            self._is_drawing = False
        source = None
        if operation == "random.choice":  # a gather from the first operand
            source = args[0] if args else kwargs.get("a")
        return self._booked(answer, operation, inside, source, in_place=in_place)

    def _booked(
        self, answer: Any, operation: str, operands: list[Any], source: Any, *, in_place: bool
    ) -> Any:
        """Book a draw: its operands are read, its result written, or shuffled in place.

        Of the ``source`` of a choice only what was chosen is read.
        """
        booking = self._trace.booking
        is_chosen = type(source) is ScriptArray and isinstance(answer, np.ndarray | np.generic)
        reads: list[Any] = [
            (operand, answer.nbytes if is_chosen and operand is source else None)
            for operand in operands
        ]
        if in_place:
            booking.record(operation, Kind.COPY, reads, [reads[0]], NO_WORK)
            return answer
        is_traced = type(answer) is np.ndarray or (operands and isinstance(answer, np.generic))
        if not is_traced or answer.dtype.kind not in TRACED_KINDS:
            for operand, nbytes in reads:
                booking.let_out(operand, operation, nbytes)
            return answer
        given = [at for at, operand in enumerate(operands) if operand._array is answer]
        made = operands[given[-1]] if given else booking.wrap_result(answer)
        sources = [read for at, read in enumerate(reads) if at not in given[-1:]]  # `out` is none
        kind = Kind.COPY if sources else Kind.CREATE
        kind = Kind.GATHER if is_chosen else kind
        booking.record(operation, kind, sources, [(made, None)], NO_WORK)
        return made
