"""The pictures: pure functions from tables to figures, on a canvas of their own.

matplotlib takes a backend from the environment and does not start with one that it does not know.
No picture here needs a backend, so matplotlib is loaded without being told of one.
"""

from __future__ import annotations

import os
from typing import Final

BACKEND: Final = "MPLBACKEND"


def _load_matplotlib() -> None:
    asked = os.environ.pop(BACKEND, None)
    try:
        import matplotlib  # noqa: F401
    finally:
        if asked is not None:
            os.environ[BACKEND] = asked


_load_matplotlib()
