"""The tables of a run: pure functions from frames to frames, numbers untouched by format.

All traffic is in bytes under eager accounting (every operation streams its operands, no cache);
errors are in percent. Two kinds of cost are told apart everywhere:

- *run*: all that was traced, the softmax head and the evaluations included;
- *training sample*: the network's training steps alone, without phase `evaluate` and, where the
  head was trained apart on frozen features, without the head; divided by the samples they saw.

What was priced adds rows under other accountings: priced steps times their numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

from ffenergy.costs.prices import ACCOUNTINGS
from ffenergy.costs.run_totals import RunTotals
from ffenergy.runs.run import Run
from ffenergy.style import PHASES, TARGET_ERRORS, in_order, layers_in_order

TOTALS = ["flops", "bytes_read", "bytes_written"]
ERRORS = ("train_error", "test_error")
SUMMARY = ["algorithm", "test_error", "train_error", "steps", "samples", *TOTALS]
SUMMARY += ["bytes_per_flop", "normalize_bytes_share", "wall_seconds", "head_steps"]
SUMMARY += ["head_samples", "bytes_per_training_sample", "flops_per_training_sample"]
SUMMARY += ["dataset", "is_sample", "accounting"]
EXACT: Final = ["bytedmd_operation", "bytedmd_tile"]
"""Whole-run ByteDMD may pass 2⁶³, so these columns hold Python integers."""


def counted(run: Run) -> pd.DataFrame:
    """A row per algorithm, as counted. Costs are missing where nothing was traced."""
    rows = [_summary_row(run, name) for name in run.algorithms]
    table = pd.DataFrame(rows, columns=SUMMARY)
    # Nullable integers keep exact totals next to algorithms trained untraced.
    return table.astype(dict.fromkeys(TOTALS, "Int64"))


def _summary_row(run: Run, algorithm: str) -> dict[str, Any]:
    result = run.results[algorithm]
    traffic = of_algorithm(run.traffic, algorithm)
    training = training_traffic(run, algorithm)
    traced = not traffic.empty
    totals = {name: int(traffic[name].sum()) if traced else None for name in TOTALS}
    moved = _bytes(traffic)
    normalize = _bytes(traffic[traffic["phase"] == "normalize"])
    return {
        "algorithm": algorithm,
        "test_error": result["test_error"],
        "train_error": result["train_error"],
        "steps": result["steps"],
        "samples": result["samples"],
        **totals,
        "bytes_per_flop": ratio(moved, totals["flops"] or 0),
        "normalize_bytes_share": ratio(normalize, moved),
        "wall_seconds": result["wall_seconds"],
        "head_steps": result["head_steps"],
        "head_samples": result["head_samples"],
        "bytes_per_training_sample": ratio(_bytes(training), result["samples"]),
        "flops_per_training_sample": ratio(int(training["flops"].sum()), result["samples"]),
        "dataset": run.configuration["data"]["name"],
        "is_sample": run.configuration["data"]["is_sample"],
        "accounting": run.configuration["accounting"],
    }


def counted_normalize(run: Run) -> pd.DataFrame:
    """L2 normalisation per layer, as counted.

    share_of_layer_bytes: of all the bytes that the layer moved; share_of_total_bytes: of all that
    the algorithm moved; layer_bytes_without: what the layer moves with its normalisation gone.
    """
    rows = []
    for algorithm in run.algorithms:
        traffic = of_algorithm(run.traffic, algorithm)
        total = _bytes(traffic)
        chosen = traffic[traffic["phase"] == "normalize"]
        for layer in layers_in_order(chosen["layer"]):
            part = chosen[chosen["layer"] == layer]
            whole = _bytes(traffic[traffic["layer"] == layer])
            rows.append(
                {
                    "algorithm": algorithm,
                    "layer": layer,
                    "bytes_read": int(part["bytes_read"].sum()),
                    "bytes_written": int(part["bytes_written"].sum()),
                    "flops": int(part["flops"].sum()),
                    "share_of_layer_bytes": ratio(_bytes(part), whole),
                    "share_of_total_bytes": ratio(_bytes(part), total),
                    "layer_bytes_without": whole - _bytes(part),
                }
            )
    columns = ["algorithm", "layer", "bytes_read", "bytes_written", "flops"]
    columns += ["share_of_layer_bytes", "share_of_total_bytes", "layer_bytes_without"]
    return pd.DataFrame(rows, columns=columns)


def summary(run: Run, eager: pd.DataFrame, totals: RunTotals | None) -> pd.DataFrame:
    """A row per algorithm and accounting, as in ``summary.csv``.

    Eager bytes are those of traffic.csv; fused ones, ByteDMD and energies are priced steps times
    their numbers. Without prices, and for algorithms trained untraced, there is the eager row
    alone. `eager` is :func:`counted`.
    """
    if totals is None or eager.empty:
        return eager
    rows = []
    for row, accounting, places in _by_accounting(eager, totals):
        if places is None:
            rows.append(row)
            continue
        priced = totals.added(places)
        bytes_moved = {name: priced.pop(name) for name in ("bytes_read", "bytes_written")}
        fused = _fused_row(run, row, places, bytes_moved) if accounting != "eager" else {}
        peak = totals.peak_live(row["algorithm"], accounting)
        keys = {"accounting": accounting, **totals.priced_in}
        rows.append({**row, **fused, **keys, **priced, "peak_live_bytes": peak})
    counts = [*TOTALS, "peak_live_bytes"]
    table = pd.DataFrame(rows).astype(dict.fromkeys(counts, "Int64"))
    columns = [c for c in table.columns if c not in ("peak_live_bytes", "normalize_energy_share")]
    return table[[*columns, "peak_live_bytes", "normalize_energy_share"]].astype(
        dict.fromkeys(EXACT, object)
    )


def _by_accounting(
    eager: pd.DataFrame, totals: RunTotals
) -> Iterator[tuple[dict[str, Any], str, pd.DataFrame | None]]:
    """Each row once per accounting, with its algorithm's priced places; unpriced ones once."""
    priced = set(totals.by_place["algorithm"])
    for row in records(eager):
        if row["algorithm"] not in priced:
            yield row, "eager", None
            continue
        for accounting in ACCOUNTINGS:
            yield row, accounting, totals.places(row["algorithm"], accounting)


