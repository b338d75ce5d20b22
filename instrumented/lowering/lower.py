"""Lowering: recorded events and buffers to a program, at operation or tile grain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from instrumented.books.events import Access, BufferInfo, Event
from instrumented.errors import InstrumentError
from instrumented.lowering.blocks import partition
from instrumented.lowering.emit import GATHERED_BLOCK, Emitted, emit
from instrumented.lowering.layout import Grid, View, grid_of, view_of
from instrumented.lowering.nest import Nest, Operand, Touch, data_sets, nests, whole
from instrumented.lowering.program import Program, Values, name_values
from instrumented.lowering.scopes import ProductTiles, scope_instances, see_through
from instrumented.lowering.tile import Tile, cut, steps_of
from instrumented.lowering.uses import Ints, Partition, Tiles, Use


class Grain(StrEnum):
    """How much one instruction does."""

    OPERATION = "operation"
    TILE = "tile"


FAST_MEMORY = 256 * 1024
MOST_ACCESSES = 80_000_000
"""Block accesses that a program may have; analysing them takes some 140 bytes each."""
Cuts = tuple[tuple[int, ...], ...]


class Cut(NamedTuple):
    """A loop nest of an event, and where its loops are cut."""

    event: int
    nest: Nest
    cuts: Cuts


def lower(
    events: Sequence[Event],
    buffers: Mapping[int, BufferInfo],
    *,
    grain: str = Grain.OPERATION,
    fast_memory: int = FAST_MEMORY,
    tile: tuple[int, int, int] | None = None,
    scopes: Collection[str] | None = (),
) -> Program:
    """Turn a recorded trace into instructions over values.

    Args:
        events: what a trace recorded, in order; several steps.
        buffers: the buffers that the events name.
        grain: ``operation``, one instruction per event, or ``tile``, see ``tile.py``.
        fast_memory: bytes that the operands of one tile instruction may take.
        tile: (m, n, k) of every matmul tile, instead of the one chosen for ``fast_memory``.
        scopes: names of the fusion scopes that later get fused: their products see through to
            the arrays outside, their elementwise work follows the product's tiles. None: all.

    Returns:
        The program, its instructions in the order of the events; not yet fused.

    Raises:
        InstrumentError: a fast memory too small for any tile, or more than MOST_ACCESSES.
    """
    scope = scope_instances(events, scopes)
    events = see_through(events, scope)
    data = data_sets(events)
    if grain == Grain.OPERATION:
        cut_nests = [Cut(k, whole(event, data), ()) for k, event in enumerate(events)]
    else:
        cut_nests = _cut(events, scope, buffers, data, fast_memory, Tile(*tile) if tile else None)
    return _assemble(events, scope, buffers, cut_nests)


def _cut(
    events: Sequence[Event],
    scope: Ints,
    buffers: Mapping[int, BufferInfo],
    data: Collection[int],
    fast_memory: int,
    tile: Tile | None,
) -> list[Cut]:
    """Cut the loops of every event for the fast memory, on whole digits of the buffers' grids."""
    found = [(k, nest) for k, event in enumerate(events) for nest in nests(event, data)]
    grids = _grids([nest for _, nest in found], buffers)
    followed = ProductTiles()
    result = []
    for k, nest in found:
        operands = (*nest.reads, *nest.writes)
        itemsize = max((operand.access.itemsize for operand in operands), default=1)
        steps = steps_of(nest.loops, nest.product, itemsize, fast_memory, tile)
        steps = followed.steps(int(scope[k]), nest, steps)
        rhythms = _rhythms(operands, grids)
        cuts = tuple(
            cut(extent, step, rhythms.get(loop, (1, 0)))
            for loop, (extent, step) in enumerate(zip(nest.loops, steps, strict=True))
        )
        result.append(Cut(k, nest, cuts))
    return result


def _grids(all_nests: Sequence[Nest], buffers: Mapping[int, BufferInfo]) -> dict[int, Grid | None]:
    views: dict[int, set[View]] = defaultdict(set)
    for nest in all_nests:
        for operand in (*nest.reads, *nest.writes):
            if operand.touch is not Touch.BOTTOM:
                views[operand.access.buffer].add(view_of(operand.access))
    return {
        buffer: grid_of(buffers[buffer].nbytes, frozenset(found)) for buffer, found in views.items()
    }


def _rhythms(
    operands: Sequence[Operand], grids: Mapping[int, Grid | None]
) -> dict[int, tuple[int, int]]:
    """Return for every loop the cuts that fall on whole digits of its operands' grids.

    Where operands differ the longest quantum wins; the other buffers get more blocks for it.
    """
    rhythms: dict[int, tuple[int, int]] = {}
    for operand in operands:
        grid = grids.get(operand.access.buffer)
        if grid is None:
            continue
        for axis, rhythm in grid.rhythm(view_of(operand.access)).items():
            loop = operand.axes[axis]
            rhythms[loop] = max(rhythm, rhythms.get(loop, (1, 0)))
    return rhythms


