"""Progress for people: a bar with ETA and loss on a terminal, plain lines elsewhere; warnings."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO

import click
from tqdm import tqdm

from ffenergy.costs.measuring import pricing_seconds
from ffenergy.report.numbers import number_of
from ffenergy.settings import Settings

PLAIN_EVERY_SECONDS = 20.0
WIDTH = 100
LONG_SECONDS = 45.0  # from here on it is said how long a thing takes


class Bar:
    """One bar on `stream` for all the stages of one algorithm; the training's `Progress`."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self.name = name
        self.stream = stream
        self.bar: tqdm[Any] | None = None

    def start(self, stage: str, total: int, unit: str = "step") -> None:
        """Begin a stage of `total` steps on the same line; the stage before leaves a line."""
        self.close()
        self.bar = tqdm(
            desc=f"{self.name:<16} {stage:<7}",
            total=total,
            file=self.stream,
            unit=unit,
            ncols=min(WIDTH, shutil.get_terminal_size().columns),
            nrows=WIDTH,  # one bar: always in sight, whatever the terminal says of its height
            bar_format="{desc} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}{postfix}",
        )

    def advance(self, n: int, **values: float) -> None:
        """Move by `n` steps and show the latest values, such as the loss."""
        if self.bar is not None:
            self.bar.set_postfix({name: f"{value:.4f}" for name, value in values.items()}, False)
            self.bar.update(n)

    def finish(self) -> None:
        """The stage is over; its line stays."""
        self.close()

    def close(self) -> None:
        """Leave the line as it stands, finished or not."""
        if self.bar is not None:
            self.bar.close()
            self.bar = None


class PlainLines:
    """A line when a stage starts, now and then while it runs, and when it ends."""

    def __init__(self, name: str, stream: TextIO) -> None:
        self.name = name
        self.stream = stream
        self.stage, self.total, self.done = "", 0, 0
        self.values: dict[str, float] = {}
        self.started = self.spoken = time.monotonic()

    def start(self, stage: str, total: int, unit: str = "step") -> None:
        """Begin a stage of `total` steps, or of what `unit` calls them."""
        self.stage, self.total, self.done, self.values = stage, total, 0, {}
        self.started = self.spoken = time.monotonic()
        self._say(number_of(total, unit))

    def advance(self, n: int, **values: float) -> None:
        """Count `n` steps; speak if it has been quiet for long."""
        self.done += n
        self.values = values
        if time.monotonic() - self.spoken >= PLAIN_EVERY_SECONDS:
            left = (time.monotonic() - self.started) * (self.total / self.done - 1)
            self._say(f"{100 * self.done / self.total:.0f} %, {self._told()}{left:.0f} s left")

    def finish(self) -> None:
        """The stage is over."""
        self._say(f"done, {self._told()}{time.monotonic() - self.started:.1f} s")

    def close(self) -> None:
        """Nothing is left open."""

    def _told(self) -> str:
        return "".join(f"{name} {value:.4f}, " for name, value in self.values.items())

    def _say(self, what: str) -> None:
        self.spoken = time.monotonic()
        print(f"{self.name} {self.stage}: {what}", file=self.stream, flush=True)


def progress(name: str, *, quiet: bool, stream: TextIO | None = None) -> Bar | PlainLines | None:
    """The progress that suits `stream` (standard error): a bar, plain lines, or none if quiet."""
    stream = sys.stderr if stream is None else stream
    if quiet:
        return None
    return Bar(name, stream) if stream.isatty() else PlainLines(name, stream)


def warn(line: str) -> None:
    """Say a line on standard error."""
    click.echo(line, err=True)


def warn_if_long_to_price(algorithms: Iterable[str], settings: Settings) -> None:
    """Say how long it will take to price a step of each rule, roughly, where that is long."""
    warn_if_long(f"Pricing a step of {settings.network}", pricing_seconds(algorithms, settings))


def warn_if_long(what: str, seconds: float, more: str = "") -> None:
    """Say how long a thing will take, roughly, where that is long."""
    if seconds > LONG_SECONDS:
        warn(f"{what}: about {number_of(round(seconds / 60), 'minute')}{more} …")
