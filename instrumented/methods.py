"""Attributes and methods that traced arrays and traced scalars share with NumPy's own."""

from __future__ import annotations

from typing import Any

import numpy as np

from instrumented.books.traced import Traced


class Methods(Traced):
    """Says what is known without reading an element, and hands every method to its function."""

    __slots__ = ()

    __array_function__: Any

    def _call(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """Count a method as the NumPy function that does the same; no types say it is one."""
        return self.__array_function__(function, (), (self, *args), kwargs)

    # ---- what is known without reading an element --------------------------------------

    @property
    def role(self) -> str:
        """Role under which the operand is counted."""
        role: str = self._booking.role(self)
        return role

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return tuple(self._array.shape)

    @property
    def strides(self) -> tuple[int, ...]:
        """Bytes from one element to the next along each axis."""
        return tuple(self._array.strides)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the elements."""
        dtype: np.dtype[Any] = self._array.dtype
        return dtype

    @property
    def flags(self) -> Any:
        """Layout and writability of the memory."""
        return self._array.flags

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self._array.shape)

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(self._array.size)

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return int(self._array.itemsize)

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return int(self._array.nbytes)

    # ---- NumPy's methods ---------------------------------------------------------------

    @property
    def T(self) -> Any:  # noqa: N802 - NumPy's own name
        """The transposed view."""
        return self.transpose()

    @property
    def real(self) -> Any:
        """The real part: a view."""
        return self._call(np.real)

    @property
    def imag(self) -> Any:
        """The imaginary part: a view of a complex array."""
        return self._call(np.imag)

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        """Return a view of another shape, or a counted copy where NumPy must copy."""
        return self._call(np.reshape, shape[0] if len(shape) == 1 else shape, **kwargs)

    def transpose(self, *axes: Any) -> Any:
        """Return a view with the axes permuted."""
        return self._call(np.transpose, axes[0] if len(axes) == 1 else axes or None)

    def swapaxes(self, first: int, second: int) -> Any:
        """Return a view with two axes exchanged."""
        return self._call(np.swapaxes, first, second)

    def squeeze(self, axis: Any = None) -> Any:
        """Return a view without axes of length 1."""
        return self._call(np.squeeze, axis)

    def ravel(self, order: Any = "C") -> Any:
        """Return a flat view, or a counted copy where NumPy must copy."""
        return self._call(np.ravel, order=order)

    def diagonal(self, *args: Any, **kwargs: Any) -> Any:
        """Return a view of the diagonals."""
        return self._call(np.diagonal, *args, **kwargs)

    def repeat(self, repeats: Any, axis: Any = None) -> Any:
        """Return each element several times."""
        return self._call(np.repeat, repeats, axis)

    def take(self, indices: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Gather elements through an index array."""
        return self._call(np.take, indices, axis, *args, **kwargs)

    def choose(self, choices: Any, *args: Any, **kwargs: Any) -> Any:
        """Choose from several arrays; see numpy.choose."""
        return self._call(np.choose, choices, *args, **kwargs)

    def compress(self, condition: Any, axis: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Gather the slices where a condition holds; see numpy.compress."""
        return self.__array_function__(np.compress, (), (condition, self, axis, *args), kwargs)

    def sum(self, *args: Any, **kwargs: Any) -> Any:
        """Sum of elements; see numpy.sum."""
        return self._call(np.sum, *args, **kwargs)

    def prod(self, *args: Any, **kwargs: Any) -> Any:
        """Product of elements; see numpy.prod."""
        return self._call(np.prod, *args, **kwargs)

    def mean(self, *args: Any, **kwargs: Any) -> Any:
        """Arithmetic mean; see numpy.mean."""
        return self._call(np.mean, *args, **kwargs)

    def var(self, *args: Any, **kwargs: Any) -> Any:
        """Variance; see numpy.var."""
        return self._call(np.var, *args, **kwargs)

    def std(self, *args: Any, **kwargs: Any) -> Any:
        """Standard deviation; see numpy.std."""
        return self._call(np.std, *args, **kwargs)

    def max(self, *args: Any, **kwargs: Any) -> Any:
        """Largest element; see numpy.max."""
        return self._call(np.max, *args, **kwargs)

    def min(self, *args: Any, **kwargs: Any) -> Any:
        """Smallest element; see numpy.min."""
        return self._call(np.min, *args, **kwargs)

    def argmax(self, *args: Any, **kwargs: Any) -> Any:
        """Position of the largest element; see numpy.argmax."""
        return self._call(np.argmax, *args, **kwargs)

    def argmin(self, *args: Any, **kwargs: Any) -> Any:
        """Position of the smallest element; see numpy.argmin."""
        return self._call(np.argmin, *args, **kwargs)

    def any(self, *args: Any, **kwargs: Any) -> Any:
        """Whether any element is true; see numpy.any."""
        return self._call(np.any, *args, **kwargs)

    def all(self, *args: Any, **kwargs: Any) -> Any:
        """Whether all elements are true; see numpy.all."""
        return self._call(np.all, *args, **kwargs)

    def cumsum(self, *args: Any, **kwargs: Any) -> Any:
        """Running sums; see numpy.cumsum."""
        return self._call(np.cumsum, *args, **kwargs)

    def cumprod(self, *args: Any, **kwargs: Any) -> Any:
        """Running products; see numpy.cumprod."""
        return self._call(np.cumprod, *args, **kwargs)

    def clip(self, min: Any = None, max: Any = None, *args: Any, **kwargs: Any) -> Any:  # noqa: A002 - NumPy's names
        """Elements limited to a range, which may have one end; see numpy.ndarray.clip."""
        return self._call(np.clip, min, max, *args, **kwargs)

    def round(self, *args: Any, **kwargs: Any) -> Any:
        """Elements rounded; see numpy.round."""
        return self._call(np.round, *args, **kwargs)

    def trace(self, *args: Any, **kwargs: Any) -> Any:
        """Sum along the diagonals; see numpy.trace."""
        return self._call(np.trace, *args, **kwargs)

    def argsort(self, *args: Any, **kwargs: Any) -> Any:
        """Order of the elements; see numpy.argsort."""
        return self._call(np.argsort, *args, **kwargs)

    def searchsorted(self, *args: Any, **kwargs: Any) -> Any:
        """Where values belong in sorted elements; see numpy.searchsorted."""
        return self._call(np.searchsorted, *args, **kwargs)

    def nonzero(self) -> Any:
        """Positions of the elements that are not zero; see numpy.nonzero."""
        return self._call(np.nonzero)

    def conj(self) -> Any:
        """Complex conjugate; real elements stay as they are, unread, as in NumPy."""
        me: Any = self
        if self._array.dtype.kind == "c":
            return np.conjugate(me)
        self._array.conj()  # raises as NumPy does, of dates
        return self

    conjugate = conj
