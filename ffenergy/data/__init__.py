"""MNIST and Fashion-MNIST: from a folder, the cache, a download, a package, or the sample."""

from __future__ import annotations

from ffenergy.data.dataset import Dataset, held_out
from ffenergy.data.sources import SourceState, describe, load

__all__ = ["Dataset", "SourceState", "describe", "held_out", "load"]
