"""The names of what a figure depends on: how much an instruction does, which memory it meets."""

from enum import StrEnum


class Grain(StrEnum):
    """How much one instruction does.

    ``operation``: an array operation, or a fusion scope. ``tile``: 16×16×16 multiply-adds, or a
    block of an elementwise operation. ``packed``: as tile, but products as a BLAS runs them.
    """

    OPERATION = "operation"
    TILE = "tile"
    PACKED = "packed"


class MemoryKind(StrEnum):
    """Which memory a program meets.

    ``cache``: blocks keep their address, a write brings its block in, nothing is known to be dead.
    ``scratchpad``: an LRU stack of live values, dead ones leave at once (ByteDMD). ``managed``:
    optimal replacement.
    """

    CACHE = "cache"
    SCRATCHPAD = "scratchpad"
    MANAGED = "managed"
