"""LSTM with full BPTT on embedded Reber strings; gradient check; gates stacked."""
from __future__ import annotations
import numpy as np, argparse, time, platform, subprocess
SYM = "BTPSXVE"; IX = {c: i for i, c in enumerate(SYM)}
G = {0: [("T", 1), ("P", 2)], 1: [("S", 1), ("X", 3)], 2: [("T", 2), ("V", 4)], 3: [("X", 2), ("S", 5)], 4: [("P", 3), ("V", 5)]}
def reber(rng):
    s, st = "B", 0
    while st != 5:
        sym, st = G[st][int(rng.integers(len(G[st])))]; s += sym
    return s + "E"
def embedded(rng): o = "TP"[int(rng.random() < .5)]; return "B" + o + reber(rng) + o + "E"
def enc(s): a = np.zeros((len(s), 7)); a[range(len(s)), [IX[c] for c in s]] = 1; return a
sig = lambda z: 1 / (1 + np.exp(-z))
class LSTM:
    def __init__(self, n, h, o, seed=0):
        r = np.random.RandomState(seed); self.p = {"W": r.uniform(-.2, .2, (4 * h, n + h + 1)), "V": r.uniform(-.2, .2, (o, h + 1))}; self.h = h
        self.p["W"][h:2 * h, -1] = 1.0
    def run(self, X):
        H = self.h; hs = [np.zeros(H)]; cs = [np.zeros(H)]; cache = []; out = np.empty((len(X), 7))
        for t, x in enumerate(X):
            z = np.hstack([x, hs[-1], 1.0]); a = self.p["W"] @ z; i, f, o, g = sig(a[:H]), sig(a[H:2 * H]), sig(a[2 * H:3 * H]), np.tanh(a[3 * H:])
            c = f * cs[-1] + i * g; h = o * np.tanh(c); cs.append(c); hs.append(h); cache.append((z, i, f, o, g)); out[t] = self.p["V"] @ np.append(h, 1.0)
        return out, hs, cs, cache
    def grads(self, X, Y):
        out, hs, cs, cache = self.run(X); P = np.exp(out - out.max(1, keepdims=True)); P /= P.sum(1, keepdims=True); T = len(X)
        loss = -np.log(P[np.arange(T), Y]).sum() / T; dO = P.copy(); dO[np.arange(T), Y] -= 1; dO /= T
        g = {k: np.zeros_like(v) for k, v in self.p.items()}; dh = np.zeros(self.h); dc = np.zeros(self.h); H = self.h
        for t in reversed(range(T)):
            z, i, f, o, gg = cache[t]; g["V"] += np.outer(dO[t], np.append(hs[t + 1], 1)); dh = dh + self.p["V"][:, :-1].T @ dO[t]
            tc = np.tanh(cs[t + 1]); dc = dc + dh * o * (1 - tc ** 2); da = np.concatenate([dc * gg * i * (1 - i), dc * cs[t] * f * (1 - f), dh * tc * o * (1 - o), dc * i * (1 - gg ** 2)])
            g["W"] += da[:, None] * z[None, :]; dz = self.p["W"].T @ da; dh = dz[7:7 + H]; dc = dc * f
        return loss, g, P
def legal(P, Y, k=2): return np.mean([y in set(np.argsort(p)[-k:]) for p, y in zip(P, Y)])
def main():
    ap = argparse.ArgumentParser(); ap.add_argument("--seqs", type=int, default=25); ap.add_argument("--hidden", type=int, default=5); ap.add_argument("--gradcheck", action="store_true"); a = ap.parse_args()
    rng = np.random.default_rng(3); net = LSTM(7, a.hidden, 7); m = {k: np.zeros_like(v) for k, v in net.p.items()}
    s = embedded(rng); X = enc(s); Y = X[1:].argmax(-1); X = X[:-1]; print(s, X.shape, Y)
    loss, g, _ = net.grads(X, Y)
    for k in ("W", "V"):
        for ij in [(0, 0), (1, 2), (2, -1)]:
            old = net.p[k][ij]; net.p[k][ij] = old + 1e-5; lp = net.grads(X, Y)[0]; net.p[k][ij] = old - 1e-5; lm = net.grads(X, Y)[0]; net.p[k][ij] = old
            num = (lp - lm) / 2e-5; rel = abs(num - g[k][ij]) / max(1e-8, abs(num) + abs(g[k][ij])); assert rel < 1e-4, (k, ij, num, g[k][ij]); print(k, ij, f"{num:.6e} {rel < 1e-4}")
    hist = []
    for n in range(a.seqs):
        s = embedded(rng); e = enc(s); loss, g, P = net.grads(e[:-1], e[1:].argmax(1)); norm = np.sqrt(sum((v ** 2).sum() for v in g.values())); c = min(1.0, 1.0 / (norm + 1e-12))
        for k in net.p: m[k] = 0.9 * m[k] - 0.3 * c * g[k]; net.p[k] += m[k]
        hist.append((loss, norm, legal(P, e[1:].argmax(1))))
        if (n + 1) % 5 == 0: print(f"seq {n + 1:4d} loss {np.mean([h[0] for h in hist[-5:]]):.4f} |g| {norm:.3f} legal {hist[-1][2]:.2f} len {len(s)}")
    h = np.array(hist); print(h.shape, h.mean(0), h[:, 0].argmin(), np.polyfit(range(len(h)), h[:, 0], 1), "%s" % platform.python_implementation())
if __name__ == "__main__": main()
