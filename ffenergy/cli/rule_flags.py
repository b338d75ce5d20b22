"""Which learning rules a command knows, and how they are named on the command line."""

from __future__ import annotations

from collections.abc import Callable

import click

from ffenergy.cli.help import Command
from ffenergy.errors import SettingsError
from ffenergy.rules import registry
from ffenergy.rules.kit.stages import Rule


def known(chosen: Callable[[type[Rule]], bool] = lambda kind: True) -> str:
    """The names of all rules, or of some, with commas."""
    return ", ".join(name for name, kind in registry.rules().items() if chosen(kind))


def named(
    text: str, flag: str, chosen: Callable[[type[Rule]], bool] = lambda kind: True
) -> tuple[str, ...]:
    """Read the names of rules, with commas.

    Raises SettingsError for one that is not chosen, or that is named twice.
    """
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        here = name in registry.rules()
        if not (here and chosen(registry.find(name))):
            other = "" if here else f", {registry.YOUR_OWN}"
            choices = f"choose among {known(chosen)}, with commas{other}"
            raise SettingsError(f"{flag} has {name!r}; {choices}")
        if names.count(name) > 1:
            raise SettingsError(f"{flag} has {name!r} twice; name each once, with commas")
    return names


def rule_flags(command: Command) -> Command:
    """Add --rule, which is read before all that names rules."""

    def read(ctx: click.Context, param: click.Parameter, texts: tuple[str, ...]) -> None:
        for text in texts:
            registry.add(text)

    return click.option(
        "--rule",
        multiple=True,
        metavar="MODULE:CLASS",
        is_eager=True,
        expose_value=False,
        callback=read,
        help="A learning rule of your own, such as my_rule:MyRule. Repeat it for more; those of "
        "installed packages are known without it.",
    )(command)
