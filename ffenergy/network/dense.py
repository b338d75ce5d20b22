"""The dense layer: parameters, forward pass, gradient, step."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import ClassVar, Final

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.normalization import row_scales
from ffenergy.network.optimizers import Optimizer, decay_in_gradient, make_optimizer

INIT_STD: dict[str, Callable[[int], float]] = {
    "sqrt2": lambda fan_in: math.sqrt(2),
    "fan_in": lambda fan_in: math.sqrt(1 / fan_in),
    "he": lambda fan_in: math.sqrt(2 / fan_in),  # He et al. 2015, for ReLU
}

STORED: Final = "stored"
AT_ONCE: Final = "at-once"
ONE_VISIT: Final = "one-visit"
GRADIENTS: Final = (STORED, AT_ONCE, ONE_VISIT)
"""What becomes of the gradient of a layer's weights."""
BACK: Final = "back"
FORWARD: Final = "forward"
CONSUMED = 262_144
"""Elements of a gradient that are found and consumed at once: a product of few rows is slow."""
VISITED = 32_768
"""Elements of the weights that one visit holds. Chosen by the energy of a step
(``benchmarks/one_visit.py``, docs/metric.md)."""


class DenseLayer:
    """Weights (fan_in, width) and bias (width,) in one flat vector, their gradient in another.

    One vector each, so that the optimiser is one loop over cache-sized blocks. Scopes are made
    once, ``layer.scope["forward"]``, and entered in every step; ``phase`` books them all as one.
    """

    VISITS: ClassVar[bool] = True  # a block of weights does all that some inputs or units need
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
        self.by_units = False
        self.pending: tuple[Array, Array, float, Array | None] | None = None
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
        self,
        optimizer: str,
        weight_decay: float,
        gradient: str = STORED,
        *,
        visit: str = "",
    ) -> None:
        """Make the gradient vector and the optimiser; frozen layers do without.

        A gradient that is consumed ``at-once`` needs the memory of one block alone. So does one of
        ``one-visit``, where each block of weights is updated together with what ``visit`` names:
        passing ``back`` to some inputs, or going ``forward`` to some units, whose weights then lie
        together. Without it, ``one-visit`` is ``at-once``.
        """
        self.weight_decay = decay_in_gradient(optimizer, weight_decay)
        self.spare: Array | None = None  # a second array like the gradient's, if something needs it
        self.parts: list[slice] | None = None
        self.visit = visit if gradient == ONE_VISIT and self.VISITS else ""
        if self.visit == FORWARD:
            self._lay_by_units()
        sizes: list[int] = []
        if gradient != STORED:
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
        """Cut the weights along their first axis, or by units, into blocks, and return the sizes.

        The last block, of the bias, is in the sizes alone.
        """
        length, *others = reversed(self.weights_shape) if self.by_units else self.weights_shape
        each = math.prod(others)
        at_once = max((VISITED if self.visit else CONSUMED) // each, 1)
        ends = [slice(k, min(k + at_once, length)) for k in range(0, length, at_once)]
        return ends, [*((part.stop - part.start) * each for part in ends), self.width]

    def _lay_by_units(self) -> None:
        """Lay the weights of a unit together; :attr:`weights` looks as before."""
        if self.trace.writes(self.plain):
            self.plain[: -self.width] = self._plain_weights().T.ravel()
        self.weights = self.values[: -self.width].reshape(self.weights_shape[::-1]).T
        self.by_units = True

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
        if self.pending is not None:
            self._visit_units(x, out, scales)
            return out
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

    def learn(
        self,
        x: Array,
        delta: Array,
        rate: float,
        bias: Array | None = None,
        back: Callable[[slice], None] | None = None,
    ) -> None:
        """Take a step from the layer's input and dLoss/d(x @ W + b), however the gradient is found.

        ``back`` passes the delta back to a part of the inputs, with weights that have not learned:
        to all before the step, or in one visit to each block before its own. Phases ``gradient``
        and ``optimizer``.

        In a visit that goes forward the step waits for the next :meth:`relu`, or for
        :meth:`settle`; until then ``x``, ``delta`` and ``bias`` are to stay.
        """
        if self.visit == FORWARD:
            self.pending = x, delta, rate, bias
            return
        if back and self.visit != BACK:
            back(slice(None))
        if self.parts is None:
            self.find_gradient(x, delta, bias=bias)
            self.update(rate)
            return
        take = self._begin(x, delta, rate, bias)
        for number in range(len(self.parts) + 1):
            if back and self.visit == BACK and number < len(self.parts):
                back(self.parts[number])
            take(number)

    def settle(self) -> None:
        """Take the step that waits, if there is one."""
        if self.pending is None or self.parts is None:
            return
        take, self.pending = self._begin(*self.pending), None
        for number in range(len(self.parts) + 1):
            take(number)

    def _visit_units(self, x: Array, out: Array, scales: Array | None) -> None:
        """Take the step that was put off, and go forward, block by block of the units."""
        assert self.pending is not None  # noqa: S101
        assert self.parts is not None  # noqa: S101
        take, self.pending = self._begin(*self.pending), None
        take(len(self.parts))
        for number, part in enumerate(self.parts):
            take(number)
            with self.fuse_forward:
                units = np.matmul(x, self.weights[:, part], out=out[:, part])
                if scales is not None:
                    units *= scales[:, None]
                units += self.bias[part]
                np.maximum(units, 0, out=units)

    def _begin(
        self, x: Array, delta: Array, rate: float, bias: Array | None
    ) -> Callable[[int], None]:
        """Begin a step whose gradient is consumed at once; return what takes it, by block."""
        assert self.optimizer is not None  # noqa: S101  # prepare_training made it
        take = self.optimizer.begin(rate)

        def find(number: int) -> None:
            self._find_block(number, x, delta, bias)

        def take_block(number: int) -> None:
            with self.scope["optimizer"]:
                take(number, find)

        return take_block

    def _find_block(self, number: int, x: Array, delta: Array, bias: Array | None) -> None:
        """Put block ``number`` of the gradient, the last of which is the bias's, where it goes."""
        assert self.parts is not None  # noqa: S101
        with self.scope["gradient"]:
            if number == len(self.parts):
                _put_bias(delta, bias, self.gradient[: self.width])
                return
            part = self.parts[number]
            weights = self.weights.T[part] if self.by_units else self.weights[part]
            found = self.gradient[: weights.size].reshape(weights.shape)
            if self.by_units:
                np.matmul(delta.T[part], x, out=found)
            else:
                self._products(x, delta, found, part)
            if self.weight_decay:
                if self.spare is None:
                    self.spare = self.trace.array(
                        np.empty(self.gradient.size, self.plain.dtype), role="gradient"
                    )
                spare = self.spare[: weights.size].reshape(weights.shape)
                found += np.multiply(weights, self.weight_decay, out=spare)

    def pass_back(self, delta: Array, out: Array, part: slice = slice(None)) -> None:
        """Put a part of dLoss / d inputs where it goes in ``out`` (rows, fan_in).

        ``delta`` is dLoss / d(x @ W + b).
        """
        np.matmul(delta, self.weights[part].T, out=out[:, part])

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
        bias = self.plain[-self.width :]
        return {f"{self.name}/W": self._plain_weights().copy(), f"{self.name}/b": bias.copy()}

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
        flat = self.plain[: -self.width]
        if self.by_units:
            return flat.reshape(self.weights_shape[::-1]).T
        return flat.reshape(self.weights_shape)

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
