"""The screen after a script: what it moved, where, by which operations, and what left."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import Any

import pandas as pd

from instrumented.script.callers import NOWHERE, Site
from instrumented.script.tables import Tables, as_rows, source_line

LINES_SHOWN = 7
OPERATIONS_SHOWN = 5
ESCAPES_SHOWN = 5
CODE_WIDTH = 44
FILE_WIDTH = 32
WIDTH = 96

DECIMAL = ("", "k", "M", "G", "T", "P")


def screen(tables: Tables, scope: str) -> str:
    """Return the screen as text, at most some thirty lines of it."""
    parts = [_headline(tables)]
    if tables.moved.operations:
        parts += [_places(tables, scope), _operations(tables)]
    if len(tables.escapes):
        parts.append(_escapes(tables))
    parts.append(_cautions(tables))
    return "\n".join(part for part in parts if part)


def _headline(tables: Tables) -> str:
    moved, finished = tables.moved, tables.finished
    if not moved.operations:
        return (
            f"{finished.name} did nothing with NumPy arrays that could be counted"
            " (only the script's own code is traced, not libraries)"
        )
    left = int(tables.escapes["calls"].sum())
    text = (
        f"{finished.name} moved {quantity(moved.bytes_moved, 'B')} for "
        f"{quantity(moved.flops, 'flop')}"
    )
    if moved.flops:
        text += f": {_ratio(moved.bytes_per_flop)} bytes a flop"
    text += f"; {left:,} {'value' if left == 1 else 'values'} left the trace"
    if left:
        first = as_rows(tables.escapes.head(1))[0]
        where = _left_at(tables, first)
        text += f" ({where}: {first['how']}, {_times(int(first['calls']))})"
    return text


def _places(tables: Tables, scope: str) -> str:
    rows = tables.by_scope(scope)
    only_the_script = _only_the_script(tables, rows)
    whole = max(tables.moved.bytes_moved, 1)
    lines = []
    for row in as_rows(rows.head(LINES_SHOWN)):
        nbytes = row["bytes_read"] + row["bytes_written"]
        if scope == "line":
            site = Site(row["file"], row["function"], row["line"])
            where = str(row["line"])
            where = where if only_the_script else f"{_near(row['file'])}:{where}"
            what = source_line(tables.finished, site)
        else:
            where, what = _near(row["file"]), row["function"] if scope == "function" else ""
        figures = (
            f"{quantity(nbytes, 'B'):>9}  {100 * nbytes / whole:4.0f} %"
            f"  {quantity(row['flops'], 'flop'):>12}"
        )
        lines.append((where, _shortened(what), figures))
    wide = max(len(where) for where, *_ in lines)
    wide = max(wide, len(scope))
    longest = max(len("code"), *(len(what) for _, what, _ in lines))
    head = {"line": "code", "function": "function", "file": ""}[scope]
    title = "line" if scope == "line" else "file"
    text = [f"\n  {title:>{wide}}  {head:<{longest}}  {'moved':>9}   share  {'computed':>12}"]
    text += [f"  {where:>{wide}}  {what:<{longest}}  {figures}" for where, what, figures in lines]
    rest = len(rows) - len(lines)
    if rest > 0:
        noun = scope if rest == 1 else f"{scope}s"
        text.append(f"  … {rest:,} more {noun}")
    return "\n".join(text)


def _operations(tables: Tables) -> str:
    whole = max(tables.moved.bytes_moved, 1)
    named = [
        f"{row['operation']} {_percent((row['bytes_read'] + row['bytes_written']) / whole)}"
        for row in as_rows(tables.by_operation.head(OPERATIONS_SHOWN))
    ]
    return f"\n  operations: {', '.join(named)}"


def _escapes(tables: Tables) -> str:
    rows = tables.escapes
    lines = ["\n  left the trace"]
    for row in as_rows(rows.head(ESCAPES_SHOWN)):
        where = _left_at(tables, row)
        lines.append(
            f"    {where}: {row['how']}, {_times(row['calls'])}, {quantity(row['bytes_read'], 'B')}"
        )
    rest = len(rows) - ESCAPES_SHOWN
    if rest > 0:
        lines.append(f"    … {rest:,} more")
    return "\n".join(lines)


def _cautions(tables: Tables) -> str:
    said = []
    calls, nbytes = tables.single_numbers
    if calls and tables.steered:
        said.append(
            f"Control flow runs on values: {_times(tables.steered)} one became a Python number, an "
            "index or a decision, so other data may move other bytes. Single numbers make "
            f"{_percent(nbytes / max(tables.moved.bytes_moved, 1))} of the traffic and "
            f"{_percent(calls / tables.moved.operations)} of the operations."
        )
    shapes = tables.data_dependent
    if len(shapes):
        said.append(
            f"Shapes that hang on values: {', '.join(sorted(set(shapes['operation']))[:4])}"
            f" ({_times(int(shapes['calls'].sum()))})."
        )
    if tables.finished.processes:
        said.append("What other processes of the script did is not counted.")
    said.append(
        "Counts: eager.  All: --csv, --json, --html FILE.  Joules: --profile NAME.  "
        "Memory: --levels."
    )
    return "\n" + "\n".join(textwrap.indent(textwrap.fill(line, WIDTH), "  ") for line in said)


def levels_text(levels: pd.DataFrame, names: Sequence[str]) -> str:
    """Return bytes served by each memory level, in the order of ``names``, as a few lines."""
    summed = levels.groupby("level")[["bytes_read", "bytes_written"]].sum()
    of = _named(levels, "memory", "grain")
    lines = [f"\n  {'served by':<16} {'read':>10} {'written':>10}{of}"]
    for name, read, written in summed.reindex(list(names), fill_value=0).itertuples():
        lines.append(f"  {name!s:<16} {quantity(read, 'B'):>10} {quantity(written, 'B'):>10}")
    return "\n".join(lines)


def energy_text(energy: pd.DataFrame) -> str:
    """Return the energy of a script as a few lines: the whole, arithmetic, levels fastest first."""
    column = next(name for name in energy.columns if name.startswith("energy_"))
    unit = column.removeprefix("energy_")
    whole = float(energy[column].sum())
    of = _named(energy, "profile", "memory", "grain")
    lines = [f"\n  {'energy (estimate)':<16} {whole:>12.3g} {unit}{of}"]
    outward = energy["capacity_bytes"].where(energy["level"] != "compute", 0)
    ordered = energy.loc[outward.sort_values(kind="stable").index]
    for name, joules in ordered.groupby("level", sort=False)[column].sum().items():
        lines.append(f"    {name!s:<14} {joules:>12.3g}  {_percent(joules / (whole or 1)):>5}")
    return "\n".join(lines)


def _named(frame: pd.DataFrame, *columns: str) -> str:
    """Return what the figures of a table are of, where its columns say so: memory, grain."""
    told = [
        f"{frame[name].iloc[0]}{' grain' if name == 'grain' else ''}"
        for name in columns
        if name in frame and len(frame)
    ]
    return f"   {', '.join(told)}" if told else ""


def quantity(number: float, unit: str) -> str:
    """Return a count with three figures and a decimal prefix: ``1.24 GB``."""
    power = min(int(math.log10(number)) // 3, len(DECIMAL) - 1) if number >= 1 else 0
    figure = number / 1000**power
    if power and float(f"{figure:.3g}") >= 1000 and power < len(DECIMAL) - 1:
        power, figure = power + 1, figure / 1000
    digits = f"{figure:.0f}" if not power else f"{figure:.{max(0, 2 - int(math.log10(figure)))}f}"
    return f"{digits} {DECIMAL[power]}{unit}"


def _ratio(number: float) -> str:
    if number >= 100:
        return f"{number:,.0f}"
    return f"{number:.1f}" if number >= 1 else f"{number:.2g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number:,} times"


def _left_at(tables: Tables, row: dict[str, Any]) -> str:
    """Return the line of an escape, with its file where it is not clear of itself."""
    if not row["line"]:
        return "elsewhere"
    if _only_the_script(tables, tables.escapes):
        return f"line {row['line']}"
    return f"{_near(row['file'])}:{row['line']}"


def _only_the_script(tables: Tables, rows: pd.DataFrame) -> bool:
    """Return whether lines need no file: all are the script's own."""
    return set(rows["file"]) <= {tables.finished.name, NOWHERE.file}


def _near(file: str) -> str:
    """Return the last folders of a path, as many as there is room for."""
    shown = file
    while len(shown) > FILE_WIDTH and "/" in file:
        _, _, file = file.partition("/")
        shown = f"…/{file}"
    return shown


def _shortened(code: str) -> str:
    return code if len(code) <= CODE_WIDTH else code[: CODE_WIDTH - 1] + "…"
