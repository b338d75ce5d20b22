"""Profiles from TOML, checked against the schema: nothing unknown, nothing missing, no zero."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn, TypeVar, cast

from ffenergy.energy.constant import Certainty, Constant, EnergyUnit
from ffenergy.energy.profile import Grid, Level, Operations, Profile, Wire
from ffenergy.errors import ProfileError
from ffenergy.files.documents import parse_toml

T = TypeVar("T")

BUNDLED = "profiles.toml"
NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
CONSTANT_KEYS = ("value", "unit", "source", "certainty", "note")
MEMORY = ("levels", "wire", "grid")
LEAST, MOST = 1e-30, 1e30
"""Of a number in any unit: what it is multiplied with, bytes or draws, leaves it finite."""
PROFILE_KEYS = ("title", "process", "convention", "energy_unit", "compute")


def profiles() -> dict[str, Profile]:
    """Return the profiles that come with ffenergy, by name."""
    return dict(_bundled())


def load_profile(name_or_path: str | Path) -> Profile:
    """Load a bundled profile by name, or the one profile of a user's TOML file.

    Anything that is neither a bundled name nor a file raises :class:`ProfileError`, as does a
    file that breaks the schema or holds more than one profile; the message is one line.
    """
    if not isinstance(name_or_path, (str, Path)):
        raise ProfileError(f"a profile is named by a text or a path, not by {name_or_path!r}")
    if str(name_or_path) in _bundled():
        return _bundled()[str(name_or_path)]
    path = Path(name_or_path)
    if not path.is_file():
        what = f"{name_or_path}: neither a profile nor a file"
        if not str(name_or_path):
            what = "the name of a profile is empty"
        raise ProfileError(f"{what}; choose one of {', '.join(_bundled())}, or name a TOML file")
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ProfileError(f"{path}: cannot be read ({error}); give a UTF-8 TOML file") from error
    found = parse_profiles(text, str(path))
    if len(found) != 1:
        raise ProfileError(f"{path}: holds {len(found)} profiles ({', '.join(found)}); keep one")
    return next(iter(found.values()))


@cache
def _bundled() -> Mapping[str, Profile]:
    text = files("ffenergy.energy").joinpath(BUNDLED).read_text(encoding="utf-8")
    return MappingProxyType(parse_profiles(text, BUNDLED))


def parse_profiles(text: str, file: str) -> dict[str, Profile]:
    """Parse the TOML `text`; `file` is its name in messages."""
    try:
        document = parse_toml(text)
    except ValueError as error:
        raise ProfileError(f"{file}: not valid TOML: {error}; correct that line") from error
    root = _Table(file, "", document, {})
    root.expect((), ("sources", "profiles"))
    sources = root.table("sources").strings() if "sources" in document else {}
    if document.get("profiles", {}) == {}:
        root.fail("profiles", "is missing or empty", "add a table [profiles.NAME]")
    found = root.table("profiles", sources)
    return {name: _profile(name, _whole(found.table(name), found)) for name in found.data}


def _whole(table: _Table, siblings: _Table) -> _Table:
    """A profile with what it takes over from the one that it is ``based_on``.

    What both have is its own: a whole key, of ``compute`` a dtype. Memory is never mixed: with
    levels, a wire or a grid of its own it takes none over.
    """
    if "based_on" not in table.data:
        return table
    name = table.text("based_on")
    base: Mapping[str, Any]
    sources = siblings.sources
    if name in siblings.data:
        base = siblings.table(name).data
    elif siblings.file != BUNDLED and name in _bundled_document()["profiles"]:
        bundled = _bundled_document()
        base = bundled["profiles"][name]
        sources = {**bundled["sources"], **sources}
    else:
        every = _bundled_document()["profiles"].items()
        bases = ", ".join(known for known, one in every if "based_on" not in one)
        table.fail("based_on", f"{name!r} is no profile", f"name one of this file, or of {bases}")
    if "based_on" in base:
        table.fail("based_on", f"{name!r} is itself based on another", "name that one")
    own = {key: value for key, value in table.data.items() if key != "based_on"}
    kept = {
        key: value
        for key, value in base.items()
        if not (key in MEMORY and any(kind in own for kind in MEMORY))
        and not (key == "level_energy" and any(kind in own for kind in MEMORY[1:]))
    }
    merged = {**kept, **own}
    known = base.get("compute")
    if isinstance(own.get("compute"), dict) and isinstance(known, dict):
        merged["compute"] = {**known, **own["compute"]}
    return _Table(table.file, table.where, merged, sources)


@cache
def _bundled_document() -> Mapping[str, Any]:
    return parse_toml(files("ffenergy.energy").joinpath(BUNDLED).read_text(encoding="utf-8"))


@dataclass(frozen=True)
class _Table:
    """A TOML table with its place in the file, so that every complaint can name it."""

    file: str
    where: str
    data: Mapping[str, Any]
    sources: Mapping[str, str] = field(repr=False)

    def key(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def fail(self, key: str, problem: str, remedy: str) -> NoReturn:
        place = f"{self.file}: {self.key(key)}" if key else f"{self.file}: {self.where}"
        raise ProfileError(f"{place}: {problem}; {remedy}")

    def expect(self, required: Collection[str], optional: Collection[str] = ()) -> None:
        allowed = [*required, *optional]
        for key in self.data:
            if key not in allowed:
                self.fail(key, "unknown key", f"use only {', '.join(allowed)}")
        for key in required:
            if key not in self.data:
                self.fail(key, "missing", "add it; a missing number is never taken as zero")

    def table(self, key: str, sources: Mapping[str, str] | None = None) -> _Table:
        data = self.data[key]
        if not isinstance(data, dict):
            self.fail(key, f"is {type(data).__name__}, not a table", "write it as a table")
        return _Table(self.file, self.key(key), data, sources or self.sources)

    def tables(self, key: str) -> list[_Table]:
        data = self.data[key]
        if not isinstance(data, list) or not data or not all(isinstance(d, dict) for d in data):
            self.fail(key, "is not a list of tables", f"write [[{self.key(key)}]] entries")
        return [
            _Table(self.file, f"{self.key(key)}[{number}]", entry, self.sources)
            for number, entry in enumerate(data, start=1)
        ]

    def text(self, key: str) -> str:
        data = self.data[key]
        if not isinstance(data, str) or not data.strip():
            self.fail(key, f"is {data!r}, not text", "write a non-empty string")
        return data

    def strings(self) -> dict[str, str]:
        return {key: self.text(key) for key in self.data}

    def number(self, key: str) -> float:
        data = self.data[key]
        if isinstance(data, bool) or not isinstance(data, int | float):
            self.fail(key, f"is {data!r}, not a number", "give a number")
        try:
            value = float(data)
        except OverflowError:
            value = math.inf
        if not LEAST <= value <= MOST:
            what = f"give a finite number greater than zero, from {LEAST:g} to {MOST:g}"
            self.fail(key, f"is {value:g}", what)
        return value

    def constant(self, key: str) -> Constant:
        table = self.table(key)
        table.expect(CONSTANT_KEYS, ("low", "high"))
        certainty = table.text("certainty")
        if certainty not in set(Certainty):
            table.fail("certainty", f"is {certainty!r}", f"use one of {', '.join(Certainty)}")
        source = table.text("source")
        if source not in self.sources:
            table.fail("source", f"{source!r} is not in [sources]", "add the full reference there")
        ends = {end: table.number(end) for end in ("low", "high") if end in table.data}
        if len(ends) == 1:
            table.fail(
                next(iter(ends)), "is one end of a range", "give both low and high, or neither"
            )
        value = table.number("value")
        if not ends.get("low", value) <= value <= ends.get("high", value):
            table.fail("value", f"{value} is outside low to high", "order low <= value <= high")
        return Constant(
            value=value,
            unit=table.text("unit"),
            source=self.sources[source],
            certainty=Certainty(certainty),
            note=table.text("note"),
            low=ends.get("low"),
            high=ends.get("high"),
        )


def _profile(name: str, table: _Table) -> Profile:
    table.expect(
        PROFILE_KEYS,
        ("voltage", "word_bytes", "compute_as", "level_energy", *MEMORY),
    )
    _check_name(table, "", name)
    unit = table.text("energy_unit")
    if unit not in ("pJ", "MAC"):
        table.fail("energy_unit", f"is {unit!r}", "use pJ or MAC")
    energy_unit = cast(EnergyUnit, unit)
    if sum(kind in table.data for kind in MEMORY) != 1:
        table.fail("", "needs one of levels, wire and grid", "give one and leave out the others")
    voltage = table.constant("voltage") if "voltage" in table.data else None
    if voltage is not None:
        _convert(table, "voltage", lambda: voltage.number("V"))
    word = table.constant("word_bytes") if "word_bytes" in table.data else None
    word_bytes = _convert(table, "word_bytes", word.bytes) if word is not None else None
    compute = {
        dtype: _operations(table.table("compute").table(dtype), energy_unit)
        for dtype in table.table("compute").data
    }
    if not compute:
        table.fail("compute", "is empty", "add a table per dtype, for example compute.float32")
    served_by = table.table("compute_as").strings() if "compute_as" in table.data else {}
    for dtype, other in served_by.items():
        if dtype in compute or other not in compute:
            table.fail(f"compute_as.{dtype}", f"= {other!r}", "map a new dtype to one in compute")
    return Profile(
        name=name,
        title=table.text("title"),
        process=table.text("process"),
        convention=table.text("convention"),
        energy_unit=energy_unit,
        compute=MappingProxyType(compute),
        compute_as=MappingProxyType(served_by),
        levels=_levels(table, energy_unit, word_bytes) if "levels" in table.data else (),
        wire=_wire(table, energy_unit) if "wire" in table.data else None,
        grid=_grid(table, energy_unit) if "grid" in table.data else None,
        voltage=voltage,
        word_bytes=word,
    )


def _operations(table: _Table, energy_unit: EnergyUnit) -> Operations:
    table.expect(("add", "multiply", "special"))
    constants = {kind: table.constant(kind) for kind in ("add", "multiply", "special")}
    for kind, constant in constants.items():
        _convert(table, kind, partial(constant.energy, energy_unit))
    return Operations(**constants)


def _levels(table: _Table, energy_unit: EnergyUnit, word_bytes: float | None) -> tuple[Level, ...]:
    if "level_energy" not in table.data:
        table.fail("level_energy", "missing", "say whether level energies are total or increment")
    kind = table.text("level_energy")
    if kind not in ("total", "increment"):
        table.fail("level_energy", f"is {kind!r}", "use total or increment")
    entries = table.tables("levels")
    levels: list[Level] = []
    for number, entry in enumerate(entries, start=1):
        last = number == len(entries)
        entry.expect(("name", "read", "write") if last else ("name", "capacity", "read", "write"))
        name = entry.text("name")
        _check_name(entry, "name", name)
        if name in {level.name for level in levels}:
            entry.fail("name", f"{name!r} is used twice", "give every level its own name")
        capacity = None if last else entry.constant("capacity")
        if capacity is not None:
            nbytes = _convert(entry, "capacity", capacity.bytes)
            if levels and nbytes <= (levels[-1].capacity_bytes or 0):
                entry.fail(
                    "capacity",
                    f"{nbytes} B is not larger than the level before",
                    "order the levels from the smallest to the largest",
                )
        read, write = entry.constant("read"), entry.constant("write")
        passed = levels[-1] if levels and kind == "increment" else None
        levels.append(
            Level(
                name=name,
                capacity=capacity,
                read=read,
                write=write,
                read_per_byte=(passed.read_per_byte if passed else 0.0)
                + _per_byte(entry, "read", read, energy_unit, word_bytes),
                write_per_byte=(passed.write_per_byte if passed else 0.0)
                + _per_byte(entry, "write", write, energy_unit, word_bytes),
            )
        )
    return tuple(levels)


def _per_byte(
    table: _Table, key: str, constant: Constant, energy_unit: EnergyUnit, word: float | None
) -> float:
    return _convert(table, key, lambda: constant.energy_per_byte(energy_unit, word))


def _wire(profile: _Table, energy_unit: EnergyUnit) -> Wire:
    table = profile.table("wire")
    if "level_energy" in profile.data:
        profile.fail("level_energy", "has no meaning in a wire model", "leave it out")
    table.expect(Wire.__slots__)
    constants = {key: table.constant(key) for key in Wire.__slots__}
    wire = Wire(**constants)
    _convert(table, "transport", lambda: wire.transport.energy_per_byte_mm(energy_unit))
    _convert(table, "access_read", lambda: wire.access_read.energy_per_byte(energy_unit))
    _convert(table, "access_write", lambda: wire.access_write.energy_per_byte(energy_unit))
    _convert(table, "area", wire.area.mm2_per_byte)
    _convert(table, "distance_factor", lambda: wire.distance_factor.number("1"))
    return wire


def _grid(profile: _Table, energy_unit: EnergyUnit) -> Grid:
    table = profile.table("grid")
    if "level_energy" in profile.data:
        profile.fail("level_energy", "has no meaning on a grid", "leave it out")
    table.expect(Grid.__slots__)
    grid = Grid(**{key: table.constant(key) for key in Grid.__slots__})
    for key in Grid.__slots__:
        _per_byte(table, key, getattr(grid, key), energy_unit, None)
    return grid


def _check_name(table: _Table, key: str, name: str) -> None:
    if not NAME.fullmatch(name):
        table.fail(key, f"name {name!r}", "use lower-case letters, digits and hyphens")


def _convert(table: _Table, key: str, conversion: Callable[[], T]) -> T:
    """Run a unit conversion; a foreign unit becomes a complaint about `key`."""
    try:
        return conversion()
    except ValueError as error:
        table.fail(key, str(error), "correct unit or value")
