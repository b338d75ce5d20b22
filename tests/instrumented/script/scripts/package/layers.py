"""A module of the user's, imported by another."""

from numpy import ones, random as draws

draws.seed(1)


def forward(n):
    w = draws.rand(n, n)
    return (ones((2, n)) @ w).sum(axis=0)
