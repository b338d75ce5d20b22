"""The 8-3-8 encoder by backprop and by contrastive divergence, priced per update in ByteDMD.

The table has the columns of hinton-problems #45 (cybertronai): total, forward / backward / update,
reuse distances, and the cost until the criterion is met (every pattern reconstructed, eight
distinct hidden codes). One update is a full batch of eight patterns; the arrays are NumPy's, the
program runs element by element, as at scalar grain everything does.

    python examples/encoder_8_3_8.py
"""

from __future__ import annotations

import math
import random

import numpy as np
import pandas as pd

from instrumented import phase, update_cost
from instrumented.distances.updates import UpdateCost

PATTERNS = np.eye(8)
VISIBLE = np.hstack([PATTERNS, PATTERNS])  # the Boltzmann machine sees each pattern twice


def sigmoid(x):
    """Logistic function of one number; ``math.exp`` lets it out of the trace, as published."""
    return 1.0 / (1.0 + math.exp(-max(-50.0, min(50.0, x))))


def backprop(w1, b1, w2, b2, patterns):
    """Gradients of one full-batch update of the 8-3-8 network."""
    inputs, hidden, outputs = range(8), range(3), range(8)
    with phase("forward"):
        states = []
        for x in patterns:
            h = [sigmoid(sum(x[i] * w1[i, j] for i in inputs) + b1[j]) for j in hidden]
            y = [sigmoid(sum(h[j] * w2[j, k] for j in hidden) + b2[k]) for k in outputs]
            states.append((x, h, y))
    dw1, dw2 = np.zeros((8, 3), object), np.zeros((3, 8), object)
    db1, db2 = np.zeros(3, object), np.zeros(8, object)
    for x, h, y in states:
        with phase("backward"):
            error = [y[k] - x[k] for k in outputs]
            delta = [
                sum(error[k] * w2[j, k] for k in outputs) * h[j] * (1.0 - h[j]) for j in hidden
            ]
        with phase("update"):
            for i in inputs:
                for j in hidden:
                    dw1[i, j] += x[i] * delta[j]
            for j in hidden:
                for k in outputs:
                    dw2[j, k] += h[j] * error[k]
            for j in hidden:
                db1[j] += delta[j]
            for k in outputs:
                db2[k] += error[k]
    return dw1, db1, dw2, db2


def contrastive_divergence(w, bias_visible, bias_hidden, patterns, k=1):
    """Gradients of one full-batch CD-k update of a Boltzmann machine, 16 visible and 3 hidden."""
    visible, hidden, draw = range(16), range(3), random.Random(99)  # noqa: S311

    def sample(probabilities):
        return [1.0 if draw.random() < p else 0.0 for p in probabilities]

    def up(v):
        return [sigmoid(sum(v[i] * w[i, j] for i in visible) + bias_hidden[j]) for j in hidden]

    def down(h):
        return [sigmoid(sum(h[j] * w[i, j] for j in hidden) + bias_visible[i]) for i in visible]

    with phase("forward"):  # the positive phase
        positive = [up(v) for v in patterns]
        states = [sample(p) for p in positive]
    with phase("backward"):  # the negative phase
        for _ in range(k):
            fantasies = [sample(down(h)) for h in states]
            negative = [up(v) for v in fantasies]
            states = [sample(p) for p in negative]
    n = range(len(patterns))
    with phase("update"):
        dw = [
            [
                sum(patterns[b][i] * positive[b][j] - fantasies[b][i] * negative[b][j] for b in n)
                / len(n)
                for j in hidden
            ]
            for i in visible
        ]
        dv = [sum(patterns[b][i] - fantasies[b][i] for b in n) / len(n) for i in visible]
        dh = [sum(positive[b][j] - negative[b][j] for b in n) / len(n) for j in hidden]
    return dw, dv, dh


def costs() -> dict[str, UpdateCost]:
    """ByteDMD of one update of each algorithm, at one byte a number, as published."""
    rng = np.random.default_rng(0)
    network = (rng.normal(0, 0.1, (8, 3)), np.zeros(3), rng.normal(0, 0.1, (3, 8)), np.zeros(8))
    machine = (rng.normal(0, 0.1, (16, 3)), np.zeros(16), np.zeros(3), VISIBLE)
    return {
        "backprop": update_cost(backprop, (*network, PATTERNS), records_escapes=True),
        "CD-1": update_cost(contrastive_divergence, (*machine, 1), records_escapes=True),
        "CD-5": update_cost(contrastive_divergence, (*machine, 5), records_escapes=True),
    }


def updates_of_backprop(seed: int, most: int = 5000) -> int | None:
    """Full-batch updates of the same network, vectorised, until it meets the criterion."""
    rng = np.random.default_rng(seed)
    w1, w2 = rng.uniform(-0.1, 0.1, (8, 3)), rng.uniform(-0.1, 0.1, (3, 8))
    b1, b2 = np.zeros(3), np.zeros(8)
    speeds = [np.zeros_like(p) for p in (w1, b1, w2, b2)]
    for update in range(1, most + 1):
        h = 1 / (1 + np.exp(-(PATTERNS @ w1 + b1)))
        y = 1 / (1 + np.exp(-(h @ w2 + b2)))
        codes = {tuple(code) for code in (h > 0.5).tolist()}
        if (y.argmax(axis=1) == np.arange(8)).all() and len(codes) == 8:
            return update
        error = (y - PATTERNS) / 8
        delta = error @ w2.T * h * (1 - h)
        gradients = (PATTERNS.T @ delta, delta.sum(axis=0), h.T @ error, error.sum(axis=0))
        for p, v, g in zip((w1, b1, w2, b2), speeds, gradients, strict=True):
            v *= 0.9
            v -= 0.5 * g
            p += v
    return None


def main() -> None:
    """Print the tables."""
    found = costs()
    table = pd.DataFrame(
        {
            name: {"total": cost.total, **cost.by_phase.set_index("phase")["bytedmd"]}
            for name, cost in found.items()
        }
    ).T
    print(table.to_string())
    for name, cost in found.items():
        bins = cost.histogram.groupby("distance_to")[["reads", "bytedmd"]].sum()
        print(f"\n{name}: reads by reuse distance; {cost.escapes} values left by math.exp")
        print(bins.T.to_string())
    steps = [updates_of_backprop(seed) for seed in range(10)]
    met = found["backprop"].to_criterion(steps)
    print(
        f"\nbackprop to the criterion: {met.solved} of {met.seeds} seeds, median {met.updates} "
        f"updates, ByteDMD {met.bytedmd:,}"
    )


if __name__ == "__main__":
    main()
