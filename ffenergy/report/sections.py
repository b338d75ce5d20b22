"""What a report shows, in its order: sections of tables and pictures, all drawn from one book."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from ffenergy.costs.decomposition import RUN, TRAINING_STEP
from ffenergy.costs.decomposition import UNITS as ENERGY_UNITS
from ffenergy.costs.network import network_of
from ffenergy.costs.prices import ACCOUNTINGS
from ffenergy.report import cost_tables, map_table
from ffenergy.report.book import Book
from ffenergy.report.columns import UNITS, Table, columns, columns_of, table
from ffenergy.report.cost_tables import tuned
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD

UNPRICED: Final = "The run has no priced steps (trained without counting), so this is left out."
ONE_SIDED: Final = "The run lacks Forward-Forward or backprop, so there is nothing to compare."
SHARED: Final = "Errors of training and {} in percent, costs of the whole run."
PER_STEP: Final = ("bytes_read", "bytes_written", "bytedmd_tile")
"""Measures of a training step, beside energy, of which the parts are shown."""


@dataclass(frozen=True)
class Section:
    """A part of the report; without data it says in one line what is missing.

    ``pictures`` are names; ``more`` are tables for those who ask.
    """

    name: str
    title: str
    lead: str = ""
    notes: list[str] = field(default_factory=list)
    pictures: tuple[str, ...] = ()
    tables: list[Table] = field(default_factory=list)
    more: list[Table] = field(default_factory=list)
    missing: str = ""


MAP_LEAD: Final = (
    "Forward-Forward (FF) and backprop (BP), each in its best order of computation, by closed "
    "forms. Proven: no program of the other rule that computes each value once spends less, in "
    "95 % of the draws of the constants. It is the order that pays: layers of Forward-Forward need "
    "not wait for each other."
)


def sections(book: Book) -> list[Section]:
    """All sections between the answer and the configuration."""
    return [
        accuracy(book),
        waterfall(book),
        regions(book),
        places(book),
        crossing(book),
        normalisation(book),
        reuse(book),
        live(book),
        training(book),
        learned(book),
    ]


def accuracy(book: Book) -> Section:
    """Errors and costs of whole runs, and costs up to an error."""
    title = "Accuracy beside cost"
    frame = book.summary
    if frame.empty:
        return Section("accuracy", title, missing="No algorithm of this run has finished.")
    errors = ["algorithm", "accounting", "test_error", "train_error"]
    counts = ["algorithm", "accounting", "bytes_read", "bytes_written", "flops", "bytes_per_flop"]
    if book.totals:
        errors += [f"energy_compute_{book.unit}", f"energy_movement_{book.unit}"]
        errors += [f"energy_{book.unit}", "commute_to_compute"]
        counts += ["peak_live_bytes", "normalize_energy_share"]
    counts.append("wall_seconds")
    captions = {
        "accuracy-table": ("Whole runs, head and evaluations included", errors),
        "bytes-table": ("What they moved and computed", counts),
    }
    shown = [
        table(key, book.met(caption), "summary.csv", columns_of(book.run.error_on, names), frame)
        for key, (caption, names) in captions.items()
    ]
    scenarios = _present([cost_tables.scenarios(book)])
    more = [*_present([cost_tables.every_profile(book)]), *_targets(book)]
    lead = SHARED.format(book.run.error_on)
    return Section("accuracy", title, lead, tables=[*shown, *scenarios], more=more)


def _targets(book: Book) -> list[Table]:
    """Training up to each error that was reached."""
    frame = book.targets
    frame = frame[frame["reached"]]
    if frame.empty:
        return []
    names = ["algorithm", *(["accounting"] if "accounting" in frame else []), "target_error"]
    names += ["stage", "epoch", "test_error", "bytes"]
    if f"training_energy_{book.unit}" in frame:
        names[-1:] = ["training_bytes_read", "training_bytes_written"]
        names.append(f"training_energy_{book.unit}")
    error_on = book.run.error_on
    caption = book.met(f"Training up to a {error_on} error that was reached")
    return [table("targets-table", caption, "targets.csv", columns_of(error_on, names), frame)]


def waterfall(book: Book) -> Section:
    """From backprop to Forward-Forward in signed parts."""
    name, title = "waterfall", "From backprop to Forward-Forward"
    if book.prices is None:
        return Section(name, title, missing=UNPRICED)
    if book.prices.decomposition.empty:
        return Section(name, title, missing=ONE_SIDED)
    step, run = (
        _present(cost_tables.parts(book, scope, accounting) for accounting in ACCOUNTINGS)
        for scope in (TRAINING_STEP, RUN)
    )
    lead = (
        "What removing the backward pass saves, and what the second pass, the negatives, the "
        "goodness and the normalisation add back. The parts add up exactly."
    )
    more = [*step, *_present([cost_tables.well_built_parts(book)]), *other_parts(book)]
    return Section(name, title, lead, pictures=("energy-waterfall",), tables=run, more=more)


def regions(book: Book) -> Section:
    """Where each rule wins, whatever the order of its computation."""
    name, title = "map", "Which chip, which batch: where each rule wins"
    if book.prices is None or not book.hardware:
        return Section(name, title, missing=UNPRICED)
    both = book.pair == (FORWARD_FORWARD, BACKPROP)
    network = network_of(book.run.settings) if both else None
    if network is None:
        return Section(name, title, missing="No closed forms are known of what this run trained.")
    chips = map_table.chips(network, book.hardware)
    return Section(name, title, MAP_LEAD, pictures=("map",), more=[chips])


def other_parts(book: Book) -> list[Table]:
    """The parts of a training step under the other profiles, and in bytes and ByteDMD."""
    if book.prices is None:
        return []
    decomposition = book.prices.decomposition
    found = []
    for profile in book.prices.profiles[1:]:
        known = set(decomposition.loc[decomposition["profile"] == profile, "measure"])
        unit = next((u for u in ENERGY_UNITS if f"energy_{u}" in known), None)
        if unit is not None:
            found += [
                cost_tables.parts(book, TRAINING_STEP, a, profile, f"energy_{unit}", UNITS[unit])
                for a in ACCOUNTINGS
            ]
    for measure in PER_STEP:
        unit = "B" if measure.startswith("bytes") else ""
        found += [cost_tables.parts(book, TRAINING_STEP, a, "", measure, unit) for a in ACCOUNTINGS]
    return _present(found)


def places(book: Book) -> Section:
    """Costs by layer, phase and role."""
    name, title = "places", "By layer, phase and role"
    counted = cost_tables.counted_places(book)
    pictures = ("energy-by-phase-and-role", "traffic") if book.traced else ()
    if book.prices is None:
        lead = "Energies need priced steps, which this run lacks; the bytes are those counted."
        missing = "" if book.traced else UNPRICED
        lead = "" if missing else lead
        return Section(name, title, lead, pictures=pictures, tables=counted, missing=missing)
    by_place = [cost_tables.energy_places(book, key) for key in ("phase", "layer", "role")]
    lead = (
        "The pictures are per training sample, the tables over the whole run: evaluations and "
        "heads included."
    )
    more = [*by_place[1:], *_present([cost_tables.components(book)]), *counted]
    return Section(name, title, lead, pictures=pictures, tables=by_place[:1], more=more)


def crossing(book: Book) -> Section:
    """Where the order of the algorithms changes as on-chip memory grows."""
    name, title = "crossing", "As on-chip memory grows"
    if not book.trained:
        return Section(name, title, missing=UNPRICED)
    met = cost_tables.meetings(book)
    lead = (
        "A byte read at a reuse distance beyond the on-chip memory comes from outside. A line "
        "ends where nothing travels any more."
    )
    notes = [] if met else ["No two lines change places at any size of on-chip memory."]
    beyond = _present([cost_tables.beyond(book), cost_tables.least(book), tuned(book)])
    return Section(
        name, title, lead, notes, pictures=("miss-curves",), tables=_present([met]), more=beyond
    )


def normalisation(book: Book) -> Section:
    """What L2 normalisation costs, layer by layer."""
    name, title = "normalisation", "L2 normalisation"
    frame = book.normalize
    if frame.empty:
        return Section(name, title, missing="No counted algorithm of this run normalises layers.")
    names = ["algorithm", "layer", "accounting", "bytes_read", "bytes_written"]
    names += ["share_of_total_bytes"]
    if "share_of_total_energy" in frame:
        names += [f"energy_{book.unit}", "share_of_layer_energy", "share_of_total_energy"]
    lead = (
        "Eager, every operation of the normalisation streams the layer through memory; fused, the "
        "layer is read and written once."
    )
    caption = book.met("Whole run, layer by layer")
    shown = table("normalize-table", caption, "normalize.csv", columns(names), frame)
    return Section(name, title, lead, tables=[shown])


def reuse(book: Book) -> Section:
    """How far back the bytes lie that a step reads."""
    name, title = "reuse", "Reuse distances"
    if not book.trained:
        return Section(name, title, missing=UNPRICED)
    lead = (
        "The distance of a read is the number of bytes used since the same byte was last used; "
        "it decides which memory serves the read."
    )
    more = _present([cost_tables.distances(book)])
    return Section(name, title, lead, pictures=("reuse-distances",), more=more)


def live(book: Book) -> Section:
    """Bytes alive over one training step."""
    name, title = "live", "Live memory over a step"
    if not book.trained:
        return Section(name, title, missing=UNPRICED)
    lead = (
        "Backprop keeps its activations until the backward pass has used them; the data set is "
        "left out."
    )
    peaks = _present([cost_tables.peaks(book)])
    return Section(name, title, lead, pictures=("live-memory",), tables=peaks)


def training(book: Book) -> Section:
    """Losses and errors epoch by epoch."""
    name, title = "training", "Training curves"
    history = book.run.history
    if history.empty:
        return Section(name, title, missing="The run has no finished epoch.")
    wanted = ["algorithm", "stage", "epoch", "loss", "train_error", "test_error"]
    wanted += ["cumulative_bytes_read", "cumulative_bytes_written"]
    names = [name for name in wanted if name in history]
    epochs = table(
        "history-table", "Epochs", "history.csv", columns_of(book.run.error_on, names), history
    )
    return Section(name, title, pictures=("training-curves",), more=[epochs])


def learned(book: Book) -> Section:
    """What the network sees and has learned."""
    name, title = "learned", "What it learned from, and what it learned"
    has_any = bool(book.run.weights or book.run.examples)
    missing = "" if has_any else "The run has no weights and no examples to draw."
    pictures = ("hybrids", "goodness", "receptive-fields") if has_any else ()
    return Section(name, title, pictures=pictures, missing=missing)


def _present(tables: Iterable[Table | None]) -> list[Table]:
    return [one for one in tables if one is not None]
