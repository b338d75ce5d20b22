"""``isinstance(x, Union[np.ndarray, float])`` of a traced array.

Up to Python 3.13 a union of typing's asks for the type of a value, which is the instrument's, and
not for the class that the value says it is of, as ``isinstance`` does everywhere else.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import UnionType
from typing import Any, Union

from instrumented.books.traced import Traced
from instrumented.script.script_scalars import plain_kind
from instrumented.script.tracebacks import replaced

UNION: Any = type(Union[int, str])  # noqa: UP007 - the class of what is written so


@contextmanager
def unions_of_plain_types() -> Iterator[None]:
    """Have unions ask for the type that a traced value has in NumPy."""
    if UNION is UnionType:
        yield
        return
    with replaced(UNION, "__instancecheck__", _is_instance):
        yield


def _is_instance(union: Any, value: Any) -> bool:
    kind = plain_kind(value) if isinstance(value, Traced) else type(value)
    return issubclass(kind, union)
