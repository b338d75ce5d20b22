"""LRU stack distances: of block accesses, and of instructions whose dead values leave the stack.

The stack distance of an access is the number of live bytes from the top of one LRU stack down to
and including the block (Mattson, Gecsei, Slutz and Traiger 1970): with unit sizes, the rank of the
block, 1 on top. Instructions follow ByteDMD: every read is priced against the stack as it stands
before the instruction, the reads then move to the top in read order, values at their last read
leave, and the written values are pushed. Two distances are none: COLD and NEVER.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from instrumented.errors import InstrumentError

if TYPE_CHECKING:
    from types import ModuleType

Ints = npt.NDArray[np.int64]
Sizes = npt.ArrayLike | Mapping[int, int]

COLD = -1
"""Distance of a first access, or of a value that lives on: farther than any capacity."""

NEVER = 0
"""Distance of a write whose value is dead before anyone reads it: it stays where it was born."""

FIRST_CAPACITY = 1024


class LruStack:
    """One LRU stack of blocks that lives on between calls, so steps can be priced one by one.

    Args:
        sizes: bytes of every block, indexed by block identity; 1 for every block if left out.
        preload: blocks on the stack from the start, the first on top, each once.

    Distances are int64 and in bytes, the block itself included; a block met for the first time is
    cold, −1. Memory is proportional to the largest block identity plus the chunk being priced.
    """

    def __init__(self, sizes: npt.ArrayLike | None = None, preload: npt.ArrayLike = ()) -> None:
        self._unit = sizes is None
        self._sizes = np.empty(0, np.int64) if sizes is None else _checked_sizes(sizes)
        self._slots = np.full(self._sizes.size, -1, np.int64)
        self._tree = np.zeros(FIRST_CAPACITY + 1, np.int64)
        self._owner = np.full(FIRST_CAPACITY, -1, np.int64)
        self._state = np.zeros(2, np.int64)
        initial = self._identities(preload, "preload")
        if np.unique(initial).size != initial.size:
            raise InstrumentError("preload names a block twice; a block lies on the stack once")
        self.access(initial[::-1])

    @property
    def blocks(self) -> Ints:
        """Identities of the blocks on the stack, int64, the top first."""
        owner = self._owner[: self._state[0]][::-1]
        return owner[owner >= 0]

    @property
    def nbytes(self) -> int:
        """Live bytes on the stack."""
        return int(self._state[1])

    def access(self, blocks: npt.ArrayLike) -> Ints:
        """Read blocks one after the other; nothing dies.

        Args:
            blocks: `(n,)` integers.

        Returns:
            `(n,)` int64 distances in bytes, −1 where the block was not on the stack.
        """
        identities = self._identities(blocks, "blocks")
        distances: Ints
        distances, self._tree, self._owner = _kernels().access(
            identities, self._slots, self._sizes, self._tree, self._owner, self._state
        )
        return distances

    def price(
        self,
        reads: npt.ArrayLike,
        read_ptr: npt.ArrayLike,
        writes: npt.ArrayLike = (),
        write_ptr: npt.ArrayLike | None = None,
        keep: npt.ArrayLike = (),
    ) -> Ints:
        """Run instructions; dead values leave at their last read (ByteDMD, "Computation Model").

        Instruction `i` reads `reads[read_ptr[i]:read_ptr[i+1]]` and then writes
        `writes[write_ptr[i]:write_ptr[i+1]]`. Each write is a new value of its block: the value
        before it dies at its own last read, and a value never read is not pushed at all.

        Args:
            reads: `(r,)` block identities; a block read twice is priced twice, at one distance.
            read_ptr: `(n + 1,)` offsets into `reads`, from 0 to `r`.
            writes: `(w,)` block identities.
            write_ptr: `(n + 1,)` offsets into `writes`; left out, nothing is written.
            keep: blocks whose last value survives the call: results, or what later calls read. A
                block on the stack that is neither read here nor kept is dropped at the start.

        Returns:
            `(r,)` int64 distances in bytes, −1 where the block was not on the stack.
        """
        kernels = _kernels()
        read_blocks = self._identities(reads, "reads")
        written = self._identities(writes, "writes")
        kept = self._identities(keep, "keep")
        offsets = _checked_offsets(read_ptr, read_blocks.size, "read_ptr")
        if write_ptr is None:
            write_ptr = np.zeros(offsets.size, np.int64)
        write_offsets = _checked_offsets(write_ptr, written.size, "write_ptr")
        if offsets.size != write_offsets.size:
            raise InstrumentError(
                f"read_ptr counts {offsets.size - 1} instructions and write_ptr "
                f"{write_offsets.size - 1}; give both one offset per instruction and the end"
            )
        live = np.zeros(self._slots.size, np.bool_)
        live[kept] = True
        read_last, write_dead = kernels.last_uses(
            read_blocks, offsets, written, write_offsets, live
        )
        stack = (self._slots, self._sizes, self._tree, self._owner, self._state)
        for block in self.blocks[~live[self.blocks]]:
            kernels.remove(block, *stack)
        distances: Ints
        distances, self._tree, self._owner = kernels.execute(
            read_blocks, offsets, read_last, written, write_offsets, write_dead, *stack
        )
        return distances

    def _identities(self, blocks: npt.ArrayLike, what: str) -> Ints:
        """Blocks as int64, all in range; unit-sized stacks grow to hold new identities."""
        identities = _integers(blocks, what)
        if not identities.size:
            return identities
        lowest, highest = int(identities.min()), int(identities.max())
        if lowest < 0 or (highest >= self._slots.size and not self._unit):
            wrong = lowest if lowest < 0 else highest
            raise InstrumentError(f"{what} names block {wrong}, which has no entry in sizes")
        if highest >= self._slots.size:
            grown = max(highest + 1, 2 * self._slots.size)
            self._slots = np.pad(self._slots, (0, grown - self._slots.size), constant_values=-1)
            self._sizes = np.ones(grown, np.int64)
        return identities


def stack_distances(
    blocks: npt.ArrayLike, sizes: Sizes | None = None, *, remove_dead: bool = False
) -> Ints:
    """Exact LRU stack distance of every access, in O(n log m) for m distinct blocks.

    Args:
        blocks: `(n,)` integer identities, of any value if `sizes` is left out.
        sizes: `sizes[block]` bytes, an array or a mapping; 1 for every block if left out.
        remove_dead: take a block off the stack at its last access (a second, backward pass).

    Returns:
        `(n,)` int64: bytes from the top of the stack to the end of the block, itself included;
        −1 where the block is accessed for the first time.

    Raises:
        InstrumentError: blocks that are not integers in one dimension, or have no positive size.

    Source: Mattson et al. 1970; with `remove_dead`, the liveness rule of ByteDMD.
    """
    identities = _integers(blocks, "blocks")
    if isinstance(sizes, Mapping) or (sizes is None and _sparse(identities)):
        distinct, identities = np.unique(identities, return_inverse=True)
        if isinstance(sizes, Mapping):
            missing = [block for block in distinct.tolist() if block not in sizes]
            if missing:
                raise InstrumentError(f"block {missing[0]} has no entry in sizes")
            sizes = np.array([sizes[block] for block in distinct.tolist()], np.int64)
    stack = LruStack(sizes)
    if remove_dead:
        return stack.price(identities, np.arange(identities.size + 1))
    return stack.access(identities)


def price_instructions(
    reads: npt.ArrayLike,
    read_ptr: npt.ArrayLike,
    writes: npt.ArrayLike = (),
    write_ptr: npt.ArrayLike | None = None,
    sizes: npt.ArrayLike | None = None,
    preload: npt.ArrayLike = (),
    keep: npt.ArrayLike = (),
) -> Ints:
    """Stack distance of every read of a whole program, `LruStack.price` on a fresh stack.

    `preload` lies on the stack at the start, the first block on top; what the program neither
    reads nor keeps of it is left out. Other arguments, result and errors as in `LruStack.price`.

    Source: the computation model of ByteDMD (cybertronai), simultaneous pricing and liveness.
    """
    return LruStack(sizes, preload).price(reads, read_ptr, writes, write_ptr, keep)


def _kernels() -> ModuleType:
    """Numba takes a good part of a second to import: only those who measure pay for it."""
    from instrumented.distances import stack_kernels

    return stack_kernels


def _sparse(identities: Ints) -> bool:
    """Whether identities are too far apart to index an array with."""
    if not identities.size:
        return False
    return int(identities.min()) < 0 or int(identities.max()) > 4 * identities.size + FIRST_CAPACITY


def _integers(values: npt.ArrayLike, what: str) -> Ints:
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise InstrumentError(
            f"{what} has dtype {array.dtype}, shape {array.shape}; give integers in one dimension"
        )
    return np.ascontiguousarray(array, np.int64)


def _checked_sizes(sizes: npt.ArrayLike) -> Ints:
    array = _integers(sizes, "sizes")
    if array.size and int(array.min()) < 1:
        raise InstrumentError(f"sizes holds {int(array.min())}; a block has at least one byte")
    return array


def _checked_offsets(offsets: npt.ArrayLike, end: int, what: str) -> Ints:
    array = _integers(offsets, what)
    if not array.size or array[0] != 0 or array[-1] != end or np.any(np.diff(array) < 0):
        raise InstrumentError(
            f"{what} must rise from 0 to {end}, one offset per instruction and the end"
        )
    return array
