"""A report for programs: what ``--json`` prints; its keys are those of ``schemas/report.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pandas as pd

from ffenergy.report import headline
from ffenergy.report.book import Book
from ffenergy.report.columns import UNITS

FORMAT: Final = 1
ANSWER: Final = (
    *("backprop", "forward_forward", "saved", "added_back", "normalisation"),
    *("kept", "kept_share", "normalisation_share"),
)


def report(book: Book, path: str | None) -> dict[str, Any]:
    """Return everything of the first screen, exact: settings, figures, ratios, the answer."""
    configuration = book.run.configuration
    told = headline.short_answer(book)
    return {
        "format": FORMAT,
        "path": path,
        "base": book.base,
        "status": configuration.get("status", "complete"),
        "command": configuration.get("command"),
        "settings": configuration.get("settings"),
        "data": configuration.get("data"),
        "profile": book.headline or None,
        "energy_unit": UNITS.get(book.unit),
        "scenario": book.scenario,
        "algorithms": {
            name: {"scenarios": _scenarios(book, name), **values}
            for name, values in headline.of_algorithms(book).items()
        },
        "ratios": headline.ratios(book),
        "answer": None
        if told is None
        else {
            **{name: getattr(told, name) for name in ANSWER},
            "scenario": book.scenario,
            "sentences": headline.sentences(book),
        },
        "warnings": headline.warnings(book),
    }


def _scenarios(book: Book, algorithm: str) -> dict[str, Any]:
    table = book.scenarios
    rows = table[table["algorithm"] == algorithm]
    keys = {"algorithm", "scenario"}
    return {
        str(row["scenario"]): {
            str(name): None if pd.isna(value) else value
            for name, value in row.items()
            if name not in keys
        }
        for row in rows.to_dict("records")
    }


def dumped(document: Mapping[str, Any] | list[Any]) -> str:
    """A document as JSON text."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
