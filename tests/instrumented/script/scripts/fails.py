"""An uncaught error shows the script's own lines and ends with 1."""
import numpy as np


def inner(x):
    return x @ np.zeros((5, 5))


def outer(x):
    return inner(
        x + 1
    )


print("before")
outer(np.ones((2, 3)))
