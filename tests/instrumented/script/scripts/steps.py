"""Counted by hand in test_counts."""

import sys

import numpy as np

x = np.ones((4, 3), np.float32)
w = np.zeros((3, 2), np.float32)


def forward(x, w):
    h = x @ w
    return np.maximum(h, 0)


for _ in range(2):
    h = forward(x, w)
if h.sum() > 1:
    print("never")
print(float(h[0, 0]))
sys.exit(7)
