"""The command ``instrumented``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from difflib import get_close_matches
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, NoReturn

import click
import pandas as pd

from instrumented.analysis.step import analyse
from instrumented.books.recorder import PassingRecorder, uncollected
from instrumented.errors import InstrumentError
from instrumented.script.page import page
from instrumented.script.running import Finished, MissingModuleError, run_module, run_script
from instrumented.script.screen import energy_text, levels_text, screen
from instrumented.script.tables import SCOPES, Tables

PRICING_GROUP = "instrumented.pricing"
"""Entry points that price traces: called with a profile's name, each returns a function from a
trace to a table with the columns layer, phase, level and energy_joules (or another unit). The
screen names the profile, memory and grain of columns so called."""

LEVELS = (32 << 10, 1 << 20, 32 << 20)
LEVEL_NAMES = ("32 KiB", "1 MiB", "32 MiB", "beyond")
USAGE_ERROR = 2


class _Interrupted(SystemExit):
    """The script was interrupted, and did not see to it."""


class _Program(click.Group):
    """Ends as the script did: interrupted, Python dies of the signal when all else is done."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the command line."""
        try:
            return super().__call__(*args, **kwargs)
        except _Interrupted:
            sys.excepthook = lambda *_: None  # the script's traceback has been shown
            raise KeyboardInterrupt from None


@click.group(cls=_Program)
@click.version_option(package_name="ffenergy")
def main() -> None:
    """NumPy arrays that write down every byte they move."""


@main.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("-m", "module", is_flag=True, help="SCRIPT is the name of a module.")
@click.option(
    "--scope", type=click.Choice(list(SCOPES)), default="line", show_default=True,
    help="What a row of the tables stands for.",
)  # fmt: skip
@click.option(
    "--json",
    "json_file",
    type=Path,
    help="Write everything to a JSON file, escapes too.",
)
@click.option(
    "--csv", "csv_file", type=Path,
    help="Write a CSV file, a row per place and operation: calls, flops, bytes read and written.",
)  # fmt: skip
@click.option("--html", "html_file", type=Path, help="Write the tables to an HTML page.")
@click.option(
    "--profile", help="Price the script in joules under a hardware profile (`ffenergy profiles`)."
)
@click.option(
    "--levels", is_flag=True,
    help="Tell which of 32 KiB, 1 MiB, 32 MiB and beyond serves how many bytes (scratchpad).",
)  # fmt: skip
@click.argument("script")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def run(
    *,
    module: bool,
    scope: str,
    json_file: Path | None,
    csv_file: Path | None,
    html_file: Path | None,
    profile: str | None,
    levels: bool,
    script: str,
    arguments: tuple[str, ...],
) -> None:
    """Run a NumPy SCRIPT, unchanged, and tell what it moved.

    The script gets its ARGUMENTS, standard input and output as ever; the screen goes to standard
    error. The exit code is the script's.
    """
    files = {"--json": json_file, "--csv": csv_file, "--html": html_file}
    files = {option: file and file.absolute() for option, file in files.items()}
    if len(script) > 1 and script.startswith("-") and not os.path.lexists(script):
        _stop(f"no such option {_with_guess(script)}")
    _check_files({option: file for option, file in files.items() if file}, script)
    price = _pricing(profile) if profile else None
    here = os.getpid()
    try:
        recorder = PassingRecorder() if levels or price else None
        finished = (run_module if module else run_script)(script, arguments, recorder)
    except MissingModuleError as error:  # as Python itself says it
        _say(f"{sys.executable}: {error}")
        sys.exit(1)
    except InstrumentError as error:
        _stop(str(error))
    if os.getpid() != here:  # a child process that the script left running to its end
        _end(finished)
    with suppress(Exception):  # closed, or none
        sys.stdout.flush()
    with uncollected():
        _tell(finished, scope, files, levels=levels, price=price)
    _end(finished)


def _with_guess(wrong: str) -> str:
    """Return a misspelt option with the one that may be meant."""
    option, *_ = wrong.split("=")
    known = [name for parameter in run.params for name in (*parameter.opts, "--help")]
    guess = get_close_matches(option, known, 1)
    return f"{option} (did you mean {guess[0]}?)" if guess else option


