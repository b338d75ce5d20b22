"""When the nests of a fusion scope run: side by side, but none before what it depends on.

Nests of a scope that are cut alike go tile by tile, as one kernel does. A nest that needs something
made in its scope in other tiles, or only complete after all of them (a sum, a product), waits for
it: it belongs to a later stage.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from instrumented.lowering.cuts import CutNest, followed
from instrumented.lowering.layout import view_of
from instrumented.lowering.nest import Operand, Touch

NO_LEADER = -1


class Turn(NamedTuple):
    """When a nest runs: its ``stage``, and the product whose tiles it follows, or NO_LEADER."""

    stage: int
    leader: int


def turns(members: Sequence[CutNest]) -> list[Turn]:
    """Return when each nest of one fusion scope runs; products are led by their place in it."""
    found: list[Turn] = []
    touched: dict[int, list[tuple[int, Operand, bool]]] = defaultdict(list)
    products: list[int] = []
    for number, member in enumerate(members):
        conflicts = [
            (earlier, other, operand)
            for operand, writes in _operands(member)
            for earlier, other, wrote in touched[operand.access.buffer]
            if (writes or wrote) and members[earlier].event != member.event
        ]
        found.append(_turn(number, members, products, conflicts, found))
        for operand, writes in _operands(member):
            touched[operand.access.buffer].append((number, operand, writes))
        if member.nest.product:
            products.append(number)
    return found


def _turn(
    number: int,
    members: Sequence[CutNest],
    products: Sequence[int],
    conflicts: Sequence[tuple[int, Operand, Operand]],
    found: Sequence[Turn],
) -> Turn:
    member = members[number]
    leader = NO_LEADER
    if not member.nest.product:
        follows = (at for at in reversed(products) if _follows(member, members[at]))
        leader = next(follows, NO_LEADER)
    if leader != NO_LEADER:
        led = [c for c in conflicts if leader not in (c[0], found[c[0]].leader)]
        stage = _after(member, members, led, found)
        if stage <= found[leader].stage:
            return Turn(found[leader].stage, leader)
    return Turn(_after(member, members, conflicts, found), NO_LEADER)


def _after(
    member: CutNest,
    members: Sequence[CutNest],
    conflicts: Sequence[tuple[int, Operand, Operand]],
    found: Sequence[Turn],
) -> int:
    """Return the first stage in which a nest finds all that it depends on."""
    return max(
        (
            found[earlier].stage
            + (
                found[earlier].leader != NO_LEADER
                or not _in_step(members[earlier], other, member, operand)
            )
            for earlier, other, operand in conflicts
        ),
        default=0,
    )


def _operands(member: CutNest) -> list[tuple[Operand, bool]]:
    nest = member.nest
    return [
        *((operand, False) for operand in nest.reads if operand.touch is not Touch.BOTTOM),
        *((operand, True) for operand in nest.writes),
    ]


def _in_step(earlier: CutNest, before: Operand, later: CutNest, after: Operand) -> bool:
    """Whether two nests cut alike touch an array tile by tile, each tile once."""
    nest = earlier.nest
    return (
        not nest.product
        and not later.nest.product
        and nest.loops == later.nest.loops
        and earlier.cuts == later.cuts
        and before.axes == after.axes
        and view_of(before.access) == view_of(after.access)
        and math.prod(nest.loops[axis] for axis in before.axes if axis >= 0)
        == math.prod(nest.loops)
    )


def _follows(member: CutNest, product: CutNest) -> bool:
    """Whether a nest runs over the result of a product, cut as it is: its epilogue."""
    loops, cuts = followed(product.nest, product.cuts)
    return member.nest.loops == loops and member.cuts == cuts and not member.nest.steps
