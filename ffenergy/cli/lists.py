"""Flags of `ffenergy measure` that take lists: a sweep over every combination."""

from __future__ import annotations

from typing import Final

import click

from ffenergy.cli.flags import HELP, Command

TAKEN: Final = {
    "batch_size": f"{HELP['batch_size']} With commas: a sweep.",
    "layer_sizes": f"{HELP['layer_sizes']} Several networks, with semicolons: a sweep.",
    "optimizer": f"{HELP['optimizer']} With commas: a sweep.",
    "dtype": f"{HELP['dtype']} With commas: a sweep.",
}
NEW: Final = {
    "depth": "Hidden layers, of --width units each. With commas: a sweep.",
    "width": "Units in each of --depth hidden layers. With commas: a sweep.",
}


def list_flags(command: Command) -> Command:
    """Add --width and --depth, and let the flags of settings_flags below take text with lists."""
    for option in getattr(command, "__click_params__", []):
        if option.name in TAKEN:
            option.type, option.help = click.STRING, TAKEN[option.name]
    for name, told in NEW.items():
        command = click.option(f"--{name}", metavar="TEXT", help=told)(command)
    return command
