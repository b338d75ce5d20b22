"""What a run found, in plain sentences computed from its tables; nothing here is typed in."""

from __future__ import annotations

import math

import pandas as pd

from ffenergy.report import tables
from ffenergy.report.style import ALGORITHM_NAMES, three_digits
from ffenergy.runs.directory import Run


def findings(run: Run) -> list[str]:
    """The answer first, then what the L2 normalisation cost, accuracies, targets and warnings."""
    sentences = [
        _movement(run),
        _decomposition(run),
        _normalisation(run),
        _control(run),
        *_targets(run),
        _sample(run),
        _validation(run),
        _unfinished(run),
    ]
    return [sentence for sentence in sentences if sentence]


def _movement(run: Run) -> str:
    table = tables.comparison(run)
    if table.empty:
        return ""
    rows = {row["quantity"]: row for row in table.to_dict("records")}
    sample, flops = rows["bytes per training sample"], rows["flops per training sample"]
    summary = tables.summary(run).set_index("algorithm")
    whole = summary["bytes_read"] + summary["bytes_written"]
    ff, bp = (float(run.results[name]["test_error"]) for name in ("ff", "bp"))
    return (
        f"Per training sample Forward-Forward moved {times(sample['ratio'])} the bytes of backprop "
        f"({megabytes(sample['ff'])} against {megabytes(sample['bp'])}) "
        f"for {times(flops['ratio'])} its flops; the whole runs, heads and evaluations "
        f"included, moved {gigabytes(whole['ff'])} against {gigabytes(whole['bp'])} "
        f"({times(tables.ratio(whole['ff'], whole['bp']))}) "
        f"and ended at {error_percent(ff)} against {error_percent(bp)} test error."
    )


def _decomposition(run: Run) -> str:
    table = tables.phase_differences(run)
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
    outcome = f"{megabytes(abs(total))} {'more' if total > 0 else 'less'} than backprop"
    return (
        f"Per training sample, removing the backward pass saved {megabytes(saved)}; "
        f"L2 normalisation cost {signed(part('normalize'))} ({_of(eaten)} that saving), "
        f"the forward pass with its negatives {signed(part('forward'))}, "
        f"making the negatives {signed(part('negatives'))}, "
        f"goodness against the softmax loss {signed(part('goodness'))}, "
        f"weight gradients {signed(part('gradient'))}, the optimiser {signed(part('optimizer'))}: "
        f"in sum {outcome}."
    )


def _normalisation(run: Run) -> str:
    if not tables.both_traced(run, "ff"):
        return ""
    summary = tables.summary(run).set_index("algorithm")
    share = float(summary["normalize_bytes_share"]["ff"])
    training = tables.training_traffic(run, "ff")
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


def _targets(run: Run) -> list[str]:
    table = tables.to_targets(run)
    sentences: list[str] = []
    missed: list[str] = []
    for target, rows in table.groupby("target_error", sort=False):
        rows = rows[rows["algorithm"] != "random"]
        if rows.empty or not run.traffic["algorithm"].isin(rows["algorithm"]).any():
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
    return f"{name} {gigabytes(row['bytes'])}"


def _sample(run: Run) -> str:
    data = run.configuration["data"]
    if not data["is_sample"]:
        return ""
    return (
        f"The data are the embedded sample ({data['train_images']:,} training and "
        f"{data['test_images']:,} test images), so these errors are not those of full MNIST."
    )


def _validation(run: Run) -> str:
    count = run.configuration["data"].get("validation_images")
    if not count:
        return ""
    return (
        f"What is called test error here is the error on {count:,} images held out from the end "
        "of the training set, for choosing hyper-parameters; the test set was not touched."
    )


def _unfinished(run: Run) -> str:
    status = run.configuration["status"]
    if status == "complete":
        return ""
    reason = run.configuration.get("reason")
    return f"This run is not complete ({status}{f': {reason}' if reason else ''})."


def _of(share: float) -> str:
    return f"{percent(share)} of" if share <= 2 else times(share)


def times(value: float) -> str:
    """A ratio: 1.82×."""
    return "an unknown multiple of" if math.isnan(value) else f"{value:.2f}×"


def percent(share: float) -> str:
    """A share of one as percent: 7.1 %."""
    return "an unknown share" if math.isnan(share) else f"{100 * share:.1f} %"


def error_percent(value: float) -> str:
    """An error in percent: 1.59 %."""
    return "unknown" if math.isnan(value) else f"{value:.2f} %"


def gigabytes(value: float) -> str:
    """Bytes as GB of 10⁹ bytes, three or more digits."""
    return f"{three_digits(value / 1e9)} GB"


def megabytes(value: float) -> str:
    """Bytes as MB of 10⁶ bytes, three or more digits."""
    return f"{three_digits(value / 1e6)} MB"


def signed(value: float) -> str:
    """Bytes as MB with a sign, for parts of a sum."""
    return f"{'−' if value < 0 else '+'}{megabytes(abs(value))}"
