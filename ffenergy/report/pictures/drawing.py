"""How pictures look and become files; a picture is a pure function from a book to a Figure.

Figures are made without pyplot's global state, so any number can be made in any thread.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import rc_context, rcParamsDefault
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from ffenergy.report.book import Book

ENVIRONMENT = ("backend", "interactive", "toolbar", "timezone", "date.epoch", "webagg.", "tk.")
"""Beginnings of settings that are no matter of how a picture looks."""
LOOK: dict[Any, Any] = {  # keys are matplotlib's own literals; a user's matplotlibrc has no say
    **{key: rcParamsDefault[key] for key in rcParamsDefault if not key.startswith(ENVIRONMENT)},
    "font.size": 11,
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": "#E5E5E5",
    "legend.frameon": False,
    "legend.fontsize": 10,
    "lines.linewidth": 2,
    "lines.markersize": 5,
    "svg.hashsalt": "ffenergy",
}
DPI = 150
FORMATS = ("png", "svg")
PIXELS = ("png",)
"""Formats of charts, and of pictures that are made of pixels."""
UNIT = re.compile(r"(\d) (?=%|[µ\w]{1,3}\b)")
"""The space between a figure and its unit, which is no place for a new line."""
LETTERS_PER_INCH = 8
"""Of a headline: 12 points, bold."""
WIDE = 150.0
"""The largest over the smallest value from which a logarithmic axis is labelled sparsely."""
# No date and no version of the drawing library: the same run gives the same bytes.
METADATA: dict[str, dict[str, Any]] = {
    "png": {"Software": "ffenergy"},
    "svg": {"Date": None, "Creator": "ffenergy"},
}


@dataclass(frozen=True)
class Picture:
    """A picture that a report can have: file name without ending, caption, how it is drawn.

    `draw` returns None where the book lacks what the picture shows. `alt` says in words what there
    is to see, for those who do not see it; a `chart` is drawn in lines and areas, not in pixels.
    """

    name: str
    caption: str
    draw: Callable[[Book], Figure | None]
    alt: str = ""
    chart: bool = True


def render(
    book: Book, pictures: Iterable[Picture], *, for_page: bool = False
) -> Iterator[tuple[Picture, dict[str, bytes]]]:
    """Draw every one of `pictures` that there is data for.

    Yields each picture with its files' contents by format, the same bytes on every call. A page
    takes charts in lines alone; nobody takes pixels in a file of lines.
    """
    for picture in pictures:
        with rc_context(LOOK):
            figure = picture.draw(book)
            formats = (FORMATS[1:] if for_page else FORMATS) if picture.chart else PIXELS
            files = saved(figure, formats) if figure is not None else {}
        if files:
            yield picture, files


def saved(figure: Figure, formats: Sequence[str] = FORMATS) -> dict[str, bytes]:
    """The contents of a figure's files by format; it is laid out once, for all of them."""
    FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)  # or every file would be laid out, and drawn twice for it
    streams = {kind: io.BytesIO() for kind in formats}
    for kind, stream in streams.items():
        figure.savefig(stream, format=kind, dpi=DPI, metadata=METADATA[kind])
    return {kind: stream.getvalue() for kind, stream in streams.items()}


def plain_numbers(axis: Axis, form: Callable[[float], str] = "{:g}".format) -> None:
    """Label a logarithmic axis 0.1, 0.2, 0.5, 1 instead of in powers of ten.

    To be called once all is drawn: an axis of many powers has labels at the powers alone.
    """
    low, high = axis.get_view_interval()
    shown = FuncFormatter(lambda value, _: form(value))
    axis.set_major_formatter(shown)
    axis.set_minor_locator(LogLocator(subs=(2, 5)))
    axis.set_minor_formatter(shown if high < WIDE * low else NullFormatter())


def headline(figure: Figure, sentence: str, about: str = "") -> None:
    """Say over a picture what there is to see in it, and of what, on as many lines as it takes."""
    width = int(LETTERS_PER_INCH * figure.get_figwidth())
    sentence = UNIT.sub("\\1\N{NO-BREAK SPACE}", sentence)
    lines = textwrap.wrap(sentence, width, break_on_hyphens=False)
    lines += textwrap.wrap(about, width, break_on_hyphens=False)
    figure.suptitle("\n".join(lines), fontsize=12, weight="bold")


def bare(ax: Axes) -> None:
    """Leave nothing of the axes but what is drawn in them."""
    ax.set(xticks=[], yticks=[])
    ax.grid(visible=False)
    ax.spines[:].set_visible(False)
