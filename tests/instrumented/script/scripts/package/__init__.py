"""A package of the user's, run with -m: what it imports itself is traced too."""

from .layers import forward
