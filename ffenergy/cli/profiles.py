"""`ffenergy profiles`: every constant of the hardware profiles, with unit, source, certainty."""

from __future__ import annotations

import textwrap

import click

from ffenergy.energy import Constant, Profile, load_profile
from ffenergy.energy import profiles as bundled_profiles

WIDTH = 100


@click.command()
@click.argument("name", required=False, metavar="[NAME|FILE]")
def profiles(name: str | None) -> None:
    """Show the hardware profiles, or the one called NAME (or in FILE) with all its notes.

    Every constant has a value, sometimes a range, the unit of its source, the source, and a
    certainty: confirmed (read in the primary text), secondary (read in a transcription that names
    its source), memory (recalled, not confirmed) or assumed (no source gives it; see the note).
    """
    chosen = [load_profile(name)] if name else list(bundled_profiles().values())
    for number, profile in enumerate(chosen):
        click.echo(("\n" if number else "") + described(profile, notes=name is not None))


def described(profile: Profile, *, notes: bool) -> str:
    """A profile as text: what it is, its constants, its sources."""
    table = profile.table()
    sources = {source: k for k, source in enumerate(table["source"].unique(), start=1)}
    rows = [_row(key, constant, sources) for key, constant in profile.constants()]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        f"{profile.name}: {profile.title} ({profile.process}; results in {profile.result_unit})",
        *textwrap.wrap(profile.convention, WIDTH - 2, initial_indent="  ", subsequent_indent="  "),
    ]
    for cells, note in zip(rows, table["note"], strict=True):
        lines.append("  " + _line(cells, widths))
        if notes:
            indent = " " * 6
            lines += textwrap.wrap(note, WIDTH, initial_indent=indent, subsequent_indent=indent)
    for source, k in sources.items():
        indent = f"  [{k}] "
        lines += textwrap.wrap(
            source, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent)
        )
    if profile.compute_as:
        pairs = ", ".join(f"{dtype} as {like}" for dtype, like in profile.compute_as.items())
        lines += textwrap.wrap(f"computes {pairs}", WIDTH, initial_indent="  ")
    return "\n".join(lines)


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
