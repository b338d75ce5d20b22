"""Forward-Forward with hybrid negatives (Hinton 2022, arXiv 2212.13345, section 3).

Every layer learns to tell real images from hybrids by its goodness, the sum or mean of its squared
activities. With y = +1 for real and -1 for hybrid cases::

    logit = (goodness - threshold) / temperature
    loss  = mean over the 2 B cases of log(1 + exp(-y logit))

The gradient is the exact derivative of this loss: d goodness / d h = 2 h for the sum, 2 h / width
for the mean. The reference project's loss, softplus(-logit) of positives plus softplus(logit) of
negatives, is twice this one; Adam does not see the difference. No gradient passes between layers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

import numpy as np

from ffenergy.network import Array, Tracer
from ffenergy.network.dense import FORWARD, DenseLayer
from ffenergy.network.negatives import HybridMaker
from ffenergy.network.normalization import scales_of
from ffenergy.rules.kit.head_stage import HeadStage
from ffenergy.rules.kit.host import Host
from ffenergy.rules.kit.passes import Batch, Pass, PassingNetwork
from ffenergy.rules.kit.stages import Plan, Rule, Shape, Stage, Values
from ffenergy.rules.registry import rule
from ffenergy.settings import Settings

PEER_DECAY: Final = 0.9  # of the running mean activities of peer normalisation
PEER_START: Final = 0.5


class ForwardForward(PassingNetwork):
    """Trains every layer in parallel, each on the activities below it, one batch a step."""

    def __init__(
        self,
        trace: Tracer,
        settings: Settings,
        images: Array,
        init_rng: np.random.Generator,
        negatives_rng: np.random.Generator,
    ) -> None:
        super().__init__(trace, settings, init_rng)
        self.settings = settings
        self.images = images
        self.prepare_negatives(negatives_rng)
        self.gather_scope = trace.scope(layer="input", phase="forward", makes="data")
        self.fuse_goodness = trace.fuse("goodness")
        self.fuse_gradient = trace.fuse("delta_gradient")
        self.make_meters()
        way = settings.optimizer, settings.weight_decay, settings.gradient
        for k, layer in enumerate(self.layers):
            layer.prepare_training(*way, visit=self.visit_of(k))
        self.sharpness = [  # d logit / d (sum of squares), per layer
            1 / (settings.temperature * (layer.width if settings.goodness == "mean" else 1))
            for layer in self.layers
        ]
        self.offsets = [  # threshold / temperature; the threshold is per neuron
            settings.threshold * layer.width * sharpness
            for layer, sharpness in zip(self.layers, self.sharpness, strict=True)
        ]
        self.plain_peers = [
            np.full(layer.width, PEER_START, settings.dtype) for layer in self.layers
        ]
        self.peers = [
            trace.array(means, role="optimizer_state", name="mean activities")
            for means in self.plain_peers
        ]

    def visit_of(self, k: int) -> str:
        """What the weights of layer ``k`` do in a visit besides being updated."""
        return FORWARD

    def prepare_negatives(self, rng: np.random.Generator) -> None:
        """Get ready to make negatives with ``rng``: hybrids of two images."""
        pairs, n_blur = self.settings.negative_pairs, self.settings.n_blur
        self.hybrids = HybridMaker(self.trace, self.images, pairs, n_blur, rng)

    def step(self, index: Array, rate: float) -> None:
        """Train every layer on the images at ``index`` (rows,) and as many fresh negatives."""
        self.together(index, [rate])

    def together(self, index: Array, rates: Sequence[float]) -> None:
        """Train on several batches in a row, with a learning rate each.

        All of them go through one group of layers before the next group sees any.
        """
        with self.trace.step("train"):
            self._go_through(self.settings.groups, index, rates)

    def _go_through(self, groups: Sequence[range], index: Array, rates: Sequence[float]) -> None:
        size = self.settings.batch_size
        for group in groups:
            for place, rate in enumerate(rates):
                own = index[place * size : (place + 1) * size]
                batch = self.room(own.shape[0], place)
                if group is groups[0]:
                    self.present(own, batch)
                for k in group:
                    self._visit(k, batch, rate)
            for k in group:
                self.layers[k].settle()

    def _visit(self, k: int, batch: Batch, rate: float) -> None:
        """Do what a batch has to do at layer ``k``."""
        self._train_layer(k, batch, rate)

    def present(self, index: Array, batch: Batch) -> None:
        """Put the images at ``index`` (rows,) and as many fresh negatives into ``batch``."""
        with self.gather_scope:
            np.take(self.images, index, axis=0, out=batch.positives, mode="clip")
        self.hybrids.fill(batch.negatives, batch.positives)

    def _train_layer(self, k: int, batch: Batch, rate: float) -> None:
        """Let layer ``k`` learn from what the layer below makes of the batch."""
        total = sum(cases.signs.shape[0] for cases in batch.passes)
        for number, cases in enumerate(batch.passes):
            self._activate(k, cases)
            coefficient = self._judge(k, cases, total)
            with self.fuse_gradient:
                delta, bias = self._descend(k, cases, coefficient, total)
                self._learn(k, batch, number, delta, rate, bias)
            self._take_step(k, batch, number, rate)

    def _learn(
        self,
        k: int,
        batch: Batch,
        number: int,
        delta: Array,
        rate: float,
        bias: Array | None = None,
    ) -> None:
        """Find the gradient from pass ``number``, or add to it; consumed at once, take the step.

        In one visit the step waits for the next batch in flight, or for the end of them.
        """
        layer, x = self.layers[k], batch.passes[number].x[k]
        if layer.learns_at_once:
            layer.learn(x, delta, rate, bias)
        else:
            layer.find_gradient(x, delta, add=number > 0, bias=bias)

    def _take_step(self, k: int, batch: Batch, number: int, rate: float) -> None:
        """Take the step of a stored gradient, if pass ``number`` is the last one.

        That is after the layer's forward pass: layers above see what old weights have made.
        """
        if not self.layers[k].learns_at_once and number + 1 == len(batch.passes):
            self.layers[k].update(rate)

    def _activate(self, k: int, cases: Pass) -> None:
        """Bring layer ``k``'s inputs and its activities up to date.

        Normalisation is made (x = s h below), or deferred to the product: s (h W) + b.
        """
        layer = self.layers[k]
        if self.deferred:
            with layer.scope["normalize"], layer.fuse_normalize:
                squares = self._squares_below(k, cases)
                scales = scales_of(squares, self.lengths[k], cases.scales[k])
            with layer.scope["forward"]:
                layer.gather(cases.h[k - 1] if k else cases.inputs, cases.x[k])
                layer.relu(cases.x[k], cases.h[k], scales)
            return
        layer.normalized(cases.h[k - 1] if k else cases.inputs, self.lengths[k], cases.x[k])
        with layer.scope["forward"]:
            layer.relu(cases.x[k], cases.h[k])

    def _squares_below(self, k: int, cases: Pass) -> Array:
        """Return the sums of squares (rows,) of layer ``k``'s input: the goodness of those below.

        Nobody takes the goodness of images.
        """
        if k:
            return cases.squares[k - 1]
        squares: Array = np.vecdot(cases.inputs, cases.inputs, out=cases.scales[0])
        return squares

    def _judge(self, k: int, cases: Pass, total: int) -> Array:
        """Add up losses and right answers; return c of dLoss / dh = c h, shape (rows, 1).

        Written for the deficit d = -y logit: the loss is log(1 + exp(d)) and its derivative
        exp(d - loss), neither of which can overflow.
        """
        layer, h = self.layers[k], cases.h[k]
        with layer.scope["goodness"], self.fuse_goodness:
            if self.deferred:
                squares = np.vecdot(h, h, out=cases.squares[k])
                deficit = np.multiply(squares, -self.sharpness[k])
            else:
                deficit = np.vecdot(h, h)
                deficit *= -self.sharpness[k]
            deficit += self.offsets[k]
            deficit *= cases.signs
            loss = np.logaddexp(deficit, 0)
            coefficient: Array = np.subtract(deficit, loss)
            np.exp(coefficient, out=coefficient)
            coefficient *= cases.signs
            coefficient *= -2 * self.sharpness[k] / total
        with layer.scope["evaluate"]:
            losses, right = cases.losses[k], cases.right[k]
            losses += loss
            right += np.less(deficit, 0)
        return coefficient[:, None]

    def _descend(
        self, k: int, cases: Pass, coefficient: Array, total: int
    ) -> tuple[Array, Array | None]:
        """Return dLoss / d(x @ W), shape (rows, width); ReLU's mask is in h itself.

        Where normalisation is deferred, x is what lies below and the rows' factors stand in the
        delta; dLoss / d b (width,), which is without them, is the other half of the answer.
        """
        h, positives = cases.h[k], cases.positives
        pulls, bias = self.settings.peer_strength and positives, None
        with self.layers[k].scope["gradient"]:
            if self.deferred:
                bias = np.matmul(coefficient[:, 0], h)
                coefficient = coefficient * cases.scales[k][:, None]
            delta = np.multiply(h, coefficient, out=cases.delta[k])
            if pulls:
                pull = self._peer_pull(k, cases, total)
                if bias is not None:
                    bias += pull * positives
                    pull = cases.scales[k][:positives, None] * pull
                delta[:positives] += pull
        return delta, bias

    def _peer_pull(self, k: int, cases: Pass, total: int) -> Array:
        """Return what peer normalisation adds to every positive case's delta, shape (width,).

        Each unit keeps a running mean m of its activity over positives and is pulled towards the
        mean of its peers: Hinton's code adds strength * (mean(m) - m) beside the (1 - p) h of the
        case, whether or not the unit is active. It is the gradient of no loss. Here both are
        scaled by d logit / d h and the mean over cases, so ``strength`` means what it means there.
        """
        means = self.peers[k]
        means *= PEER_DECAY
        means += np.mean(cases.h[k][: cases.positives], axis=0) * (1 - PEER_DECAY)
        pull = np.subtract(np.mean(means), means)
        pull *= -2 * self.sharpness[k] * self.settings.peer_strength / total
        return pull

    def means(self) -> dict[str, np.ndarray]:
        """Return copies of the running mean activities, ``layer1/peers`` (width,) and so on."""
        named = zip(self.layers, self.plain_peers, strict=True)
        return {f"{layer.name}/peers": means.copy() for layer, means in named}

    def load_means(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over the running means in ``state``."""
        for layer, means in zip(self.layers, self.plain_peers, strict=True):
            means[...] = state[f"{layer.name}/peers"]


