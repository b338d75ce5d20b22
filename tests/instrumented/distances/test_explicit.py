"""The simplified explicit-communication model, by hand."""

from __future__ import annotations

import pytest

import instrumented
from instrumented.distances.explicit import explicit_cost, parse, read_cost

EXAMPLE = "1,2,3,4,5; mul 1,1,2; mul 2,3,4; add 1,1,2; add 1,5; 1"


def example(a, b, c, d, e):
    return a * b + c * d + e


def test_cost_of_an_address():
    assert [read_cost(a) for a in (1, 2, 4, 5, 9, 10)] == [1, 2, 2, 3, 3, 4]


def test_the_published_example_costs_15():
    # (1 + 2) + (2 + 2) + (1 + 2) + (1 + 3) + 1
    program = parse(EXAMPLE)
    assert program.cost == 15
    assert program.run(2, 3, 4, 5, 6) == (2 * 3 + 4 * 5 + 6,)


def test_with_one_source_the_destination_is_the_first_operand():
    program = parse("1,2; sub 1,2; 1")
    assert program.run(7, 2) == (7 - 2,)
    assert program.cost == 1 + 2 + 1


def test_a_program_without_instructions_hands_an_input_on():
    program = parse("1,2;2")
    assert program.run(5, 6) == (6,)
    assert program.cost == 2  # the output, read at 2


def test_an_input_that_is_never_read_takes_no_address():
    # a is read twice at 1, b never at 2, where the product may go
    assert explicit_cost(lambda a, b: a * a, (3, 4), results=[2]) == 1 + 1 + 2
    # a is never read: b, which comes after it, may lie there
    assert explicit_cost(lambda a, b: b * b, (3, 4), inputs=[1, 1], results=[2]) == 1 + 1 + 2


def test_ordinary_code_under_a_placement():
    arguments = (2, 3, 4, 5, 6)
    assert explicit_cost(example, arguments) == 15  # lowest free addresses: the same placement
    assert explicit_cost(example, arguments, results=[1, 2, 1, 1]) == 15
    # results far away: a·b at 100, c·d at 101 (read 10 + 11), sum at 1, result at 1
    # (1 + 2) + (2 + 2) + (10 + 11) + (1 + 3) + 1
    assert explicit_cost(example, arguments, results=[100, 101, 1, 1]) == 33
    # e first at 1, the others one further: (2 + 2) + (2 + 3) + (2 + 2) + (2 + 1) + 1
    placed = explicit_cost(example, arguments, inputs=[2, 3, 4, 5, 1], results=[2, 3, 2, 1])
    assert placed == 17


def test_writes_and_constants_are_free():
    assert explicit_cost(lambda a: a * 2 + 1, (5,)) == 1 + 1 + 1


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"inputs": [1, 2]}, "inputs: give 5 addresses"),
        ({"inputs": [1, 2, 3, 4, 4]}, "address 4, where one that is still read lies"),
        ({"results": [1, 0, 1, 1]}, "results: give 4 addresses"),
        ({"results": [5, 2, 1, 1]}, "address 5, where one that is still read lies"),
    ],
)
def test_wrong_placements(keywords, message):
    with pytest.raises(instrumented.InstrumentError, match=message):
        explicit_cost(example, (1, 2, 3, 4, 5), **keywords)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("1", "a line of inputs"),
        ("1;fly 2,1;2", "unknown operation"),
        ("1;copy 2,1,1;2", "does not take 2 operands"),
        ("0;copy 2,1;2", "'0': give addresses from 1 up"),
        ("1;copy 2,x;2", "'copy 2,x': give addresses from 1 up"),
        ("1;copy 2,1;0", "'0': give addresses from 1 up"),
    ],
)
def test_wrong_programs(code, message):
    with pytest.raises(instrumented.InstrumentError, match=message):
        parse(code)
    assert parse("1; copy 2,1; 2").run(7) == (7,)


@pytest.mark.parametrize("code", ["1;add 2,3,1;2", "1; add 1,3; 1", "1;copy 2,1;3"])
def test_an_address_without_a_value(code):
    program = parse(code)
    with pytest.raises(instrumented.InstrumentError, match="address 3 is read before it holds"):
        program.run(1)
    with pytest.raises(instrumented.InstrumentError, match="address 3 is read before it holds"):
        assert program.cost
