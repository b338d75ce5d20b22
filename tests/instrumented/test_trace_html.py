"""What a notebook shows of a trace."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np

from instrumented import Trace


def test_a_small_table_per_layer_and_phase_with_totals() -> None:
    trace = Trace()
    x = trace.array(np.ones((500, 2), np.float32))
    with trace.scope(layer="layer1", phase="forward"):
        y = x * x  # reads x twice, 2 x 4000 bytes; writes 4000; 1000 multiplications
        np.add(y, y, out=y)  # the same again, 1000 additions
    with trace.scope(layer="layer1", phase="goodness"):
        np.sum(y)  # reads 4000, writes 4; 999 additions
    assert cells(trace) == [
        ["16,000", "8,000", "2,000"],
        ["4,000", "4", "999"],
        ["20,000", "8,004", "2,999"],
    ]


def cells(trace: Trace) -> list[list[str | None]]:
    page = ET.fromstring(f"<div>{trace._repr_html_()}</div>")  # noqa: S314  # our own
    rows = [[cell.text for cell in row.iter("td")] for row in page.iter("tr")]
    return [row for row in rows if row]


def test_names_are_escaped() -> None:
    trace = Trace()
    x = trace.array(np.ones(3))
    with trace.scope(layer="<script>alert(1)</script>"):
        x * 2
    page = trace._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_an_empty_trace_shows_zeros() -> None:
    assert cells(Trace()) == [["0", "0", "0"]]
