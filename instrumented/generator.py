"""A NumPy random generator whose draws are in a trace."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from instrumented.books.booking import Booking
from instrumented.rules.random_draws import PARAMETERS, draw
from instrumented.rules.unwrap import let_settings_out


class TracedGenerator:
    """Draws what ``numpy.random.Generator`` draws, value by value, into a trace.

    Every method that draws is there; its results are traced and counted as written, traced
    parameters (``rng.normal(mean, 1.0)``, ``rng.choice(x)``, ``rng.shuffle(x)``) as read. Made by
    ``trace.generator(…)``.
    """

    def __init__(self, booking: Booking, generator: np.random.Generator) -> None:
        self._booking = booking
        self._generator = generator

    @property
    def bit_generator(self) -> Any:
        """NumPy's bit generator behind the draws."""
        return self._generator.bit_generator

    def spawn(self, n_children: int) -> list[TracedGenerator]:
        """Return independent generators in the same trace."""
        return [
            TracedGenerator(self._booking, child) for child in self._generator.spawn(n_children)
        ]

    def bytes(self, length: Any) -> Any:
        """Return random bytes, which are Python's own: drawn out of the trace."""
        return self._generator.bytes(let_settings_out(self._booking, length, "random.bytes"))

    def __getattr__(self, name: str) -> Any:
        if name not in PARAMETERS:
            raise AttributeError(f"a traced generator has no method {name!r}")
        return partial(self._draw, name)

    def _draw(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        return draw(self._booking, self._generator, name, args, kwargs)
