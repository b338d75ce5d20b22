"""The rules by which bytes counted here and XLA's may differ, each with its check.

The bytes counted here must follow from the program's buffers to the byte, and those of XLA's cost
analysis must be, to the byte, what its program's text says.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from validation.xla_cases import Case

EQUAL = "equal"
UNEXPLAINED = "unexplained"
BYTE_RULES = {
    EQUAL: "the same integer",
    "table of results": "of several results XLA also writes a table, 8 bytes each",
    "starting value": "XLA reads constants (the neutral element of a reduction, the filling of a "
    "padding) from memory: two items at most",
    "several kernels": "operands and results are equal; XLA's kernels hand arrays to each other",
    "library": "operands and results are equal; XLA calls LAPACK or another library, of whose "
    "bytes it knows nothing: each call counts -1",
    "one pass of a loop": "operands and results are equal; of a loop XLA counts one pass",
    "view": "NumPy returns a view and nothing moves; an XLA program returns an array of its own",
    "allocation": "memory without content: NumPy writes nothing, XLA zeros",
    "read once": "XLA reads an operand that occurs twice once; here once per occurrence",
    "known beforehand": "the answer hangs on the type alone (is an integer finite?): XLA reads "
    "nothing; here the function runs, as NumPy's does",
    "elements taken": "XLA's operand is the whole table; here the elements taken are read",
    "changed in place": "an XLA program copies the target; here what is stored is written",
    "partly read": "here the operand is read whole; XLA reads what it keeps",
    "handed back": "NumPy hands an array back that there is (the edges it was given, the same "
    "indices twice); XLA writes another",
}

VIEWS = frozenset(
    """
    array_split asarray atleast_1d atleast_2d atleast_3d broadcast_arrays broadcast_to diag
    diagonal dsplit expand_dims flatten flip fliplr flipud hsplit imag ix_ linalg.diagonal
    linalg.matrix_transpose matrix_transpose moveaxis ravel real reshape rollaxis rot90
    split squeeze swapaxes transpose unstack vsplit x[2:5]
    """.split()
)
TAKEN = {
    "take": 0,
    "gather": 0,
    "take_along_axis": 0,
    "compress": 1,
    "extract": 1,
    "copy": 0,
    "unstack": 0,
}
"""Functions that take elements of one operand, and which."""
KNOWN = frozenset("isfinite isinf isnan isneginf isposinf iscomplex isreal signbit".split())
PARTLY = frozenset({"delete", "polyder"})
IN_PLACE = frozenset("put place put_along_axis fill_diagonal x[i] add.at".split())


@dataclass(frozen=True)
class Figure:
    """One operation on one shape and type: bytes and flops here and by XLA, and the rules."""

    operation: str
    shape: str
    dtype: str
    results: str
    bytes_here: int
    bytes_buffers: int
    bytes_xla: int
    bytes_kernels: int
    libraries: int
    loops: int
    flops_here: int
    flops_xla: int
    bytes_rule: str = ""
    flops_rule: str = ""

    @cached_property
    def plain(self) -> str:
        """The function, without what is said of its arguments."""
        return self.operation.partition(" ")[0].rstrip(",")

    @cached_property
    def operand_sizes(self) -> list[int]:
        """Elements of every operand."""
        return [math.prod(one) for one in extents(self.shape)]

    @cached_property
    def result_sizes(self) -> list[int]:
        """Elements of every result."""
        return [math.prod(one) for one in extents(self.results)]


def extents(shapes: str) -> list[list[int]]:
    return [[int(n) for n in one.split("×") if n != "-"] for one in shapes.split()]


def byte_rule(figure: Figure, case: Case) -> str:
    """Return the rule of a figure's bytes."""
    here, buffers = figure.bytes_here, figure.bytes_buffers
    if figure.bytes_xla != figure.bytes_kernels - figure.libraries:
        return UNEXPLAINED
    if here == buffers:
        return _same_buffers(figure, case)
    rule = _other_buffers(figure, case)
    return EQUAL if rule != UNEXPLAINED and here == figure.bytes_xla else rule


def _other_buffers(figure: Figure, case: Case) -> str:
    """The rule by which the program's operands and results are not those counted here."""
    here, buffers, name = figure.bytes_here, figure.bytes_buffers, figure.plain
    first = case.operands[0]
    sizes = [operand.nbytes for operand in case.operands]
    diagonal = min(first.shape) * first.itemsize
    if name in VIEWS and here == figure.flops_here == 0:
        return "view"
    if name in ("empty", "empty_like") and here == 0:
        return "allocation"
    if figure.operation == "x * x" and here == buffers + sizes[0]:
        return "read once"
    if name in KNOWN and here == buffers + sizes[0] and not figure.flops_xla:
        return "known beforehand"
    if name in TAKEN and here == buffers - sizes[TAKEN[name]] + buffers - sum(sizes):
        return "elements taken"
    if name in ("trace", "linalg.trace") and here == buffers - sizes[0] + diagonal:
        return "elements taken"
    stored = {"fill_diagonal": diagonal, "add.at": 2 * sizes[-1]}.get(name, sizes[-1])
    if name in IN_PLACE and here == buffers - 2 * sizes[0] + stored:
        return "changed in place"
    if name == "diag_indices_from" and 2 * here == buffers:
        return "handed back"
    if figure.operation == "histogram with edges" and here == buffers - sizes[1]:
        return "handed back"
    return UNEXPLAINED


def _same_buffers(figure: Figure, case: Case) -> str:
    """The rule of what XLA's kernels move besides operands and results."""
    results = len(figure.result_sizes)
    besides = figure.bytes_xla - figure.bytes_here
    if not besides:
        return EQUAL
    if (
        figure.plain in KNOWN
        and not figure.flops_xla
        and figure.bytes_xla <= sum(figure.result_sizes) + 1
    ):
        return "known beforehand"
    written = figure.bytes_buffers - sum(operand.nbytes for operand in case.operands)
    if figure.plain in PARTLY and figure.bytes_xla == 2 * written:
        return "partly read"
    if figure.libraries:
        return "library"
    if figure.loops:
        return "one pass of a loop"
    if results > 1 and besides == 8 * results:
        return "table of results"
    if 0 < besides <= 2 * max(8, *(operand.itemsize for operand in case.operands)):
        return "starting value"
    return "several kernels" if besides > 0 else UNEXPLAINED
