"""Writes the reference of commands, settings and columns from the program itself.

A hook of MkDocs: in a page of docs, a line `<!-- written: NAME -->` becomes what the
function NAME returns, with the lines right below it, which say to readers of the file itself
where to look instead. So nothing is typed twice, and nothing is out of date.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Final

import click

from ffenergy.cli import main
from ffenergy.cli.flags import ALSO, HELP
from ffenergy.costs.prices import COLUMNS
from ffenergy.report.columns import KNOWN
from ffenergy.settings import CHOICES, PRESETS, Settings
from instrumented.script.command import run

ROOT: Final = Path(__file__).parent.parent
EXAMPLE: Final = ROOT / "reports" / "compare-quick"
"""A committed run, whose tables show the columns of files that are not priced."""

TYPES: Final = {
    "int": "whole number",
    "float": "number",
    "str": "text",
    "tuple[int, ...]": "whole numbers with commas",
}

FLAGS: Final = re.compile(r"^((?:-\S+(?:,| /) )*-\S+)")
"""The names of an option, before the values that it takes."""

PLACE: Final = re.compile(r"^<!-- written: (\w+) -->\n((?:.+\n)*)", flags=re.MULTILINE)


def on_page_markdown(markdown: str, **kwargs: object) -> str:
    """Return the page with its marked lines replaced."""
    return PLACE.sub(lambda found: f"{WRITTEN[found[1]]()}\n", markdown)


def commands() -> str:
    """Every command: what it does, how it is called, its options; settings are named once."""
    return "\n\n".join(command(name, main.commands[name]) for name in sorted(main.commands))


def command(name: str, found: click.Command) -> str:
    """The section of one command."""
    context = click.Context(found, info_name=f"ffenergy {name}")
    usage = " ".join([f"ffenergy {name}", *found.collect_usage_pieces(context)])
    has_settings = "preset" in {one.name for one in found.params}
    told = ["Every [setting](settings.md) is a flag too."] if has_settings else []
    return "\n\n".join(
        [
            f"## {name}",
            f"```text\n{usage}\n```",
            *prose(found.help or ""),
            options(found, context, HELP if has_settings else ()),
            *told,
        ]
    )


def options(found: click.Command, context: click.Context, left_out: Container[str]) -> str:
    """The options of a command and what they mean, but --help and those that are ``left_out``."""
    rows = []
    for parameter in found.get_params(context):
        if isinstance(parameter, click.Argument) or "--help" in parameter.opts:
            continue  # an argument is in the usage, and --help everywhere
        with_default = parameter.get_help_record(context)
        if with_default is not None and parameter.name not in left_out:
            _, names, values = FLAGS.split(with_default[0], maxsplit=1)
            values = plain(values.strip("[] ").replace("|", " | "))
            rows.append((f"`{names}` {values}".strip(), plain(with_default[1])))
    return table(("option", "meaning"), rows)


def script_options() -> str:
    """The options of `instrumented run`."""
    return options(run, click.Context(run, info_name="instrumented run"), ())


def prose(help_text: str) -> Iterable[str]:
    """The paragraphs of a help text; those that click leaves as they are become code."""
    for paragraph in re.split(r"\n\s*\n", help_text.strip()):
        lines = [line.strip() for line in paragraph.splitlines()]
        if lines[0] == "\b":
            title, *rest = lines[1:]
            yield f"{title}\n\n```text\n" + "\n".join(rest) + "\n```"
        else:
            yield plain(" ".join(lines))


def settings() -> str:
    """Every setting with its flag, its values, what the first preset has, and its meaning."""
    usual = Settings.from_preset(PRESETS[0]).to_dict()
    rows = []
    for one in fields(Settings):
        flags = filter(None, [ALSO.get(one.name), f"--{one.name.replace('_', '-')}"])
        values = ", ".join(CHOICES.get(one.name, ())) or TYPES[str(one.type)]
        rows.append(
            (
                f"`{one.name}`",
                " ".join(f"`{flag}`" for flag in flags),
                plain(values),
                value(usual[one.name]),
                plain(HELP[one.name]),
            )
        )
    return table(("setting", "flag", "values", PRESETS[0], "meaning"), rows)


def presets() -> str:
    """What every preset changes in the values that presets have in common."""
    rows = []
    for name in PRESETS:
        changed = Settings.from_preset(name).unlike_common()
        rows.append((f"`{name}`", ", ".join(f"`{k}` {value(v)}" for k, v in changed.items())))
    return table(("preset", "differs from the common values in"), rows)


def files() -> str:
    """Every table of a run with its columns: the priced ones as declared, others as committed."""
    rows = [(f"`{name}.csv`", code(header)) for name, header in tables().items()]
    return table(("file", "columns"), rows)


def columns() -> str:
    """Every column that the program's own tables show, with its unit and its meaning."""
    found = dict.fromkeys(column for header in tables().values() for column in header)
    rows = [
        (f"`{name}`", KNOWN[name].unit, plain(KNOWN[name].meaning))
        for name in found
        if name in KNOWN
    ]
    return table(("column", "unit", "meaning"), rows)


def tables() -> dict[str, Sequence[str]]:
    """The tables of a run by name, each with its columns."""
    found: dict[str, Sequence[str]] = dict(COLUMNS)
    for path in sorted(EXAMPLE.glob("*.csv")):
        with path.open(encoding="utf-8") as file:
            found.setdefault(path.stem, file.readline().strip().split(","))
    return dict(sorted(found.items()))


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def code(names: Iterable[str]) -> str:
    """Names with commas, each as code."""
    return ", ".join(f"`{name}`" for name in names)


def value(found: object) -> str:
    """A value as it is typed on the command line."""
    text = ",".join(map(str, found)) if isinstance(found, list) else str(found)
    return f"`{text}`" if text else "empty"


def plain(text: str) -> str:
    """Text in which nothing is taken for Markdown or HTML, except `code`."""
    parts = text.split("`")
    parts[::2] = [re.sub(r"([*_\[\]])", r"\\\1", part.replace("<", "&lt;")) for part in parts[::2]]
    return "`".join(parts)


WRITTEN: Final[dict[str, Callable[[], str]]] = {
    one.__name__: one for one in (commands, settings, presets, files, columns, script_options)
}
