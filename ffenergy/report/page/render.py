"""The page itself: answer, assumptions, sections and configuration put into the templates."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from ffenergy.costs.decomposition import RUN
from ffenergy.energy import profiles
from ffenergy.report.book import Book
from ffenergy.report.findings import assumptions, data_line, findings
from ffenergy.report.page import whatif
from ffenergy.report.pictures.drawing import Picture
from ffenergy.report.sections import Section
from ffenergy.runs.directory import Run

TYPES: Final = {"svg": "image/svg+xml", "png": "image/png"}
Drawn = tuple[Picture, Mapping[str, bytes]]


@dataclass(frozen=True)
class Drawing:
    """A picture with its caption, alternative text and content as a data address."""

    name: str
    caption: str
    alt: str
    address: str


@dataclass(frozen=True)
class Head:
    """The top of the page: the answer in one sentence, the same counted otherwise, the rest."""

    answer: str
    otherwise: list[str]
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
    environment.filters["unit_kept"] = lambda heading: heading.replace(", ", ",\N{NO-BREAK SPACE}")
    known = {profile.name: profile for profile in book.hardware}
    known |= {name: p for name, p in profiles().items() if name not in known}
    configuration = book.run.configuration
    return environment.get_template("page.html").render(
        title=title(book.run),
        head=head(book),
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


def title(run: Run) -> str:
    """What was measured on what, in a few words."""
    sizes = run.configuration["settings"].get("layer_sizes", ())
    return f"{'–'.join(map(str, sizes))} on {run.configuration['data']['name']}"


def head(book: Book) -> Head:
    """Answer and assumptions; a run without both algorithms begins with its first finding."""
    answers = [answer.sentence() for answer in book.answers.values()]
    found = findings(book)
    first = book.answers[RUN, "eager"].sentence() if (RUN, "eager") in book.answers else ""
    first = first or next(iter(answers), "")
    if not first:
        first, found = (found[0], found[1:]) if found else ("Nothing of this run has finished.", [])
    return Head(first, [s for s in answers if s != first], found, assumptions(book))


def drawing(picture: Picture, files: Mapping[str, bytes]) -> Drawing:
    """A picture inlined in its smaller format."""
    kind, content = min(files.items(), key=lambda file: len(file[1]))
    address = f"data:{TYPES[kind]};base64,{base64.b64encode(content).decode()}"
    return Drawing(picture.name, picture.caption, picture.alt, address)
