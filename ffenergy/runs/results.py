"""What a training or a measurement leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from ffenergy.network import Tracer
from instrumented import Trace
from instrumented.books.ledger import Signature

COUNTS: Final = ("calls", "flops", "flops_special", "bytes_read", "bytes_written")
TRAFFIC_COLUMNS: Final = ("layer", "phase", "operation", "role", *COUNTS)


@dataclass(frozen=True)
class AlgorithmResult:
    """One trained algorithm. Error rates are in percent, NaN where training did not get so far.

    ``steps`` and ``samples`` count training steps of the hidden layers (of the whole network for
    backprop) and the images they saw as positives; the head's own are apart.
    """

    algorithm: str  # ff, bp or random
    test_error: float
    train_error: float
    steps: int
    samples: int
    head_steps: int
    head_samples: int
    wall_seconds: float
    history: pd.DataFrame  # a row per stage and epoch, as history.csv
    traffic: pd.DataFrame | None  # per layer, phase, operation, role; None if untraced
    signatures: list[dict[str, object]]  # name, digest, steps, per-step flops and bytes
    weights: dict[str, np.ndarray]  # layer1/W (fan_in, width), layer1/b (width,), …, head/b
    wrong: np.ndarray | None = None  # test images answered wrongly; None if traced


@dataclass(frozen=True)
class Measurement:
    """Byte counts of a few steps of one algorithm; nothing was learned."""

    algorithm: str
    steps: int
    batch_size: int
    traffic: pd.DataFrame
    signatures: list[dict[str, object]]


def traffic_table(trace: Tracer) -> pd.DataFrame | None:
    """Return the counts as in traffic.csv, without the algorithm; None if nothing was traced."""
    if not isinstance(trace, Trace):
        return None
    return trace.by_role()[list(TRAFFIC_COLUMNS)]


def totals(trace: Tracer) -> dict[str, int]:
    """Return the cumulative counts of history.csv so far; empty if nothing is traced."""
    if not isinstance(trace, Trace):
        return {}
    traffic = trace.traffic
    return {
        "cumulative_bytes_read": traffic.bytes_read,
        "cumulative_bytes_written": traffic.bytes_written,
        "cumulative_flops": trace.work.flops,
    }


def signature_table(trace: Tracer) -> list[dict[str, Any]]:
    """Return every distinct step with its digest, how many there were, and one step's counts."""
    if not isinstance(trace, Trace):
        return []
    return [signature_row(signature, signature.steps) for signature in trace.signatures]


def signature_row(signature: Signature, steps: int) -> dict[str, Any]:
    """Return one distinct step as run.json has it: its digest, how many, and one step's counts."""
    return {
        "name": signature.name,
        "digest": signature.digest,
        "steps": steps,
        "operations": len(signature.program),
        "flops": signature.work.flops,
        "bytes_read": signature.traffic.bytes_read,
        "bytes_written": signature.traffic.bytes_written,
    }
