"""The command `ffenergy` itself: its help, its sub-commands, and what every error looks like."""

from __future__ import annotations

import ast
import io
import shlex
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from types import FrameType
from typing import Any, Final, cast

import click

from ffenergy.errors import (
    DataError,
    EnergyError,
    FfenergyError,
    OutputError,
    RunInterruptedError,
    SettingsError,
    ThresholdError,
    TrainingError,
    remedy_of,
)

EXIT_CODES: dict[type[FfenergyError], int] = {
    FfenergyError: 1,
    SettingsError: 2,  # as click's own usage errors
    EnergyError: 2,
    DataError: 3,
    OutputError: 4,
    TrainingError: 5,
    ThresholdError: 6,
    RunInterruptedError: 130,  # as shells report Ctrl-C
}
"""By kind of error; a kind that is not here has the code of the nearest one above it."""
MEANINGS = {
    0: "done",
    1: "other failure",
    2: "bad flag or setting",
    3: "bad data",
    4: "output directory",
    5: "training diverged",
    6: "a --fail-if threshold was crossed",
    130: "interrupted, by Ctrl-C or SIGTERM (what was finished is kept)",
}


def exit_code(error: FfenergyError) -> int:
    """Return the exit code of an error: that of its own kind or of the nearest one above."""
    return next(EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES)


COMMAND = "ffenergy.command"
"""Key of the command as typed in click's `Context.meta`."""


COMMANDS: Final = {  # in which module of this package, and under which name
    "compare": ("compare", "compare"),
    "train": ("compare", "train"),
    "map": ("map", "map_command"),
    **{
        name: (name, name)
        for name in (
            *("animate", "data", "diff", "export", "figures", "measure", "presets", "profiles"),
            *("report", "status", "sweep", "transfer"),
        )
    },
}


class Commands(Mapping[str, click.Command]):
    """The sub-commands by name, each imported when it is asked for."""

    def __getitem__(self, name: str) -> click.Command:
        module, function = COMMANDS[name]
        command: click.Command = getattr(import_module(f"ffenergy.cli.{module}"), function)
        return with_lines_kept(command)

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


def with_lines_kept(command: click.Command) -> click.Command:
    """Put click's sign for "keep these lines", a backspace, where help texts have a name for it."""
    command.help = cleandoc(command.help or "").replace("\\b", "\b")
    command.short_help = summary_of(command.help)
    return command


def summary_of(text: str) -> str:
    """Return the first paragraph of a help text as one line: whole, where click cuts it."""
    return " ".join(text.split("\n\n")[0].split())


def summary(name: str) -> str:
    """Return the summary of a sub-command, from the text of its module: nothing is imported."""
    module, function = COMMANDS[name]
    text = Path(__file__).with_name(f"{module}.py").read_text(encoding="utf-8")
    made = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
    return summary_of(next(ast.get_docstring(one) or "" for one in made if one.name == function))


class OneLineErrors(click.Group):
    """A group whose expected failures end in one line and an exit code, never a traceback."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember the command as typed, for `run.json`; --help and --version print here."""
        ctx.meta[COMMAND] = shlex.join(["ffenergy", *args])
        with one_line():
            return super().parse_args(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the names and summaries of all commands."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary(name)) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command; turn interrupts and failures of the machine into user errors."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may hold any bytes
            sys.stdout.reconfigure(errors="backslashreplace")
        with one_line(), terminated_as_interrupted():
            return super().invoke(ctx)


@contextmanager
def terminated_as_interrupted() -> Iterator[None]:
    """Let SIGTERM, by which batch systems and containers stop a job, keep what Ctrl-C keeps."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def one_line() -> Iterator[None]:
    """Turn expected failures into one line on standard error and their exit code."""
    try:
        yield
    except BrokenPipeError:
        raise
    except expected() as error:
        failure = told(error)
        click.echo(f"Error: {failure.message}", err=True)
        raise click.exceptions.Exit(exit_code(failure)) from error


def expected() -> tuple[type[BaseException], ...]:
    """Return the kinds of expected failures."""
    return (FfenergyError, KeyboardInterrupt, MemoryError, OSError, *refusals())


def refusals() -> tuple[type[BaseException], ...]:
    """Return the errors of the instrument, if anything has imported it."""
    errors = sys.modules.get("instrumented.errors")
    return (errors.InstrumentError,) if errors else ()


def told(error: BaseException) -> FfenergyError:
    """Return an expected failure, of this program or of the machine, as an error for the user."""
    match error:
        case FfenergyError():
            return error
        case KeyboardInterrupt():
            return RunInterruptedError("interrupted")
        case MemoryError():
            return FfenergyError(f"out of memory ({error}); lower --layer-sizes or --n-train")
        case OSError():
            remedy = remedy_of(error)
            where = error.filename2 or error.filename or _nameless(error)  # to where, of a move
            what = f"{where}: {error.strerror or error}"
            return OutputError(f"{what}; {remedy}" if remedy else what)
        case _ if isinstance(error, refusals()):
            return FfenergyError(f"the trace refused an operation: {error}")
    raise TypeError(f"{type(error).__name__} is no expected failure")


def _nameless(error: OSError) -> str:
    """What failed where the system names no file: only what `click.echo` writes to is known."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    echoed = frames and frames[-1].f_globals.get("__name__") == click.echo.__module__
    return "standard output" if echoed else "a file"


@click.group(
    cls=OneLineErrors,
    commands=cast("dict[str, click.Command]", Commands()),
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="ffenergy")
def main() -> None:
    r"""Measure what training moves: Forward-Forward against backprop, byte by byte.

    Both learn MNIST in plain NumPy through arrays that write down every byte they read and write.
    Start with the main job, a few minutes on two cores:

    \b
        ffenergy compare

    It trains Forward-Forward, backprop and an untrained control on the same data, and reports
    errors, bytes per layer and phase, flops, and the share that L2 normalisation takes. For byte
    counts of another network without training it, ask `ffenergy measure`.
    """


with_lines_kept(main)
main.epilog = f"Exit codes: {', '.join(f'{code} {meaning}' for code, meaning in MEANINGS.items())}."
