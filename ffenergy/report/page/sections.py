"""The sections of the page in their order; one without data says what the run lacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from ffenergy.costs.decomposition import RUN, TRAINING_STEP
from ffenergy.costs.prices import Prices
from ffenergy.costs.run_totals import headline_unit
from ffenergy.report import priced_tables
from ffenergy.report.page import cost_tables
from ffenergy.report.page.blocks import Drawing, Section, Table, table
from ffenergy.report.page.columns import columns
from ffenergy.report.page.whatif import ACCOUNTINGS
from ffenergy.runs.directory import Run

UNPRICED: Final = "The run has no priced steps (trained without counting), so this is left out."
ONE_SIDED: Final = "The run lacks Forward-Forward or backprop, so there is nothing to compare."
SHARED: Final = "Errors of training and test in percent, costs of the whole run."

Drawings = Mapping[str, Drawing]


def sections(run: Run, prices: Prices | None, drawings: Drawings) -> list[Section]:
    """All sections between the answer and the configuration."""
    return [
        accuracy(run, prices),
        waterfall(prices, drawings),
        places(run, prices, drawings),
        crossing(prices, drawings),
        normalisation(run, prices),
        reuse(prices, drawings),
        live(prices, drawings),
        training(run, drawings),
        learned(drawings),
    ]


def accuracy(run: Run, prices: Prices | None) -> Section:
    """Errors and costs of whole runs, and costs up to an error."""
    title = "Accuracy beside cost"
    frame = priced_tables.summary(run, prices)
    if frame.empty:
        return Section("accuracy", title, missing="No algorithm of this run has finished.")
    errors = ["algorithm", "accounting", "test_error", "train_error"]
    counts = ["algorithm", "accounting", "bytes_read", "bytes_written", "flops", "bytes_per_flop"]
    if prices is not None:
        unit = headline_unit(prices)
        errors += [f"energy_compute_{unit}", f"energy_movement_{unit}", f"energy_{unit}"]
        errors += ["commute_to_compute"]
        counts += ["peak_live_bytes", "normalize_energy_share"]
    counts.append("wall_seconds")
    frame = frame[frame["accounting"].isin(ACCOUNTINGS)]
    captions = {
        "accuracy-table": ("Whole runs, head and evaluations included", errors),
        "bytes-table": ("What they moved and computed", counts),
    }
    shown = [
        table(key, caption, "summary.csv", columns(names), frame)
        for key, (caption, names) in captions.items()
    ]
    return Section("accuracy", title, SHARED, tables=shown, more=_targets(run, prices))


def _targets(run: Run, prices: Prices | None) -> list[Table]:
    frame = priced_tables.targets(run, prices)
    if "accounting" in frame:
        frame = frame[frame["accounting"].isin(ACCOUNTINGS)]
    frame = frame[frame["reached"]]
    if frame.empty:
        return []
    names = ["algorithm", *(["accounting"] if "accounting" in frame else []), "target_error"]
    names += ["stage", "epoch", "test_error", "bytes"]
    if prices is not None and f"training_energy_{headline_unit(prices)}" in frame:
        names[-1:] = ["training_bytes_read", "training_bytes_written"]
        names.append(f"training_energy_{headline_unit(prices)}")
    caption = "Training up to a test error that was reached"
    return [table("targets-table", caption, "targets.csv", columns(names), frame)]


def waterfall(prices: Prices | None, drawings: Drawings) -> Section:
    """From backprop to Forward-Forward in signed parts."""
    name, title = "waterfall", "From backprop to Forward-Forward"
    if prices is None:
        return Section(name, title, missing=UNPRICED)
    if prices.decomposition.empty:
        return Section(name, title, missing=ONE_SIDED)
    step, run = (
        _present(cost_tables.parts(prices, scope, accounting) for accounting in ACCOUNTINGS)
        for scope in (TRAINING_STEP, RUN)
    )
    lead = (
        "What removing the backward pass saves, and what the second pass, the negatives, the "
        "goodness and the normalisation add back. The parts add up exactly."
    )
    return Section(
        name, title, lead, drawings=_of(drawings, "energy-waterfall"), tables=run, more=step
    )


def places(run: Run, prices: Prices | None, drawings: Drawings) -> Section:
    """Costs by layer, phase and role."""
    name, title = "places", "By layer, phase and role"
    shown = _of(drawings, "energy-by-phase-and-role", "traffic")
    if prices is None:
        lead = "Energies need priced steps, which this run lacks; the bytes are those counted."
        return Section(
            name, title, lead if shown else "", drawings=shown, missing="" if shown else UNPRICED
        )
    tables = [cost_tables.places(prices, key) for key in ("phase", "layer", "role")]
    lead = (
        "The pictures are per training sample, the tables over the whole run: evaluations and "
        "heads included."
    )
    return Section(name, title, lead, drawings=shown, tables=tables[:1], more=tables[1:])


def crossing(prices: Prices | None, drawings: Drawings) -> Section:
    """Where the order of the algorithms changes as on-chip memory grows."""
    name, title = "crossing", "As on-chip memory grows"
    if prices is None or not cost_tables.trains(prices):
        return Section(name, title, missing=UNPRICED)
    met = cost_tables.meetings(prices)
    lead = (
        "A byte read at a reuse distance beyond the on-chip memory comes from outside. A line "
        "ends where nothing travels any more."
    )
    notes = [] if met else ["No two lines change places at any size of on-chip memory."]
    return Section(
        name,
        title,
        lead,
        notes,
        drawings=_of(drawings, "miss-curves"),
        tables=_present([met]),
        more=_present([cost_tables.beyond(prices)]),
    )


def normalisation(run: Run, prices: Prices | None) -> Section:
    """What L2 normalisation costs, layer by layer."""
    name, title = "normalisation", "L2 normalisation, eager and fused"
    frame = priced_tables.normalize(run, prices)
    if frame.empty:
        return Section(name, title, missing="No counted algorithm of this run normalises layers.")
    names = ["algorithm", "layer", "accounting", "bytes_read", "bytes_written"]
    names += ["share_of_total_bytes"]
    if prices is not None:
        unit = headline_unit(prices)
        names += [f"energy_{unit}", "share_of_layer_energy", "share_of_total_energy"]
    lead = (
        "Eager, every operation of the normalisation streams the layer through memory; fused, the "
        "layer is read and written once."
    )
    chosen = frame[frame["accounting"].isin(ACCOUNTINGS)]
    caption = "Whole run, layer by layer"
    shown = table("normalize-table", caption, "normalize.csv", columns(names), chosen)
    return Section(name, title, lead, tables=[shown])


def reuse(prices: Prices | None, drawings: Drawings) -> Section:
    """How far back the bytes lie that a step reads."""
    name, title = "reuse", "Reuse distances"
    if prices is None or not cost_tables.trains(prices):
        return Section(name, title, missing=UNPRICED)
    lead = (
        "The distance of a read is the number of bytes used since the same byte was last used; "
        "it decides which memory serves the read."
    )
    return Section(
        name,
        title,
        lead,
        drawings=_of(drawings, "reuse-distances"),
        more=_present([cost_tables.distances(prices)]),
    )


def live(prices: Prices | None, drawings: Drawings) -> Section:
    """Bytes alive over one training step."""
    name, title = "live", "Live memory over a step"
    if prices is None or not cost_tables.trains(prices):
        return Section(name, title, missing=UNPRICED)
    lead = (
        "Backprop keeps its activations until the backward pass has used them; the data set is "
        "left out."
    )
    return Section(
        name,
        title,
        lead,
        drawings=_of(drawings, "live-memory"),
        tables=_present([cost_tables.peaks(prices)]),
    )


def training(run: Run, drawings: Drawings) -> Section:
    """Losses and errors epoch by epoch."""
    name, title = "training", "Training curves"
    if run.history.empty:
        return Section(name, title, missing="The run has no finished epoch.")
    wanted = ["algorithm", "stage", "epoch", "loss", "train_error", "test_error"]
    wanted += ["cumulative_bytes_read", "cumulative_bytes_written"]
    names = [name for name in wanted if name in run.history]
    epochs = table("history-table", "Epochs", "history.csv", columns(names), run.history)
    return Section(name, title, drawings=_of(drawings, "training-curves"), more=[epochs])


def learned(drawings: Drawings) -> Section:
    """What the network sees and has learned."""
    name, title = "learned", "What it learned from, and what it learned"
    shown = _of(drawings, "hybrids", "goodness", "receptive-fields")
    missing = "" if shown else "The run has no weights and no examples to draw."
    return Section(name, title, drawings=shown, missing=missing)


def _of(drawings: Drawings, *names: str) -> list[Drawing]:
    return [drawings[name] for name in names if name in drawings]


def _present(tables: Iterable[Table | None]) -> list[Table]:
    return [one for one in tables if one is not None]