def _fused_row(
    run: Run, row: dict[str, Any], places: pd.DataFrame, moved: dict[str, int]
) -> dict[str, Any]:
    """What differs in the fused row of an algorithm."""
    total = sum(moved.values())
    training = training_rows(run, places, row["algorithm"])
    normalize = places[places["phase"] == "normalize"]
    return {
        **moved,
        "bytes_per_flop": ratio(total, row["flops"]),
        "normalize_bytes_share": ratio(_bytes(normalize), total),
        "bytes_per_training_sample": ratio(_bytes(training), row["samples"]),
    }


def normalize(run: Run, totals: RunTotals | None) -> pd.DataFrame:
    """L2 normalisation per layer, as in ``normalize.csv``: a row per layer and accounting.

    Beside the columns of :func:`counted_normalize`: ByteDMD, energy, and the shares of the layer's
    and of the algorithm's energy that normalisation takes.
    """
    eager = counted_normalize(run)
    eager.insert(2, "accounting", "eager")
    if totals is None or not set(eager["algorithm"]) & set(totals.by_place["algorithm"]):
        return eager
    rows = []
    for row, accounting, places in _by_accounting(eager, totals):
        priced = {}
        if places is not None:
            priced = _normalize_row(places, row["layer"], accounting, totals)
        rows.append({**row, **priced})
    table = pd.DataFrame(rows).assign(**totals.priced_in)
    return table.astype(dict.fromkeys(EXACT, object))


