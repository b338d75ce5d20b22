"""Where loops are cut, by hand: what a program's last operation makes of arrays cut before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from instrumented import Trace
from instrumented.lowering.cuts import ATOM, PACKED_ATOM, Atom, Cuts, cut_nests
from instrumented.lowering.fusion_scopes import scope_instances
from instrumented.lowering.nest import Lowering, data_sets

Make = Callable[..., Any]


def cuts(
    program: Callable[[Make], object], atom: Atom = ATOM, scopes: tuple[()] | None = ()
) -> list[Cuts]:
    """Return the cuts of every nest of a program, which makes its arrays by their shapes."""
    trace = Trace(record=True)
    with trace.fuse("scope"):
        program(lambda *shape: trace.array(np.ones(shape, np.float32)))
    lowering = Lowering(data_sets(trace.events), one_instruction=False)
    found = [(k, nest) for k, event in enumerate(trace.events) for nest in lowering.of(event)]
    scope = scope_instances(trace.events, scopes)
    return [nest.cuts for nest in cut_nests(found, trace.buffers, scope, atom)]


def every(step: int, extent: int, first: int = 0) -> tuple[int, ...]:
    return (0, *range(first or step, extent, step), extent)


def doubled(array: Any) -> None:
    array *= 2.0


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((600,), (every(256, 600),)),
        ((257,), ((0, 256, 257),)),
        ((40, 8, 16), (every(2, 40), (0, 8), (0, 16))),  # 2 x 8 x 16 are 256
        ((25, 10), ((0, 25), (0, 10))),  # 250: not one row more would do
        ((5, 300, 16), (every(1, 5), every(16, 300), (0, 16))),
        ((300, 1), (every(256, 300), (0, 1))),
        ((1, 600), ((0, 1), every(256, 600))),
        ((2, 600), ((0, 2), every(16, 600))),
        ((100, 40), (every(16, 100), every(16, 40))),
        ((100, 17), (every(16, 100), (0, 16, 17))),
        ((100, 10), (every(16, 100), (0, 10))),  # 25 rows would do: 16, a power of two
    ],
)
def test_a_block_has_256_elements_at_most(shape: tuple[int, ...], expected: Cuts) -> None:
    assert cuts(lambda make: doubled(make(*shape))) == [expected]


def test_a_block_beside_packed_products_has_4096_elements_at_most() -> None:
    assert cuts(lambda make: doubled(make(2, 5000)), PACKED_ATOM) == [((0, 1, 2), (0, 4096, 5000))]


def test_slices_of_a_vector_are_cut_where_it_is() -> None:
    """At 256 and 512 from its start: 156 and 412 from element 100 on."""
    assert cuts(lambda make: doubled(make(600)[100:])) == [((0, 156, 412, 500),)]


@pytest.mark.parametrize(
    ("columns", "first", "atom", "expected"),
    [
        (10, 0, ATOM, every(250, 1000)),  # 25 rows are 250 elements
        (40, 0, ATOM, every(640, 4000)),  # 16 rows, more than 256 elements
        (40, 3, ATOM, every(640, 3880, 520)),  # row 16 is the 13th
        (2, 0, Atom(16, 16, 16, 16), every(32, 200)),
        (2000, 0, PACKED_ATOM, every(8000, 200_000)),  # 4 rows, more than 4096 elements
    ],
)
def test_a_matrix_seen_as_a_vector_is_cut_between_rows(
    columns: int, first: int, atom: Atom, expected: tuple[int, ...]
) -> None:
    def program(make: Make) -> None:
        w = make(100, columns)
        doubled(w[first:].reshape(-1))
        doubled(w)

    rows = (0, *(first + place // columns for place in expected[1:-1]), 100)
    assert [found[0] for found in cuts(program, atom)] == [expected, rows]


def test_a_product_sets_cuts_even_if_it_comes_later() -> None:
    def program(make: Make) -> None:
        w = make(35, 16)
        doubled(w)
        make(16, 32) @ w[3:]

    assert cuts(program) == [((0, 19, 35), (0, 16)), ((0, 16), (0, 16), (0, 16, 32))]


def test_rows_that_a_product_does_not_cut_are_cut_as_if_it_were_not() -> None:
    def program(make: Make) -> None:
        x = make(16, 1024)
        x @ make(1024, 16)
        doubled(x)

    assert cuts(program, PACKED_ATOM)[1] == (every(4, 16), every(16, 1024))


def test_the_first_of_two_arrays_of_a_size_has_its_way() -> None:
    def program(make: Make) -> None:
        a, b = make(48, 16), make(48, 16)
        make(16, 45) @ a[3:]
        make(16, 43) @ b[5:]
        a + b
        doubled(b)

    # a is cut at rows 19 and 35, b at 21 and 37, and stays so
    assert [rows for rows, _ in cuts(program)[2:]] == [(0, 19, 35, 48), (0, 21, 37, 48)]


def test_a_row_says_nothing_of_columns() -> None:
    def program(make: Make) -> None:
        w = make(300, 600)
        doubled(w[3])
        doubled(w)

    assert cuts(program) == [(every(256, 600),), (every(16, 300), every(256, 600))]


def test_what_runs_backwards_is_cut_from_its_end() -> None:
    def program(make: Make) -> None:
        v, w = make(600), make(35, 16)
        make(16, 32) @ w[3:]  # cut at row 19, 16 from the end
        doubled(v[::-1])
        doubled(v)
        doubled(w[::-1])

    found = [first for first, *_ in cuts(program)[1:]]
    assert found == [(0, 256, 512, 600), (0, 88, 344, 600), (0, 16, 35)]


def test_a_slice_that_begins_at_a_cut_is_not_cut_there() -> None:
    def program(make: Make) -> None:
        w = make(48, 16)
        make(16, 48) @ w
        doubled(w[16:])

    assert cuts(program)[1] == ((0, 16, 32), (0, 16))


def test_a_slice_that_begins_at_a_cut_is_cut_further_on_for_all() -> None:
    def program(make: Make) -> None:
        w = make(300, 16)
        make(16, 32) @ w[:32]  # cut at row 16
        doubled(w[16:])
        doubled(w)

    assert [rows for rows, _ in cuts(program)[1:]] == [every(16, 284), every(16, 300)]


def test_in_a_scope_what_follows_a_product_is_cut_as_it_is() -> None:
    def program(make: Make) -> None:
        a = make(48, 16)
        make(16, 48) @ a
        h = make(35, 32) @ make(32, 16)
        h + a[3:38]

    # a is the larger one: cut at rows 16 and 32, the 13th and 29th of the slice
    assert [rows for rows, _ in cuts(program)[2:]] == [(0, 13, 29, 35)]
    assert [rows for rows, _ in cuts(program, scopes=None)[2:]] == [(0, 16, 32, 35)]


def test_in_a_scope_like_loops_are_cut_as_the_one_on_a_matrix_whatever_comes_first() -> None:
    """As an optimiser's block that begins with a moment: m is no matrix, w one that a product cuts.

    Sixteen rows of w are 320 elements. Alone, m would be cut at every 256th.
    """

    def program(make: Make) -> None:
        m, w = make(800), make(40, 20)
        make(16, 40) @ w
        doubled(m)
        flat = w.reshape(800)
        flat -= m

    assert [flat for (flat,) in cuts(program)[1:]] == [every(256, 800), every(320, 800)]
    assert [flat for (flat,) in cuts(program, scopes=None)[1:]] == [every(320, 800)] * 2


def test_in_a_scope_like_loops_are_cut_as_the_one_that_a_later_product_cuts() -> None:
    """Blocks of m end at rows 16 and 32. The product takes w from row 3 on: 19 and 35."""

    def program(make: Make) -> None:
        m, w = make(40, 20), make(40, 20)
        doubled(m)
        doubled(w)
        make(16, 37) @ w[3:]

    assert [rows for rows, _ in cuts(program)[:2]] == [(0, 16, 32, 40), (0, 19, 35, 40)]
    assert [rows for rows, _ in cuts(program, scopes=None)[:2]] == [(0, 19, 35, 40)] * 2
