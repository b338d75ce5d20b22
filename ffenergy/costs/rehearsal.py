"""What a run costs, found by letting the rule itself take a few steps of each kind.

What a step moves depends on shapes alone. So a rule is set up as for a run, on images of which
most are zeros that nobody has touched and that take no memory; where a run takes all batches and
chunks of an epoch, a rehearsal takes a few full ones and a few of the short last one. Nothing here
knows which steps a rule has: whatever it asks of its host is what a run would be asked. Of arrays
that are large no values are computed either, unless a rule depends on them.

A kind that is to be priced is recorded in a trace of its own, in which all other steps are left
out. Its digest equals that of the run's signature, or it is not used.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np
import pandas as pd

from ffenergy.costs.step_kinds import StepKind, What
from ffenergy.network import Array
from ffenergy.rules import registry
from ffenergy.rules.kit.host import CHUNK, Examples, Host, Which
from ffenergy.rules.kit.stages import Plan, Stage, Values, check_inside, check_taken
from ffenergy.runs.results import TRAFFIC_COLUMNS
from ffenergy.settings import Settings
from ffenergy.training.session import steps_between_looks
from instrumented import BufferInfo, Event, Trace
from instrumented.books.events import Kind
from instrumented.books.frames import by_role
from instrumented.books.ledger import Ledger, Signature
from instrumented.books.recorder import uncollected

STEPS: Final = 5  # two warm the memories up, one is priced, two show what comes back
RANDOM_ROWS: Final = 4096  # rows with random pixels; all others are zeros
COMPUTED: Final = 2**14
"""Bytes of memory up to which values are computed; larger arrays stay untouched, which saves the
time of most products too, and take no memory."""
RATE: Final = 1e-4  # nothing is learned, costs do not depend on it
RIDGE: Final = 1.0  # nor on this; equations of random pixels have one solution with it


@dataclass(frozen=True)
class Workload:
    """Settings and numbers of images: all that the costs of a run depend on."""

    settings: Settings
    train_images: int
    test_images: int


@dataclass(frozen=True)
class Rehearsed:
    """A kind of step of one rule under one workload.

    steps: how many a whole run takes. site: its place among all that a rehearsal comes by.
    signature: that of the trace, with the counts of one step.
    """

    kind: StepKind
    steps: int
    site: int
    signature: Signature


@dataclass(frozen=True)
class Recording:
    """A few like steps of one kind, in a trace of their own; ``buffers`` are what was in memory.

    That is what the steps touch. A step that trains layers, or stores what they will be trained on,
    also finds all that its rule has made for them, though not what earlier stages had.
    """

    kind: StepKind
    digest: str
    operations: int
    events: Sequence[Event]
    buffers: Mapping[int, BufferInfo]


@dataclass(frozen=True)
class Rehearsal:
    """All kinds of steps that a rule takes, each once however many stages take it.

    ``trace`` counted the steps that were taken; it recorded none. ``computed`` are the bytes of
    memory up to which values were computed, None: all.
    """

    algorithm: str
    work: Workload
    kinds: tuple[Rehearsed, ...]
    trace: Trace
    values: Mapping[str, Values]
    computed: int | None

    def record(self, rehearsed: Rehearsed, steps: int = STEPS) -> Recording:
        """Let the rule take a few steps of one kind, recorded; the digest is that of the last."""
        trace = Trace(strict=True, record=True, computes_up_to=self.computed)
        host = _Stand(self.work, trace, lambda site: steps if site == rehearsed.site else 0)
        host.ends_at, host.values = rehearsed.site, dict(self.values)
        with uncollected(), registry.answering(self.algorithm), suppress(_Over):
            _perform(self.algorithm, host)
        touched = {a.buffer for event in trace.events for a in (*event.reads, *event.writes)}
        kept = host.kept() if rehearsed.kind.serves_layers else set()
        buffers = {k: info for k, info in trace.buffers.items() if k in touched or k in kept}
        signature = trace.signatures[-1]
        operations = len(signature.program)
        return Recording(rehearsed.kind, signature.digest, operations, trace.events, buffers)

    def counts(self, times: Iterable[tuple[Rehearsed, int]]) -> pd.DataFrame:
        """Return the counts of so many steps of each kind, with ``TRAFFIC_COLUMNS``.

        Python integers, which never wrap.
        """
        calls: Counter[int] = Counter()
        for rehearsed, steps in times:
            for entry in rehearsed.signature.program:
                calls[entry] += steps
        entries = self.trace.ledger.entries
        taken = [replace(entries[number], calls=n) for number, n in sorted(calls.items()) if n]
        return by_role(Ledger(taken))[list(TRAFFIC_COLUMNS)]


def rehearse(
    algorithm: str, work: Workload, steps: Callable[[StepKind], int] = lambda kind: 1
) -> Rehearsal:
    """Let the rule ``algorithm`` take ``steps`` steps of each kind; those of 0 are left out.

    ``steps`` is asked before the first step is taken, when a kind has no name yet.

    Raises:
        SettingsError: an unknown rule.
        RuleFailedError: a rule of another package raised.
        InstrumentError: a rule whose step is not one step of the trace, or that counts outside.
    """
    with registry.answering(algorithm):
        with suppress(ArithmeticError, LookupError, ValueError):  # of values not computed
            found = _rehearsed(algorithm, work, steps, COMPUTED)
            if not _values_decide(found):
                return found
        return _rehearsed(algorithm, work, steps, None)


def _values_decide(found: Rehearsal) -> bool:
    """Whether values say what is done: shapes that depend on them, training that looks at them."""
    entries = found.trace.ledger.entries
    trained = (k.signature.program for k in found.kinds if k.kind.what is What.TRAIN)
    looks = any(entries[n].operation.kind is Kind.ESCAPE for program in trained for n in program)
    return looks or bool(found.trace.ledger.data_dependent)


def _rehearsed(
    algorithm: str, work: Workload, steps: Callable[[StepKind], int], computed: int | None
) -> Rehearsal:
    trace = Trace(strict=True, computes_up_to=computed)
    host = _Stand(work, trace, lambda site: steps(host.sites[site]))
    _perform(algorithm, host)
    check_inside(trace)
    return Rehearsal(algorithm, work, tuple(_merged(host.taken)), trace, host.values, computed)


def _merged(taken: Sequence[Rehearsed]) -> Iterator[Rehearsed]:
    """Put steps of equal signature together, under the kind that training images give them."""
    steps: Counter[str] = Counter()
    first: dict[str, Rehearsed] = {}
    for one in taken:
        digest = one.signature.digest
        steps[digest] += one.steps
        known = first.setdefault(digest, one)
        if known.kind.images == "test" and one.kind.images == "train":
            first[digest] = one
    for digest, one in first.items():
        yield replace(one, steps=steps[digest])


def _perform(algorithm: str, host: _Stand) -> None:
    with np.errstate(all="ignore"):
        rule = registry.find(algorithm)(host)
        host.begun()
        for plan in rule.plans():
            host.perform(plan)
        rule.finish()


class _Over(BaseException):
    """The steps that were wanted have been taken; no rule may catch it by mistake."""


class _Stand(Host):
    """Stands in for a run: takes a few steps of each kind where a run takes all.

    ``pace`` says how many, given the number of a site: a place in the program of the run at which
    like steps are taken. Sites come in the same order in every rehearsal.
    """

    def __init__(self, work: Workload, trace: Trace, pace: Callable[[int], int]) -> None:
        self.pace, self.books = pace, trace
        self.ends_at = -1  # the site after which nothing more is wanted
        self.sites: list[StepKind] = []
        self.taken: list[Rehearsed] = []
        self.values: dict[str, Values] = {}
        self._stage = self._part = ""
        self._what = What.PREPARE
        self._times = 1
        self._before_stages = self._before_stage = 0  # buffers met
        super().__init__(
            work.settings.replace(ridge_strength=RIDGE),
            trace,
            _examples(trace, work, "train", work.train_images),
            _examples(trace, work, "test", work.test_images),
        )

    def perform(self, plan: Plan) -> None:
        """Open a stage, and go through one epoch of it as through all."""
        self._stage, self._part, self._what, self._times = plan.name, plan.part, What.PREPARE, 1
        self._before_stage = self._met()
        stage = plan.open()
        self._what, self._times = What.EVALUATE, plan.n_epochs
        order = self._order(stage)
        self._batches(stage, order)
        found = dict.fromkeys(self._look(plan.name, stage), 0.0)
        if stage.close:
            with _Site(self, What.CLOSE, 1) as pace:
                for _ in range(pace):
                    stage.close()
        stage.assess(found)
        self._times = 1

    def begun(self) -> None:
        """Note that the rule has been set up, and its stages begin."""
        self._before_stages = self._met()

    def kept(self) -> set[int]:
        """Return the buffers that the rule has from the beginning, or made in this stage."""
        return {*range(self._before_stages), *range(self._before_stage, self._met())}

    def _is_read_later(self, array: Array) -> None:
        """Keep an array alive in a recording beyond its steps; counting takes no heed of that."""
        if self.ends_at >= 0:
            self.trace.escape(array)

    def _met(self) -> int:
        return len(self.books.buffers) if self.ends_at >= 0 else 0

    def chunks(self, examples: Examples, *passing: Array) -> Iterator[slice]:
        """Go through a few full chunks, then a few short ones, as far as they are wanted."""
        for rows, steps, short in _parts(examples.count, CHUNK):
            with _Site(self, self._what, steps, examples.which, short, rows) as pace:
                for array in passing if pace else ():
                    self._is_read_later(array)
                for number in range(pace):
                    yield _rows(number, rows, examples.count)

    def _order(self, stage: Stage) -> Array:
        """Draw the order of an epoch."""
        with _Site(self, What.SHUFFLE, 1) as pace:
            for _ in range(pace):
                order = self.shuffled(stage.shuffle)
                self._is_read_later(order)
        if not pace:
            permutation = self.random[stage.shuffle].permutation(self.train.count)
            order = self.trace.array(permutation, role="temporary", name="order")
        return order

    def _batches(self, stage: Stage, order: Array) -> None:
        for rows, steps, short in _parts(self.train.count, stage.rows):
            with _Site(self, What.TRAIN, steps, "train", short, rows) as pace:
                for array in stage.passing if pace else ():
                    self._is_read_later(array)
                rates = [RATE] * math.ceil(rows / stage.batch_size)
                for number in range(pace):
                    stage.take(order[_rows(number, rows, self.train.count)], rates)

    def _look(self, name: str, stage: Stage) -> Values:
        """Read losses and right answers; where that is left out, know at least their names."""
        steps = math.ceil(self.train.count / stage.rows)
        looks = math.ceil(steps / steps_between_looks(steps))
        with _Site(self, What.REPORT, looks) as pace:
            for _ in range(pace):
                self.values[name] = stage.read()
        if name not in self.values:
            self.values[name] = stage.read()
        return self.values[name]


class _Site:
    """A place at which like steps are taken: books what was, ends a recording after its own."""

    def __init__(
        self,
        stand: _Stand,
        what: What,
        steps: int,
        images: str = "train",
        short: bool = False,
        samples: int = 0,
    ) -> None:
        self.stand, self.steps = stand, steps * stand._times
        self.kind = StepKind("", what, stand._stage, stand._part, images, short, samples)

    def __enter__(self) -> int:
        stand = self.stand
        self.number = len(stand.sites)
        stand.sites.append(self.kind)
        self.before = len(stand.books.ledger.step_signatures)
        self.pace = stand.pace(self.number)
        return self.pace

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is not None or not self.pace:
            return
        books = self.stand.books
        numbers = books.ledger.step_signatures[self.before :]
        if not numbers and self.kind.what is not What.TRAIN:
            return  # it moved nothing that anybody counts
        check_taken(self.kind.stage, self.pace, len(numbers))
        signature = books.signatures[numbers[-1]]
        named = replace(self.kind, name=signature.name)
        self.stand.taken.append(Rehearsed(named, self.steps, self.number, signature))
        if self.number == self.stand.ends_at:
            raise _Over


def _examples(trace: Trace, work: Workload, which: Which, count: int) -> Examples:
    """Images of which the first few are random and all others zeros that nobody has touched."""
    pixels = _pixels(count, work.settings.layer_sizes[0], work.settings.dtype)
    return Examples(trace, which, pixels, np.zeros(count, np.int64))


@lru_cache(maxsize=2)  # those of training and of test images
def _pixels(count: int, width: int, dtype: str) -> Array:
    """Draw the images of all rehearsals, which read them and leave them as they are."""
    pixels = np.zeros((count, width), dtype)
    rng = np.random.default_rng(0)
    for start in range(0, min(count, RANDOM_ROWS), CHUNK):
        rows = pixels[start : min(start + CHUNK, RANDOM_ROWS)]
        rows[...] = rng.random(rows.shape)
    return pixels


def _parts(count: int, size: int) -> Iterator[tuple[int, int, bool]]:
    """Cut ``count`` rows up: rows, number of such parts, and whether they are what is left over."""
    full, left = divmod(count, size)
    if full:
        yield size, full, False
    if left:
        yield left, 1, bool(full)


def _rows(number: int, rows: int, count: int) -> slice:
    """Return fresh rows for like step ``number``; the first again where there are no more."""
    start = number * rows % (count - count % rows)
    return slice(start, start + rows)
