"""What steps of the trace are to a run: all that is counted is counted in one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ffenergy.network.arrays import Tracer
from instrumented import InstrumentError, Trace
from instrumented.books.counters import NO_TRAFFIC


@contextmanager
def one_step(trace: Tracer, stage: str) -> Iterator[None]:
    """Hold a step of a stage to be one step of the trace, if it is traced.

    Raises:
        InstrumentError: it was more than one, or none.
    """
    before = _taken(trace)
    yield
    if isinstance(trace, Trace):
        check_taken(stage, 1, _taken(trace) - before)


def check_taken(stage: str, steps: int, taken: int) -> None:
    """Raise InstrumentError unless ``steps`` steps of a stage were as many of the trace."""
    if taken != steps:
        raise InstrumentError(
            f"stage {stage}: {steps} step{'s' * (steps != 1)} took {taken} steps of the trace; "
            "open `with trace.step(name):` once in each"
        )


def check_inside(trace: Tracer) -> None:
    """Raise InstrumentError if something was counted outside of steps: no step would tell of it."""
    if not isinstance(trace, Trace):
        return
    if trace.traffic != sum((s.traffic * s.steps for s in trace.signatures), NO_TRAFFIC):
        rows = trace.to_frame(by_step=True)
        stray = rows[rows["step"] < 0].iloc[0]
        raise InstrumentError(
            f"{stray['operation']} in layer {stray['layer']}, phase {stray['phase']} was counted "
            "outside of all steps of the trace; open `with trace.step(name):` around it"
        )


def _taken(trace: Tracer) -> int:
    return len(trace.ledger.step_signatures) if isinstance(trace, Trace) else 0
