"""The dense layer: parameters, forward pass, gradient, step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import ClassVar

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.normalization import row_scales
from ffenergy.network.optimizers import Optimizer, decay_in_gradient, make_optimizer

INIT_STD: dict[str, Callable[[int], float]] = {
    "sqrt2": lambda fan_in: math.sqrt(2),
    "fan_in": lambda fan_in: math.sqrt(1 / fan_in),
    "he": lambda fan_in: math.sqrt(2 / fan_in),  # He et al. 2015, for ReLU
}

AT_ONCE = 262_144
"""Elements of a gradient that are found and consumed at once: a product of few rows is slow."""


class DenseLayer:
    """Weights (fan_in, width) and bias (width,) in one flat vector, their gradient in another.

    One vector each, so that the optimiser is one loop over cache-sized blocks. Scopes are made
    once, ``layer.scope["forward"]``, and entered in every step; ``phase`` books them all as one.
    """

    PHASES: ClassVar[dict[str, str]] = {  # phase: role of what it makes
        "normalize": "activation",
        "forward": "activation",
        "goodness": "temporary",
        "backward": "gradient",
        "gradient": "gradient",
        "optimizer": "optimizer_state",
        "head": "activation",
        "evaluate": "temporary",
    }

    def __init__(
        self,
        trace: Tracer,
        name: str,
        fan_in: int,
        width: int,
        std: float,
        dtype: str,
        rng: np.random.Generator,
        *,
        phase: str | None = None,
    ) -> None:
        self.name, self.fan_in, self.width = name, fan_in, width
        self.trace = trace
        self.plain = np.zeros((fan_in + 1) * width, dtype)
        if trace.writes(self.plain):
            weights = self.plain[:-width]
            rng.standard_normal(dtype=self.plain.dtype.type, out=weights)
            weights *= std
        self.values = trace.array(self.plain, role="weight", name=name)
        self.weights = self.values[:-width].reshape(self.weights_shape)
        self.bias = self.values[-width:]
        self.scope = {
            key: trace.scope(layer=name, phase=phase or key, makes=makes)
            for key, makes in self.PHASES.items()
        }
        self.optimizer: Optimizer | None = None  # frozen layers do without
        self.fuse_forward = trace.fuse("matmul_bias_relu")
        self.fuse_normalize = trace.fuse("l2_normalize")
        self.fuse_decay = trace.fuse("matmul_decay")

    @property
    def weights_shape(self) -> tuple[int, ...]:
        """Shape of the weights: (fan_in, width)."""
        return self.fan_in, self.width

    def input_shape(self, rows: int) -> tuple[int, ...]:
        """Return the shape of ``x`` for so many cases: (rows, fan_in)."""
        return rows, self.fan_in

    def input_room(self, below: Array) -> Array:
        """Return the ``x`` that reads ``below`` (rows, fan_in) as it is: no copy, ``below``."""
        return below

    def gather(self, below: Array, x: Array) -> None:
        """Bring ``below`` into ``x``, made by :meth:`input_room`: nothing to do."""

    def prepare_training(
        self, optimizer: str, weight_decay: float, gradient: str = "stored"
    ) -> None:
        """Make the gradient vector and the optimiser; frozen layers do without.

        A gradient that is consumed ``at-once`` needs the memory of one block alone.
        """
        self.weight_decay = decay_in_gradient(optimizer, weight_decay)
        self.spare: Array | None = None  # a second array like the gradient's, if something needs it
        self.parts: list[slice] | None = None
        sizes: list[int] = []
        if gradient == "at-once":
            self.parts, sizes = self._parts()
        room = np.zeros(max(sizes, default=self.plain.size), self.plain.dtype)
        self.gradient = self.trace.array(room, role="gradient", name=f"{self.name} gradient")
        self.optimizer = make_optimizer(
            optimizer,
            self.trace,
            self.values,
            self.gradient,
            sizes,
            decay=weight_decay,
            biases=self.width,
        )
        if self.parts is None:
            self.weights_gradient = self.gradient[: -self.width].reshape(self.weights_shape)
            self.bias_gradient = self.gradient[-self.width :]

    def _parts(self) -> tuple[list[slice], list[int]]:
        """Cut the weights along their first axis into blocks; return those, and all sizes.

        The last block, of the bias, is in the sizes alone.
        """
        length, each = self.weights_shape[0], math.prod(self.weights_shape[1:])
        at_once = max(AT_ONCE // each, 1)
        ends = [slice(k, min(k + at_once, length)) for k in range(0, length, at_once)]
        return ends, [*((part.stop - part.start) * each for part in ends), self.width]

    def normalized(self, x: Array, length: float, out: Array) -> Array:
        """Scale the rows of ``x`` to ``length`` into ``out``; phase ``normalize``."""
        with self.scope["normalize"], self.fuse_normalize:
            return self.scaled(x, length, out)

    def scaled(self, x: Array, length: float, out: Array) -> Array:
        """Scale the rows of ``x`` to ``length`` into ``out``, in whatever phase it is."""
        return self.scaled_by(row_scales(x, length), x, out)

    def scaled_by(self, scales: Array, x: Array, out: Array) -> Array:
        """Put the rows of ``x``, each times its one of ``scales`` (rows,), into ``out``."""
        np.multiply(x, scales[:, None], out=out)
        return out

    def linear(self, x: Array, out: Array, scales: Array | None = None) -> Array:
        """Put x @ W + b into ``out`` (rows, width); s * (x @ W) + b with ``scales`` s (rows,)."""
        self._product(x, out)
        if scales is not None:
            out *= scales[:, None]
        out += self.bias
        return out

    def _product(self, x: Array, out: Array) -> None:
        np.matmul(x, self.weights, out=out)

    def relu(self, x: Array, out: Array, scales: Array | None = None) -> Array:
        """Put max(x @ W + b, 0) into ``out`` (rows, width); ``scales`` as in :meth:`linear`."""
        with self.fuse_forward:
            self.linear(x, out, scales)
            np.maximum(out, 0, out=out)
        return out

    def find_gradient(
        self, x: Array, delta: Array, *, add: bool = False, bias: Array | None = None
    ) -> None:
        """Set the gradient from the layer's input and dLoss/d(x @ W); phase ``gradient``.

        ``bias`` (width,) is dLoss / d b, where it is not the sum of the rows of ``delta``.

        ``add=True`` adds to the gradient of an earlier pass instead, and costs what that costs:
        a second weights-shaped array written, read and added.
        """
        with self.scope["gradient"], self.fuse_decay if self.weight_decay else nullcontext():
            if add:
                self.weights_gradient += self._products(x, delta, self.spare_weights())
                self.bias_gradient += np.sum(delta, axis=0) if bias is None else bias
                return
            self._products(x, delta, self.weights_gradient)
            _put_bias(delta, bias, self.bias_gradient)
            if self.weight_decay:
                decay = np.multiply(self.weights, self.weight_decay, out=self.spare_weights())
                self.weights_gradient += decay

    def _products(self, x: Array, delta: Array, out: Array, part: slice = slice(None)) -> Array:
        """Put a part of dLoss / d weights, along their first axis, into ``out``."""
        return np.matmul(x.T[part], delta, out=out)

    @property
    def learns_at_once(self) -> bool:
        """Whether the gradient is consumed at once, block by block."""
        return self.parts is not None

    def learn(self, x: Array, delta: Array, rate: float, bias: Array | None = None) -> None:
        """Take a step from the layer's input and dLoss/d(x @ W + b), however the gradient is found.

        Phases ``gradient`` and ``optimizer``.
        """
        if self.parts is None:
            self.find_gradient(x, delta, bias=bias)
            self.update(rate)
            return
        assert self.optimizer is not None  # noqa: S101  # prepare_training made it
        with self.scope["optimizer"]:
            self.optimizer.update(rate, lambda number: self._find_block(number, x, delta, bias))

    def _find_block(self, number: int, x: Array, delta: Array, bias: Array | None) -> None:
        """Put block ``number`` of the gradient, the last of which is the bias's, where it goes."""
        assert self.parts is not None  # noqa: S101
        with self.scope["gradient"]:
            if number == len(self.parts):
                _put_bias(delta, bias, self.gradient[: self.width])
                return
            part = self.parts[number]
            weights = self.weights[part]
            found = self.gradient[: weights.size].reshape(weights.shape)
            self._products(x, delta, found, part)
            if self.weight_decay:
                if self.spare is None:
                    self.spare = self.trace.array(
                        np.empty(self.gradient.size, self.plain.dtype), role="gradient"
                    )
                spare = self.spare[: weights.size].reshape(weights.shape)
                found += np.multiply(weights, self.weight_decay, out=spare)

    def pass_back(self, delta: Array, out: Array) -> None:
        """Put dLoss / d inputs into ``out`` (rows, fan_in), given dLoss / d(x @ W + b)."""
        np.matmul(delta, self.weights.T, out=out)

    def spare_weights(self) -> Array:
        """Return a workspace shaped like the weights, made at first need."""
        if self.spare is None:
            self.spare = self.trace.array(
                np.empty(self.weights_shape, self.plain.dtype), role="gradient"
            )
        return self.spare

    def update(self, rate: float) -> None:
        """Let the optimiser take a step; phase ``optimizer``."""
        assert self.optimizer is not None  # noqa: S101  # prepare_training made it
        with self.scope["optimizer"]:
            self.optimizer.update(rate)

    def plain_parameters(self) -> dict[str, np.ndarray]:
        """Return copies of the parameters as ``name/W`` (fan_in, width) and ``name/b``."""
        weights = self.plain[: -self.width].reshape(self.fan_in, self.width)
        bias = self.plain[-self.width :]
        return {f"{self.name}/W": weights.copy(), f"{self.name}/b": bias.copy()}

    def state(self) -> dict[str, np.ndarray]:
        """Return copies: ``name/W`` (`weights_shape`), ``name/b`` (width,), optimiser state."""
        return {
            f"{self.name}/W": self._plain_weights().copy(),
            f"{self.name}/b": self.plain[-self.width :].copy(),
        } | {f"{self.name}/{key}": value for key, value in self._optimizer_state().items()}

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over this layer's part of a :meth:`state`; one without such a part changes nothing.

        The arrays keep their places in memory, so that whoever views them sees the new values.
        """
        if f"{self.name}/W" not in state:
            return
        self._plain_weights()[...] = state[f"{self.name}/W"]
        self.plain[-self.width :] = state[f"{self.name}/b"]
        if self.optimizer:
            names = self.optimizer.state()
            self.optimizer.load({name: state[f"{self.name}/{name}"] for name in names})

    def _plain_weights(self) -> np.ndarray:
        return self.plain[: -self.width].reshape(self.weights_shape)

    def _optimizer_state(self) -> dict[str, np.ndarray]:
        return self.optimizer.state() if self.optimizer else {}


def _put_bias(delta: Array, bias: Array | None, out: Array) -> None:
    """Put dLoss / d b into ``out`` (width,): ``bias``, or the sum of the rows of ``delta``."""
    if bias is None:
        np.sum(delta, axis=0, out=out)
    else:
        np.copyto(out, bias)


def parameters(layers: Sequence[DenseLayer]) -> dict[str, np.ndarray]:
    """Return copies of the parameters of ``layers``: ``layer1/W``, ``layer1/b`` and so on."""
    return {key: value for layer in layers for key, value in layer.plain_parameters().items()}
