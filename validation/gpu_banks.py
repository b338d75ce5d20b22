"""Many Forward-Forward networks trained side by side in PyTorch, and heads on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ffenergy import data as datasets
from ffenergy.network.dense import INIT_STD
from ffenergy.network.negatives import blur_matrix
from ffenergy.rules.forward_forward import PEER_DECAY, PEER_START
from ffenergy.settings import Settings
from validation.gpu_recipes import Head

HELD_OUT: Final = 10_000
SIDE: Final = 28
HEAD_EPOCHS: Final = 20
HEAD_BATCH: Final = 100


class Layer:
    """Parameters of a layer of many networks: weights (networks, locations, fan_in, channels)."""

    def __init__(self, settings: Settings, k: int, seeds: Sequence[int], device: str) -> None:
        self.inputs = settings.layer_sizes[k]
        self.seen: Tensor | None = None
        if settings.local_fields:
            fields = settings.fields[k]
            numbers = np.arange(self.inputs).reshape(fields.below)
            seen = [numbers[window].ravel() for window in fields.windows()]
            self.seen = torch.as_tensor(np.stack(seen), device=device)
            shape = fields.locations, fields.fan_in, fields.channels
        else:
            shape = 1, self.inputs, settings.layer_sizes[k + 1]
        self.width = shape[0] * shape[2]
        std = INIT_STD[settings.init](shape[1])
        self.weights = torch.empty(len(seeds), *shape, device=device)
        for network, seed in enumerate(seeds):
            random = torch.Generator(device).manual_seed(1000 * seed + k)
            self.weights[network].normal_(0, std, generator=random)
        self.bias = torch.zeros(len(seeds), shape[0], shape[2], device=device)
        self.means = torch.full_like(self.bias, PEER_START)
        self.parameters = [self.weights, self.bias]
        self.gradients = [torch.zeros_like(values) for values in self.parameters]

    def gather(self, x: Tensor) -> Tensor:
        """Return inputs (networks * locations, rows, fan_in) of ``x`` (networks, rows, inputs)."""
        if self.seen is None:
            return x
        networks, rows, _ = x.shape
        return x[:, :, self.seen].transpose(1, 2).reshape(networks * len(self.seen), rows, -1)

    def activate(self, x: Tensor) -> Tensor:
        """Return activities (networks, locations, rows, channels)."""
        networks, locations, fan_in, channels = self.weights.shape
        h = torch.baddbmm(
            self.bias.view(-1, 1, channels), x, self.weights.view(-1, fan_in, channels)
        )
        return h.relu_().view(networks, locations, -1, channels)


def scaled(below: Tensor) -> Tensor:
    """Return rows whose mean square is 1."""
    lengths = torch.linalg.vecdot(below, below).sqrt() + 1e-8
    return below * (math.sqrt(below.shape[-1]) / lengths)[..., None]


def flat(h: Tensor) -> Tensor:
    """Return activities (networks, rows, width), in the order of ``ffenergy``."""
    networks, _, rows, _ = h.shape
    return h.transpose(1, 2).reshape(networks, rows, -1)


def replayable(step: Callable[[], None], on_gpu: bool) -> Callable[[], None]:
    """Return ``step`` as a CUDA graph, having taken it twice; as it is without a GPU."""
    stream = torch.cuda.Stream() if on_gpu else None
    if stream is None:
        step()
        return step
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        step()
        step()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step()
    replay: Callable[[], None] = graph.replay
    return replay


class Bank:
    """Networks of one kind, trained by Forward-Forward side by side."""

    def __init__(self, recipes: Sequence[Settings], images: Tensor) -> None:
        self.recipes, self.images = recipes, images
        self.settings = settings = recipes[0]
        device = str(images.device)
        self.seeds = sorted({one.seed for one in recipes})
        self.stream = torch.tensor([self.seeds.index(one.seed) for one in recipes], device=device)
        depth = len(settings.layer_sizes) - 1
        self.layers = [
            Layer(settings, k, [one.seed for one in recipes], device) for k in range(depth)
        ]

        def column(*values: float) -> Tensor:
            return torch.tensor(values, device=device)[:, None]

        self.sharpness = column(*(1 / one.temperature for one in recipes))
        self.thresholds = column(*(one.threshold for one in recipes))
        self.strengths = column(*(one.peer_strength for one in recipes))
        self.decays = column(*(one.weight_decay for one in recipes))
        self.base = column(*(one.lr for one in recipes))[:, 0]
        self.rates = self.base.clone()
        self.batch = torch.arange(settings.batch_size, device=device)
        self.done = torch.zeros((), device=device)
        self.place = torch.zeros((), dtype=torch.int64, device=device)
        self.order = torch.zeros(len(self.seeds), len(images), dtype=torch.int64, device=device)
        self.steps = settings.n_epochs * len(images) // settings.batch_size
        self.signs = torch.ones(2 * settings.batch_size, device=device)
        self.signs[settings.batch_size :] = -1
        blur = blur_matrix(SIDE, settings.n_blur)
        self.blur = torch.as_tensor(blur, dtype=torch.float32, device=device)
        self.optimizer = None if settings.optimizer == "momentum" else self._adam()
        self.smooth = [torch.zeros_like(g) for layer in self.layers for g in layer.gradients]

    def _adam(self) -> torch.optim.Optimizer:
        groups = []
        for network, recipe in enumerate(self.recipes):
            for kind, decay in enumerate((recipe.weight_decay, 0.0)):
                values = [layer.parameters[kind][network] for layer in self.layers]
                for layer, part in zip(self.layers, values, strict=True):
                    part.grad = layer.gradients[kind][network]
                groups.append({"params": values, "lr": self.rates[network], "weight_decay": decay})
        make = torch.optim.AdamW if self.settings.optimizer == "adamw" else torch.optim.Adam
        on_gpu = self.images.is_cuda
        return make(groups, fused=on_gpu or None, capturable=on_gpu)

    def present(self) -> Tensor:
        """Return the next batch of every stream, hybrids below: (streams, 2 rows, pixels)."""
        rows = self.order[:, self.place + self.batch]
        positives = self.images[rows]
        self.place += len(self.batch)
        bits = torch.randint(0, 2, (*rows.shape, SIDE, SIDE), device=rows.device).float()
        mask = ((self.blur @ bits @ self.blur) > 0.5).view_as(positives)
        other, first = torch.randint(0, len(self.images), (2, *rows.shape), device=rows.device)
        shared = self.settings.negative_pairs == "shared"
        hybrids = torch.where(mask, positives if shared else self.images[first], self.images[other])
        return torch.cat((positives, hybrids), 1)

    def step(self) -> None:
        """Train every layer of every network on its next batch."""
        if self.settings.schedule == "linear_second_half":
            remaining = (self.steps - self.done) / self.steps
            self.rates.copy_(self.base * (2 * remaining).clamp(max=1))
        self.learn(self.present()[self.stream])
        self.done += 1

    def learn(self, below: Tensor) -> None:
        """Take a step of every layer on ``below`` (networks, 2 rows, pixels)."""
        cases, positives = below.shape[1], below.shape[1] // 2
        for layer in self.layers:
            x = layer.gather(scaled(below))
            h = layer.activate(x)
            squares = (h * h).sum((1, 3))
            deficit = (self.thresholds * layer.width - squares) * self.sharpness * self.signs
            coefficient = torch.sigmoid(deficit) * self.signs * (-2 / cases) * self.sharpness
            delta = h * coefficient[:, None, :, None]
            if self.with_peers:
                layer.means *= PEER_DECAY
                layer.means += (1 - PEER_DECAY) * h[:, :, :positives].mean(2)
                pull = layer.means.mean((1, 2), keepdim=True) - layer.means
                pull *= (-2 / cases * self.sharpness * self.strengths)[:, :, None]
                delta[:, :, :positives] += pull[:, :, None]
            weights, bias = layer.gradients
            spread = delta.view(-1, cases, delta.shape[-1])
            torch.bmm(x.transpose(1, 2), spread, out=weights.view(-1, *weights.shape[2:]))
            torch.sum(delta, 2, out=bias)
            below = flat(h)
        self.update()

    @property
    def with_peers(self) -> bool:
        """Whether any network has peer normalisation."""
        return any(recipe.peer_strength for recipe in self.recipes)

    def update(self) -> None:
        """Let the optimisers take their steps."""
        if self.optimizer:
            self.optimizer.step()
            return
        parts = iter(self.smooth)
        for layer in self.layers:
            for values, gradient in zip(layer.parameters, layer.gradients, strict=True):
                smooth = next(parts)
                if values is layer.weights:
                    gradient.addcmul_(values, self.decays[:, :, None, None])
                smooth.mul_(0.9).add_(gradient)
                rates = self.rates.view(-1, *[1] * (values.dim() - 1))
                values.addcmul_(smooth, rates, value=-0.1)

    def train(self) -> None:
        """Train for all epochs, a step being one CUDA graph."""
        first = [[p.clone() for p in layer.parameters] for layer in self.layers]
        step = replayable(self.step, self.images.is_cuda)
        for layer, values in zip(self.layers, first, strict=True):
            for parameter, value in zip(layer.parameters, values, strict=True):
                parameter.copy_(value)
            layer.means.fill_(PEER_START)
        states = self.optimizer.state.values() if self.optimizer else []
        for one in [*self.smooth, *(t for state in states for t in state.values()), self.done]:
            one.zero_()
        for _ in range(self.settings.n_epochs):
            self.place.zero_()
            for number in range(len(self.seeds)):
                torch.randperm(len(self.images), out=self.order[number])
            for _ in range(len(self.images) // len(self.batch)):
                step()

    def features(self, images: Tensor, networks: slice) -> Tensor:
        """Return every layer's activities, scaled: (networks, images, features)."""
        count = len(self.recipes[networks])
        columns = sum(layer.width for layer in self.layers)
        out = torch.empty(count, len(images), columns, device=images.device)
        for start in range(0, len(images), 2500):
            below = images[start : start + 2500].expand(count, -1, -1)
            column = 0
            for layer in self.layers:
                part = torch.baddbmm(
                    layer.bias[networks].flatten(0, 1)[:, None],
                    layer.gather(scaled(below)),
                    layer.weights[networks].flatten(0, 1),
                ).relu_()
                below = flat(part.view(count, -1, *part.shape[1:]))
                out[:, start : start + 2500, column : column + layer.width] = scaled(below)
                column += layer.width
        return out


