"""The tables of a script as one HTML page."""

from __future__ import annotations

from html import escape
from string import Template

import pandas as pd

from instrumented.script.callers import Site
from instrumented.script.screen import quantity
from instrumented.script.tables import Tables, as_rows, source_line

PAGE = Template(
    """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What $name moved</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem }
table { border-collapse: collapse; margin: 1rem 0 2rem; display: block; overflow-x: auto }
th, td { padding: .2rem .8rem; text-align: right; border-bottom: 1px solid #ccc }
td.text, th.text { text-align: left }
code { font-size: .9em }
</style>
<h1>$name moved $moved for $flops</h1>
<p>Eager accounting: every operation streams its operands in and its results out.
$operations operations; $read bytes read, $written bytes written.</p>
$tables
</html>
"""
)


def page(tables: Tables, scope: str, extra: dict[str, pd.DataFrame]) -> str:
    """Return a page with every table of a script, by file, function or line."""
    moved = tables.moved
    rows = tables.by_scope(scope)
    if scope == "line":
        sites = [Site(row["file"], row["function"], row["line"]) for row in as_rows(rows)]
        rows.insert(3, "code", [source_line(tables.finished, site) for site in sites])
    parts = [
        (f"By {scope}", rows),
        ("By operation", tables.by_operation),
        ("What left the trace", tables.escapes),
        ("Shapes that hang on values", tables.data_dependent),
        *((name.capitalize(), frame) for name, frame in extra.items()),
    ]
    return PAGE.substitute(
        name=escape(tables.finished.name),
        moved=quantity(moved.bytes_moved, "B"),
        flops=quantity(moved.flops, "flop"),
        operations=f"{moved.operations:,}",
        read=f"{moved.bytes_read:,}",
        written=f"{moved.bytes_written:,}",
        tables="\n".join(f"<h2>{title}</h2>\n{_table(rows)}" for title, rows in parts if len(rows)),
    )


def _table(rows: pd.DataFrame) -> str:
    numbers = {name for name in rows if pd.api.types.is_numeric_dtype(rows[name])}
    head = "".join(_cell("th", str(name), name in numbers) for name in rows)
    body = "\n".join(
        "<tr>"
        + "".join(
            _cell("td", _shown(value), name in numbers)
            for name, value in zip(rows.columns, row, strict=True)
        )
        + "</tr>"
        for row in rows.itertuples(index=False)
    )
    return f"<table>\n<tr>{head}</tr>\n{body}\n</table>"


def _cell(tag: str, text: str, is_number: bool) -> str:
    return (
        f"<{tag}>{escape(text)}</{tag}>"
        if is_number
        else (f'<{tag} class="text">{escape(text)}</{tag}>')
    )


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return str(value)
