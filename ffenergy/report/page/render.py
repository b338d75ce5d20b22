"""The page itself: answer, assumptions, sections and configuration put into the templates."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape as quoted
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from ffenergy.costs.network import Network, network_of
from ffenergy.costs.scenarios import AS_IT_RUNS, WELL_BUILT
from ffenergy.energy import Profile, profiles
from ffenergy.energy.chip import Interval
from ffenergy.report import headline
from ffenergy.report.book import Book
from ffenergy.report.findings import assumptions, data_line, findings
from ffenergy.report.numbers import DRAWN, MISSING, between, error_percent, figure
from ffenergy.report.page import whatif, who_wins
from ffenergy.report.pictures.drawing import Picture
from ffenergy.report.sections import MAP_LEAD, Section
from ffenergy.runs.run import Run
from ffenergy.style import ALGORITHM_NAMES

SHOWN: Final = (AS_IT_RUNS, WELL_BUILT)
QUESTION: Final = "Does Forward-Forward save energy?"
OPEN: Final = ("accuracy", "waterfall", "map")
"""Sections that are not folded."""
COLOURS: Final = {
    "#ffffff": "var(--page)",
    "#000000": "var(--ink)",
    "#e5e5e5": "var(--line)",
    "#444444": "var(--muted)",
}
"""What is no data in a picture: paper, ink, grid, notes; they follow light and dark."""
STYLE: Final = re.compile(r"<defs>\s*<style.*?</style>\s*</defs>", re.DOTALL)
METADATA: Final = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
ROOT: Final = re.compile(r"<svg\b([^>]*?)(/?)>")
BOX: Final = re.compile(r'viewBox="[^"]+"')
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

    ``ratios`` are figure, scenario and what 90 % of the draws of the constants leave of it;
    ``under`` names their profile where the bars below have none but others; ``figures`` are name,
    the rule's, its baseline's.
    """

    question: str
    ratios: list[tuple[str, str, str]]
    under: str
    baseline: str
    figures: list[tuple[str, str, str]]
    answer: list[str]
    warnings: list[str]
    findings: list[str]
    assumptions: list[tuple[str, str]]


def page(book: Book, shown: Sequence[Section], pictures: Iterable[Drawn] = ()) -> str:
    """Render `report.html` of `shown` sections; ``pictures`` are what ``drawing.render`` yields."""
    known = {profile.name: profile for profile in book.hardware}
    known |= {name: p for name, p in profiles().items() if name not in known}
    configuration = book.run.configuration
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title(book.run),
            drawn=DRAWN,
            head=head(book),
            open=OPEN,
            sections=shown,
            drawings={picture.name: drawing(picture, files) for picture, files in pictures},
            whatif=_reckoned(book, known.values()),
            wins=_wins(book, known.values(), shown),
            run=configuration,
            settings=configuration["settings"],
            data=data_line(book.run),
            profiles=book.hardware if book.prices else (),
            document=json.dumps(
                {name: configuration[name] for name in ("seed", "settings", "versions")}, indent=2
            ),
        )
    )


def map_page(network: Network, hardware: Iterable[Profile], drawn: Drawn) -> str:
    """Render `map.html`: a map as drawn, and the figures of networks like this one."""
    return (
        _environment()
        .get_template("map.html")
        .render(lead=MAP_LEAD, drawing=drawing(*drawn), wins=who_wins.payload(network, hardware))
    )


def _environment() -> Environment:
    """The templates and what they call."""
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
    return environment


def _reckoned(book: Book, known: Iterable[Profile]) -> dict[str, Any]:
    """What the page's script needs; empty where nothing was priced."""
    if book.prices is None:
        return {}
    return whatif.payload(book.prices, known, network_of(book.run.settings))


def _wins(book: Book, known: Iterable[Profile], shown: Sequence[Section]) -> dict[str, Any]:
    """What the map's script needs; empty where the page has no map."""
    network = network_of(book.run.settings)
    has_map = any(section.name == "map" and not section.missing for section in shown)
    if network is None or not has_map or book.prices is None:
        return {}
    return who_wins.payload(network, known)


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
    answers = [answer.sentences() for answer in book.answers.values()]
    warned = headline.warnings(book)
    found = [sentence for sentence in findings(book) if sentence not in warned]
    short = headline.sentences(book)
    least = headline.bound(book)
    told = [*([least] if least else []), *answers, *found]
    if not short:
        short, told = (told[:1], told[1:]) if told else (["Nothing of this run has finished."], [])
    ratios = {one: headline.ratios(book, one).get("energy", math.nan) for one in SHOWN}
    shown = [
        (f"{figure(ratio)}×", one, _ends(headline.interval(book, one)))
        for one, ratio in ratios.items()
        if not math.isnan(ratio)
    ]
    question = QUESTION if shown else "What does learning move?"
    baseline = ALGORITHM_NAMES[book.pair[1]] if book.pair else ""
    figures = _figures(book)
    distances = any(one.name == book.headline and not one.levels for one in book.hardware)
    under = f", under {book.headline}" if distances else ""
    return Head(question, shown, under, baseline, figures, short, warned, told, assumptions(book))


def _ends(found: Interval | None) -> str:
    return "" if found is None else between(found.low, found.high)


def _figures(book: Book) -> list[tuple[str, str, str]]:
    """What stands beside the ratio, for Forward-Forward and for backprop."""
    shown: list[tuple[str, str, str]] = []
    for measure, scenario, name, form in (
        ("test_error", AS_IT_RUNS, f"{book.run.error_on} error", error_percent),
        ("commute_to_compute", AS_IT_RUNS, "commute ÷ compute", figure),
        ("commute_to_compute", WELL_BUILT, "well built", figure),
    ):
        found = headline.of_algorithms(book, scenario)
        values = [found[one].get(measure) for one in book.pair or ()]
        ours, theirs = (MISSING if one is None else form(one) for one in values or (None, None))
        if scenario == AS_IT_RUNS or values != [None, None]:
            shown.append((name, ours, theirs))
    return shown


def drawing(picture: Picture, files: Mapping[str, bytes]) -> Drawing:
    """A chart as SVG that follows the page's colours, any other picture as a PNG inside."""
    if picture.chart:
        chart = inline(picture.name, picture.alt, files["svg"].decode())
        return Drawing(picture.name, picture.caption, picture.alt, chart=Markup(chart))  # noqa: S704
    address = f"data:image/png;base64,{base64.b64encode(files['png']).decode()}"
    return Drawing(picture.name, picture.caption, picture.alt, address)


def inline(name: str, alt: str, svg: str) -> str:
    """Return an SVG file of matplotlib as an element of HTML.

    Ids get the picture's name in front, since a page has many; colours of paper and ink become
    CSS variables; `alt` says in words what there is to see.
    """
    body = METADATA.sub("", STYLE.sub("", svg[svg.index("<svg") :]))
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'href="#', f'href="#{name}-', body)
    body = re.sub(r"url\(#", f"url(#{name}-", body)
    for colour, variable in COLOURS.items():
        body = body.replace(colour, variable)
    told = f'role="img" aria-label="{quoted(alt)}" data-name="{name}"'
    root = ROOT.search(body)
    box = root and BOX.search(root[1])
    return ROOT.sub(rf"<svg {told} {box[0] if box else ''}\2>", body, count=1).strip()
