"""A picture's SVG as a part of a page: its own names, and the page's colours."""

from __future__ import annotations

import re
from html import escape
from typing import Final

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
    told = f'role="img" aria-label="{escape(alt)}" data-name="{name}"'
    root = ROOT.search(body)
    box = root and BOX.search(root[1])
    return ROOT.sub(rf"<svg {told} {box[0] if box else ''}\2>", body, count=1).strip()
