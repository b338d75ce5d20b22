"""Neural history compressor: automatizer and chunker RNNs, surprise, events as dict keys, logging."""
import logging, sys, numpy as np
from enum import Enum
from collections import Counter, deque
log = logging.getLogger("chunker"); log.setLevel(logging.INFO); log.addHandler(logging.StreamHandler(sys.stdout))
class Level(Enum): A = 0; C = 1
class RNN:
    def __init__(s, n_in, n_h, n_out, rng, scale=.3): s.Wx, s.Wh, s.Wo = (rng.standard_normal(sh) * scale for sh in ((n_h, n_in), (n_h, n_h), (n_out, n_h))); s.bh, s.bo = np.zeros(n_h), np.zeros(n_out); s.reset(); s.n_updates = 0
    def reset(s): s.h = np.zeros(s.bh.shape[0]); s.trace = deque(maxlen=6)
    def step(s, x): prev = s.h; s.h = np.tanh(s.Wx @ x + s.Wh @ prev + s.bh); s.trace.append((x, prev, s.h)); z = s.Wo @ s.h + s.bo; z -= z.max(); p = np.exp(z); return p / p.sum()
    def learn(s, p, target, lr):
        d = p.copy(); d[target] -= 1.; gWo = np.outer(d, s.h); dh = s.Wo.T @ d; gx, gh, gb = np.zeros_like(s.Wx), np.zeros_like(s.Wh), np.zeros_like(s.bh)
        for x, prev, h in reversed(s.trace): da = dh * (1. - h * h); gx += np.outer(da, x); gh += np.outer(da, prev); gb += da; dh = s.Wh.T @ da
        for w, g in ((s.Wo, gWo), (s.bo, d), (s.Wx, gx), (s.Wh, gh), (s.bh, gb)): np.clip(g, -1, 1, out=g); w -= lr * g
        s.n_updates += 1
        return -np.log(p[target] + 1e-12)
rng = np.random.RandomState(5); symbols = list("abxy") + [f"b{i}" for i in range(1, 5)]; n = len(symbols); eye = np.eye(n)
def block(): head = rng.randint(2); return [head] + list(range(4, 8)) + [2 + head]
A, C = RNN(n, 8, n, rng), RNN(2 * n, 8, n, rng); surprises = Counter(); loss_a, loss_c = [], []; last = np.zeros(n)
for b in range(30):
    seq = block(); A.reset()
    if b % 10 == 0: C.reset()
    for t, (s, nxt) in enumerate(zip(seq[:-1], seq[1:])):
        p = A.step(eye[s]); l = A.learn(p, nxt, 0.1); loss_a.append(l)
        if p.max() < 0.6 or p.argmax() != nxt:
            surprises[symbols[nxt]] += 1; x = np.r_[eye[s], last]; q = C.step(x); loss_c.append(C.learn(q, nxt, 0.1)); last = eye[nxt] * (t + 1) / len(seq)
    if (b + 1) % 10 == 0: log.info("block %d A %.3f C %.3f surprises %s h=%s", b + 1, np.mean(loss_a[-50:]), np.mean(loss_c[-20:]) if loss_c else float("nan"), surprises.most_common(3), np.round(A.h[:3], 3))
print({Level.A.name: A.n_updates, Level.C.name: C.n_updates}, len(loss_c), f"{loss_a[-1]:.4f}", sorted(surprises.items())); print(np.array_repr(C.bo, precision=3), np.argsort(-A.bo)[:3], int(np.sum(A.Wx > 0)), A.Wx.min(), A.Wx.max(), (A.Wh ** 2).sum() ** 0.5)
