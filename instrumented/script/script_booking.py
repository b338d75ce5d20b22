"""The booking of a script: on the line of its source, with one traced array for every plain one."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any
from weakref import WeakValueDictionary

from instrumented.books.booking import Booking, Share
from instrumented.books.counters import NO_WORK
from instrumented.books.escapes import Line
from instrumented.books.events import Kind
from instrumented.books.ledger import Entry, Place
from instrumented.books.operand import Array
from instrumented.books.recorder import Recorder
from instrumented.books.traced import Traced
from instrumented.script.callers import NOWHERE, Asks, Callers, Seen, Site
from instrumented.script.script_arrays import ScriptArray, look_into
from instrumented.script.script_scalars import scalar_of


class ScriptBooking(Booking):
    """Books on the line of the user's source that is being run.

    Args:
        callers: knows that line.
        recorder: where events go, or None.
    """

    def __init__(self, callers: Callers, recorder: Recorder | None) -> None:
        self.callers = callers
        self.sites: dict[int, Site] = {0: NOWHERE}
        self._number_of: dict[Site, int] = {NOWHERE: 0}
        self._seen: dict[int, Seen] = {}
        self._handles: WeakValueDictionary[int, Any] = WeakValueDictionary()
        self._exits: dict[tuple[Any, ...], tuple[Entry, list[int], int]] = {}
        super().__init__(
            ScriptArray,
            scalar_of,  # type: ignore[arg-type]  # makes one of several classes
            strict=False,
            refuses_escapes=False,
            recorder=recorder,
            line_of_user=self.line,
        )

    def look(self) -> bool:
        """Put the line being run in force; return whether a library asked.

        The line is the innermost of the user's; a library asked if its code lies further in. A text
        that Python's own library runs (``timeit``, a doctest) is the user's.
        Everything that the user or a library can call on a traced value begins with this.
        """
        frame: FrameType | None = sys._getframe(2)
        seen = self._seen
        by_library = is_text = False
        while frame is not None:
            code = frame.f_code
            known = seen.get(id(code))
            if known is None:
                known = seen[id(code)] = self.callers.seen(code)
            _, places, asks = known
            if places is not None:
                number = places.get(frame.f_lasti)
                if number is None:
                    number = places[frame.f_lasti] = self._open(self.callers.site(frame))
                self.place = number
                return by_library
            if asks is Asks.TEXT:
                is_text = True
            elif asks and not (is_text and asks is Asks.STANDARD):
                by_library = True  # `timeit` runs the text of the user
            frame = frame.f_back
        self.place = 0
        return True

    def taken(self, array: Array) -> Array:
        """Return the array itself: the script and libraries hold one and the same."""
        return array

    def view(self, source: Traced, plain: Array) -> Any:
        """Trace a view of a traced value, which knows whose memory it looks into."""
        made = super().view(source, plain)
        look_into(made, source)
        return made

    def handle(self, plain: Array, role: str) -> Any:
        """Return the traced array of a plain one that somebody else holds: one, while it lives."""
        known = self.known(plain)
        if known is None:
            known = self._handles[id(plain)] = self.wrap(plain, role)
        return known

    def known(self, plain: Array) -> Any:
        """Return the traced array of a plain one that somebody was given, None for a new one."""
        known = self._handles.get(id(plain))
        is_it = known is not None and known._array is plain and self._fits(known)
        return known if is_it else None

    def _fits(self, traced: Any) -> bool:
        """Return whether nobody gave the array another shape since it was traced."""
        shape, strides, dtype, _ = self.layout(traced)
        plain = traced._array
        return bool((shape, strides, dtype) == (plain.shape, plain.strides, plain.dtype))

    def keep_handle(self, traced: Any) -> None:
        """Make a traced array that one which its plain array comes back as."""
        self._handles[id(traced._array)] = traced

    def line(self) -> Line:
        """Return file and line of the place in force."""
        site = self.sites[self.place]
        return site.file, site.line

    def let_out(self, operand: Any, how: str, nbytes: int | None = None) -> Any:
        """Record that an operand's values leave, and return them plain."""
        self.look()
        return self.let_out_here(operand, how, nbytes)

    def let_out_here(self, operand: Any, how: str, nbytes: int | None = None) -> Any:
        """As :meth:`let_out`, on the line that is in force."""
        if type(operand) is ScriptArray:
            self.keep_handle(operand)  # it may come back: `out`, or what was not to be copied
        if self.recorder is not None or not isinstance(operand, Traced):
            return super().let_out(operand, how, nbytes)
        key = (self.place, how, operand._layout, nbytes)
        known = self._exits.get(key)
        if known is None:
            entry, tally = self.leave(operand, how, nbytes)
            self._exits[key] = entry, tally, entry.operation.traffic.bytes_read
        else:
            entry, tally, moved = known
            entry.calls += 1
            tally[0] += 1
            tally[1] += moved
        return operand._array

    def let_out_together(self, operands: list[Traced], how: str) -> None:
        """Record that the operands of a call leave by one way, once."""
        self.look()
        for operand in operands:
            if type(operand) is ScriptArray:
                self.keep_handle(operand)
        reads: list[Share] = [(operand, None) for operand in operands]
        entry = self.record("escape", Kind.ESCAPE, reads, [], NO_WORK)
        place = self._places[self.place]
        self.escapes.note(how, place.layer, place.phase, entry.operation.traffic.bytes_read)

    def sites_by_place(self) -> dict[Place, Site]:
        """Return the line of source of every place that anything was booked on."""
        return {self._places[number]: site for number, site in self.sites.items()}

    def _open(self, site: Site) -> int:
        known = self._number_of.get(site)
        if known is not None:
            return known
        place = Place(site.file, f"{site.function}:{site.line}", "temporary")
        number = self.place_number(place.layer, place.phase, place.makes)
        self.sites[number] = site
        self._number_of[site] = number
        return number
