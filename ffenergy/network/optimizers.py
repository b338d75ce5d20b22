"""Adam and momentum, written in place and in blocks that stay in cache, and the step sizes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final, Protocol

import numpy as np

from ffenergy.network.arrays import Array, Tracer

OPTIMIZERS: Final = ("adam", "momentum", "sgd")
SCHEDULES: Final = ("constant", "linear_second_half", "linear")
BLOCK: Final = 262_144  # elements; the five arrays of one Adam block take 5 MiB in float32


def learning_rate(schedule: str, rate: float, step: int, steps: int) -> float:
    """Return the learning rate of step ``step`` (0-based) of ``steps``.

    ``constant``; ``linear_second_half``: constant, then linearly towards 0 over the second half
    (Hinton's released code); ``linear``: linearly towards 0 from the start. The step after the
    last would have rate 0.
    """
    remaining = (steps - step) / steps
    return rate * {"constant": 1.0, "linear_second_half": min(1.0, 2 * remaining)}.get(
        schedule, remaining
    )


def blocks(flat: Array, size: int = BLOCK) -> list[Array]:
    """Cut a flat array into the fewest views of at most ``size`` elements, nearly equal in size."""
    count = math.ceil(flat.size / size)
    length = math.ceil(flat.size / count)
    return [flat[i * length : (i + 1) * length] for i in range(count)]


class Optimizer(Protocol):
    """Updates parameters in place from a gradient, which it may overwrite."""

    def update(self, rate: float) -> None:
        """Take one step of size ``rate``."""

    def state(self) -> dict[str, np.ndarray]:
        """Return copies of everything the next step depends on besides the parameters."""

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`."""


class Adam:
    """Adam (Kingma and Ba 2015, algorithm 1) over one flat parameter vector.

    With m' = m / (1-b1) and v' = v / (1-b2) the moment updates lose a multiplication each::

        m' = b1 m' + g          v' = b2 v' + g g
        w -= rate (1-b1) / ((1-b1^t) c) * m' / (sqrt(v') + eps / c),
        c  = sqrt((1-b2) / (1-b2^t))

    which is the same algorithm with every constant folded into two scalars. Ten operations a
    block; the gradient is overwritten by its square.
    """

    def __init__(
        self,
        trace: Tracer,
        values: Array,
        gradient: Array,
        *,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
    ) -> None:
        self.trace = trace
        self.beta1, self.beta2, self.epsilon = beta1, beta2, epsilon
        self.steps = 0
        self.first = np.zeros(values.shape, values.dtype)
        self.second = np.zeros(values.shape, values.dtype)
        first = blocks(trace.array(self.first, role="optimizer_state", name="first moment"))
        second = blocks(trace.array(self.second, role="optimizer_state", name="second moment"))
        scratch = trace.array(np.empty_like(self.first[: first[0].size]), role="temporary")
        self.blocks = [
            (w, g, m, v, scratch[: w.size])
            for w, g, m, v in zip(blocks(values), blocks(gradient), first, second, strict=True)
        ]
        self.fusion = trace.fuse("adam")

    def update(self, rate: float) -> None:
        """Take one Adam step with learning rate ``rate``."""
        self.steps += 1
        correction = math.sqrt((1 - self.beta2) / (1 - self.beta2**self.steps))
        step_size = rate * (1 - self.beta1) / (1 - self.beta1**self.steps) / correction
        epsilon = self.epsilon / correction
        for w, g, m, v, t in self.blocks:
            with self.fusion:
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


class Momentum:
    """Smoothed gradient descent, s = b s + (1-b) g, w -= rate s (Hinton's released code).

    Stored as s' = s / (1-b), which saves a multiplication. ``beta=0`` is plain gradient descent
    and keeps no state. The gradient is overwritten.
    """

    def __init__(self, trace: Tracer, values: Array, gradient: Array, *, beta: float = 0.9) -> None:
        self.beta = beta
        self.smooth = np.zeros(values.shape if beta else 0, values.dtype)
        smooth = (
            blocks(trace.array(self.smooth, role="optimizer_state", name="momentum"))
            if beta
            else blocks(gradient)
        )
        self.blocks = list(zip(blocks(values), blocks(gradient), smooth, strict=True))
        self.fusion = trace.fuse("momentum")

    def update(self, rate: float) -> None:
        """Take one step with learning rate ``rate``."""
        for w, g, s in self.blocks:
            with self.fusion:
                if self.beta:
                    s *= self.beta
                    s += g
                np.multiply(s, rate * (1 - self.beta), out=g)
                w -= g

    def state(self) -> dict[str, np.ndarray]:
        """Return the smoothed gradient (scaled as in the class description)."""
        return {"smooth": self.smooth.copy()} if self.beta else {}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`."""
        if self.beta:
            self.smooth[...] = state["smooth"]


def make_optimizer(kind: str, trace: Tracer, values: Array, gradient: Array) -> Optimizer:
    """Return the optimiser named ``kind`` over flat ``values`` and ``gradient``."""
    if kind == "adam":
        return Adam(trace, values, gradient)
    return Momentum(trace, values, gradient, beta=0.9 if kind == "momentum" else 0.0)
