"""JSON and TOML that somebody else may have written: parsed, and held against a table of types."""

from __future__ import annotations

import hashlib
import json
import math
import reprlib
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from types import UnionType
from typing import Any, Final

import numpy as np

Wanted = type | UnionType | list[Any] | dict[Any, Any]
"""What a value must be: a type or several, ``[wanted]`` for a list, or a table of keys.

A key that ends in "?" may be missing, and the key ``str`` stands for all keys not named.
"""

NUMBER: Final = int | float
NUMBER_OR_NULL: Final = int | float | None
"""A figure of a run; null stands for NaN, which JSON does not have."""
LARGEST: Final = 2**63  # whole numbers below it fit the columns of tables
MOST_BYTES: Final = 2**28  # of a document; those of long runs have some thousands
SEAL: Final = "sha256"
"""Last key of a document that was written here: the SHA-256 of all the others."""
NAMES: Final[dict[Any, str]] = {
    str: "text",
    bool: "true or false",
    int: "a whole number below 2^63",
    int | None: "a whole number below 2^63 or null",
    NUMBER: "a number",
    NUMBER_OR_NULL: "a number or null",
}


def read_text(path: Path) -> str:
    """Read a document; raises OSError, and ValueError for one that is too large or no UTF-8."""
    with path.open("rb") as stream:
        content = stream.read(MOST_BYTES + 1)
    if len(content) > MOST_BYTES:
        raise ValueError(f"it is larger than {MOST_BYTES // 2**20} MiB")
    return content.decode("utf-8")


def parse_json(text: str) -> Any:
    """Parse JSON; raises ValueError with a reason in one line."""
    return _parsed(json.loads, text)


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML, after a byte order mark or not; raises ValueError with a reason in one line."""
    found: dict[str, Any] = _parsed(tomllib.loads, text.removeprefix("\ufeff"))
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


def sealed(document: Mapping[str, Any]) -> str:
    """Return the document as JSON text with its seal, so that a change of it is found out."""
    whole = plain({name: value for name, value in document.items() if name != SEAL})
    whole[SEAL] = seal(whole)
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def seal(document: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a document, as JSON without spaces, keys in order, without its seal."""
    rest = {name: value for name, value in document.items() if name != SEAL}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def check_seal(document: Mapping[str, Any], *, needed: bool = False) -> None:
    """Raise ValueError unless the document is as it was written.

    One without a seal may be: earlier versions wrote none. Where it is `needed` it was lost.
    """
    if (needed or SEAL in document) and document.get(SEAL) != seal(document):
        raise ValueError("it was changed since it was written (its checksum does not fit)")


def plain(value: Any) -> Any:
    """Return `value` as JSON can hold it.

    JSON has no NaN, no NumPy scalars and no tuples: null, numbers and lists instead.
    """
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Path):
        return str(value)
    return value


def _joined(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
