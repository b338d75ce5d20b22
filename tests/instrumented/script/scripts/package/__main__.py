"""Runs with -m."""

import sys

from .layers import forward
from . import layers
import package.layers as same

if __name__ == "__main__":
    print(forward(3), sys.argv[1:], __package__, layers is same)
    sys.exit("stopped with a message")
