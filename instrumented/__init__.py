"""NumPy arrays that write down every byte they move.

>>> import numpy as np, instrumented
>>> trace = instrumented.Trace()
>>> x = trace.array(np.ones((2, 3), np.float32))
>>> y = (x * x).sum()
>>> trace.traffic  # x * x reads x twice and writes 24 bytes; the sum reads them and writes 4
Traffic(bytes_read=72, bytes_written=28)
"""

import instrumented.starting  # noqa: F401 - before anything else is imported
from instrumented.analysis.step import Analysis, analyse, analyse_live, analyse_tuned
from instrumented.array import TracedArray
from instrumented.books.counters import Traffic, Work
from instrumented.books.events import Access, BufferInfo, Event, Kind
from instrumented.distances.bytedmd import bytedmd_cost
from instrumented.distances.scalar_grain import bytedmd, bytedmd_trace, phase
from instrumented.distances.stack import LruStack, price_instructions, stack_distances
from instrumented.distances.updates import update_cost
from instrumented.errors import (
    BareArrayError,
    EscapeError,
    InstrumentError,
    UncountedOperationError,
)
from instrumented.rules.random_draws import TracedGenerator
from instrumented.scalar import TracedScalar
from instrumented.trace import Trace, Untraced

__all__ = [
    "Access",
    "Analysis",
    "BareArrayError",
    "BufferInfo",
    "EscapeError",
    "Event",
    "InstrumentError",
    "Kind",
    "LruStack",
    "Trace",
    "TracedArray",
    "TracedGenerator",
    "TracedScalar",
    "Traffic",
    "UncountedOperationError",
    "Untraced",
    "Work",
    "analyse",
    "analyse_live",
    "analyse_tuned",
    "bytedmd",
    "bytedmd_cost",
    "bytedmd_trace",
    "phase",
    "price_instructions",
    "stack_distances",
    "update_cost",
]
