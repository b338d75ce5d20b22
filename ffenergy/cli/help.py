"""Help of commands with many options: in groups; `--help` has the usual ones, `--help-all` all."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])

GROUPS: Final = {
    "Run": "",
    "Hardware": "",
    "Data": "",
    "Training": "",
    "Head": "Of the softmax head on frozen features.",
    "Backprop": "Of backprop and Mono-Forward alone.",
}
RUN: Final = (
    *("algorithms", "rule", "no_trace", "preset", "outdir", "force", "quiet", "verbose", "as_json"),
    *("conditions", "resume", "checkpoint_seconds", "steps", "snapshot_every", "fps", "seed"),
    *("workers", "scheduler", "scenario", "html", "measured", "as_table"),
    *("max_memory", "allow_different_bits"),
    *("help", "_click_default_help"),  # its name before click 8.5.1, and since
    "help_all",
)
HARDWARE: Final = ("profile", "met", "on_chip")
DATA: Final = ("data_dir", "offline", "dataset", "n_train", "n_validation", "tasks")

RARE: Final = frozenset(
    [
        *("checkpoint_seconds", "allow_different_bits", "max_memory", "n_validation"),
        *("dtype", "local_fields", "goodness", "temperature", "normalization"),
        *("peer_strength", "init", "schedule", "negative_pairs", "n_blur", "greedy_input"),
        *("hybrid_loss", "label_answer", "passes", "layer_groups", "gradient", "ridge_strength"),
        *("head_layers", "head_feature_scale", "head_optimizer", "head_schedule"),
        *("head_init_std", "head_batch_size", "head_weight_decay", "head_averaging"),
        *("bp_activations", "bp_weight_decay"),
    ]
)
"""Options that `--help` only names where there is `--help-all`."""

DEFAULTS: Final = "In brackets: what the preset quick has; other presets, `ffenergy presets`."
"""Of the training's settings, in commands that have presets."""

NAMES_WIDTH: Final = 35
"""Columns of an option and its values; what is longer has a line of its own."""

DEFAULT: Final = re.compile(r"\s*(\[[^\[\]]*\])$")
EVERYTHING: Final = "ffenergy.help.everything"
UNBROKEN: Final = "\N{NON-BREAKING HYPHEN}"


def group_of(name: str) -> str:
    """The group that an option belongs to."""
    if name in RUN:
        return "Run"
    if name in HARDWARE:
        return "Hardware"
    if name in DATA:
        return "Data"
    if name.startswith(("head_", "softmax_")):
        return "Head"
    return "Backprop" if name.startswith("bp_") else "Training"


def first_sentence(told: str) -> str:
    """The first sentence of an option's help, and its default.

    >>> first_sentence("Images in a batch. With commas: a sweep. [100]")
    'Images in a batch. [100]'
    """
    default = DEFAULT.search(told)
    words = told[: default.start()] if default else told
    first = words.partition(". ")[0].rstrip(".") + "."
    return f"{first} {default[1]}" if default else first


def help_all_flag(command: Command) -> Command:
    """Add --help-all, so that --help may be brief."""

    def show(ctx: click.Context, param: click.Parameter, *, asked: bool) -> None:
        if asked and not ctx.resilient_parsing:
            ctx.meta[EVERYTHING] = True
            click.echo(ctx.get_help())
            ctx.exit()

    return click.option(
        "--help-all",
        is_flag=True,
        is_eager=True,
        expose_value=False,
        callback=lambda ctx, param, asked: show(ctx, param, asked=asked),
        help="Show all options in full, and the files written.",
    )(command)


class WholeWords(click.HelpFormatter):
    """A formatter that breaks no line within a flag or a name, such as `step-major`."""

    def write(self, string: str) -> None:
        """Write with plain hyphens; click wraps lines before."""
        super().write(string.replace(UNBROKEN, "-"))

    def write_text(self, text: str) -> None:
        """Write a paragraph."""
        super().write_text(text.replace("-", UNBROKEN))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        """Write names and what they mean."""
        unbroken = [(name, told.replace("-", UNBROKEN)) for name, told in rows]
        super().write_dl(unbroken, col_max, col_spacing)


class WholeWordsContext(click.Context):
    """A context whose help is written by `WholeWords`."""

    formatter_class = WholeWords


class Grouped(click.Command):
    """A command whose options stand in groups.

    With `help_all_flag`, `--help` ends its text after the examples, gives every usual option its
    first sentence, and only names the others.
    """

    context_class = WholeWordsContext

    def is_brief(self, ctx: click.Context) -> bool:
        """Whether the help that is asked for is the short one."""
        return EVERYTHING not in ctx.meta and any(one.name == "help_all" for one in self.params)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what the command does; the short help ends after the examples."""
        whole = self.help
        if whole and self.is_brief(ctx):
            before, examples, after = whole.partition("\b\nExamples:\n")
            self.help = before + examples + after.partition("\n\n")[0]
        try:
            super().format_help_text(ctx, formatter)
        finally:
            self.help = whole

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options group by group."""
        brief = self.is_brief(ctx)
        found: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS}
        named: dict[str, list[str]] = {name: [] for name in GROUPS}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is None or not isinstance(param, click.Option):
                continue
            group = group_of(str(param.name))
            if brief and param.name in RARE:
                named[group].append(param.opts[-1])
            else:
                names, told = record
                found[group].append((names, first_sentence(told) if brief else told))
        width = max(len(names) for rows in found.values() for names, _ in rows)
        width = min(width, NAMES_WIDTH)
        has_presets = any(one.name == "preset" for one in self.params)
        for name, told in GROUPS.items():
            if found[name]:
                with formatter.section(name):
                    words = DEFAULTS if name == "Training" and has_presets else told
                    if words:
                        formatter.write_text(words)
                    rows = [(names.ljust(width), words) for names, words in found[name]]
                    formatter.write_dl(rows, col_max=NAMES_WIDTH)
                    if named[name]:
                        formatter.write_text(f"And {', '.join(named[name])}.")
