"""Fancy indexing, einsum, linalg, fft, masks, sets, sorting, statistics, polynomials."""
from numpy import *
import numpy as np
from numpy.linalg import norm, solve
import numpy.linalg as la
import numpy.fft

rng = np.random.default_rng(7)
A = rng.random((5, 5)) + 5 * np.eye(5)
b = rng.random(5)
x = solve(A, b)
print(np.allclose(A @ x, b), norm(x), la.det(A), la.inv(A)[0], np.linalg.eigvalsh(A + A.T))
u, s, vt = la.svd(A)
q, r = la.qr(A)
print(s, abs(q.T @ q - eye(5)).max() < 1e-12, la.matrix_rank(A), la.cholesky(A @ A.T)[1])
print(np.linalg.lstsq(A[:, :3], b, rcond=None)[0], la.pinv(A)[0, 0], np.linalg.cond(A), la.slogdet(A))
print(np.fft.fft(b).real, numpy.fft.rfft(b)[1], np.fft.ifft(np.fft.fft(b)).real, np.fft.fftfreq(5))
i = np.array([0, 2, 4]); m = b > 0.5
print(b[i], b[m], A[i][:, i], A[np.ix_(i, i)], b[[1, 1]], A[i, i], np.where(m)[0], np.nonzero(m))
c = A.copy(); c[c > 1] = 0; c[0] = -1; c[:, 1] += 2; c[i, i] *= 3; c[..., -1] = b
print(c, np.where(c < 0, 0, c)[0], c[::-1, ::2][0], c[None].shape, c[:, np.newaxis].shape)
print(np.einsum("ij,j->i", A, b), np.einsum("ij,jk->ik", A, A)[0], np.einsum("ii", A), np.einsum("ij,kj->ik", A, A, optimize=True)[1])
print(np.concatenate([b, [1.0, 2.0]]), np.stack([b, b])[1, 0], np.vstack([b, A])[0], np.hstack([b, b])[6], np.tile(b, 2)[7], np.repeat(b, 2)[3], np.split(b, [2])[1])
print(np.sort(b), np.argsort(-b), np.unique([3, 1, 3], return_counts=True), np.bincount([0, 1, 1]), np.histogram(b, bins=3), np.cumsum(b)[-1], np.diff(b)[0], np.partition(b, 2)[2])
print(np.median(b), np.percentile(b, [25, 75]), np.std(b, ddof=1), np.var(b), np.cov(A)[0, 0], np.corrcoef(A)[0, 1], np.average(b, weights=b), np.ptp(b), np.nanmean(b), np.quantile(b, 0.1))
print(np.outer(b, b)[1, 2], np.kron([1, 2], [3, 4]), np.cross([1, 0, 0], [0, 1, 0]), np.dot(b, b), np.inner(b, b), np.vdot(b, b), np.tensordot(A, A, 1)[0, 0], np.trace(A))
print(np.clip(b, 0.2, 0.6), np.round(b, 2), np.sign(b - 0.5), np.floor(b * 10), np.maximum.reduce(b), np.add.accumulate(b), np.multiply.outer(b, b)[0, 1], np.logaddexp(b, b)[0])
print(np.isin(i, [2]), np.searchsorted(np.sort(b), 0.5), np.digitize(b, [0.3, 0.6]), np.interp(0.5, [0, 1], [2, 4]), np.convolve(b, [1, 1])[0], np.polyfit(np.arange(5), b, 1), np.polyval([1, 2], 3))
print(np.linspace(0, 1, 5), np.arange(3.0), np.full((2, 2), 7), np.zeros((2,), int), np.ones_like(b), np.identity(2), np.meshgrid([1, 2], [3, 4])[0], np.mgrid[0:2, 0:2][1], np.r_[1, b[:2]], np.tri(2))
print(A.astype(np.float32).dtype, np.float32(3.7), np.int64(3) + 1, np.pi, np.inf, A.T.shape, A.ravel()[:2], A.reshape(-1, 1).shape, A.flatten()[0], b.dot(b), b.mean(), b.argmax(), b.max(keepdims=True), b.any(), (b > 2).all())
print(np.apply_along_axis(lambda v: v.sum(), 0, A), np.vectorize(lambda v: v * 2)(b), np.select([b > 0.5], [b], 0), np.piecewise(b, [b < 0.5], [0, 1]), np.pad(b, 1)[0], np.roll(b, 1)[0], np.flip(b)[0], np.triu(A)[1, 0])
np.add.at(c, (0, 0), 5); np.fill_diagonal(c, 1); np.copyto(c[1], 2); np.put(c, [0], [4]); b.sort(); c.fill(0.5)
print(c[0, 0], b, np.array2string(b, precision=2), np.array_equal(b, b), str(b), repr(b[:2]), b.tobytes()[:4], b.nbytes, b.itemsize)
for row in c[:2]:
    print(row, end=" ")
for idx, v in np.ndenumerate(c[:1, :2]):
    print(idx, v)
print([float(v) for v in b], int(b[0] * 10), bool(b[0] > 0), complex(b[0]), round(b[0], 3), b[0].item(), b.item(0), "%d %.2f %s" % (b[0] * 10, b[1], b[2]), format(b[0], ".1f"), max(b), sorted(b), sum(b), list(map(abs, b)), divmod(b[0], 0.1), b[0] ** 2, 2 ** b[0], -b[0], b[0] == b[0], b[0] // 1)
print(np.ma.masked_array([1, 2, 3], mask=[0, 1, 0]).mean(), np.ma.masked_where(b > 0.5, b).sum(), np.nan_to_num([np.nan, 1]), np.lib.stride_tricks.sliding_window_view(b, 2).shape)
g = np.gradient(b); z = np.trapezoid(b); t = np.array([[1, 2], [3, 4]]); t2 = t.view(np.float64); print(g, z, t2.dtype, t @ t, t ** 2, t % 2, t << 1, ~t, t & 1, t // 2, t / 2)
print(np.logical_and(b > 0.2, b < 0.8), ~(b > 0.5), np.count_nonzero(b > 0.5), np.argwhere(b > 0.5).tolist(), np.flatnonzero(b > 0.5), np.take(b, [0, 1]), np.compress(b > 0.5, b), np.extract(b > 0.5, b), np.choose([0, 1], [b[:2], b[2:4]]))
