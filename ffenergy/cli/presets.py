"""`ffenergy presets`: the named settings, and in what they differ."""

from __future__ import annotations

import click

from ffenergy.cli.answering import json_flag, print_json
from ffenergy.cli.flags import DEFAULT_PRESET, HELP, flag_of, plain_text
from ffenergy.report.as_json import FORMAT
from ffenergy.report.text import wrapped
from ffenergy.settings import PRESETS, Settings


@click.command()
@click.argument("name", required=False, metavar="[NAME]", type=click.Choice(PRESETS))
@json_flag
def presets(name: str | None, *, as_json: bool) -> None:
    """List the presets with what each changes, or every setting of the preset NAME.

    What a preset does not name has the value that all share.
    """
    chosen = {one: Settings.from_preset(one) for one in ([name] if name else PRESETS)}
    if as_json:
        found = {one: settings.to_dict() for one, settings in chosen.items()}
        print_json({"format": FORMAT, "default": DEFAULT_PRESET, "presets": found})
    elif name:
        values = chosen[name].to_dict()
        width = max(len(flag_of(one)) for one in values)
        for one, value in values.items():
            line = f"{flag_of(one):<{width}}  {plain_text(value)}"
            click.echo(f"{line:<{width + 30}}  {HELP[one].split('; ')[0].rstrip('.')}"[:100])
    else:
        for one, settings in chosen.items():
            changed = settings.unlike_common().items()
            told = ", ".join(f"{flag_of(key)} {plain_text(value)}" for key, value in changed)
            mark = " (the default)" if one == DEFAULT_PRESET else ""
            click.echo(wrapped(f"{one}{mark}: {told}"))
