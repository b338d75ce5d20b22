"""The fused reading: what is left of the traffic when each fusion scope is one kernel.

Inside a scope an array from outside is read once however often it is used, arrays born and dead
inside cost nothing, and what survives is written once (docs/metric.md §11 "Fused accounting").
All of it is decided block by block, so a scope that writes one half of an array and reads the
other is exact.
At tile grain a matrix product still comes back to its operand tiles and keeps its accumulator
tile: that is what a fused product does too; its epilogue works on the C tile in registers.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from instrumented.books.events import BufferInfo, Event, Kind
from instrumented.lowering.lower import Grain, lower
from instrumented.lowering.program import NO_VALUE, Flags, Program
from instrumented.lowering.scopes import NO_SCOPE, scope_of

PLACE = ["layer", "phase", "operation", "role"]


def fuse(program: Program, *, grain: str) -> Program:
    """Drop what fusion saves and run each scope as one kernel.

    Args:
        program: a lowered trace; ``program.scope`` says which events are fused.
        grain: the grain of the program. At operation grain a scope becomes one instruction; at
            tile grain its events run side by side, block by block.
    """
    fused = program.select(np.flatnonzero(_stays(program)))
    first = np.arange(len(program.events))
    scoped = np.flatnonzero(program.scope != NO_SCOPE)
    _, opening, instance = np.unique(program.scope[scoped], return_index=True, return_inverse=True)
    first[scoped] = scoped[opening][instance]
    if grain == Grain.OPERATION:
        return _as_one(fused, first)
    return fused.arranged(first)


def fused_traffic(
    events: Sequence[Event],
    buffers: Mapping[int, BufferInfo],
    *,
    scopes: Collection[str] | None = None,
    step: int | None = None,
) -> pd.DataFrame:
    """Bytes and flops under the fused reading.

    Args:
        events: a recorded trace of several steps.
        buffers: its buffers.
        scopes: names of the fusion scopes that are fused; None: all. Of nested ones the outermost
            counts.
        step: only this training step; None: all events.

    Returns:
        One row per layer, phase, operation (the scope's name inside one) and role, with calls,
        flops, flops_special, bytes_read and bytes_written. A byte stands where the event stands
        that reads it first or writes it last; calls (array operations) and flops, which fusion
        leaves as they are, on the role of the result.
    """
    program = fuse(
        lower(events, buffers, grain=Grain.OPERATION, scopes=scopes), grain=Grain.OPERATION
    )
    return traffic_of(program, scopes=scopes, step=step)


def traffic_of(
    program: Program, *, scopes: Collection[str] | None = (), step: int | None = None
) -> pd.DataFrame:
    """Sum bytes and flops of a program per layer, phase, operation and role."""
    operands = operand_places(program, scopes)
    moved = pd.DataFrame(
        {
            "operand": program.operand,
            "bytes_read": np.where(program.write, 0, program.nbytes),
            "bytes_written": np.where(program.write, program.nbytes, 0),
        }
    )
    moved = moved.groupby("operand").sum()
    frame = operands.join(moved).fillna({"bytes_read": 0, "bytes_written": 0})
    frame = pd.concat([frame, _work(program, scopes)], ignore_index=True).fillna(0)
    if step is not None:
        frame = frame[frame["step"] == step]
    numbers = ["calls", "flops", "flops_special", "bytes_read", "bytes_written"]
    summed = frame.groupby(PLACE, sort=False)[numbers].sum().astype(np.int64)
    return summed[(summed != 0).any(axis=1)].reset_index()


def operand_places(program: Program, scopes: Collection[str] | None = ()) -> pd.DataFrame:
    """Return layer, phase, operation, role and step of every operand of a program.

    Inside a fusion scope the operation is the scope's name.
    """
    names = [operation_name(event, scopes) for event in program.events]
    return pd.DataFrame(
        [
            (event.layer, event.phase, names[k], access.role, event.step)
            for k, access in program.operands
            for event in (program.events[k],)
        ],
        columns=[*PLACE, "step"],
    )


def operation_name(event: Event, scopes: Collection[str] | None = ()) -> str:
    """Return the name of the fusion scope that swallows an event, or of its operation."""
    scope = scope_of(event, scopes)
    return event.operation if scope is None else scope[0]


def _work(program: Program, scopes: Collection[str] | None) -> pd.DataFrame:
    rows = []
    for event in program.events:
        results = event.writes or event.reads
        role = results[0].role if results else "temporary"
        place = (event.layer, event.phase, operation_name(event, scopes), role, event.step)
        rows.append((*place, 1, event.work.flops, event.work.special))
    return pd.DataFrame(rows, columns=[*PLACE, "step", "calls", "flops", "flops_special"])


def _stays(program: Program) -> Flags:
    """Mark the accesses that remain."""
    event = program.event_of_access
    scope = program.scope[event]
    held = program.value != NO_VALUE
    reads = held & ~program.write
    stays = np.ones(event.size, np.bool_)

    writer = np.full(program.contents.sizes.size, -1, np.int64)
    writes = np.flatnonzero(program.write & held)
    writer[program.value[writes]] = event[writes]
    maker = np.where(held, writer[program.value], -1)
    made_here = (maker >= 0) & (scope != NO_SCOPE) & (program.scope[maker] == scope)
    accumulator = reads & made_here & (maker == event)
    stays[reads & made_here & ~accumulator] = False

    outside = np.flatnonzero(reads & (scope != NO_SCOPE) & ~made_here)
    stays[outside] = _first_or_tiled(program, event, scope, outside)

    needed = program.contents.kept.copy()
    needed[program.value[stays & reads]] = True
    in_scope = np.flatnonzero(program.write & held & (scope != NO_SCOPE))
    stays[in_scope] = needed[program.value[in_scope]]
    return stays


def _first_or_tiled(
    program: Program, event: np.ndarray, scope: np.ndarray, reads: np.ndarray
) -> Flags:
    """Mark reads that are the first of their value in the scope, or a product's later tiles."""
    order = np.lexsort((program.instruction[reads], program.value[reads], scope[reads]))
    ordered = reads[order]
    columns = (scope[ordered], program.value[ordered])
    first = _changes(*columns)
    opens = np.maximum.accumulate(
        np.where(_changes(*columns, event[ordered]), np.arange(ordered.size), 0)
    )
    is_product = np.array([e.kind is Kind.MATMUL for e in program.events], np.bool_)
    later = program.instruction[ordered] > program.instruction[ordered[opens]]
    marked = np.empty(reads.size, np.bool_)
    marked[order] = first | (is_product[event[ordered]] & later)
    return marked


def _changes(*columns: np.ndarray) -> Flags:
    """Mark the rows that differ from the row before."""
    changed = np.ones(columns[0].size, np.bool_)
    changed[1:] = np.logical_or.reduce([c[1:] != c[:-1] for c in columns])
    return changed


def _as_one(program: Program, first: np.ndarray) -> Program:
    """Turn the instructions of every scope into one: all it reads, then all it writes."""
    groups, number = np.unique(first[program.event], return_inverse=True)
    merged = replace(
        program,
        event=groups,
        place=np.zeros(groups.size),
        instruction=number[program.instruction],
    )
    return merged.select(np.lexsort((merged.write, merged.instruction)))