def _normalize_row(
    whole: pd.DataFrame, layer: str, accounting: str, totals: RunTotals
) -> dict[str, Any]:
    energy = f"energy_{totals.unit}"
    of_layer = whole[whole["layer"] == layer]
    spent = totals.added(of_layer[of_layer["phase"] == "normalize"])
    layer_total, run_total = (totals.added(t) for t in (of_layer, whole))
    nbytes = spent["bytes_read"] + spent["bytes_written"]
    return {
        "accounting": accounting,
        "bytes_read": spent["bytes_read"],
        "bytes_written": spent["bytes_written"],
        "share_of_layer_bytes": ratio(nbytes, _bytes(of_layer)),
        "share_of_total_bytes": ratio(nbytes, _bytes(whole)),
        "layer_bytes_without": _bytes(of_layer) - nbytes,
        "bytedmd_operation": spent["bytedmd_operation"],
        "bytedmd_tile": spent["bytedmd_tile"],
        energy: spent[energy],
        "share_of_layer_energy": ratio(spent[energy], layer_total[energy]),
        "share_of_total_energy": ratio(spent[energy], run_total[energy]),
        f"layer_{energy}_without": layer_total[energy] - spent[energy],
    }


def layers_by_phases(run: Run, algorithm: str) -> pd.DataFrame:
    """Bytes (read + written) of one algorithm: a row per layer, a column per phase, and totals."""
    traffic = of_algorithm(run.traffic, algorithm)
    moved = traffic.assign(bytes=traffic["bytes_read"] + traffic["bytes_written"])
    table = moved.pivot_table(
        index="layer", columns="phase", values="bytes", aggfunc="sum", fill_value=0
    )
    table = table.loc[layers_in_order(table.index), in_order(table.columns, PHASES)]
    table["all"] = table.sum(axis="columns")
    table.loc["all"] = table.sum(axis="index")
    return table


def comparison(run: Run, table: pd.DataFrame, pair: tuple[str, str] | None) -> pd.DataFrame:
    """Two algorithms side by side: quantity, unit, both values and their ratio.

    `table` is :func:`counted`. Empty unless both algorithms finished and were traced.
    """
    if pair is None or not both_traced(run, *pair):
        return pd.DataFrame()
    columns = ["quantity", "unit", *pair, "ratio"]
    ours, baseline = pair
    a, b = (table[table["algorithm"] == name].iloc[0] for name in (ours, baseline))
    quantities = [
        ("bytes per training sample", "byte", "bytes_per_training_sample"),
        ("flops per training sample", "flop", "flops_per_training_sample"),
        ("bytes read, whole run", "byte", "bytes_read"),
        ("bytes written, whole run", "byte", "bytes_written"),
        ("flops, whole run", "flop", "flops"),
        ("bytes per flop, whole run", "byte/flop", "bytes_per_flop"),
        ("wall time", "s", "wall_seconds"),
    ]
    rows = [
        (quantity, unit, float(a[column]), float(b[column]), ratio(a[column], b[column]))
        for quantity, unit, column in quantities
    ]
    return pd.DataFrame(rows, columns=columns)


def phase_differences(run: Run, pair: tuple[str, str] | None) -> pd.DataFrame:
    """Bytes per training sample of two algorithms and their difference, a row per phase.

    The last row, `all`, is the sum of the others. Empty unless both were traced.
    """
    if pair is None or not both_traced(run, *pair):
        return pd.DataFrame()
    ours, baseline = pair
    per_phase = {name: _training_bytes_by_phase(run, name) for name in pair}
    phases = in_order({phase for row in per_phase.values() for phase in row}, PHASES)
    table = pd.DataFrame(
        {
            name: [row.get(phase, 0) / run.results[name]["samples"] for phase in phases]
            for name, row in per_phase.items()
        },
        index=pd.Index(phases, name="phase"),
    )
    table["difference"] = table[ours] - table[baseline]
    table.loc["all"] = table.sum(axis="index")
    return table


def to_targets(run: Run, targets: tuple[float, ...] = TARGET_ERRORS) -> pd.DataFrame:
    """Bytes and flops of the whole run up to the first epoch whose test error met each target.

    Columns: algorithm, target_error, reached, stage, epoch, test_error, bytes, flops. A target
    that was missed keeps its row: reached False, costs missing, test_error the best that was seen.
    Costs are missing too where nothing was traced.
    """
    counted = ["cumulative_bytes_read", "cumulative_bytes_written", "cumulative_flops"]
    rows = []
    for algorithm in run.algorithms:
        history = epochs(run, algorithm)
        history = history[history["test_error"].notna()]
        for target in targets:
            met = history[history["test_error"] <= target]
            row: dict[str, Any] = {"algorithm": algorithm, "target_error": target}
            if met.empty:
                row |= {"reached": False, "stage": "", "epoch": None}
                row |= {"test_error": history["test_error"].min(), "bytes": None, "flops": None}
            else:
                first = met.iloc[0]
                read, written, flops = first.reindex(counted)
                row |= {"reached": True, "stage": first["stage"], "epoch": int(first["epoch"])}
                row |= {"test_error": first["test_error"], "bytes": read + written, "flops": flops}
            rows.append(row)
    columns = ["algorithm", "target_error", "reached", "stage", "epoch", "test_error"]
    columns += ["bytes", "flops"]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({"epoch": "Int64", "bytes": "Int64", "flops": "Int64"})


