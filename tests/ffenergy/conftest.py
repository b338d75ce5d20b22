"""What tests of ffenergy share: a page read as a file, gradients against central differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pandas as pd
import pytest


@dataclass
class ReadTable:
    """A table of a page: column names, and the exact values of every row, the foot last."""

    names: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    texts: list[list[str]] = field(default_factory=list)

    @property
    def frame(self) -> pd.DataFrame:
        return pd.DataFrame(self.rows, columns=self.names)


class PageReader(HTMLParser):
    """Reads what a page holds: its tables, pictures, addresses and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tables: dict[str, ReadTable] = {}
        self.images: list[dict[str, str]] = []
        self.addresses: list[str] = []
        self.words: list[str] = []
        self._table: ReadTable | None = None
        self._cell = False
        self.html = html
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.addresses += [given[name] for name in ("src", "href", "action") if name in given]
        if tag == "img":
            self.images.append(given)
        if tag == "svg":
            self.images.append({**given, "alt": given["aria-label"]})
        if tag == "figure" and given.get("class") == "table":
            self._table = self.tables[given["id"]] = ReadTable()
        if self._table is None:
            return
        if "data-name" in given:
            self._table.names.append(given["data-name"])
        if tag == "tr" and self._table.names:
            self._table.rows.append([])
            self._table.texts.append([])
        self._cell = "data-value" in given
        if self._cell:
            self._table.rows[-1].append(given["data-value"])
            self._table.texts[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if tag == "figure":
            self._table = None
        if tag in ("td", "th"):
            self._cell = False

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        if self._cell and self._table is not None:
            self._table.texts[-1][-1] += data.strip()


@pytest.fixture(scope="session")
def read_page() -> type[PageReader]:
    return PageReader


@pytest.fixture
def capture() -> Callable[[Sequence[Any]], dict[str, np.ndarray]]:
    """Of layers, by name: the gradient that each finds, instead of an update of its weights."""

    def captured(layers: Sequence[Any]) -> dict[str, np.ndarray]:
        found: dict[str, np.ndarray] = {}
        rng = np.random.default_rng(7)
        for layer in layers:
            layer.bias[:] = rng.normal(size=layer.width)  # no case rests on the kink of ReLU
            layer.update = lambda rate, layer=layer: found.update(
                {layer.name: layer.gradient.copy()}
            )
        return found

    return captured


@pytest.fixture
def assert_is_gradient() -> Callable[..., None]:
    """Hold what was found against central differences of a loss in every one of its values."""
    step = 1e-6

    def held(
        found: np.ndarray, loss: Callable[[], float], values: np.ndarray, atol: float = 1e-8
    ) -> None:
        expected = np.empty_like(values)
        for k in range(values.size):
            kept = values[k]
            values[k] = kept + step
            above = loss()
            values[k] = kept - step
            expected[k] = (above - loss()) / (2 * step)
            values[k] = kept
        assert np.abs(expected).max() > 1e-3
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=atol)

    return held
