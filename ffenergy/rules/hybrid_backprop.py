"""Forward-Forward's objective trained end to end: the control that differs in the rule alone.

The same layers, hybrids, goodness and head as Forward-Forward, but the gradient of a layer's loss
passes down through the layers below it: backprop without labels. The loss is the sum of all
layers' losses, or with ``hybrid_loss = "top"`` that of the top layer alone. The way back goes
through the normalisation x = s h, s = length / |h|, of every layer's input::

    dLoss/dh = s (g - (s / length)^2 (g . h) h),   g = dLoss/dx

A layer takes its step once its loss has been passed on, so every gradient is that of the weights
that made the activities. Peer normalisation, the gradient of no loss, stays within its layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np

from ffenergy.errors import SettingsError
from ffenergy.network import Array, Tracer
from ffenergy.network.dense import BACK
from ffenergy.network.normalization import DEFERRED, row_scales
from ffenergy.rules.forward_forward import ForwardForward, ForwardForwardRule
from ffenergy.rules.kit.host import Host
from ffenergy.rules.kit.passes import Pass
from ffenergy.rules.registry import rule
from ffenergy.settings import Settings

TOP: Final = "top"


@dataclass(frozen=True)
class WayBack:
    """What a pass needs on its way back, per layer but the last: arrays (rows, width).

    ``passed`` is dLoss / dh as the layer above hands it down, ``active`` (bool) ReLU's mask.
    """

    passed: list[Array]
    active: list[Array]


class HybridBackprop(ForwardForward):
    """Trains all layers on goodness losses whose gradients pass through the layers below."""

    def __init__(
        self,
        trace: Tracer,
        settings: Settings,
        images: Array,
        init_rng: np.random.Generator,
        negatives_rng: np.random.Generator,
    ) -> None:
        super().__init__(trace, settings, images, init_rng, negatives_rng)
        self.fuse_back = trace.fuse("normalize_relu_backward")
        self.ways_back: dict[int, WayBack] = {}  # by number of rows
        first = len(self.layers) - 1 if settings.hybrid_loss == TOP else 0
        self.judged = range(first, len(self.layers))  # the layers that have a loss

    def visit_of(self, k: int) -> str:
        """Weights pass back in the visit that updates them."""
        return BACK if k else ""

    def step(self, index: Array, rate: float) -> None:
        """Train every layer on the images at ``index`` (rows,) and as many fresh hybrids."""
        with self.trace.step("train"):
            batch = self.room(index.shape[0])
            self.present(index, batch)
            total = sum(cases.signs.shape[0] for cases in batch.passes)
            for number, cases in enumerate(batch.passes):
                scales = [self._ascend(k, cases) for k in range(len(self.layers))]
                slopes = {k: self._judge(k, cases, total) for k in self.judged}
                delta: Array | None = None
                for k in reversed(range(len(self.layers))):
                    delta = self._merge(k, cases, slopes.get(k), delta, total)
                    if self.layers[k].visit == BACK:
                        delta = self._visit_back(k, cases, scales[k], delta, rate)
                        continue
                    passed = self._pass_back(k, cases, scales[k], delta) if k else None
                    self._learn(k, batch, number, delta, rate)
                    self._take_step(k, batch, number, rate)
                    delta = passed

    def _visit_back(self, k: int, cases: Pass, scales: Array, delta: Array, rate: float) -> Array:
        """As :meth:`_pass_back`, and layer ``k`` learns, block by block of its inputs."""
        layer, passed = self.layers[k], self._way_of(cases).passed[k - 1]

        def back(part: slice) -> None:
            with layer.scope["backward"]:
                layer.pass_back(delta, passed, part)

        layer.learn(cases.x[k], delta, rate, back=back)
        return self._derive(k, cases, scales)

    def _ascend(self, k: int, cases: Pass) -> Array:
        """Bring layer ``k``'s activities up to date; return the scales (rows,) of its input."""
        layer, below = self.layers[k], cases.h[k - 1] if k else cases.inputs
        with layer.scope["normalize"], layer.fuse_normalize:
            scales = row_scales(below, self.lengths[k])
            layer.scaled_by(scales, below, cases.x[k])
        with layer.scope["forward"]:
            layer.relu(cases.x[k], cases.h[k])
        return scales

    def _merge(
        self, k: int, cases: Pass, slope: Array | None, passed: Array | None, total: int
    ) -> Array:
        """Return dLoss / d(x @ W + b) of layer ``k``: its own loss's, and what was passed to it."""
        if slope is None:
            assert passed is not None  # noqa: S101  # the top layer has a loss
            return passed
        delta, _ = self._descend(k, cases, slope, total)
        if passed is not None:
            with self.layers[k].scope["backward"]:
                delta += passed
        return delta

    def _pass_back(self, k: int, cases: Pass, scales: Array, delta: Array) -> Array:
        """Return dLoss / d(x @ W + b) of layer ``k - 1`` by the losses from layer ``k`` up."""
        with self.layers[k].scope["backward"]:
            self.layers[k].pass_back(delta, self._way_of(cases).passed[k - 1])
        return self._derive(k, cases, scales)

    def _derive(self, k: int, cases: Pass, scales: Array) -> Array:
        """Take what layer ``k`` has passed to its input through normalisation and ReLU."""
        layer, below, h = self.layers[k], self.layers[k - 1], cases.h[k - 1]
        way = self._way_of(cases)
        passed, active = way.passed[k - 1], way.active[k - 1]
        with self.fuse_back:
            with layer.scope["backward"]:
                along = np.vecdot(passed, h)
                along *= scales
                along *= scales
                along *= -1 / self.lengths[k] ** 2
                passed += np.multiply(h, along[:, None])
                passed *= scales[:, None]
            with below.scope["backward"]:
                passed *= np.greater(h, 0, out=active)
        return passed

    def _way_of(self, cases: Pass) -> WayBack:
        rows = cases.signs.shape[0]
        return self.ways_back.get(rows) or self._way_back(rows)

    def _way_back(self, rows: int) -> WayBack:
        """Make room for the way back of ``rows`` cases; once per number of rows."""

        def room(width: int, dtype: str, role: str, name: str) -> Array:
            return self.trace.array(np.zeros((rows, width), dtype), role=role, name=name)

        below = self.layers[:-1]
        self.ways_back[rows] = WayBack(
            [room(k.width, self.dtype, "gradient", f"{k.name} passed back") for k in below],
            [room(k.width, "bool", "temporary", f"{k.name} active") for k in below],
        )
        return self.ways_back[rows]


@rule(
    "bp-hybrid",
    title="backprop on hybrids",
    short_title="BP hybrids",
    colour="#56B4E9",
    order=6,
)
class HybridBackpropRule(ForwardForwardRule):
    """All layers learn in every step, end to end; then the head does."""

    compared = False
    baseline = ""
    local = False
    shapes: ClassVar = {}

    @classmethod
    def check(cls, settings: Settings) -> None:
        """Refuse what its way back does not go through."""
        if settings.normalize_as == DEFERRED:
            raise SettingsError(
                "normalize_as is 'deferred', which bp-hybrid does not do; choose eager"
            )

    def make_network(self, host: Host) -> HybridBackprop:
        """Return the network to be trained."""
        streams = (host.random[name] for name in ("init", "negatives"))
        return HybridBackprop(host.trace, host.settings, host.train.images, *streams)