def targets(run: Run, table: pd.DataFrame, totals: RunTotals | None) -> pd.DataFrame:
    """Costs up to each target error, as in ``targets.csv``; a missed target keeps its row.

    `table` is :func:`to_targets`: its columns (bytes and flops are of everything traced, eager),
    then per accounting training_bytes_read, training_bytes_written and training_energy_* of the
    training steps alone: no evaluations, meters or shuffling.
    """
    if totals is None:
        return table
    priced = set(totals.prices.steps["algorithm"])
    rows: list[dict[str, Any]] = []
    for row in records(table):
        keys = totals.priced_in
        if not row["reached"] or row["algorithm"] not in priced:
            rows += [{**row, **keys, "accounting": name} for name in ACCOUNTINGS]
            continue
        history = of_algorithm(run.history, row["algorithm"])
        costs = totals.training_up_to(row["algorithm"], history, row["stage"], int(row["epoch"]))
        for cost in records(costs):
            accounting = cost.pop("accounting")
            named = {f"training_{name}": value for name, value in cost.items()}
            rows.append({**row, **keys, "accounting": accounting, **named})
    energy = f"training_energy_{totals.unit}"
    counts = ["training_bytes_read", "training_bytes_written"]
    columns = ["algorithm", "accounting", *table.columns[1:], *totals.priced_in, *counts, energy]
    exact = dict.fromkeys(("epoch", "bytes", "flops", *counts), "Int64")
    return pd.DataFrame(rows).reindex(columns=columns).astype(exact)


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table, each a dictionary by column."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]


def of_algorithm(table: pd.DataFrame, algorithm: str) -> pd.DataFrame:
    """The rows of one algorithm."""
    return table[table["algorithm"] == algorithm]


def epochs(run: Run, algorithm: str) -> pd.DataFrame:
    """The rows of `history` of one algorithm; errors that were never taken are NaN, in percent."""
    history = of_algorithm(run.history, algorithm)
    absent = [name for name in ERRORS if name not in history]
    return history.assign(**dict.fromkeys(absent, math.nan))


def training_traffic(run: Run, algorithm: str) -> pd.DataFrame:
    """The rows of `traffic` that one algorithm's training steps moved; see the module's head."""
    return training_rows(run, of_algorithm(run.traffic, algorithm), algorithm)


def training_rows(run: Run, table: pd.DataFrame, algorithm: str) -> pd.DataFrame:
    """The rows of a table with layers and phases that belong to training steps."""
    training = table[~table["phase"].isin(["head", "evaluate"])]
    apart = run.results[algorithm]["head_steps"] > 0
    return training[training["layer"] != "head"] if apart else training


def both_traced(run: Run, *algorithms: str) -> bool:
    """Whether every one of `algorithms` finished with traffic and training samples."""
    return all(
        name in run.results
        and not of_algorithm(run.traffic, name).empty
        and run.results[name]["samples"] > 0
        for name in algorithms
    )


def ratio(part: float, whole: float) -> float:
    """Divide part by whole; NaN where there is no whole."""
    return part / whole if whole else math.nan


def _bytes(table: pd.DataFrame) -> int:
    return int(sum(table["bytes_read"].tolist()) + sum(table["bytes_written"].tolist()))


def _training_bytes_by_phase(run: Run, algorithm: str) -> dict[str, int]:
    training = training_traffic(run, algorithm)
    return {str(phase): _bytes(part) for phase, part in training.groupby("phase")}
