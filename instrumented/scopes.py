"""Context managers that say where the operations inside them belong."""

from __future__ import annotations

from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from instrumented.trace import Trace


class Scope:
    """Names the layer, the phase and the role of results of the operations inside.

    Scopes nest: what a scope leaves out (None) it takes from the one around it. One scope may
    be entered any number of times, which is cheaper than making it anew.
    """

    __slots__ = ("_layer", "_makes", "_phase", "_resolved", "_trace")

    def __init__(
        self, trace: Trace, layer: str | None, phase: str | None, makes: str | None
    ) -> None:
        self._trace = trace
        self._layer = layer
        self._phase = phase
        self._makes = makes
        self._resolved: dict[int, int] = {}

    def __enter__(self) -> None:
        trace = self._trace
        outer = trace._place
        trace._outer_places.append(outer)
        inner = self._resolved.get(outer)
        if inner is None:
            inner = trace._resolve_place(outer, self._layer, self._phase, self._makes)
            self._resolved[outer] = inner
        trace._place = inner

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._trace._place = self._trace._outer_places.pop()


class Step:
    """One training step: its operations in order make its signature.

    A step that an exception ends is none: its operations stay counted, outside of steps.
    """

    __slots__ = ("_name", "_trace")

    def __init__(self, trace: Trace, name: str) -> None:
        self._trace = trace
        self._name = name

    def __enter__(self) -> None:
        self._trace._open_step()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._trace._close_step(self._name)
        else:
            self._trace._abandon_step()


class Fusion:
    """Operations that one fused kernel would do; changes no value and no eager count."""

    __slots__ = ("_name", "_trace")

    def __init__(self, trace: Trace, name: str) -> None:
        self._trace = trace
        self._name = name

    def __enter__(self) -> None:
        trace = self._trace
        trace._fusions += 1
        trace._fusion = (*trace._fusion, (self._name, trace._fusions))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._trace._fusion = self._trace._fusion[:-1]
