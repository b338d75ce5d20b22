"""Strides and flags of what NumPy makes of arrays in many orders."""

import copy

import numpy as np

ARRAYS = [
    np.asfortranarray(np.arange(12.0).reshape(3, 4)),
    np.arange(24.0).reshape(2, 3, 4).transpose(2, 0, 1),
    np.arange(24.0).reshape(2, 3, 4)[:, ::-1, ::2],
    np.broadcast_to(np.arange(3.0), (2, 3)),
    np.zeros((0, 3), order="F"),
]
CALLS = [
    lambda x: x.copy(), lambda x: x.copy("K"), lambda x: np.copy(x), lambda x: np.array(x),
    lambda x: np.array(x, order="C"), lambda x: np.array(x, copy=False), lambda x: copy.copy(x),
    lambda x: copy.deepcopy(x), lambda x: x.astype("f4"), lambda x: x.astype(float, copy=False),
    lambda x: x.astype(object), lambda x: x.astype("U5"), lambda x: np.zeros_like(x),
    lambda x: np.ones_like(x, order="C"), lambda x: np.full_like(x, 2, dtype=int),
    lambda x: np.zeros_like(x, shape=(2, 3)), lambda x: x + 1, lambda x: x * x.copy(),
    lambda x: np.exp(x), lambda x: -x, lambda x: np.where(x > 2, x, 0), lambda x: np.clip(x, 0, 1),
    lambda x: x.flatten(), lambda x: x.flatten("F"), lambda x: x.flatten("K"), lambda x: x.ravel(),
    lambda x: x.ravel("F"), lambda x: x.ravel("K"), lambda x: x.reshape(-1, 3, order="F"),
    lambda x: x.reshape(-1, 3, order="A"), lambda x: np.sort(x, 0), lambda x: np.roll(x, 1, 0),
    lambda x: np.concatenate([x, x]), lambda x: np.stack([x, x]), lambda x: x.take([0, 1], 0),
    lambda x: x[:, [0, 1]], lambda x: x.T + 1, lambda x: x.T.copy(), lambda x: x.conj(),
    lambda x: np.fft.fft(x, axis=0), lambda x: np.linalg.qr(x), lambda x: np.frexp(x),
    lambda x: np.matmul(x, x.swapaxes(-1, -2)), lambda x: np.require(x, requirements=["O", "W"]),
]  # fmt: skip


def show(made):
    if isinstance(made, tuple):
        for part in made:
            show(part)
    else:
        flags = "".join(name if made.flags[name] else "-" for name in "CFOWA")
        print(made.shape, made.strides, made.dtype, flags, made.ravel()[:3])


for x in ARRAYS:
    for number, call in enumerate(CALLS):
        for _ in range(2):
            try:
                show(call(x))
            except (ValueError, IndexError, np.linalg.LinAlgError) as error:
                print(number, type(error).__name__, error)
