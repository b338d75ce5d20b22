"""numpy.random as the user's modules see it: what is drawn is traced, from the same stream."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import BuiltinMethodType, MethodType
from typing import Any

import numpy as np

from instrumented.rules.traffic_rules import Args, Kwargs
from instrumented.script.numpy_functions import Function
from instrumented.script.tracing import ScriptTrace

IN_PLACE = frozenset({"shuffle"})

SETTINGS = frozenset(
    """
    seed get_state set_state default_rng get_bit_generator set_bit_generator spawn bytes
    __getstate__ __setstate__ __reduce__
    """.split()
)
"""Methods that draw no array."""


class RandomNumbers:
    """Makes the traced members of numpy.random.

    Args:
        trace: where what is drawn comes in.
    """

    def __init__(self, trace: ScriptTrace) -> None:
        self._trace = trace
        self._generator = _drawing(trace, np.random.Generator)
        self._state = _drawing(trace, np.random.RandomState)

    def member(self, name: str, member: Any) -> Any:
        """Return a member of numpy.random as the user sees it."""
        if name == "default_rng":
            return Function(self._default_rng, member, "random.default_rng")
        if member is np.random.Generator:
            return self._generator
        if member is np.random.RandomState:
            return self._state
        if isinstance(member, MethodType | BuiltinMethodType) and name not in SETTINGS:
            draw = functools.partial(self._trace.drawn, in_place=name in IN_PLACE)
            return Function(draw, member, f"random.{name}")
        return member

    def _default_rng(
        self, function: Callable[..., Any], operation: str, args: Args, kwargs: Kwargs
    ) -> Any:
        del operation
        plain = [self._trace.let_out(value, "seed") for value in args]
        named = {key: self._trace.let_out(value, "seed") for key, value in kwargs.items()}
        made = function(*plain, **named)
        is_given = any(made is value for value in (*plain, *named.values()))
        return made if is_given else self._generator(made.bit_generator)


def _drawing(trace: ScriptTrace, kind: Any) -> Any:
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
        members[name] = _unbound(trace, getattr(kind, name), name)
    made = Meta(kind.__name__, (kind,), members)
    made.__qualname__ = kind.__qualname__
    return made


def _unbound(trace: ScriptTrace, method: Callable[..., Any], name: str) -> Callable[..., Any]:
    def draw(self: Any, *args: Any, **kwargs: Any) -> Any:
        def bound(*plain: Any, **named: Any) -> Any:
            return method(self, *plain, **named)

        return trace.drawn(bound, f"random.{name}", args, kwargs, in_place=name in IN_PLACE)

    draw.__name__, draw.__doc__ = name, method.__doc__
    return draw
