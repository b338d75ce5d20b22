"""What changed from one run to another: settings, errors, bytes, energy, per layer and phase."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pandas as pd

from ffenergy.costs.decomposition import UNITS as ENERGY_UNITS
from ffenergy.costs.decomposition import energies, exact_total, of_run
from ffenergy.report.columns import UNITS, Column, Table, amount, columns, table
from ffenergy.report.numbers import fixed
from ffenergy.runs.run import Run
from ffenergy.style import ALGORITHM_NAMES, PHASES, in_order, layers_in_order

PLACE: Final = ["algorithm", "layer", "phase"]
ACCOUNTING: Final = "eager"


@dataclass(frozen=True, eq=False)
class ComparedRun:
    """One of the two runs: its name, the run, and its priced steps if it has any."""

    name: str
    run: Run
    steps: pd.DataFrame | None = None
    energy: pd.DataFrame | None = None

    @property
    def profile(self) -> str:
        """Name of the headline profile of its tables, or of the run without; empty without both."""
        if self.energy is not None and not self.energy.empty:
            return str(self.energy["profile"].iloc[0])
        records = self.run.configuration.get("profiles") or []
        return str(records[0]["name"]) if records else ""

    @property
    def memory(self) -> str:
        """The memory that its energies are of; empty without prices."""
        if self.energy is None or self.energy.empty or "memory" not in self.energy:
            return ""
        return str(self.energy["memory"].iloc[0])

    @cached_property
    def moved(self) -> dict[tuple[str, ...], int]:
        """Bytes of the whole run, eager, by algorithm, layer and phase."""
        traffic = self.run.traffic
        moved = traffic.assign(bytes=traffic["bytes_read"] + traffic["bytes_written"])
        groups = moved.groupby(PLACE, sort=False)["bytes"]
        return {tuple(map(str, place)): int(rows.sum()) for place, rows in groups}

    @cached_property
    def spent(self) -> dict[tuple[str, ...], float]:
        """Energy of the whole run, eager, under the headline profile, by the same places."""
        if self.energy is None or self.steps is None:
            return {}
        rows = self.energy[
            (self.energy["accounting"] == ACCOUNTING) & (self.energy["profile"] == self.profile)
        ]
        if rows.empty:
            return {}
        rows = rows.assign(value=energies(rows)[f"energy_{self.unit}"])
        groups = of_run(rows, self.steps).groupby(PLACE, sort=False)["value"]
        return {tuple(map(str, place)): exact_total(v.tolist()) for place, v in groups}

    @cached_property
    def unit(self) -> str:
        """``joules`` or ``macs``; empty without prices."""
        if self.energy is None:
            return ""
        rows = self.energy[self.energy["profile"] == self.profile]
        names = [f"energy_compute_{unit}" for unit in ENERGY_UNITS]
        known = [name for name in names if name in rows and rows[name].notna().all()]
        return known[0].rpartition("_")[2] if known else ""


@dataclass(frozen=True, eq=False)
class Difference:
    """Two runs side by side."""

    before: ComparedRun
    after: ComparedRun

    @cached_property
    def settings(self) -> dict[str, tuple[Any, Any]]:
        """What is set otherwise, by name; data and profiles too."""
        pairs = {
            **self._pairs(*(side.run.settings.to_dict() for side in self.sides)),
            **self._pairs(*(self._facts(side) for side in self.sides)),
        }
        return {name: (a, b) for name, (a, b) in pairs.items() if a != b}

    @property
    def sides(self) -> tuple[ComparedRun, ComparedRun]:
        """Both runs."""
        return self.before, self.after

    @staticmethod
    def _facts(side: ComparedRun) -> dict[str, Any]:
        data = side.run.configuration["data"]
        found = {name: data[name] for name in ("train_images", "test_images", "is_sample")}
        found |= {"traced": bool(side.moved), "profile": side.profile, "memory": side.memory}
        return {"data": data["name"], **found}

    @staticmethod
    def _pairs(a: dict[str, Any], b: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
        return {name: (a.get(name), b.get(name)) for name in dict.fromkeys([*a, *b])}

    @cached_property
    def errors(self) -> pd.DataFrame:
        """Test error and wall time of every algorithm: columns before, after, difference."""
        names = in_order({n for side in self.sides for n in side.run.results}, ALGORITHM_NAMES)
        rows = []
        for name in names:
            a, b = (side.run.results.get(name, {}).get("test_error") for side in self.sides)
            gap = None if a is None or b is None else b - a
            rows.append({"algorithm": name, "before": a, "after": b, "difference": gap})
        return pd.DataFrame(rows, columns=["algorithm", "before", "after", "difference"])

    @cached_property
    def bytes(self) -> pd.DataFrame:
        """Bytes by algorithm, layer and phase, where they differ; a row ``all`` per algorithm."""
        return self._places(self.before.moved, self.after.moved)

    @cached_property
    def energy(self) -> pd.DataFrame:
        """Energy by algorithm, layer and phase; empty unless both are under one profile."""
        priced = {(side.profile, side.memory) for side in self.sides}
        if len(priced) > 1 or not all(side.spent for side in self.sides):
            return self._places({}, {})
        return self._places(self.before.spent, self.after.spent)

    @staticmethod
    def _places(a: dict[tuple[str, ...], Any], b: dict[tuple[str, ...], Any]) -> pd.DataFrame:
        places = list(dict.fromkeys([*a, *b]))
        algorithms = in_order({place[0] for place in places}, ALGORITHM_NAMES)
        rows: list[tuple[Any, ...]] = []
        for name in algorithms:
            totals = [_total(side, name) for side in (a, b)]
            rows.append((name, "all", "all", *totals))
            if None in totals:  # one of the runs has not counted it
                continue
            own = [place for place in places if place[0] == name]
            rows += [
                (name, layer, phase, a.get((name, layer, phase), 0), b.get((name, layer, phase), 0))
                for layer in layers_in_order({place[1] for place in own})
                for phase in in_order({p[2] for p in own if p[1] == layer}, PHASES)
            ]
        table = pd.DataFrame(rows, columns=[*PLACE, "before", "after"])
        for k, name in enumerate(("before", "after"), start=len(PLACE)):
            table[name] = pd.Series([row[k] for row in rows], dtype=object).infer_objects()
        pairs = zip(table["before"].tolist(), table["after"].tolist(), strict=True)
        gaps = [None if pd.isna(a) or pd.isna(b) else b - a for a, b in pairs]
        table["difference"] = pd.Series(gaps, dtype=object).infer_objects()
        changed = (table["difference"] != 0) | (table["layer"] == "all")
        return table[changed].reset_index(drop=True)

    @property
    def error(self) -> str:
        """What the errors of both runs are called; on different images, after both."""
        return " and ".join(dict.fromkeys(side.run.error_on for side in self.sides))

    def alike(self) -> list[str]:
        """Say in sentences what does not differ, and what cannot be compared."""
        found = [] if self.settings else ["Settings are alike."]
        if not _changed(self.errors).any():
            found.append(f"{self.error} errors are alike.".capitalize())
        if not _changed(self.bytes).any():
            found.append("Bytes are alike.")
        if self.energy.empty:
            found.append(
                "Energy is not compared: that takes one headline profile and one memory, and "
                "energy.csv and steps.csv in both runs."
            )
        elif not _changed(self.energy).any():
            found.append("Energy is alike.")
        return found

    def tables(self) -> list[Table]:
        """The tables to print: of algorithms for which something changed."""
        named = columns(["algorithm"])
        shown = [
            *named,
            Column("before", "before", "%", fixed(2)),
            Column("after", "after", "%", fixed(2)),
            Column("difference", "change", "points", fixed(2, signed=True)),
        ]
        found = []
        errors = _of_changed(self.errors)
        if not errors.empty:
            found.append(
                table("errors", f"{self.error} error".capitalize(), "run.json", shown, errors)
            )
        unit = UNITS.get(self.before.unit, "J")
        caption = "{} of the whole run, eager: all, and where {} changed"
        for name, frame, symbol, words in (
            ("bytes", self.bytes, "B", ("Bytes", "they")),
            ("energy", self.energy, unit, ("Energy", "it")),
        ):
            rows = _of_changed(frame)
            if not rows.empty:
                amounts = [amount("before", "before", symbol), amount("after", "after", symbol)]
                change = amount("difference", "change", symbol, signed=True)
                by = [*named, *columns(["layer", "phase"]), *amounts, change]
                found.append(table(name, caption.format(*words), "", by, rows))
        return found

    def document(self) -> dict[str, Any]:
        """What ``--json`` prints."""
        return {
            "before": self.before.name,
            "after": self.after.name,
            "settings": {n: {"before": a, "after": b} for n, (a, b) in self.settings.items()},
            "errors": self.errors.to_dict("records"),
            "bytes": self.bytes.to_dict("records"),
            "energy_unit": UNITS.get(self.before.unit),
            "energy": self.energy.to_dict("records"),
        }


def _total(side: Mapping[tuple[str, ...], Any], algorithm: str) -> Any:
    """The sum over the places of an algorithm; None without any."""
    own = [value for place, value in side.items() if place[0] == algorithm]
    return exact_total(own) if own else None


def _changed(frame: pd.DataFrame) -> pd.Series:
    """Whether a row differs; what only one run has does too."""
    before, after = frame["before"], frame["after"]
    return (before != after) & ~(before.isna() & after.isna())


def _of_changed(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of algorithms that have one that differs."""
    names = frame.loc[_changed(frame), "algorithm"]
    return frame[frame["algorithm"].isin(names)]
