"""The untrained control: random frozen hidden layers under the same softmax head.

Whatever a head reaches on these features owes nothing to the hidden layers' learning rule.
"""

from __future__ import annotations

from ffenergy.network.stack import NormalizedNetwork


class RandomFeatures(NormalizedNetwork):
    """The network that Forward-Forward starts from, with the same seed, never trained."""
