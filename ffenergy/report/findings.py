"""What a run found and what it assumed, in plain sentences computed from its tables."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from ffenergy.costs.prices import PRICED_GRAIN
from ffenergy.report import tables
from ffenergy.report.book import Book
from ffenergy.report.numbers import error_percent, percent, quantity, times
from ffenergy.runs.run import Run
from ffenergy.style import ACCOUNTING, ALGORITHM_NAMES, PHASES

FUSED: Final = (
    "fused: a declared group of operations is one kernel; what is born and dies inside costs "
    "nothing, and what it uses from outside is read once"
)


def findings(book: Book) -> list[str]:
    """The answer first, then what the L2 normalisation cost, accuracies, targets and warnings."""
    sentences = [
        _movement(book),
        _decomposition(book),
        _normalisation(book),
        _control(book.run),
        *_targets(book),
        _sample(book.run),
        validation(book.run),
        unfinished(book.run),
    ]
    return [sentence for sentence in sentences if sentence]


def assumptions(book: Book) -> list[tuple[str, str]]:
    """What the figures rest on: data, counting, prices, hardware, seeds."""
    found = [("Data", data_line(book.run)), ("Counted", accounting_line(book.run))]
    if book.prices:
        found += [("or", FUSED), ("Priced", priced_line(book))]
        headline = next((p for p in book.hardware if p.name == book.headline), None)
        if headline is not None:
            found.append(("Hardware", f"{headline.title}. {headline.convention}"))
    seed = book.run.configuration.get("seed")
    found.append(("Seeds", f"one, seed {seed}: errors of a single training, no spread"))
    return found


def data_line(run: Run) -> str:
    """Name, size and source of the data, a sample marked as such."""
    data = run.configuration["data"]
    mark = " · SAMPLE, not the full data set" if data["is_sample"] else ""
    kind = "validation" if data.get("validation_images") else "test"
    return (
        f"{data['name']}, {data['train_images']:,} training and {data['test_images']:,} {kind} "
        f"images, {data['source']}{mark}"
    )


def accounting_line(run: Run) -> str:
    """The rule by which bytes were counted."""
    return ACCOUNTING.get(run.configuration["accounting"], str(run.configuration["accounting"]))


def priced_line(book: Book) -> str:
    """How the run was priced, in one sentence."""
    profiles = book.prices.profiles if book.prices else ()
    memory = book.prices.memory if book.prices else ""
    others = " and ".join(profiles[1:])
    return (
        f"Energies are estimates under {profiles[0]}{f', and under {others}' if others else ''}: "
        f"one step of every kind, recorded on random pixels and priced in its own steady state at "
        f"{PRICED_GRAIN} grain in a {memory}, times the steps."
    )


def _movement(book: Book) -> str:
    table = book.comparison
    if table.empty:
        return ""
    rows = {row["quantity"]: row for row in table.to_dict("records")}
    sample, flops = rows["bytes per training sample"], rows["flops per training sample"]
    summary = book.counted.set_index("algorithm")
    whole = summary["bytes_read"] + summary["bytes_written"]
    ff, bp = (float(book.run.results[name]["test_error"]) for name in ("ff", "bp"))
    return (
        f"Per training sample Forward-Forward moved {times(sample['ratio'])} the bytes of backprop "
        f"({quantity(sample['ff'], 'B')} against {quantity(sample['bp'], 'B')}) "
        f"for {times(flops['ratio'])} its flops; the whole runs, heads and evaluations "
        f"included, moved {quantity(whole['ff'], 'B')} against {quantity(whole['bp'], 'B')} "
        f"({times(tables.ratio(whole['ff'], whole['bp']))}) "
        f"and ended at {error_percent(ff)} against {error_percent(bp)} test error."
    )


def _decomposition(book: Book) -> str:
    table = book.phase_differences
    if table.empty:
        return ""
    difference = table["difference"]

    def part(phase: str) -> float:
        return float(difference.get(phase, 0.0))

    saved = -part("backward")
    if saved <= 0:
        return ""
    eaten = tables.ratio(part("normalize"), saved)
    total = part("all")
    outcome = f"{quantity(abs(total), 'B')} {'more' if total > 0 else 'less'} than backprop"
    told = {phase: quantity(part(phase), "B", "+") for phase in PHASES}
    return (
        f"Per training sample, removing the backward pass saved {quantity(saved, 'B')}; "
        f"L2 normalisation cost {told['normalize']} ({_of(eaten)} that saving), "
        f"the forward pass with its negatives {told['forward']}, "
        f"making the negatives {told['negatives']}, "
        f"goodness against the softmax loss {told['goodness']}, "
        f"weight gradients {told['gradient']}, the optimiser {told['optimizer']}: "
        f"in sum {outcome}."
    )


def _normalisation(book: Book) -> str:
    if not tables.both_traced(book.run, "ff"):
        return ""
    summary = book.counted.set_index("algorithm")
    share = float(summary["normalize_bytes_share"]["ff"])
    training = tables.training_traffic(book.run, "ff")
    moved = training["bytes_read"] + training["bytes_written"]
    normalize = moved[training["phase"] == "normalize"].sum()
    steps = tables.ratio(float(normalize), float(moved.sum()))
    return (
        f"L2 normalisation took {percent(steps)} of the bytes of Forward-Forward's training "
        f"steps, {percent(share)} of its whole run."
    )


def _control(run: Run) -> str:
    if "random" not in run.results or len(run.results) < 2:
        return ""
    errors = {name: float(row["test_error"]) for name, row in run.results.items()}
    control = errors.pop("random")
    if any(map(math.isnan, (control, *errors.values()))):  # no epoch took them
        return ""
    beaten = [ALGORITHM_NAMES.get(name, name) for name, e in errors.items() if not e < control]
    sentence = (
        "The untrained control, random frozen layers under the same head, reached "
        f"{error_percent(control)}"
    )
    if beaten:
        return f"{sentence}: {' and '.join(beaten)} did no better than not training at all."
    return f"{sentence}, worse than every trained network."


def _targets(book: Book) -> list[str]:
    table = book.reached
    sentences: list[str] = []
    missed: list[str] = []
    for target, rows in table.groupby("target_error", sort=False):
        rows = rows[rows["algorithm"] != "random"]
        if rows.empty or not book.run.traffic["algorithm"].isin(rows["algorithm"]).any():
            continue
        if not rows["reached"].any():
            missed.append(f"{target:g} %")
            continue
        parts = "; ".join(_target_part(row) for _, row in rows.iterrows())
        reached = rows[rows["reached"]].set_index("algorithm")["bytes"]
        if {"ff", "bp"} <= set(reached.index):
            parts += f"; ratio {times(tables.ratio(reached['ff'], reached['bp']))}"
        sentences.append(f"Bytes moved up to {target:g} % test error: {parts}.")
    if missed:
        sentences.append(f"No trained network reached {' or '.join(missed)} test error.")
    return sentences


def _target_part(row: pd.Series) -> str:
    name = ALGORITHM_NAMES.get(row["algorithm"], row["algorithm"])
    if not row["reached"]:
        return f"{name} missed it (best {error_percent(row['test_error'])})"
    return f"{name} {quantity(row['bytes'], 'B')}"


def _sample(run: Run) -> str:
    data = run.configuration["data"]
    if not data["is_sample"]:
        return ""
    return (
        f"The data are the embedded sample ({data['train_images']:,} training and "
        f"{data['test_images']:,} test images), so these errors are not those of full MNIST."
    )


def validation(run: Run) -> str:
    """Say that errors are on images held out from training, if they are."""
    count = run.configuration.get("data", {}).get("validation_images")
    if not count:
        return ""
    return (
        f"What is called test error here is the error on {count:,} images held out from the end "
        "of the training set, for choosing hyper-parameters; the test set was not touched."
    )


def unfinished(run: Run) -> str:
    """Say that the run is not complete and why, if it is not."""
    status = run.configuration.get("status", "complete")
    if status == "complete":
        return ""
    reason = run.configuration.get("reason")
    return f"This run is not complete ({status}{f': {reason}' if reason else ''})."


def _of(share: float) -> str:
    return f"{percent(share)} of" if share <= 2 else times(share)
