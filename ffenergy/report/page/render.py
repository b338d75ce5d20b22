"""The page itself: answer, assumptions, sections and configuration put into the templates."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ffenergy.energy import profiles
from ffenergy.report import headline
from ffenergy.report.book import Book
from ffenergy.report.findings import assumptions, data_line, findings
from ffenergy.report.numbers import MISSING, error_percent, figure
from ffenergy.report.page import whatif
from ffenergy.report.page.svg import inline
from ffenergy.report.pictures.drawing import Picture
from ffenergy.report.sections import Section
from ffenergy.rules.registry import BACKPROP, FORWARD_FORWARD
from ffenergy.runs.run import Run

QUESTION: Final = "Does Forward-Forward save energy?"
OPEN: Final = ("accuracy", "waterfall", "crossing")
"""Sections that are not folded."""
Drawn = tuple[Picture, Mapping[str, bytes]]


@dataclass(frozen=True)
class Drawing:
    """A picture with its caption, alternative text and content as a data address."""

    name: str
    caption: str
    alt: str
    address: str = ""
    chart: str = ""


@dataclass(frozen=True)
class Head:
    """The top of the page: question, ratio and figures in large, the answer in short, the rest.

    ``figures`` are name, Forward-Forward's, backprop's.
    """

    question: str
    ratio: str
    figures: list[tuple[str, str, str]]
    answer: list[str]
    warnings: list[str]
    findings: list[str]
    assumptions: list[tuple[str, str]]


def page(book: Book, shown: Sequence[Section], pictures: Iterable[Drawn] = ()) -> str:
    """Render `report.html` of `shown` sections; ``pictures`` are what ``drawing.render`` yields."""
    environment = Environment(
        loader=PackageLoader("ffenergy.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kept"] = kept_together
    environment.filters["unbroken"] = unbroken
    environment.filters["unit_kept"] = lambda heading: heading.replace(", ", ",\N{NO-BREAK SPACE}")
    known = {profile.name: profile for profile in book.hardware}
    known |= {name: p for name, p in profiles().items() if name not in known}
    configuration = book.run.configuration
    return environment.get_template("page.html").render(
        title=title(book.run),
        head=head(book),
        open=OPEN,
        sections=shown,
        drawings={picture.name: drawing(picture, files) for picture, files in pictures},
        whatif=whatif.payload(book.prices, known.values()) if book.prices else {},
        run=configuration,
        settings=configuration["settings"],
        data=data_line(book.run),
        profiles=book.hardware if book.prices else (),
        document=json.dumps(
            {name: configuration[name] for name in ("seed", "settings", "versions")}, indent=2
        ),
    )


def kept_together(sentence: str) -> str:
    """A number and its unit stay on one line."""
    return re.sub(r"(\d) (?=%|[^\W\d]{1,3}\b)", "\\1\N{NO-BREAK SPACE}", sentence)


def unbroken(text: str) -> Markup:
    """Forward-Forward stays on one line."""
    name = "Forward-Forward"
    span = Markup('<span class="unbroken">{}</span>').format(name)
    return Markup(span.join(escape(part) for part in text.split(name)))  # noqa: S704


def title(run: Run) -> str:
    """What was measured on what, in a few words."""
    sizes = run.configuration["settings"].get("layer_sizes", ())
    return f"{'–'.join(map(str, sizes))} on {run.configuration['data']['name']}"


def head(book: Book) -> Head:
    """Question, figures, answer, assumptions; a run without both begins with its first finding."""
    answers = [answer.sentence() for answer in book.answers.values()]
    warned = headline.warnings(book)
    found = [sentence for sentence in findings(book) if sentence not in warned]
    short = headline.sentences(book)
    told = [*answers, *found]
    if not short:
        short, told = (told[:1], told[1:]) if told else (["Nothing of this run has finished."], [])
    ratio = headline.ratios(book).get("energy", math.nan)
    shown = "" if math.isnan(ratio) else f"{figure(ratio)}×"
    question = QUESTION if shown else "What does learning move?"
    return Head(question, shown, _figures(book), short[:2], warned, told, assumptions(book))


def _figures(book: Book) -> list[tuple[str, str, str]]:
    """What stands beside the ratio, for Forward-Forward and for backprop."""
    found = headline.of_algorithms(book)
    shown = []
    for measure, name, form in (
        ("test_error", "test error", error_percent),
        ("commute_to_compute", "commute ÷ compute", figure),
    ):
        values = [found.get(one, {}).get(measure) for one in (FORWARD_FORWARD, BACKPROP)]
        told = [MISSING if value is None else form(value) for value in values]
        shown.append((name, *told))
    return [(name, ours, theirs) for name, ours, theirs in shown]


def drawing(picture: Picture, files: Mapping[str, bytes]) -> Drawing:
    """A chart as SVG that follows the page's colours, any other picture as a PNG inside."""
    if picture.chart:
        chart = inline(picture.name, picture.alt, files["svg"].decode())
        return Drawing(picture.name, picture.caption, picture.alt, chart=Markup(chart))  # noqa: S704
    address = f"data:image/png;base64,{base64.b64encode(files['png']).decode()}"
    return Drawing(picture.name, picture.caption, picture.alt, address)