def _use(operand: Operand, cuts: Cuts) -> Use:
    view = view_of(operand.access)
    along = (
        cuts[loop] if loop >= 0 and cuts else (0, extent)
        for loop, extent in zip(operand.axes, view.shape, strict=True)
    )
    return Use(view, tuple(along))


def _partitions(
    cut_nests: Sequence[Cut], buffers: Mapping[int, BufferInfo]
) -> dict[int, Partition]:
    """Partition every buffer; buffers used in the same ways (other steps) share the work."""
    uses: dict[int, dict[Use, None]] = defaultdict(dict)
    for _, nest, cuts in cut_nests:
        for operand in (*nest.reads, *nest.writes):
            if operand.touch is not Touch.BOTTOM:
                uses[operand.access.buffer][_use(operand, cuts)] = None
    known: dict[tuple[int, frozenset[Use]], Partition] = {}
    result = {}
    for buffer, found in uses.items():
        key = (buffers[buffer].nbytes, frozenset(found))
        if key not in known:
            known[key] = partition(buffers[buffer].nbytes, list(found))
        result[buffer] = known[key]
    return result


def _assemble(
    events: Sequence[Event],
    scope: Ints,
    buffers: Mapping[int, BufferInfo],
    cut_nests: Sequence[Cut],
) -> Program:
    partitions = _partitions(cut_nests, buffers)
    starts, block_count = {}, 0
    for buffer, parts in partitions.items():
        starts[buffer] = block_count
        block_count += parts.sizes.size
    unrolled: dict[object, Emitted] = {}
    operands: list[tuple[int, Access]] = []
    pieces: list[Emitted] = []
    event_of: list[Ints] = []
    instructions = count = 0
    for k, nest, cuts in cut_nests:
        accesses = [operand.access for operand in (*nest.reads, *nest.writes)]
        if not accesses:
            continue
        piece = _unrolled(nest, cuts, partitions, unrolled)
        count += piece.block.size
        if count > MOST_ACCESSES:
            raise InstrumentError(
                f"the recorded steps have more than {MOST_ACCESSES:,} block accesses at this "
                "grain, too many to analyse; take smaller batches, narrower layers or larger tiles"
            )
        offsets = np.array([starts.get(access.buffer, 0) for access in accesses], np.int64)
        block = np.where(piece.block >= 0, piece.block + offsets[piece.slot], piece.block)
        pieces.append(
            replace(
                piece,
                instruction=piece.instruction + instructions,
                slot=piece.slot + len(operands),
                block=block,
            )
        )
        operands += [(k, access) for access in accesses]
        event_of.append(np.full(piece.place.size, k))
        instructions += piece.place.size
    if not pieces:
        raise InstrumentError("no event touches any byte; record a step that computes something")
    columns = {
        name: np.concatenate([getattr(piece, name) for piece in pieces])
        for name in ("instruction", "slot", "block", "nbytes", "write", "place")
    }
    sizes = np.concatenate([parts.sizes for parts in partitions.values()])
    home = np.repeat(list(partitions), [parts.sizes.size for parts in partitions.values()])
    gathered = np.flatnonzero(columns["block"] == GATHERED_BLOCK)
    columns["block"][gathered] = block_count + np.arange(gathered.size)
    rows = [operands[slot][1] for slot in columns["slot"][gathered]]
    sizes = np.append(sizes, np.array([row.nbytes for row in rows], np.int64))
    home = np.append(home, np.array([row.buffer for row in rows], np.int64))
    value, block_of, initial, last = name_values(columns["block"], columns["write"])
    preloaded = np.array([buffers[buffer].preloaded for buffer in home[block_of].tolist()], bool)
    program = Program(
        events=events,
        operands=operands,
        scope=scope,
        event=np.concatenate(event_of),
        place=columns["place"],
        instruction=columns["instruction"],
        operand=columns["slot"],
        value=value,
        nbytes=columns["nbytes"],
        write=columns["write"],
        contents=Values(sizes[block_of], home[block_of], initial, last & preloaded),
    )
    return program.arranged(np.arange(len(events)))


def _unrolled(
    nest: Nest,
    cuts: Cuts,
    partitions: Mapping[int, Partition],
    known: dict[object, Emitted],
) -> Emitted:
    """Unroll a nest, or find it among those already unrolled (the same event of another step)."""
    tiles: list[tuple[Tiles, Ints] | None] = []
    for operand in (*nest.reads, *nest.writes):
        if operand.touch is Touch.BOTTOM:
            tiles.append(None)
        else:
            parts = partitions[operand.access.buffer]
            tiles.append((parts.tiles[_use(operand, cuts)], parts.sizes))
    moved = tuple((o.axes, o.touch, o.access.nbytes) for o in (*nest.reads, *nest.writes))
    shape = (nest.loops, len(nest.reads), nest.product, nest.begin, nest.end)
    key = (shape, cuts, moved, tuple(id(found and found[0]) for found in tiles))
    if key not in known:
        known[key] = emit(nest, cuts, tiles)
    return known[key]