class Heads:
    """All heads of ``HEADS`` on the features (networks, images, features) of some networks."""

    def __init__(self, heads: Sequence[Head], features: Tensor, digits: Tensor, widths: list[int]):
        self.features, self.digits = features, digits
        networks, images, columns = features.shape
        device = features.device
        self.count = len(heads)
        random = torch.Generator(device).manual_seed(0)
        shape = networks, columns + 1, self.count * 10  # the last row is the bias
        self.values = 0.01 * torch.randn(shape, device=device, generator=random)
        self.seen = torch.ones(1, columns + 1, self.count * 10, device=device)
        self.decay = torch.zeros_like(self.seen)
        self.rate = torch.zeros(1, 1, self.count * 10, device=device)
        for number, head in enumerate(heads):
            mine = slice(10 * number, 10 * number + 10)
            self.seen[:, : sum(widths[: -head.layers]), mine] = 0
            self.decay[:, :-1, mine] = head.decay
            self.rate[..., mine] = head.rate
        self.values *= self.seen
        self.values[:, -1] = 0
        self.first, self.second = torch.zeros_like(self.values), torch.zeros_like(self.values)
        self.averaging = [head.averaging for head in heads]
        self.means = self.values.clone()
        self.order = torch.zeros(images, dtype=torch.int64, device=device)
        self.place = torch.zeros((), dtype=torch.int64, device=device)
        self.done = torch.zeros((), device=device)
        self.steps = HEAD_EPOCHS * images // HEAD_BATCH
        self.batch = torch.arange(HEAD_BATCH, device=device)

    def step(self) -> None:
        """Train every head on the next batch."""
        rows = self.order[self.place + self.batch]
        self.place += HEAD_BATCH
        x = self.features[:, rows]
        scores = torch.baddbmm(self.values[:, -1:], x, self.values[:, :-1])
        delta = torch.softmax(scores.view(*scores.shape[:2], self.count, 10), -1)
        delta -= torch.nn.functional.one_hot(self.digits[rows], 10)[None, :, None]
        delta = (delta / HEAD_BATCH).view_as(scores)
        gradient = self.decay * self.values
        gradient[:, :-1] += x.transpose(1, 2) @ delta
        gradient[:, -1] += delta.sum(1)
        gradient *= self.seen
        factor = (self.steps - self.done) / self.steps
        self.done += 1
        self.first.lerp_(gradient, 0.1)
        self.second.mul_(0.999).addcmul_(gradient, gradient, value=0.001)
        size = self.rate * factor / (1 - 0.9**self.done)
        scale = (self.second / (1 - 0.999**self.done)).sqrt_() + 1e-8
        self.values -= size * self.first / scale

    def train(self) -> None:
        """Train for all epochs, a step being one CUDA graph."""
        values = self.values.clone()
        step = replayable(self.step, self.values.is_cuda)
        self.values.copy_(values)
        for one in (self.first, self.second, self.done):
            one.zero_()
        for epoch in range(1, HEAD_EPOCHS + 1):
            torch.randperm(len(self.order), out=self.order)
            self.place.zero_()
            for _ in range(len(self.order) // HEAD_BATCH):
                step()
            for number, eta in enumerate(self.averaging):
                mine = slice(10 * number, 10 * number + 10)
                share = (eta + 1) / (epoch + eta) if eta else 1.0
                self.means[..., mine] += share * (self.values[..., mine] - self.means[..., mine])

    def errors(self, features: Tensor, digits: Tensor) -> Tensor:
        """Return errors (networks, heads), in percent."""
        scores = torch.baddbmm(self.means[:, -1:], features, self.means[:, :-1])
        answers = scores.view(*scores.shape[:2], self.count, 10).argmax(-1)
        return 100 * (answers != digits[None, :, None]).float().mean(1)


@dataclass
class Examples:
    """Images (n, pixels) and digits (n,) to train on, and those held out, on the device."""

    images: Tensor
    digits: Tensor
    held_images: Tensor
    held_digits: Tensor


def examples(device: str) -> Examples:
    """Return MNIST's training images, the last 10,000 held out."""
    found = datasets.load(name="mnist")
    if found.is_sample:
        raise SystemExit("gpu_recipes: MNIST is not here; name its folder in FFENERGY_DATA_DIR")
    pixels = found.train_images.reshape(len(found.train_images), -1).astype(np.float32) / 255
    images = torch.as_tensor(pixels, device=device)
    digits = torch.as_tensor(found.train_labels.astype(np.int64), device=device)
    split = len(images) - HELD_OUT
    return Examples(images[:split], digits[:split], images[split:], digits[split:])
