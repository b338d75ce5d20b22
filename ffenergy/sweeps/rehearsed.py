"""Counts of a cell that was not traced: those of its rehearsal, since shapes alone decide them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

from ffenergy.costs.rehearsal import Workload, rehearse
from ffenergy.runs.results import signature_row
from ffenergy.sweeps.cells import COUNTS, Cell, Outcome


def counted(cell: Cell, outcome: Outcome) -> Outcome:
    """Return the outcome of a complete cell with counts and signatures; a traced one as it is."""
    if outcome.status != "complete" or outcome.signatures:
        return outcome
    images = cell.settings.n_train or cell.data.train_images
    work = Workload(cell.settings.replace(seed=0), images, cell.data.test_images)
    counts, signatures = _rehearsed(cell.algorithm, work)
    return replace(outcome, counts=counts, signatures=signatures)


@cache  # the same for every seed
def _rehearsed(algorithm: str, work: Workload) -> tuple[dict[str, int], list[dict[str, Any]]]:
    counts = dict.fromkeys(COUNTS, 0)
    kinds = rehearse(algorithm, work).kinds
    for one in kinds:
        done, moved = one.signature.work, one.signature.traffic
        counts["flops"] += one.steps * done.flops
        counts["flops_special"] += one.steps * done.special
        counts["bytes_read"] += one.steps * moved.bytes_read
        counts["bytes_written"] += one.steps * moved.bytes_written
    return counts, [signature_row(one.signature, one.steps) for one in kinds]
