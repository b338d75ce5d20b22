"""The two rules in PyTorch, as `gpu_steps.py` runs them: same weights, same numbers as here."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch.nn.functional import cross_entropy, softplus

from ffenergy.data import catalogue, sample
from ffenergy.network.negatives import HybridMaker
from ffenergy.rules.backprop import Backprop
from ffenergy.rules.forward_forward import ForwardForward
from instrumented import Untraced
from validation.gpu import BATCH, IMAGES


class Data:
    """Images and hybrids (n, pixels) and labels (n,) on the device, and the order of an epoch."""

    def __init__(self, device: str) -> None:
        arrays = sample.read(catalogue.entry("mnist"))
        images = arrays["train_images"]
        self.pixels = images.reshape(len(images), -1).astype(np.float32) / 255
        self.digits = arrays["train_labels"].astype(np.int64)
        rng = np.random.default_rng(0)
        self.rows = rng.permutation(IMAGES)
        self.pool = np.empty((IMAGES, self.pixels.shape[1]), np.float32)
        maker = HybridMaker(Untraced(), self.pixels, "shared", 6, rng)
        for start in range(0, IMAGES, 1000):
            part = np.arange(start, start + 1000) % len(self.pixels)
            maker.fill(self.pool[start : start + 1000], self.pixels[part])
        whole = np.arange(IMAGES) % len(self.pixels)
        self.images = torch.as_tensor(self.pixels[whole], device=device)
        self.hybrids = torch.as_tensor(self.pool, device=device)
        self.labels = torch.as_tensor(self.digits[whole], device=device)
        self.order = torch.as_tensor(self.rows, device=device)
        self.place = torch.zeros(1, dtype=torch.int64, device=device)
        self.batch = torch.arange(BATCH, device=device)

    def index(self) -> torch.Tensor:
        """Return the rows (BATCH,) of the next batch; the device alone knows how far it is."""
        rows = self.order[(self.place + self.batch) % IMAGES]
        self.place += BATCH
        return rows


class Layer:
    """Weights (fan_in, width), bias (width,), room for their gradient, and Adam."""

    def __init__(self, plain: np.ndarray, width: int, decay: float, device: str) -> None:
        self.width = width
        self.first = plain[:-width].reshape(-1, width).copy(), plain[-width:].copy()
        self.weights, self.bias = (
            torch.tensor(values, device=device, requires_grad=True) for values in self.first
        )
        self.groups = [
            {"params": [self.weights], "weight_decay": decay},
            {"params": [self.bias], "weight_decay": 0.0},
        ]

    def make_optimizer(self, rate: float, *, fused: bool) -> None:
        """Adam of one kernel a group of parameters, or by PyTorch's defaults."""
        self.optimizer = torch.optim.Adam(
            self.groups, lr=rate, fused=fused or None, capturable=fused and self.weights.is_cuda
        )
        for values in (self.weights, self.bias):
            values.grad = torch.zeros_like(values)

    def learn(self, x: torch.Tensor, delta: torch.Tensor) -> None:
        """Take a step from the layer's input and dLoss / d(x @ W + b)."""
        torch.mm(x.t(), delta, out=self.weights.grad)
        torch.sum(delta, 0, out=self.bias.grad)
        self.optimizer.step()

    def reset(self) -> None:
        """Go back to the first weights, in place, with moments of zero."""
        with torch.no_grad():
            for values, first in zip((self.weights, self.bias), self.first, strict=True):
                values.copy_(torch.as_tensor(first))
        for state in self.optimizer.state.values():
            for values in state.values():
                values.zero_()


