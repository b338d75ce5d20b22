"""Values with commas, and the flags of `ffenergy measure` that sweep over them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import click
from click.shell_completion import CompletionItem

from ffenergy.cli.help import Command
from ffenergy.settings import CHOICES

TAKEN: Final = {
    "batch_size": "With commas: a sweep.",
    "layer_sizes": "Several networks, with semicolons: a sweep.",
    "optimizer": "With commas: a sweep.",
    "dtype": "With commas: a sweep.",
}
NEW: Final = {
    "depth": "Hidden layers, of --width units each. With commas: a sweep.",
    "width": "Units in each of --depth hidden layers. With commas: a sweep.",
}


class Several(click.types.StringParamType):
    """Text that names some of the `known`, with commas; a shell completes the last of them."""

    def __init__(self, known: Iterable[str]) -> None:
        self.known = tuple(known)

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """The choices, as click shows those of one."""
        return f"[{'|'.join(self.known)}],…"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """The names that the last one may become."""
        before, comma, begun = incomplete.rpartition(",")
        fitting = (name for name in self.known if name.startswith(begun))
        return [CompletionItem(f"{before}{comma}{name}") for name in fitting]


def list_flags(command: Command) -> Command:
    """Add --width and --depth, and let the flags of settings_flags below take text with lists."""
    for option in getattr(command, "__click_params__", []):
        if option.name in TAKEN:
            told, default = option.help.rsplit(" [", 1)
            option.help = f"{told} {TAKEN[option.name]} [{default}"
            known = CHOICES.get(option.name)
            option.type = Several(known) if known else click.STRING
    for name, told in NEW.items():
        command = click.option(f"--{name}", metavar="TEXT", help=told)(command)
    return command
