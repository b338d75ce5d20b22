"""Functions that are called as Python ends, and an object that lives until then."""

import atexit

import numpy as np


class Last:
    """Says that it goes."""

    def __init__(self, x):
        self.x = x

    def __del__(self):
        print("finalized", float(self.x[0] + 2))


last = Last(np.ones(1))
atexit.register(lambda: print("registered", np.ones(2) @ np.ones(2)))
print("end of the script")
