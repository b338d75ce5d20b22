"""Going on with a run that stopped: only as the run that it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import click

from ffenergy.cli.flags import flag_of, is_given
from ffenergy.cli.progress import warn
from ffenergy.errors import OutputError, SettingsError
from ffenergy.rules import registry
from ffenergy.runs.directory import CHECKPOINTS, RunDirectory
from ffenergy.runs.run import Run
from ffenergy.settings import Settings
from ffenergy.training import Checkpoints, bits

ORDER: Final = ("order", "in_flight", "layer_groups")
"""Settings that ``--in-flight auto`` chooses."""
REMEDY: Final = "leave the flag out, or choose another --outdir"


def same_settings(ctx: click.Context, earlier: Run, asked: Settings, *, auto: bool) -> Settings:
    """Return the settings that the run began with.

    With ``auto`` the order of computation is left to `same_order`. Raises SettingsError if a flag
    that was given asks for something else.
    """
    began = Settings.from_saved(earlier.configuration["settings"])
    for name, value in asked.to_dict().items():
        had = began.to_dict()[name]
        if is_given(ctx, name) and value != had and not (auto and name in ORDER):
            raise SettingsError(
                f"--resume goes on with {flag_of(name)} {had!r}, not {value!r}; {REMEDY}"
            )
    preset = earlier.configuration["preset"]
    if is_given(ctx, "preset") and ctx.params["preset"] != preset:
        raise SettingsError(f"--resume goes on with preset {preset!r}; leave --preset out")
    return began


def same_order(began: Settings, best: Settings) -> None:
    """Raise SettingsError unless ``--in-flight auto`` is the order that the run began with."""
    had, has = ([getattr(settings, name) for name in ORDER] for settings in (began, best))
    if had != has:
        told = [
            " ".join(
                f"{flag_of(name)} {value}" for name, value in zip(ORDER, one, strict=True) if value
            )
            for one in (had, has)
        ]
        raise SettingsError(
            f"--resume goes on with {told[0]}, but --in-flight auto is {told[1]} here; {REMEDY}"
        )


def how_to_finish(run: Run) -> str:
    """Say how a run comes to its end that stopped before."""
    return "go on with it by --resume" if run.can_resume else "train it again"


def check_finished(path: Path, run: Run) -> None:
    """Raise OutputError if no algorithm of a run came to its end."""
    if not run.algorithms:
        raise OutputError(f"{path} has no finished algorithm; {how_to_finish(run)}")


def same_origin(earlier: Run, now: Run) -> None:
    """Raise SettingsError unless both runs count, and see the same data."""
    had, has = (_comparable(run.configuration.get("data")) for run in (earlier, now))
    if had != has:
        raise SettingsError(f"--resume: the run began with other data: {had}, now {has}")
    counts = earlier.configuration.get("traced")
    if counts != now.configuration.get("traced"):
        how = "without --no-trace; leave it out" if counts else "with --no-trace; give it again"
        raise SettingsError(f"--resume: the run began {how}")


def same_rules(earlier: Run) -> None:
    """Raise SettingsError if the run began with a rule of somebody else's that is not here."""
    for name, origin in earlier.configuration.get("rules", {}).items():
        if name not in registry.rules():
            raise SettingsError(
                f"--resume: the run began with rule {name}, {origin}, which is not here; install "
                "its package, or name it with --rule module:Class"
            )


def same_bits(earlier: Run, now: Run, *, different: bool) -> Run:
    """Return the earlier run, which says what decides its bits from here on.

    Raises SettingsError if they would be others than had it never stopped, unless `different`.
    """
    (has,) = now.configuration["bits"]
    known = earlier.configuration.get("bits", [])
    if not known:
        warn("warning: the run was begun by a version that did not record what decides its bits")
    change = bits.difference(known[-1], has) if known else ""
    if change and not different:
        raise SettingsError(
            f"--resume would give other bits than a run that never stopped: {change}; go on as it "
            "began (OPENBLAS_NUM_THREADS sets the threads), or pass --allow-different-bits"
        )
    if known and not change:
        return earlier
    return replace(earlier, configuration={**earlier.configuration, "bits": [*known, has]})


def checkpoints_of(
    directory: RunDirectory, run: Run, every_seconds: float, *, different_bits: bool = False
) -> Checkpoints:
    """Return the checkpoints of a run in its directory."""
    decides = {
        name: _comparable(run.configuration[name]) for name in ("settings", "data", "traced")
    }
    text = json.dumps(decides, sort_keys=True, default=list)
    return Checkpoints(
        directory.path / CHECKPOINTS,
        hashlib.sha256(text.encode()).hexdigest(),
        every_seconds,
        lambda line: warn(f"warning: {line}"),
        any_bits=different_bits,
    )


def _comparable(value: Any) -> Any:
    """What must be equal: of the data everything but where they were found."""
    if isinstance(value, dict):
        return {key: item for key, item in value.items() if key != "source"}
    return value