def _check_files(files: dict[str, Path], script: str) -> None:
    """Stop before the script runs if a file could not be written, or is wanted for two things."""
    written: dict[str, str] = {}
    for option, file in files.items():
        if not os.path.isdir(file.parent):  # noqa: PTH112 - no error for a name that none can have
            _stop(f"{option} {file}: there is no folder {file.parent}")
        if os.path.isdir(file):  # noqa: PTH112
            _stop(f"{option} {file}: that is a folder; name a file in it")
        place = os.path.realpath(file)
        if place == os.path.realpath(script):
            _stop(f"{option} {file}: that is the script; name another file")
        other = written.setdefault(place, option)
        if other != option and not _is_stream(file):
            _stop(f"{option} {file}: {other} is written there; name another file")


def _is_stream(file: Path) -> bool:
    """Return whether what is written to a file goes on: a device, a pipe."""
    return os.path.exists(file) and not os.path.isfile(file)  # noqa: PTH110, PTH113


def _end(finished: Finished) -> NoReturn:
    raise (_Interrupted if finished.interrupted else SystemExit)(finished.exit_code)


def _tell(
    finished: Finished,
    scope: str,
    files: dict[str, Any],
    *,
    levels: bool,
    price: Callable[[Any], pd.DataFrame] | None,
) -> None:
    """Print the screen and write the files."""
    tables = Tables(finished)
    said = [screen(tables, scope)]
    plain = tables.as_plain(scope)
    extra: dict[str, pd.DataFrame] = {}
    try:
        if levels:
            extra["levels"] = served_by(finished)
            said.append(levels_text(extra["levels"], LEVEL_NAMES))
        if price is not None:
            extra["energy"] = price(finished.trace)
            said.append(energy_text(extra["energy"]))
    except Exception as error:  # noqa: BLE001 - the screen must not fail for an odd extra
        said.append(f"\n  {error}")
    for name, frame in extra.items():
        plain[name] = frame.astype(object).to_dict("records")
    recorder = finished.trace.booking.recorder
    if extra and isinstance(recorder, PassingRecorder):
        plain["operations_left_out"] = recorder.left_out
        if recorder.left_out:
            said.append(
                f"  These are of the first {len(recorder.events):,} operations;"
                f" {recorder.left_out:,} came later."
            )
    _say("\n" + "\n".join(said))
    if files["--json"]:
        _write(files["--json"], json.dumps(plain, indent=2, default=_number) + "\n")
    if files["--csv"]:
        _write(files["--csv"], tables.by_scope(scope, operations=True).to_csv(index=False))
    if files["--html"]:
        _write(files["--html"], page(tables, scope, extra))


def served_by(finished: Finished) -> pd.DataFrame:
    """Return the bytes that each of the usual memory levels serves, per layer and phase.

    One LRU stack of live bytes over the whole script, a scratchpad, at operation grain.
    """
    found = analyse(finished.trace)
    served = found.levels(LEVELS, LEVEL_NAMES)
    return served.assign(memory=found.memory, grain=found.grain)


def _pricing(profile: str) -> Callable[[Any], pd.DataFrame]:
    """Return what prices a trace under a profile: whoever offers it, found when it is asked for."""
    offers = list(entry_points(group=PRICING_GROUP))
    if not offers:
        _stop("--profile: nothing that prices a trace is installed; install ffenergy")
    try:
        priced: Callable[[Any], pd.DataFrame] = offers[0].load()(profile)
    except Exception as error:  # noqa: BLE001 - whatever the offer finds wrong with the name
        _stop(f"--profile: {error}")
    return priced


def _write(file: Path, text: str) -> None:
    """Write a file whole or not at all; a device, a pipe or a link stays what it is."""
    draft = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        if file.is_symlink() or (file.exists() and not file.is_file()):
            file.write_text(text, encoding="utf-8")
            return
        draft.write_text(text, encoding="utf-8")
        draft.replace(file)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        _stop(f"cannot write {file}: {error.strerror}", code=1)


def _number(value: Any) -> Any:
    """Return the Python number for a NumPy one."""
    return value.item()


def _stop(message: str, code: int = USAGE_ERROR) -> NoReturn:
    _say(f"instrumented: {message}")
    sys.exit(code)


def _say(text: str) -> None:
    """Show a text on standard error; one that cannot be written to changes no exit code."""
    with suppress(Exception):  # closed, full, or an object of the script's
        click.echo(text, err=True)
        return
    sys.stderr = None  # Python would try again as it ends
