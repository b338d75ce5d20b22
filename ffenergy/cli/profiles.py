"""`ffenergy profiles`: every constant of the hardware profiles, with unit, source, certainty."""

from __future__ import annotations

import textwrap
from typing import Any

import click

from ffenergy.cli.answering import json_flag, print_json
from ffenergy.cli.flags import fitting_profiles
from ffenergy.energy import Constant, Profile, load_profile
from ffenergy.energy import profiles as bundled_profiles
from ffenergy.report.as_json import FORMAT

WIDTH = 100


@click.command()
@click.argument("name", required=False, metavar="[NAME|FILE]", shell_complete=fitting_profiles)
@json_flag
def profiles(name: str | None, *, as_json: bool) -> None:
    """Show the hardware profiles, or the one called NAME (or in FILE) with all its notes.

    Every constant has a value, sometimes a range, the unit of its source, the source, and a
    certainty: confirmed (read in the primary text), secondary (read in a transcription that names
    its source), memory (recalled, not confirmed) or assumed (no source gives it; see the note).
    """
    chosen = [load_profile(name)] if name is not None else list(bundled_profiles().values())
    if as_json:
        print_json({"format": FORMAT, "profiles": [_document(profile) for profile in chosen]})
        return
    for number, profile in enumerate(chosen):
        click.echo(("\n" if number else "") + described(profile, notes=name is not None))


def _document(profile: Profile) -> dict[str, Any]:
    constants = profile.table().drop(columns="profile").to_dict("records")
    names = ("name", "title", "process", "convention")
    return {
        **{name: getattr(profile, name) for name in names},
        "unit": profile.result_unit,
        "constants": constants,
    }


def described(profile: Profile, *, notes: bool) -> str:
    """A profile as text: what it is, its constants, its sources."""
    table = profile.table()
    sources = {source: k for k, source in enumerate(table["source"].unique(), start=1)}
    rows = [_row(key, constant, sources) for key, constant in profile.constants()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    title = f"{profile.name}: {profile.title} ({profile.process}; in {profile.result_unit})"
    lines = [*textwrap.wrap(title, WIDTH), *_wrapped(profile.convention, "  ")]
    for cells, note in zip(rows, table["note"], strict=True):
        lines.append("  " + _line(cells, widths))
        lines += _wrapped(note, " " * 6) if notes else []
    for source, k in sources.items():
        lines += _wrapped(source, f"  [{k}] ")
    if profile.compute_as:
        pairs = ", ".join(f"{dtype} as {like}" for dtype, like in profile.compute_as.items())
        lines += _wrapped(f"computes {pairs}", "  ")
    return "\n".join(lines)


def _wrapped(text: str, start: str) -> list[str]:
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_on_hyphens=False,
    )


def _row(key: str, constant: Constant, sources: dict[str, int]) -> list[str]:
    ends = [f"{end:g}" for end in (constant.low, constant.high) if end is not None]
    return [
        key,
        f"{constant.value:g}",
        f"({' to '.join(ends)})" if ends else "",
        constant.unit,
        str(constant.certainty),
        f"[{sources[constant.source]}]",
    ]


def _line(cells: list[str], widths: list[int]) -> str:
    key, value, *rest = cells
    first, second, *others = widths
    padded = [key.ljust(first), value.rjust(second)]
    return "  ".join([*padded, *(c.ljust(w) for c, w in zip(rest, others, strict=True))]).rstrip()
