"""`report.html`: a run on one self-contained page, with a what-if for the hardware; `map.html`."""

from ffenergy.report.page.render import map_page, page

__all__ = ["map_page", "page"]
