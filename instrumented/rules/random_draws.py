"""Rules of ``numpy.random.Generator``, and the generator whose draws are in a trace.

What is drawn is written, what it is drawn from is read. Drawing costs no flops here, as for
``trace.made``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from instrumented.books.booking import Booking
from instrumented.books.events import Kind
from instrumented.books.traced import Traced
from instrumented.rules.functions import apply_rule
from instrumented.rules.traffic_rules import (
    Args,
    Call,
    Kwargs,
    Moved,
    Parameters,
    Role,
    TrafficRule,
)
from instrumented.rules.unwrap import has_axes, let_settings_out, strip

DECLARATIONS = """
    beta(a: array, b: array, size)
    binomial(n: array, p: array, size)
    chisquare(df: array, size)
    choice(a: counts, size, replace, p: array, axis, shuffle)
    dirichlet(alpha: array, size)
    exponential(scale: array, size)
    f(dfnum: array, dfden: array, size)
    gamma(shape: array, scale: array, size)
    geometric(p: array, size)
    gumbel(loc: array, scale: array, size)
    hypergeometric(ngood: array, nbad: array, nsample: array, size)
    integers(low: array, high: array, size, dtype, endpoint)
    laplace(loc: array, scale: array, size)
    logistic(loc: array, scale: array, size)
    lognormal(mean: array, sigma: array, size)
    logseries(p: array, size)
    multinomial(n: array, pvals: array, size)
    multivariate_hypergeometric(colors: array, nsample, size, method)
    multivariate_normal(mean: array, cov: array, size, check_valid, tol, *, method)
    negative_binomial(n: array, p: array, size)
    noncentral_chisquare(df: array, nonc: array, size)
    noncentral_f(dfnum: array, dfden: array, nonc: array, size)
    normal(loc: array, scale: array, size)
    pareto(a: array, size)
    permutation(x: counts, axis)
    permuted(x: array, *, axis, out: out)
    poisson(lam: array, size)
    power(a: array, size)
    random(size, dtype, out: out)
    rayleigh(scale: array, size)
    shuffle(x: array, axis)
    standard_cauchy(size)
    standard_exponential(size, dtype, method, out: out)
    standard_gamma(shape: array, size, dtype, out: out)
    standard_normal(size, dtype, out: out)
    standard_t(df: array, size)
    triangular(left: array, mode: array, right: array, size)
    uniform(low: array, high: array, size)
    vonmises(mu: array, kappa: array, size)
    wald(mean: array, scale: array, size)
    weibull(a: array, size)
    zipf(a: array, size)
"""
"""Methods that draw, and the roles of their parameters (`instrumented.rules.traffic_rules`)."""

PARAMETERS = {
    name: Parameters.parse(text.rstrip(")"))
    for name, _, text in (line.strip().partition("(") for line in DECLARATIONS.split("\n"))
    if name
}


def draw(
    booking: Booking, generator: np.random.Generator, name: str, args: Args, kwargs: Kwargs
) -> Any:
    """Call a method of a generator and book what it moves.

    A number of Python's, as NumPy draws without a size, is a constant to whoever computes with it:
    it is no value of the trace, and traced values that it is drawn from leave.

    Raises:
        EscapeError: they would, and this trace refuses it.
    """
    method = getattr(generator, name)
    if name == "shuffle" and not isinstance(
        args[0] if args else kwargs.get("x"), Traced | np.ndarray
    ):
        return method(*args, **kwargs)  # a list of the caller's own
    parameters = PARAMETERS[name]
    if _is_number(name, parameters, args, kwargs):
        args = let_settings_out(args, f"random.{name}")
        return method(*args, **let_settings_out(kwargs, f"random.{name}"))
    moved = _MOVED.get(name, _drawn)
    rule = TrafficRule(method, f"random.{name}", parameters, moved, writes=name == "shuffle")
    return apply_rule(booking, rule, args, kwargs)[0]


def _is_number(name: str, parameters: Parameters, args: Args, kwargs: Kwargs) -> bool:
    """Return whether a number is drawn that is Python's, or NumPy's and of nothing traced."""
    named = parameters.named(f"random.{name}", args, kwargs)
    if name in _MOVED and name != "choice":  # of an array
        return False
    if named.get("size") is not None or named.get("out") is not None:
        return False
    if name == "choice":
        return not has_axes(named.get("a"))
    inside: list[Traced] = []
    strip(named, inside)
    if name == "integers" and inside:
        return False
    return not any(
        has_axes(value) for key, value in named.items() if parameters.role(key) is Role.ARRAY
    )


def _drawn(call: Call) -> Moved:
    reads = [(operand, None) for operand in call.operands]
    kind = Kind.ELEMENTWISE if reads else Kind.CREATE
    return Moved(kind, reads, [(result, None) for result in call.results])


def _chosen(call: Call) -> Moved:
    """A gather by positions that are drawn on the way; probabilities are read whole."""
    if np.ndim(call.get("a")) == 0:  # how many there are to choose from
        return _drawn(call)
    source, *others = call.operands
    result = call.results[0]
    reads = [(source, result.size * source.itemsize), *((other, None) for other in others)]
    return Moved(Kind.GATHER, reads, [(result, None)])


def _permuted(call: Call) -> Moved:
    if not call.operands:
        return _drawn(call)
    return Moved(
        Kind.COPY,
        [(operand, None) for operand in call.operands],
        [(result, None) for result in call.results],
    )


def _shuffled(call: Call) -> Moved:
    target = call.operands[0]
    return Moved(Kind.COPY, [(target, None)], [(target, None)])


_MOVED = {
    "choice": _chosen,
    "permutation": _permuted,
    "permuted": _permuted,
    "shuffle": _shuffled,
}


class TracedGenerator:
    """Draws what ``numpy.random.Generator`` draws, value by value, into a trace.

    Every method that draws is there; its results are traced and counted as written, traced
    parameters (``rng.normal(mean, 1.0)``, ``rng.choice(x)``, ``rng.shuffle(x)``) as read. A number
    that NumPy gives as one of Python's (``rng.random()``) is no array: it comes plain, a constant,
    and traced parameters of it are escapes. Made by ``trace.generator(…)``.
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
        return self._generator.bytes(let_settings_out(length, "random.bytes"))

    def __getattr__(self, name: str) -> Any:
        if name not in PARAMETERS:
            raise AttributeError(f"a traced generator has no method {name!r}")
        return partial(self._draw, name)

    def _draw(self, name: str, /, *args: Any, **kwargs: Any) -> Any:
        return draw(self._booking, self._generator, name, args, kwargs)
