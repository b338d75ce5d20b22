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
from ffenergy.costs.prices import Prices
from ffenergy.energy import Profile, profiles
from ffenergy.report import display, priced_display
from ffenergy.report.findings import findings
from ffenergy.report.page import whatif
from ffenergy.report.page.blocks import Drawing
from ffenergy.report.page.sections import sections
from ffenergy.report.pictures.figures import Picture, PricedPicture
from ffenergy.runs.directory import Run

TYPES: Final = {"svg": "image/svg+xml", "png": "image/png"}
FUSED: Final = (
    "fused: a declared group of operations is one kernel; what is born and dies inside costs "
    "nothing, and what it uses from outside is read once"
)

Drawn = tuple[Picture | PricedPicture, Mapping[str, bytes]]


@dataclass(frozen=True)
class Head:
    """The top of the page: the answer in one sentence, the same counted otherwise, the rest."""

    answer: str
    otherwise: list[str]
    findings: list[str]
    assumptions: list[tuple[str, str]]


def page(
    run: Run,
    prices: Prices | None = None,
    pictures: Iterable[Drawn] = (),
    hardware: Sequence[Profile] = (),
) -> str:
    """Render `report.html` for a run.

    Args:
        run: the run as saved.
        prices: its priced tables, if it was traced.
        pictures: what ``figures.render`` yields, PNG and SVG.
        hardware: profiles of the run that are not bundled, for the what-if.
    """
    environment = Environment(
        loader=PackageLoader("ffenergy.report.page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["kept"] = kept_together
    environment.filters["unit_kept"] = lambda heading: heading.replace(", ", ",\N{NO-BREAK SPACE}")
    known = {profile.name: profile for profile in hardware}
    known |= {name: p for name, p in profiles().items() if name not in known}
    order = [*(prices.profiles if prices else ()), *known]
    available = [known[name] for name in dict.fromkeys(order) if name in known]
    drawings = {picture.name: drawing(picture, files) for picture, files in pictures}
    return environment.get_template("page.html").render(
        title=title(run),
        head=head(run, prices, available),
        sections=sections(run, prices, drawings),
        whatif=whatif.payload(prices, available) if prices else {},
        run=run.configuration,
        settings=run.configuration["settings"],
        data=display.data_line(run),
        profiles=[p for p in available if prices and p.name in prices.profiles],
        document=json.dumps(
            {name: run.configuration[name] for name in ("seed", "settings", "versions")}, indent=2
        ),
    )


def kept_together(sentence: str) -> str:
    """A number and its unit stay on one line."""
    return re.sub(r"(\d) (?=%|[^\W\d]{1,3}\b)", "\\1\N{NO-BREAK SPACE}", sentence)


def title(run: Run) -> str:
    """What was measured on what, in a few words."""
    sizes = run.configuration["settings"].get("layer_sizes", ())
    return f"{'–'.join(map(str, sizes))} on {run.configuration['data']['name']}"


def head(run: Run, prices: Prices | None, available: Sequence[Profile]) -> Head:
    """Answer and assumptions; a run without both algorithms begins with its first finding."""
    answers = priced_display.answers(prices) if prices else []
    found = findings(run)
    opening = priced_display.SCOPES[RUN]
    first = next((s for s in answers if s.startswith(opening)), next(iter(answers), ""))
    if not first:
        first, found = (found[0], found[1:]) if found else ("Nothing of this run has finished.", [])
    assumptions = [
        ("Data", display.data_line(run)),
        ("Counted", display.accounting_line(run)),
    ]
    if prices:
        headline = next((p for p in available if p.name == prices.profiles[0]), None)
        assumptions.append(("or", FUSED))
        assumptions.append(("Priced", priced_display.priced_line(prices)))
        if headline is not None:
            assumptions.append(("Hardware", f"{headline.title}. {headline.convention}"))
    seed = run.configuration.get("seed")
    assumptions.append(("Seeds", f"one, seed {seed}: errors of a single training, no spread"))
    return Head(first, [s for s in answers if s != first], found, assumptions)


def drawing(picture: Picture | PricedPicture, files: Mapping[str, bytes]) -> Drawing:
    """A picture inlined in its smaller format."""
    kind, content = min(files.items(), key=lambda file: len(file[1]))
    address = f"data:{TYPES[kind]};base64,{base64.b64encode(content).decode()}"
    return Drawing(picture.name, picture.caption, picture.alt, address)
