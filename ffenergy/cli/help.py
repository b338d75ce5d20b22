"""Help of commands with many options: in groups, every summary whole."""

from __future__ import annotations

import click

GROUPS = {
    "Run": "What is run, where it is written, what is printed.",
    "Hardware": "",
    "Data": "",
    "Training": "Settings of Forward-Forward and of what all algorithms share.",
    "Head": "Settings of the softmax head on frozen features.",
    "Backprop": "Settings of backprop and Mono-Forward alone.",
}
DEFAULTS = "In brackets: what the preset quick has; other presets, `ffenergy presets`."
DATA = ("data_dir", "offline", "dataset", "n_train", "n_validation", "tasks")
RUN = (
    *("algorithms", "rule", "no_trace", "preset", "outdir", "force", "quiet", "verbose", "as_json"),
    *("conditions", "resume", "checkpoint_seconds", "steps", "snapshot_every", "fps", "seed"),
    *("workers", "scheduler"),
    *("max_memory", "allow_different_bits"),
    *("help", "_click_default_help"),  # its name before click 8.5.1, and since
)


def group_of(name: str) -> str:
    """The group that an option belongs to."""
    if name in RUN:
        return "Run"
    if name == "profile":
        return "Hardware"
    if name in DATA:
        return "Data"
    if name.startswith(("head_", "softmax_")):
        return "Head"
    return "Backprop" if name.startswith("bp_") else "Training"


class Grouped(click.Command):
    """A command whose options stand in groups."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options group by group."""
        found: dict[str, list[tuple[str, str]]] = {name: [] for name in GROUPS}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                found[group_of(str(param.name))].append(record)
        for name, told in GROUPS.items():
            if found[name]:
                with formatter.section(name):
                    words = f"{told} {DEFAULTS}" if name == "Training" else told
                    if words:
                        formatter.write_text(words)
                    formatter.write_dl(found[name])