@rule("ff", title="Forward-Forward", short_title="FF", colour="#D55E00", order=1)
class ForwardForwardRule(Rule):
    """All layers learn in every step, then the head does."""

    compared = True
    baseline = "bp"
    tells_hybrids = True
    local = True
    supervision = "hybrids"
    stage = "layers"
    shapes: ClassVar = {"": Shape(rows=2, images=None)}
    has_head = True
    normalizes_inputs = True

    def __init__(self, host: Host) -> None:
        super().__init__(host)
        self.network = self.make_network(host)
        self.head_stage = HeadStage(host, self.network)

    def make_network(self, host: Host) -> ForwardForward:
        """Return the network to be trained."""
        streams = (host.random[name] for name in ("init", "negatives"))
        return ForwardForward(host.trace, host.settings, host.train.images, *streams)

    def plans(self) -> Sequence[Plan]:
        """All layers in parallel, then the head."""
        layers = Plan(self.stage, self.host.settings.n_epochs, self._open_layers)
        return [layers, self.head_stage.plan()]

    @property
    def layers(self) -> Sequence[DenseLayer]:
        """The hidden layers, and the head once there is one."""
        return self.head_stage.layers

    def state(self) -> dict[str, np.ndarray]:
        """Return parameters, optimiser state and the running means of peer normalisation."""
        return super().state() | self.network.means()

    def load(self, state: Mapping[str, np.ndarray]) -> None:
        """Take over a :meth:`state`."""
        super().load(state)
        self.network.load_means(state)

    def _open_layers(self) -> Stage:
        settings, network = self.host.settings, self.network

        def read() -> Values:
            losses, right = network.read_meters()
            values = {"loss": sum(losses) / len(losses) / 2}
            values |= {f"loss_layer{k + 1}": loss / 2 for k, loss in enumerate(losses)}
            return values | {f"separation_layer{k + 1}": 50 * n for k, n in enumerate(right)}

        return Stage(
            step=network.step,
            rate=(settings.schedule, settings.lr),
            batch_size=settings.batch_size,
            shuffle="shuffle",
            read=read,
            assess=self.assess,
            in_flight=settings.batches_in_flight if self.local else 1,
            together=network.together if self.local else None,
        )

    def assess(self, values: Values) -> Values:
        """Return the mean values of an epoch of the hidden layers as those of its history row."""
        return values
