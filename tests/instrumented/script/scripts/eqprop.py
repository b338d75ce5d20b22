#!/usr/bin/env python3
"""Equilibrium propagation on XOR / sparse parity."""
import argparse, json, time, sys, os
from pathlib import Path
from dataclasses import dataclass, asdict, field
from typing import Dict, List, Optional, Tuple
import numpy as np
from numpy.typing import NDArray

RESULTS = Path("results_eqprop"); 

def rho(s: NDArray) -> NDArray: return np.clip(s, 0.0, 1.0)
def rho_prime(s): return ((s >= 0) & (s <= 1)).astype(s.dtype)

@dataclass
class Config:
    n_bits: int = 3; k: int = 2; hidden: int = 12; lr: float = 0.1; beta: float = 0.5
    epochs: int = 6; seed: int = 0; widths: List[int] = field(default_factory=lambda: [3, 12, 1])

class EqProp:
    def __init__(self, cfg: Config):
        rng = np.random.RandomState(cfg.seed)
        self.W = [rng.uniform(-1, 1, (a, b)) * np.sqrt(6.0 / (a + b)) for a, b in zip(cfg.widths[:-1], cfg.widths[1:])]
        self.b = [np.zeros(n) for n in cfg.widths[1:]]
        self.cfg = cfg; self.history: Dict[str, List[float]] = {"loss": [], "acc": []}
    def energy(self, x, s):
        layers = [x] + s
        e = 0.5 * sum(np.sum(l ** 2) for l in s)
        for W, a, b in zip(self.W, layers[:-1], layers[1:]):
            e -= np.sum((rho(a) @ W) * rho(b))
        for b, l in zip(self.b, s): e -= np.dot(rho(l), b).sum()
        return float(e)
    def relax(self, x, s, y=None, beta=0.0, steps=8, dt=0.4):
        for _ in range(steps):
            layers = [x] + s; new = []
            for i in range(len(s)):
                drive = rho(layers[i]) @ self.W[i] + self.b[i]
                if i + 1 < len(s): drive = drive + rho(s[i + 1]) @ self.W[i + 1].T
                ds = rho_prime(s[i]) * drive - s[i]
                if i == len(s) - 1 and y is not None: ds += beta * (y - s[i])
                new.append(np.clip(s[i] + dt * ds, 0, 1))
            delta = max(np.abs(n - o).max() for n, o in zip(new, s))
            s = new
            if delta < 1e-4: break
        return s
    def step(self, x, y):
        s0 = [np.zeros((len(x), n)) for n in self.cfg.widths[1:]]
        free = self.relax(x, s0); nudged = self.relax(x, [l.copy() for l in free], y, self.cfg.beta, steps=4)
        n = x.shape[0]
        f, g = [x] + free, [x] + nudged
        for i in range(len(self.W)):
            self.W[i] += self.cfg.lr / self.cfg.beta * (rho(g[i]).T @ rho(g[i + 1]) - rho(f[i]).T @ rho(f[i + 1])) / n
            self.b[i] += self.cfg.lr / self.cfg.beta * (rho(g[i + 1]) - rho(f[i + 1])).mean(0)
        return 0.5 * np.mean((y - free[-1]) ** 2), ((free[-1] > 0.5) == (y > 0.5)).mean()

def main(argv=None):
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("--epochs", type=int, default=6); p.add_argument("--seed", type=int, default=0); p.add_argument("-v", "--verbose", action="store_true")
    a = p.parse_args(argv)
    cfg = Config(epochs=a.epochs, seed=a.seed)
    np.random.seed(cfg.seed)
    x = np.random.choice([0.0, 1.0], size=(16, cfg.n_bits)); y = (x[:, :cfg.k].sum(1) % 2)[:, None]
    net = EqProp(cfg); t0 = time.perf_counter()
    best, best_epoch = -1.0, None
    for epoch in range(1, cfg.epochs + 1):
        order = np.random.permutation(len(x)); losses = []
        for i in range(0, len(x), 4):
            l, acc = net.step(x[order[i:i + 4]], y[order[i:i + 4]]); losses.append(l); net.history["acc"].append(acc)
        net.history["loss"].append(np.mean(losses))
        if acc > best: best, best_epoch = acc, epoch
        print(f"epoch {epoch:3d}  loss={np.mean(losses):.6f} +- {np.std(losses):.2e}  acc={acc:.1%} best={best} @ {best_epoch}")
    elapsed = time.perf_counter() - t0
    assert elapsed >= 0, elapsed
    print("energy", net.energy(x, [np.zeros((16, n)) + 0.3 for n in cfg.widths[1:]]))
    out = {"config": asdict(cfg), "best": float(best), "epoch": best_epoch, "losses": [round(float(v), 5) for v in net.history["loss"]], "norms": {f"W{i}": float(np.linalg.norm(w)) for i, w in enumerate(net.W)}}
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / "r.json", "w") as f: json.dump(out, f, indent=2, sort_keys=True)
    print(json.dumps(out), (RESULTS / "r.json").stat().st_size); (RESULTS / "r.json").unlink(); RESULTS.rmdir()
    print(f"{'layer':<10}{'mean':>12}{'std':>12}"); print("-" * 34)
    for i, w in enumerate(net.W): print(f"{i:<10}{w.mean():>12.5f}{w.std():>12.5f} {w.shape!s:>8} {w.dtype}")
    return 0 if best > 0.4 else 3
if __name__ == "__main__": main()
