"""MNIST and Fashion-MNIST: from a folder, the cache, a download, a package, or the sample."""

from __future__ import annotations

from ffenergy.data.dataset import Dataset
from ffenergy.data.sources import SourceState, describe, load
from ffenergy.data.validation import held_out

__all__ = ["Dataset", "SourceState", "describe", "held_out", "load"]
