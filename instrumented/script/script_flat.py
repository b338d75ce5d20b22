"""``x.flat`` of a traced array that behaves, in the user's code, as NumPy's own iterator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from instrumented.flat import TracedFlat
from instrumented.rules.traffic_rules import Args, Kwargs
from instrumented.script.leaving import (
    AGAIN,
    handed,
    index_of,
    let_out,
    plainly,
    stripped,
    taken_out,
)


class ScriptFlat(TracedFlat):
    """A traced iterator over elements that the user's code takes for NumPy's."""

    __slots__ = ("__weakref__",)
    __doc__ = np.flatiter.__doc__

    @property  # type: ignore[misc]  # read only, and not the truth: what isinstance asks for
    def __class__(self) -> Any:
        return np.flatiter

    def __next__(self) -> Any:
        if self._booking.look():
            element = next(self._iterator)
            self._booking.let_out_here(self.whole, "a library: flat", element.nbytes)
            return element
        return handed(super().__next__())

    def __getitem__(self, index: Any) -> Any:
        if not self._booking.look():
            try:
                return handed(super().__getitem__(index_of(index)))
            except AGAIN:
                pass
        return taken_out(self.whole, self._iterator, index, "indexing")

    def __setitem__(self, index: Any, value: Any) -> None:
        self._booking.look()
        try:
            super().__setitem__(index_of(index), value)
        except AGAIN:
            pass
        else:
            return
        self._iterator[stripped(index, "use as an index")] = stripped(value, "storing")

    def copy(self) -> Any:
        """Return the elements as a new array of one axis."""
        self._booking.look()
        return super().copy()

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if self._booking.look():
            return plainly(getattr(ufunc, method), inputs, kwargs, f"a library: {ufunc.__name__}")
        return super().__array_ufunc__(ufunc, method, *inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Args, kwargs: Kwargs) -> Any:
        how = "a library: " if self._booking.look() else ""
        return plainly(function, args, kwargs, f"{how}{function.__name__}")


ScriptFlat.__name__ = "numpy.flatiter"  # as others' error messages name it
ScriptFlat.__qualname__, ScriptFlat.__module__ = "flatiter", "numpy"


def _comparison(name: str) -> Callable[..., Any]:
    counted = getattr(TracedFlat, name)

    def method(self: ScriptFlat, other: Any) -> Any:
        if self._booking.look():
            plain = let_out(self.whole, "a library: arithmetic").flat
            return getattr(plain, name)(stripped(other, "a library: arithmetic"))
        return counted(self, other)

    method.__name__ = name
    return method


for _name in "lt le gt ge eq ne".split():
    setattr(ScriptFlat, f"__{_name}__", _comparison(f"__{_name}__"))
