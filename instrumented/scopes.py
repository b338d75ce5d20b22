"""Context managers that say where the operations inside them belong."""

from __future__ import annotations

from types import TracebackType

from instrumented.books.booking import Booking


class Scope:
    """Names the layer, the phase and the role of results of the operations inside.

    Scopes nest: what a scope leaves out (None) it takes from the one around it. One scope may
    be entered any number of times, which is cheaper than making it anew.
    """

    __slots__ = ("_booking", "_layer", "_makes", "_phase", "_resolved")

    def __init__(
        self, booking: Booking, layer: str | None, phase: str | None, makes: str | None
    ) -> None:
        self._booking = booking
        self._layer = layer
        self._phase = phase
        self._makes = makes
        self._resolved: dict[int, int] = {}

    def __enter__(self) -> None:
        booking = self._booking
        outer = booking.place
        inner = self._resolved.get(outer)
        if inner is None:
            inner = booking.place_number(self._layer, self._phase, self._makes)
            self._resolved[outer] = inner
        booking.enter_place(inner)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._booking.leave_place()


class Step:
    """One training step: its operations in order make its signature.

    A step that an exception ends is none: its operations stay counted, outside of steps.
    """

    __slots__ = ("_booking", "_name")

    def __init__(self, booking: Booking, name: str) -> None:
        self._booking = booking
        self._name = name

    def __enter__(self) -> None:
        self._booking.open_step()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self._booking.close_step(self._name)
        else:
            self._booking.abandon_step()


class Fusion:
    """Operations that one fused kernel would do; only recorded events know of it."""

    __slots__ = ("_booking", "_name")

    def __init__(self, booking: Booking, name: str) -> None:
        self._booking = booking
        self._name = name

    def __enter__(self) -> None:
        if self._booking.recorder is not None:
            self._booking.open_fusion(self._name)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._booking.recorder is not None:
            self._booking.close_fusion()
