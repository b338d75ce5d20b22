"""A trace as a compact table of loop nests, from which compiled code generates every access.

The table grows with the operations of a trace and the blocks of its arrays, not with the accesses:
a product of a million micro-tiles is one row, and its operands share their lists of blocks with
every other operation that cuts the same views in the same way.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt

from instrumented.books.events import Access, BufferInfo, Event
from instrumented.errors import InstrumentError
from instrumented.lowering.blocks import partitions
from instrumented.lowering.cuts import CutNest
from instrumented.lowering.fusion_scopes import NO_SCOPE
from instrumented.lowering.layout import Ints, Partition, Tiles
from instrumented.lowering.nest import Nest, Operand, Touch
from instrumented.lowering.nest_order import NO_LEADER, Turn, turns

Blocks = npt.NDArray[np.int32]
Rows = tuple[Ints, Ints, Ints, npt.NDArray[np.float64], list[tuple[int, Access]]]
CHUNK = 1 << 15


class NestColumn(IntEnum):
    """Columns of ``NestTable.nests``."""

    RADIX = 0  # where the steps of its outer loops begin
    OUTER = 1  # how many outer loops
    M = 2
    N = 3
    K = 4
    COUNT = 5  # instructions
    FIRST = 6  # its operands: rows FIRST to END of NestTable.slots
    END = 7
    PRODUCT = 8
    FOLLOWS = 9  # the product whose tiles it follows, a row of NestTable.nests, or -1
    WALKER = 10


class SlotColumn(IntEnum):
    """Columns of ``NestTable.slots``: how an operand of a nest finds its blocks."""

    PTR = 0  # where its tiles begin in NestTable.tile_ptr
    BLOCKS = 1  # where their blocks begin in NestTable.tile_blocks
    MOVED = 2  # where their bytes begin in NestTable.tile_moved
    BASE = 3  # the first block of its buffer
    OPERAND = 4
    MODE = 5
    WEIGHTS = 6  # what each outer loop adds to the number of the tile, then all steps of m, n, k
    VISITS = 7
    TOTAL = 8  # how often a tile is visited; bytes of random rows


class Mode(IntEnum):
    """What an instruction does with the tile of a slot."""

    READ = 0
    WRITE = 1
    SOME = 2  # stores some bytes; what it leaves alone lives on
    BOTTOM = 3  # random rows of a data set


@dataclass(frozen=True)
class NestTable:
    """Loop nests in groups; all nests of a group run side by side.

    Per block ``sizes`` (bytes), ``buffer`` (whose), ``preloaded`` and ``is_data``. ``operands``
    pairs each operand with the index of its event. Group ``g`` holds nests
    ``group_start[g]:group_start[g + 1]``; where ``one_instruction`` it is a single instruction.
    ``room`` is the most accesses that one turn of the generator emits.
    """

    events: Sequence[Event]
    scope: Ints
    operands: list[tuple[int, Access]]
    sizes: Ints
    buffer: Ints
    preloaded: npt.NDArray[np.bool_]
    is_data: npt.NDArray[np.bool_]
    rows: int
    group_start: Ints
    one_instruction: bool
    nests: Ints
    places: npt.NDArray[np.float64]
    slots: Ints
    radix: Ints
    weights: Ints
    tile_ptr: Ints
    tile_blocks: Blocks
    tile_moved: Blocks
    visits: int
    walkers: int
    room: int

    @cached_property
    def event_of_operand(self) -> Ints:
        """Index of the event of every operand."""
        return np.array([event for event, _ in self.operands], np.int64)

    def first_event(self, group: int) -> Event:
        """Return the event with which a group begins."""
        slot = self.nests[self.group_start[group], NestColumn.FIRST]
        number, _ = self.operands[int(self.slots[slot, SlotColumn.OPERAND])]
        return self.events[number]

    def span(self, step: int) -> tuple[int, int]:
        """Return the groups of a step: the first, and the one after the last of them.

        Raises:
            InstrumentError: no group is of that step.
        """
        first = self.slots[self.nests[self.group_start[:-1], NestColumn.FIRST], SlotColumn.OPERAND]
        steps = np.array([event.step for event in self.events], np.int64)
        mine = np.flatnonzero(steps[self.event_of_operand[first]] == step)
        if not mine.size:
            raise InstrumentError(f"no operation of step {step} was recorded")
        return int(mine[0]), int(mine[-1]) + 1


def tabulate(
    events: Sequence[Event],
    scope: Ints,
    buffers: Mapping[int, BufferInfo],
    cut: Sequence[CutNest],
    *,
    one_instruction: bool,
) -> NestTable:
    """Put nests and the blocks of their operands into a table.

    Args:
        events: what was recorded, in order.
        scope: fusion scope instance of every event, NO_SCOPE for none: one group each.
        buffers: the buffers of the events.
        cut: nests and their cuts, in the order of the events; each has an operand.
        one_instruction: whether all nests of a group are one instruction (operation grain).
    """
    builder = _Builder(*partitions(cut, buffers))
    for members in _groups(cut, scope):
        builder.add_group(members, follow=scope[members[0].event] != NO_SCOPE, one=one_instruction)
    return builder.finish(events, scope, buffers, one_instruction)


def _groups(cut: Sequence[CutNest], scope: Ints) -> list[list[CutNest]]:
    groups: list[list[CutNest]] = []
    before: tuple[int, int] | None = None
    for nest in cut:
        instance = int(scope[nest.event])
        key = (instance, nest.event if instance == NO_SCOPE else -1)
        if key != before:
            groups.append([])
            before = key
        groups[-1].append(nest)
    return groups


@dataclass
class _Builder:
    """Collects the rows of a table.

    Groups that are alike, as every step has them, are collected once: ``sequence`` has the group
    that comes next, and the event that it begins with. Rows of ``slots`` are those of ``operands``.
    """

    partitions: Mapping[int, Partition]
    tiles: Mapping[tuple[int, int], Tiles]
    starts: dict[int, int] = field(default_factory=dict)
    blocks: int = 0
    operands: list[tuple[int, Access]] = field(default_factory=list)
    sequence: list[tuple[int, int]] = field(default_factory=list)
    gathered: list[Access] = field(default_factory=list)
    group_start: list[int] = field(default_factory=lambda: [0])
    nests: list[list[int]] = field(default_factory=list)
    places: list[tuple[float, float]] = field(default_factory=list)
    slots: list[list[int]] = field(default_factory=list)
    radix: list[int] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    ptr: list[Ints] = field(default_factory=list)
    tile_blocks: list[Ints] = field(default_factory=list)
    tile_moved: list[Ints] = field(default_factory=list)
    lengths: list[int] = field(default_factory=lambda: [0, 0, 0])
    known: dict[object, tuple[int, int, int, int]] = field(default_factory=dict)
    groups: dict[object, int] = field(default_factory=dict)
    most_visits: int = 0
    most_walkers: int = 0
    most_room: int = 1

    def __post_init__(self) -> None:
        for buffer, parts in self.partitions.items():
            self.starts[buffer] = self.blocks
            self.blocks += parts.sizes.size

    def add_group(self, members: Sequence[CutNest], *, follow: bool, one: bool) -> None:
        """Add the nests of one group; those of a scope run in the turns of ``nest_order.py``."""
        start = members[0].event
        key = tuple((one.event - start, id(one.nest), id(one.cuts)) for one in members)
        known = self.groups.get(key)
        if known is not None:
            self.sequence.append((known, start))
            return
        number = len(self.group_start) - 1
        self.sequence.append((number, start))
        if not any(operand.touch is Touch.BOTTOM for m in members for operand in m.nest.reads):
            self.groups[key] = number  # random rows are others every time
        visits = walkers = 0
        rooms: list[int] = []
        following = 0
        begin = len(self.nests)
        order = turns(members) if follow and not one else [Turn(0, NO_LEADER)] * len(members)
        for member, (stage, leader) in zip(members, order, strict=True):
            nest, cuts = member.nest, member.cuts
            steps = [len(cut) - 1 for cut in cuts]
            first, room = len(self.slots), 0
            for operand in (*nest.reads, *nest.writes):
                writes = len(self.slots) - first >= len(nest.reads)
                touched, seen = self._add_slot(member, operand, steps, visits, writes=writes)
                visits += seen
                room += touched
            outer, *inner = _in_groups(steps, nest)
            box = [math.prod(one) for one in inner]
            count = math.prod(steps)
            follows = NO_LEADER if leader == NO_LEADER else begin + leader
            ends = (first, len(self.slots), int(bool(nest.product)), follows, walkers)
            self.nests.append([len(self.radix), len(outer), *box, count, *ends])
            self.places.append((stage + nest.begin, stage + nest.end))
            self.radix += outer
            walkers += bool(nest.product)
            if leader != NO_LEADER:
                following += room
            rooms.append(room)
        self.group_start.append(len(self.nests))
        self.most_visits = max(self.most_visits, visits)
        self.most_walkers = max(self.most_walkers, walkers)
        self.most_room = max(self.most_room, sum(rooms) if one else max(rooms) + following)

    def _add_slot(
        self,
        member: CutNest,
        operand: Operand,
        steps: Sequence[int],
        visits: int,
        *,
        writes: bool,
    ) -> tuple[int, int]:
        """Add one operand; return the most accesses an instruction makes to it, and its tiles."""
        number = len(self.operands)
        self.operands.append((member.event, operand.access))
        if operand.touch is Touch.BOTTOM:
            self.gathered.append(operand.access)
            block = self.blocks + len(self.gathered) - 1
            nbytes = operand.access.nbytes
            self.slots.append([0, 0, 0, block, number, Mode.BOTTOM, 0, -1, nbytes])
            return 2, 0
        parts = self.partitions[operand.access.buffer]
        tiles = self.tiles[id(operand), id(member.cuts)]
        *at, longest = self._place_tiles(tiles, parts.sizes, operand.access.nbytes)
        weight = [0] * len(steps)
        below = 1
        for loop in reversed(operand.axes):
            if loop >= 0:
                weight[loop] = below
                below *= steps[loop]
        total = math.prod(steps) // below if writes else 1
        mode = Mode.READ if not writes else Mode.WRITE
        if operand.touch is Touch.SOME:
            mode = Mode.SOME
        counts = writes and total > 1
        self.slots.append(
            [
                *(*at, self.starts[operand.access.buffer], number, mode, len(self.weights)),
                *(visits if counts else -1, total),
            ]
        )
        outer, *inner = _in_groups(weight, member.nest)
        self.weights += outer
        for weights, extents in zip(inner, _in_groups(steps, member.nest)[1:], strict=True):
            self.weights += _all_steps(weights, extents)
        return (2 if writes else 1) * longest, below if counts else 0

    def _place_tiles(self, tiles: Tiles, sizes: Ints, nbytes: int) -> tuple[int, int, int, int]:
        """Add the blocks of tiles, once; return where they are, and the most that a tile has."""
        key = (id(tiles), nbytes)
        if key not in self.known:
            moved = tiles.moved(sizes, nbytes)
            longest = int(np.diff(tiles.ptr).max(initial=0))
            self.known[key] = (self.lengths[0], self.lengths[1], self.lengths[2], longest)
            for k, (column, values) in enumerate(
                ((self.ptr, tiles.ptr), (self.tile_blocks, tiles.blocks), (self.tile_moved, moved))
            ):
                column.append(values)
                self.lengths[k] += values.size
        return self.known[key]

    def finish(
        self,
        events: Sequence[Event],
        scope: Ints,
        buffers: Mapping[int, BufferInfo],
        one_instruction: bool,
    ) -> NestTable:
        """Return the table of all that was added."""
        parts = self.partitions.values()
        rows = np.array([access.nbytes for access in self.gathered], np.int64)
        sizes = np.concatenate([*(p.sizes for p in parts), rows])
        owner = np.concatenate(
            [
                np.repeat(list(self.partitions), [p.sizes.size for p in parts]).astype(np.int64),
                np.array([access.buffer for access in self.gathered], np.int64),
            ]
        )
        highest = max(buffers, default=0) + 1
        preloaded, is_data = np.zeros(highest, np.bool_), np.zeros(highest, np.bool_)
        for number, info in buffers.items():
            preloaded[number], is_data[number] = info.preloaded, info.role == "data"
        group_start, nests, slots, places, operands = self._in_turn()
        return NestTable(
            events=events,
            scope=scope,
            operands=operands,
            sizes=sizes,
            buffer=owner,
            preloaded=preloaded[owner],
            is_data=is_data[owner],
            rows=self.blocks,
            group_start=group_start,
            one_instruction=one_instruction,
            nests=nests,
            places=places,
            slots=slots,
            radix=np.array(self.radix, np.int64),
            weights=np.array(self.weights, np.int64),
            tile_ptr=_joined(self.ptr),
            tile_blocks=_joined(self.tile_blocks).astype(np.int32),
            tile_moved=_joined(self.tile_moved).astype(np.int32),
            visits=self.most_visits,
            walkers=max(1, self.most_walkers),
            room=self.most_room,
        )

    def _in_turn(self) -> Rows:
        """Return group_start, nests, slots, places and operands of all groups as they come."""
        nests = np.array(self.nests, np.int64).reshape(-1, len(NestColumn))
        slots = np.array(self.slots, np.int64).reshape(-1, len(SlotColumn))
        places = np.array(self.places, np.float64).reshape(-1, 2)
        group, event = np.array(self.sequence, np.int64).reshape(-1, 2).T
        begin = np.array(self.group_start, np.int64)
        first = np.append(nests[:, NestColumn.FIRST], slots.shape[0])[begin]
        chosen, group_start = _runs(begin[:-1][group], np.diff(begin)[group])
        of_slots, slot_start = _runs(first[:-1][group], np.diff(first)[group])
        nests, slots, places = nests[chosen], slots[of_slots], places[chosen]
        later = np.repeat(slot_start[:-1] - first[:-1][group], np.diff(group_start))
        nests[:, NestColumn.FIRST] += later
        nests[:, NestColumn.END] += later
        follows = nests[:, NestColumn.FOLLOWS]
        shift = np.repeat(group_start[:-1] - begin[:-1][group], np.diff(group_start))
        follows[follows >= 0] += shift[follows >= 0]
        slots[:, SlotColumn.OPERAND] = np.arange(of_slots.size)
        own = np.array([number for number, _ in self.operands], np.int64)
        since = np.repeat(event - own[first[:-1]][group], np.diff(slot_start))
        accesses = [self.operands[k][1] for k in of_slots.tolist()]
        operands = list(zip((own[of_slots] + since).tolist(), accesses, strict=True))
        return group_start, nests, slots, places, operands


def _in_groups(values: Sequence[int], nest: Nest) -> list[Sequence[int]]:
    """Split what there is of each loop: outer loops, rows, columns and depth."""
    counts = nest.product or (0, 0, 0)
    ends = [len(values) - sum(counts[k:]) for k in range(3)] + [len(values)]
    return [values[begin:end] for begin, end in itertools.pairwise([0, *ends])]


def _all_steps(weights: Sequence[int], steps: Sequence[int]) -> list[int]:
    """Return what every step of loops that run as one adds to the number of the tile, in order."""
    found = [0]
    for weight, count in zip(weights, steps, strict=True):
        found = [before + weight * step for before in found for step in range(count)]
    return found


def _runs(first: Ints, lengths: Ints) -> tuple[Ints, Ints]:
    """Return the indices of runs of rows, one after the other, and where each of them begins."""
    start = np.concatenate([[0], np.cumsum(lengths)])
    return np.arange(start[-1]) + np.repeat(first - start[:-1], lengths), start


def _joined(parts: Sequence[Ints]) -> Ints:
    joined: Ints = np.concatenate([np.empty(0, np.int64), *parts])
    return joined
