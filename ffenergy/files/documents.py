"""JSON and TOML that somebody else may have written: parsed, and held against a table of types."""

from __future__ import annotations

import json
import reprlib
import tomllib
from collections.abc import Callable
from types import UnionType
from typing import Any, Final

Wanted = type | UnionType | list[Any] | dict[Any, Any]
"""What a value must be: a type or several, ``[wanted]`` for a list, or a table of keys.

A key that ends in "?" may be missing, and the key ``str`` stands for all keys not named.
"""

NUMBER: Final = int | float
NUMBER_OR_NULL: Final = int | float | None
"""A figure of a run; null stands for NaN, which JSON does not have."""
LARGEST: Final = 2**63  # whole numbers below it fit the columns of tables
NAMES: Final[dict[Any, str]] = {
    str: "text",
    bool: "true or false",
    int: "a whole number below 2^63",
    int | None: "a whole number below 2^63 or null",
    NUMBER: "a number",
    NUMBER_OR_NULL: "a number or null",
}


def parse_json(text: str) -> Any:
    """Parse JSON; raises ValueError with a reason in one line."""
    return _parsed(json.loads, text)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML; raises ValueError with a reason in one line."""
    found: dict[str, Any] = _parsed(tomllib.loads, text)
    return found


def _parsed(parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except (json.JSONDecodeError, tomllib.TOMLDecodeError):
        raise
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    except ValueError:
        raise ValueError("it has a number of too many digits") from None


def check(value: Any, wanted: Wanted, place: str = "") -> None:
    """Raise ValueError, naming the place in the document, unless ``value`` is as ``wanted``."""
    if isinstance(wanted, dict):
        _check_type(value, dict, "a table of keys", place)
        for name in wanted:
            if name is not str and not name.endswith("?") and name not in value:
                raise ValueError(f"{_joined(place, name)} is missing")
        for name, item in value.items():
            known = wanted.get(name, wanted.get(f"{name}?", wanted.get(str)))
            if known is not None:
                check(item, known, _joined(place, name))
    elif isinstance(wanted, list):
        _check_type(value, list, "a list", place)
        for number, item in enumerate(value, start=1):
            check(item, wanted[0], f"{place}[{number}]")
    else:
        _check_type(value, wanted, NAMES.get(wanted, "a table of keys"), place)


def _check_type(value: Any, wanted: type | UnionType, name: str, place: str) -> None:
    fits = isinstance(value, wanted)
    if isinstance(value, bool):  # which Python takes for an integer
        fits = wanted is bool
    elif isinstance(value, int):
        fits = fits and abs(value) < LARGEST
    if not fits:
        raise ValueError(f"{place or 'it'} is {reprlib.repr(value)}, not {name}")


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
