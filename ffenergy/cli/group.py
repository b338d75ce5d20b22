"""The command `ffenergy` itself: its help, its sub-commands, and what every error looks like."""

from __future__ import annotations

import errno
import io
import shlex
import sys
from typing import Any

import click

from ffenergy.cli.animate import animate
from ffenergy.cli.compare import compare, train
from ffenergy.cli.data import data
from ffenergy.cli.diff import diff
from ffenergy.cli.exit_codes import MEANINGS, exit_code
from ffenergy.cli.export import export
from ffenergy.cli.figures import figures
from ffenergy.cli.map import map_command
from ffenergy.cli.measure import measure
from ffenergy.cli.presets import presets
from ffenergy.cli.profiles import profiles
from ffenergy.cli.report import report
from ffenergy.cli.status import status
from ffenergy.cli.sweep import sweep
from ffenergy.cli.transfer import transfer
from ffenergy.errors import FfenergyError, OutputError, RunInterruptedError
from instrumented import InstrumentError

COMMAND = "ffenergy.command"
"""Key of the command as typed in click's `Context.meta`."""
REMEDIES = {
    **dict.fromkeys(
        (errno.EACCES, errno.EPERM, errno.EROFS),
        "; change its permissions, or work in a copy of the folder",
    ),
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "; make room and try again"),
}


class OneLineErrors(click.Group):
    """A group whose expected failures end in one line and an exit code, never a traceback."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Remember the command as typed, for `run.json`."""
        ctx.meta[COMMAND] = shlex.join(["ffenergy", *args])
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the sub-command; turn interrupts and failures of the machine into user errors."""
        if isinstance(sys.stdout, io.TextIOWrapper):  # a file name may hold any bytes
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise
        except (FfenergyError, KeyboardInterrupt, InstrumentError, MemoryError, OSError) as error:
            failure = told(error)
            click.echo(f"Error: {failure.message}", err=True)
            raise click.exceptions.Exit(exit_code(failure)) from error


def told(error: BaseException) -> FfenergyError:
    """Return an expected failure, of this program or of the machine, as an error for the user."""
    match error:
        case FfenergyError():
            return error
        case KeyboardInterrupt():
            return RunInterruptedError("interrupted")
        case InstrumentError():
            return FfenergyError(f"the trace refused an operation: {error}")
        case MemoryError():
            return FfenergyError(f"out of memory ({error}); lower --layer-sizes or --n-train")
        case OSError():
            remedy = REMEDIES.get(error.errno or 0, "")
            what = f"{error.filename or 'a file'}: {error.strerror or error}"
            return OutputError(f"{what}{remedy}")
    raise TypeError(f"{type(error).__name__} is no expected failure")


@click.group(cls=OneLineErrors, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ffenergy")
def main() -> None:
    r"""Measure what training moves: Forward-Forward against backprop, byte by byte.

    Both learn MNIST in plain NumPy through arrays that write down every byte they read and write.
    Start with the main job, two minutes on two cores:

    \b
        ffenergy compare

    It trains Forward-Forward, backprop and an untrained control on the same data, and reports
    errors, bytes per layer and phase, flops, and the share that L2 normalisation takes. For byte
    counts of another network without training it, ask `ffenergy measure`.
    """


for command in (
    compare,
    train,
    sweep,
    status,
    diff,
    measure,
    map_command,
    report,
    figures,
    transfer,
    animate,
    export,
    presets,
    profiles,
    data,
):
    main.add_command(command)
for shown in (main, *main.commands.values()):  # click's sign for "keep these lines" is a backspace
    shown.help = (shown.help or "").replace("\\b", "\b")
    shown.short_help = " ".join(shown.help.split("\n\n")[0].split())  # whole, where click cuts it
main.epilog = f"Exit codes: {', '.join(f'{code} {meaning}' for code, meaning in MEANINGS.items())}."