class TorchForwardForward:
    """All layers learn from their own goodness; batches in flight pass a layer together."""

    def __init__(self, network: ForwardForward, data: Data, device: str, way: str) -> None:
        settings = network.settings
        self.data, self.autograd = data, way == "autograd"
        self.sharpness, self.offsets = network.sharpness, network.offsets
        self.signs = torch.ones(2 * BATCH, device=device)
        self.signs[BATCH:] = -1
        self.layers = [
            Layer(layer.plain, layer.width, settings.weight_decay, device)
            for layer in network.layers
        ]
        for layer in self.layers:
            layer.make_optimizer(settings.lr, fused=not self.autograd)

    def together(self, batches: int) -> None:
        """Train on so many batches; layer by layer, all of them through each."""
        below = [self.present() for _ in range(batches)]
        visit = self.visit_by_autograd if self.autograd else self.visit
        for k in range(len(self.layers)):
            below = [visit(k, rows) for rows in below]

    def present(self) -> torch.Tensor:
        """Return a batch of images, and as many hybrids below them."""
        index = self.data.index()
        return torch.cat((self.data.images[index], self.data.hybrids[index]))

    def _deficit(self, k: int, h: torch.Tensor) -> torch.Tensor:
        squares = torch.linalg.vecdot(h, h)
        return (self.offsets[k] - squares * self.sharpness[k]) * self.signs

    @torch.no_grad()
    def visit(self, k: int, below: torch.Tensor) -> torch.Tensor:
        """Let layer ``k`` learn from ``below`` (rows, fan_in) and return its activities."""
        layer = self.layers[k]
        x = normalized(below)
        h = torch.addmm(layer.bias, x, layer.weights).relu_()
        coefficient = torch.sigmoid(self._deficit(k, h)) * self.signs
        coefficient *= -2 * self.sharpness[k] / len(below)
        layer.learn(x, h * coefficient[:, None])
        return h

    def visit_by_autograd(self, k: int, below: torch.Tensor) -> torch.Tensor:
        """The same by a loss and its gradient."""
        layer = self.layers[k]
        h = torch.relu(normalized(below) @ layer.weights + layer.bias)
        layer.optimizer.zero_grad()
        softplus(self._deficit(k, h)).mean().backward()
        layer.optimizer.step()
        return h.detach()


def normalized(below: torch.Tensor) -> torch.Tensor:
    """Return rows whose mean square is 1."""
    lengths = torch.linalg.vecdot(below, below).sqrt() + 1e-8
    return below * (math.sqrt(below.shape[1]) / lengths)[:, None]


class TorchBackprop:
    """The whole network learns from the labels, from the output down."""

    def __init__(self, network: Backprop, data: Data, device: str, way: str) -> None:
        settings = network.settings
        self.data, self.autograd = data, way == "autograd"
        decay = settings.supervised_decay
        self.layers = [Layer(layer.plain, layer.width, decay, device) for layer in network.layers]
        for layer in self.layers:
            layer.make_optimizer(settings.bp_lr, fused=not self.autograd)
        if self.autograd:
            groups = [group for layer in self.layers for group in layer.groups]
            self.optimizer = torch.optim.Adam(groups, lr=settings.bp_lr)

    def together(self, batches: int) -> None:
        """Train on so many batches, one after the other."""
        for _ in range(batches):
            index = self.data.index()
            step = self.step_by_autograd if self.autograd else self.step
            step(self.data.images[index], self.data.labels[index])

    @torch.no_grad()
    def step(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        """Every layer takes its own step as soon as its delta has been passed on."""
        x = [images]
        for layer in self.layers[:-1]:
            x.append(torch.addmm(layer.bias, x[-1], layer.weights).relu_())
        head = self.layers[-1]
        delta = torch.softmax(torch.addmm(head.bias, x[-1], head.weights), 1)
        delta[torch.arange(len(labels), device=labels.device), labels] -= 1
        delta /= len(labels)
        for k in reversed(range(len(self.layers))):
            above = delta
            if k:
                delta = (above @ self.layers[k].weights.t()) * (x[k] > 0)
            self.layers[k].learn(x[k], above)

    def step_by_autograd(self, images: torch.Tensor, labels: torch.Tensor) -> None:
        """The same by a loss and its gradient."""
        h = images
        for layer in self.layers[:-1]:
            h = torch.relu(h @ layer.weights + layer.bias)
        scores = h @ self.layers[-1].weights + self.layers[-1].bias
        self.optimizer.zero_grad()
        cross_entropy(scores, labels).backward()
        self.optimizer.step()
