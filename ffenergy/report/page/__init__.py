"""`report.html`: a run on one self-contained page, with a what-if for the hardware."""

from ffenergy.report.page.render import page

__all__ = ["page"]
