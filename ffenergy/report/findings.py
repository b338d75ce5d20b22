"""What a run found and what it assumed, in plain sentences computed from its tables."""

from __future__ import annotations

import math
from typing import Final

import pandas as pd

from ffenergy.costs.prices import PRICED_GRAIN
from ffenergy.report import tables
from ffenergy.report.book import Book
from ffenergy.report.numbers import error_percent, percent, quantity, times
from ffenergy.rules import registry
from ffenergy.runs.run import Run
from ffenergy.style import ACCOUNTING, ALGORITHM_NAMES, MEMORY_WORDS, PHASES

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
    return (
        f"{data['name']}, {data['train_images']:,} training and {data['test_images']:,} "
        f"{run.error_on} images, {data['source']}{mark}"
    )


def accounting_line(run: Run) -> str:
    """The rule by which bytes were counted."""
    return ACCOUNTING.get(run.configuration["accounting"], str(run.configuration["accounting"]))


def priced_line(book: Book) -> str:
    """How the run was priced, in one sentence."""
    profiles = book.prices.profiles if book.prices else ()
    memory = MEMORY_WORDS[book.prices.memory] if book.prices else ""
    others = " and ".join(profiles[1:])
    return (
        f"Energies are estimates under {profiles[0]}{f', and under {others}' if others else ''}: "
        f"one step of every kind, recorded on random pixels and priced in its own steady state at "
        f"{PRICED_GRAIN} grain, in {memory}, times the steps."
    )


def _movement(book: Book) -> str:
    table = book.comparison
    if book.pair is None or table.empty:
        return ""
    rows = {row["quantity"]: row for row in table.to_dict("records")}
    sample, flops = rows["bytes per training sample"], rows["flops per training sample"]
    summary = book.counted.set_index("algorithm")
    whole = summary["bytes_read"] + summary["bytes_written"]
    ours, theirs = book.pair
    errors = [error_percent(float(book.run.results[name]["test_error"])) for name in book.pair]
    return (
        f"Per training sample {ALGORITHM_NAMES[ours]} moved {times(sample['ratio'])} the bytes of "
        f"{ALGORITHM_NAMES[theirs]} ({' against '.join(_bytes(sample[n]) for n in book.pair)}) "
        f"for {times(flops['ratio'])} its flops; the whole runs, heads and evaluations "
        f"included, moved {' against '.join(_bytes(whole[n]) for n in book.pair)} "
        f"({times(tables.ratio(whole[ours], whole[theirs]))}) "
        f"and ended at {' against '.join(errors)} {book.run.error_on} error."
    )


def _decomposition(book: Book) -> str:
    table = book.phase_differences
    if book.pair is None or table.empty:
        return ""
    difference = table["difference"]

    def part(phase: str) -> float:
        return float(difference.get(phase, 0.0))

    saved = -part("backward")
    if saved <= 0:
        return ""
    eaten = tables.ratio(part("normalize"), saved)
    total = part("all")
    than = ALGORITHM_NAMES[book.pair[1]]
    outcome = f"{quantity(abs(total), 'B')} {'more' if total > 0 else 'less'} than {than}"
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
    known = registry.rules()
    names = [name for name in book.traced if name in known and known[name].normalizes_inputs]
    if not names or not tables.both_traced(book.run, names[0]):
        return ""
    summary = book.counted.set_index("algorithm")
    share = float(summary["normalize_bytes_share"][names[0]])
    training = tables.training_traffic(book.run, names[0])
    moved = training["bytes_read"] + training["bytes_written"]
    normalize = moved[training["phase"] == "normalize"].sum()
    steps = tables.ratio(float(normalize), float(moved.sum()))
    return (
        f"L2 normalisation took {percent(steps)} of the bytes of {ALGORITHM_NAMES[names[0]]}'s "
        f"training steps, {percent(share)} of its whole run."
    )


def control(run: Run) -> tuple[str, float] | None:
    """Name and test error of the first rule that trains no hidden layer; None without one."""
    for name, row in run.results.items():
        if not _trains_layers(name):
            return name, float(row.get("test_error", math.nan))
    return None


def beaten(run: Run) -> list[str]:
    """Titles of the rules that train hidden layers and did no better than the control."""
    found = control(run)
    if found is None:
        return []
    errors = {n: float(row.get("test_error", math.nan)) for n, row in run.results.items()}
    return [
        ALGORITHM_NAMES.get(name, name)
        for name, error in errors.items()
        if _trains_layers(name) and error >= found[1]
    ]


def _trains_layers(name: str) -> bool:
    known = registry.rules()
    return name not in known or known[name].trains_layers


def _is_trained(run: Run, name: str) -> bool:
    return _trains_layers(name) and run.results[name]["samples"] > 0


def _control(run: Run) -> str:
    found = control(run)
    if found is None or len(run.results) < 2:
        return ""
    if any(math.isnan(float(row["test_error"])) for row in run.results.values()):
        return ""  # no epoch took them
    name, error = found
    sentence = (
        f"The {ALGORITHM_NAMES[name]}, which trains no hidden layer, reached {error_percent(error)}"
    )
    if worse := beaten(run):
        return f"{sentence}: {' and '.join(worse)} did no better than not training at all."
    return f"{sentence}, worse than every trained network."


def _targets(book: Book) -> list[str]:
    table = book.reached
    sentences: list[str] = []
    missed: list[str] = []
    for target, rows in table.groupby("target_error", sort=False):
        rows = rows[[_is_trained(book.run, name) for name in rows["algorithm"]]]
        if rows.empty or not book.run.traffic["algorithm"].isin(rows["algorithm"]).any():
            continue
        if not rows["reached"].any():
            missed.append(f"{target:g} %")
            continue
        parts = "; ".join(_target_part(row) for _, row in rows.iterrows())
        reached = rows[rows["reached"]].set_index("algorithm")["bytes"]
        if book.pair and set(book.pair) <= set(reached.index):
            parts += f"; ratio {times(tables.ratio(*(reached[name] for name in book.pair)))}"
        sentences.append(f"Bytes moved up to {target:g} % {book.run.error_on} error: {parts}.")
    if missed:
        sentences.append(
            f"No trained network reached {' or '.join(missed)} {book.run.error_on} error."
        )
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
        f"{data['test_images']:,} {run.error_on} images), so these errors are not those of full "
        "MNIST."
    )


def validation(run: Run) -> str:
    """Say that errors are on images held out from training, if they are."""
    count = run.configuration.get("data", {}).get("validation_images")
    if not count:
        return ""
    return (
        f"Validation errors are those on {count:,} images held out from the end of the training "
        "set, for choosing hyper-parameters; the test set was not touched."
    )


def unfinished(run: Run) -> str:
    """Say that the run is not complete and why, if it is not."""
    status = run.configuration.get("status", "complete")
    if status == "complete":
        return ""
    reason = run.configuration.get("reason")
    return f"This run is not complete ({status}{f': {reason}' if reason else ''})."


def _bytes(value: float) -> str:
    return quantity(value, "B")


def _of(share: float) -> str:
    return f"{percent(share)} of" if share <= 2 else times(share)
