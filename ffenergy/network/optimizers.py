"""Adam and momentum, written in place and in blocks that stay in cache, and the step sizes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from typing import Final

import numpy as np

from ffenergy.errors import SettingsError
from ffenergy.network import Array, Tracer

STATES: Final = {"adam": 2, "adamw": 2, "momentum": 1, "sgd": 0}
"""Arrays that every optimiser keeps beside an array of parameters."""
DECOUPLED: Final = frozenset({"adamw"})
"""Optimisers that shrink weights by rate * decay themselves; others see decay in the gradient."""
SCHEDULES: Final = ("constant", "linear_second_half", "linear")
BLOCK = 16_384
"""Elements: the five arrays of one Adam block take 320 KiB in float32. Chosen by time and energy of
a step (``benchmarks/adam_block.py``, docs/metric.md); numbers do not depend on it."""


def learning_rate(schedule: str, rate: float, step: int, steps: int) -> float:
    """Return the learning rate of step ``step`` (0-based) of ``steps``.

    ``constant``; ``linear_second_half``: constant, then linearly towards 0 over the second half
    (Hinton's released code); ``linear``: linearly towards 0 from the start. The step after the
    last would have rate 0.

    Raises:
        SettingsError: another schedule.
    """
    if schedule not in SCHEDULES:
        raise SettingsError(f"schedule is {schedule!r}; choose one of {', '.join(SCHEDULES)}")
    remaining = (steps - step) / steps
    return rate * {"constant": 1.0, "linear_second_half": min(1.0, 2 * remaining)}.get(
        schedule, remaining
    )


def even_sizes(total: int) -> list[int]:
    """Cut ``total`` elements into the fewest blocks of at most BLOCK, nearly equal in size."""
    length = math.ceil(total / math.ceil(total / BLOCK))
    return [min(length, total - start) for start in range(0, total, length)]


def blocks(flat: Array, sizes: Sequence[int]) -> list[Array]:
    """Cut a flat array into views of the given sizes."""
    return [flat[end - size : end] for size, end in zip(sizes, accumulate(sizes), strict=True)]


def nothing_more(number: int) -> None:
    """The gradient is complete: nothing is found block by block."""


Take = Callable[[int, Callable[[int], None]], None]
"""Take the step of a block, by number, after ``find`` has put its gradient there.

A gradient that is found so needs the memory of one block, the first of its array.
"""


class Optimizer(ABC):
    """Updates parameters in place, block by block, from a gradient, which it may overwrite."""

    blocks: Sequence[tuple[Array, ...]]

    @abstractmethod
    def begin(self, rate: float) -> Take:
        """Begin a step of size ``rate``; every block is to be taken once."""

    def update(self, rate: float) -> None:
        """Take one step of size ``rate``; the gradient is complete."""
        take = self.begin(rate)
        for number in range(len(self.blocks)):
            take(number, nothing_more)

    @abstractmethod
    def state(self) -> dict[str, np.ndarray]:
        """Return copies of everything the next step depends on besides the parameters."""

    @abstractmethod
    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`."""


class Adam(Optimizer):
    """Adam (Kingma and Ba 2015, algorithm 1) over one flat parameter vector.

    With m' = m / (1-b1) and v' = v / (1-b2) the moment updates lose a multiplication each::

        m' = b1 m' + g          v' = b2 v' + g g
        w -= rate (1-b1) / ((1-b1^t) c) * m' / (sqrt(v') + eps / c),
        c  = sqrt((1-b2) / (1-b2^t))

    which is the same algorithm with every constant folded into two scalars. Ten operations a
    block; the gradient is overwritten by its square. AdamW (Loshchilov and Hutter 2019, algorithm
    2) first shrinks ``w`` by ``rate * decay``, in all blocks but the last ``undecayed``.
    """

    def __init__(
        self,
        trace: Tracer,
        values: Array,
        gradient: Array,
        sizes: Sequence[int],
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        decay: float = 0.0,
        undecayed: int = 0,
    ) -> None:
        self.trace = trace
        self.decay, self.decayed = decay, (len(sizes) - undecayed) * bool(decay)
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.steps = 0
        self.first = np.zeros(values.shape, values.dtype)
        self.second = np.zeros(values.shape, values.dtype)
        first = trace.array(self.first, role="optimizer_state", name="first moment")
        second = trace.array(self.second, role="optimizer_state", name="second moment")
        scratch = trace.array(np.empty_like(self.first[: max(sizes)]), role="temporary")
        parts = (blocks(values, sizes), gradients(gradient, sizes))
        moments = (blocks(first, sizes), blocks(second, sizes))
        self.blocks = [
            (w, g, m, v, scratch[: w.size]) for w, g, m, v in zip(*parts, *moments, strict=True)
        ]
        self.fusion = trace.fuse("adam")

    def begin(self, rate: float) -> Take:
        """Begin an Adam step with learning rate ``rate``."""
        self.steps += 1
        correction = math.sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        step_size = rate * (1 - self.beta1) / (1 - self.beta1**self.steps) / correction
        epsilon = self.epsilon / correction
        shrink = 1 - rate * self.decay

        def take(number: int, find: Callable[[int], None]) -> None:
            w, g, m, v, t = self.blocks[number]
            with self.fusion:
                find(number)
                if number < self.decayed:
                    w *= shrink
                m *= self.beta1
                m += g
                g *= g
                v *= self.beta2
                v += g
                np.sqrt(v, out=t)
                t += epsilon
                np.divide(m, t, out=t)
                t *= step_size
                w -= t

        return take

    def state(self) -> dict[str, np.ndarray]:
        """Return the moments (scaled as in the class description) and the step count."""
        return {
            "first": self.first.copy(),
            "second": self.second.copy(),
            "steps": np.array(self.steps),
        }

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`."""
        self.first[...] = state["first"]
        self.second[...] = state["second"]
        self.steps = int(state["steps"])


class Momentum(Optimizer):
    """Smoothed gradient descent, s = b s + (1-b) g, w -= rate s (Hinton's released code).

    Stored as s' = s / (1-b), which saves a multiplication. ``beta=0`` is plain gradient descent
    and keeps no state. The gradient is overwritten.
    """

    def __init__(
        self,
        trace: Tracer,
        values: Array,
        gradient: Array,
        sizes: Sequence[int],
        *,
        beta: float = 0.9,
    ) -> None:
        self.beta = beta
        self.smooth = np.zeros(values.shape if beta else 0, values.dtype)
        found = gradients(gradient, sizes)
        smooth = found
        if beta:
            state = trace.array(self.smooth, role="optimizer_state", name="momentum")
            smooth = blocks(state, sizes)
        self.blocks = list(zip(blocks(values, sizes), found, smooth, strict=True))
        self.fusion = trace.fuse("momentum")

    def begin(self, rate: float) -> Take:
        """Begin a step with learning rate ``rate``."""

        def take(number: int, find: Callable[[int], None]) -> None:
            w, g, s = self.blocks[number]
            with self.fusion:
                find(number)
                if self.beta:
                    s *= self.beta
                    s += g
                np.multiply(s, rate * (1 - self.beta), out=g)
                w -= g

        return take

    def state(self) -> dict[str, np.ndarray]:
        """Return the smoothed gradient (scaled as in the class description)."""
        return {"smooth": self.smooth.copy()} if self.beta else {}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`."""
        if self.beta:
            self.smooth[...] = state["smooth"]


def gradients(gradient: Array, sizes: Sequence[int]) -> list[Array]:
    """Return a view of the gradient for every block: its own, or the first of a smaller array."""
    if gradient.size == sum(sizes):
        return blocks(gradient, sizes)
    return [gradient[:size] for size in sizes]


def decay_in_gradient(kind: str, decay: float) -> float:
    """Return the L2 decay that belongs in the gradient: none where the optimiser decays itself."""
    return 0.0 if kind in DECOUPLED else decay


def make_optimizer(
    kind: str,
    trace: Tracer,
    values: Array,
    gradient: Array,
    sizes: Sequence[int] = (),
    *,
    decay: float = 0.0,
    biases: int = 0,
) -> Optimizer:
    """Return the optimiser named ``kind`` over flat ``values`` and ``gradient``.

    ``sizes`` are those of its blocks; without them they are even. A ``gradient`` with room for the
    largest block alone is found block by block, see ``Take``. ``decay`` is heeded by
    those of ``DECOUPLED``; the last ``biases`` values, a block of their own, do not decay.
    """
    if kind in DECOUPLED:
        sizes = sizes or [*even_sizes(values.size - biases), *([biases] if biases else [])]
        return Adam(trace, values, gradient, sizes, decay=decay, undecayed=int(biases > 0))
    sizes = sizes or even_sizes(values.size)
    if kind == "adam":
        return Adam(trace, values, gradient, sizes)
    return Momentum(trace, values, gradient, sizes, beta=0.9 if kind == "momentum" else 0.0)
