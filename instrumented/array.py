"""A NumPy array that writes down every byte it moves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from instrumented.books.operand import Array
from instrumented.errors import EscapeError

if TYPE_CHECKING:
    from instrumented.trace import Trace


class TracedArray(NDArrayOperatorsMixin):
    """Wraps a NumPy array and counts, in its :class:`Trace`, whatever is done with it.

    Behaves like the array (operators, ufuncs, NumPy functions, indexing, the usual methods)
    and gives the same values bit for bit, but its results are traced arrays too. Views share
    memory as in NumPy. Values come out through :meth:`escape` alone. Made by
    ``trace.array(…)``, ``trace.made(…)`` and by operations, never directly.
    """

    __slots__ = ("_array", "_layout", "_trace")

    def __init__(self, trace: Trace, array: Array, layout: int) -> None:
        self._trace = trace
        self._array = array
        self._layout = layout

    # ---- NumPy's protocols -------------------------------------------------------------

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return self._trace._apply_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(
        self, function: Any, types: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        return self._trace._apply_function(function, args, kwargs)

    def __pow__(self, exponent: Any) -> Any:
        return self._trace._power(self, exponent, None)

    def __ipow__(self, exponent: Any) -> Any:
        return self._trace._power(self, exponent, self)

    def __getitem__(self, index: Any) -> Any:
        return self._trace._read_item(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        self._trace._store_item(self, index, value)

    def __iter__(self) -> Iterator[TracedArray]:
        return (self[row] for row in range(len(self)))

    def __len__(self) -> int:
        return len(self._array)

    # ---- the way out -------------------------------------------------------------------

    def escape(self) -> Any:
        """Let the values out, on the record; see :meth:`Trace.escape`."""
        return self._trace.escape(self)

    def _refuse(self, what: str) -> NoReturn:
        raise EscapeError(
            f"{what} would take values of {self!r} out of the trace unseen; "
            "call .escape() to take them out on the record"
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> NoReturn:
        self._refuse("numpy.asarray")

    def __float__(self) -> float:
        self._refuse("float()")

    def __int__(self) -> int:
        self._refuse("int()")

    def __complex__(self) -> complex:
        self._refuse("complex()")

    def __index__(self) -> int:
        self._refuse("use as an index")

    def __bool__(self) -> bool:
        self._refuse("bool()")

    def __contains__(self, value: Any) -> bool:
        self._refuse("the in operator")

    def item(self, *index: Any) -> NoReturn:
        """Refuse: values come out through :meth:`escape` alone."""
        self._refuse("item()")

    def tolist(self) -> NoReturn:
        """Refuse: values come out through :meth:`escape` alone."""
        self._refuse("tolist()")

    def tobytes(self, order: str = "C") -> NoReturn:
        """Refuse: values come out through :meth:`escape` alone."""
        self._refuse("tobytes()")

    def __reduce__(self) -> NoReturn:
        self._refuse("pickling")

    def __repr__(self) -> str:
        return f"TracedArray(shape={self.shape}, dtype={self.dtype}, role={self.role!r})"

    # ---- what is known without reading an element --------------------------------------

    @property
    def role(self) -> str:
        """Role under which the operand is counted."""
        return self._trace._role_of(self)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(self._array.shape)

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis."""
        return self._array.strides

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        return self._array.dtype

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return self._array.ndim

    @property
    def size(self) -> int:
        """Number of elements."""
        return self._array.size

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self._array.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes

    # ---- views -------------------------------------------------------------------------

    @property
    def T(self) -> TracedArray:  # noqa: N802 - NumPy's own name
        """The transposed view."""
        return self._view(self._array.T)

    @property
    def mT(self) -> TracedArray:  # noqa: N802 - NumPy's own name
        """The view with the last two axes exchanged."""
        return self._view(self._array.mT)

    @property
    def real(self) -> Any:
        """The real part: a view."""
        return np.real(self)

    @property
    def imag(self) -> Any:
        """The imaginary part: a view of a complex array."""
        return np.imag(self)

    def _view(self, array: Array) -> TracedArray:
        return self._trace._wrap(array, self.role)

    def view(self, dtype: Any) -> TracedArray:
        """Return the same bytes under another dtype."""
        return self._view(self._array.view(dtype))

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """Return a view of another shape, or a counted copy where NumPy must copy."""
        return np.reshape(self, shape[0] if len(shape) == 1 else shape, **kwargs)

    def transpose(self, *axes: Any) -> TracedArray:
        """Return a view with the axes permuted."""
        return self._view(self._array.transpose(*axes))

    def swapaxes(self, first: int, second: int) -> Any:
        """Return a view with two axes exchanged."""
        return np.swapaxes(self, first, second)

    def squeeze(self, axis: Any = None) -> Any:
        """Return a view without axes of length 1."""
        return np.squeeze(self, axis)

    def ravel(self, order: Any = "C") -> Any:
        """Return a flat view, or a counted copy where NumPy must copy."""
        return np.ravel(self, order=order)

    def diagonal(self, *args: Any, **kwargs: Any) -> Any:
        """Return a view of the diagonals."""
        return np.diagonal(self, *args, **kwargs)

    # ---- copies ------------------------------------------------------------------------

    def flatten(self, order: Any = "C") -> Any:
        """Return a flat copy."""
        return np.ravel(np.copy(self, order=order), order=order)

    def copy(self, order: Any = "C") -> Any:
        """Return a copy."""
        return np.copy(self, order=order)

    def astype(self, dtype: Any, copy: bool = True) -> Any:
        """Return the elements converted to another dtype."""
        return np.astype(self, dtype, copy=copy)  # type: ignore[call-overload]

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        """Return each element several times."""
        return np.repeat(self, repeats, axis)

    def take(self, indices: Any, axis: Any = None, **kwargs: Any) -> Any:
        """Gather elements through an index array."""
        return np.take(self, indices, axis, **kwargs)

    def fill(self, value: Any) -> None:
        """Write one value everywhere."""
        self[...] = value

    # ---- reductions and the like -------------------------------------------------------

    def sum(self, *args: Any, **kwargs: Any) -> Any:
        """Sum of elements; see numpy.sum."""
        return np.sum(self, *args, **kwargs)

    def prod(self, *args: Any, **kwargs: Any) -> Any:
        """Product of elements; see numpy.prod."""
        return np.prod(self, *args, **kwargs)

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """Arithmetic mean; see numpy.mean."""
        return np.mean(self, *args, **kwargs)

    def var(self, *args: Any, **kwargs: Any) -> Any:
        """Variance; see numpy.var."""
        return np.var(self, *args, **kwargs)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        """Standard deviation; see numpy.std."""
        return np.std(self, *args, **kwargs)

    def max(self, *args: Any, **kwargs: Any) -> Any:
        """Largest element; see numpy.max."""
        return np.max(self, *args, **kwargs)

    def min(self, *args: Any, **kwargs: Any) -> Any:
        """Smallest element; see numpy.min."""
        return np.min(self, *args, **kwargs)

    def argmax(self, *args: Any, **kwargs: Any) -> Any:
        """Position of the largest element; see numpy.argmax."""
        return np.argmax(self, *args, **kwargs)

    def argmin(self, *args: Any, **kwargs: Any) -> Any:
        """Position of the smallest element; see numpy.argmin."""
        return np.argmin(self, *args, **kwargs)

    def any(self, *args: Any, **kwargs: Any) -> Any:
        """Whether any element is true; see numpy.any."""
        return np.any(self, *args, **kwargs)

    def all(self, *args: Any, **kwargs: Any) -> Any:
        """Whether all elements are true; see numpy.all."""
        return np.all(self, *args, **kwargs)

    def cumsum(self, *args: Any, **kwargs: Any) -> Any:
        """Running sums; see numpy.cumsum."""
        return np.cumsum(self, *args, **kwargs)

    def cumprod(self, *args: Any, **kwargs: Any) -> Any:
        """Running products; see numpy.cumprod."""
        return np.cumprod(self, *args, **kwargs)

    def clip(self, *args: Any, **kwargs: Any) -> Any:
        """Elements limited to a range; see numpy.clip."""
        return np.clip(self, *args, **kwargs)

    def round(self, *args: Any, **kwargs: Any) -> Any:
        """Elements rounded; see numpy.round."""
        return np.round(self, *args, **kwargs)

    def dot(self, other: Any, out: Any = None) -> Any:
        """Dot product; see numpy.dot."""
        return np.dot(self, other) if out is None else np.dot(self, other, out=out)

    def argsort(self, *args: Any, **kwargs: Any) -> Any:
        """Order of the elements; see numpy.argsort."""
        return np.argsort(self, *args, **kwargs)

    def nonzero(self) -> Any:
        """Positions of the elements that are not zero; see numpy.nonzero."""
        return np.nonzero(self)

    def conj(self) -> Any:
        """Complex conjugate; see numpy.conjugate."""
        return np.conjugate(self)
