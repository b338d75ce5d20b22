"""NumPy arrays that write down every byte they move.

>>> import numpy as np, instrumented
>>> trace = instrumented.Trace()
>>> x = trace.array(np.ones((2, 3), np.float32))
>>> y = (x * x).sum()
>>> trace.traffic  # x * x reads x twice and writes 24 bytes; the sum reads them and writes 4
Traffic(bytes_read=72, bytes_written=28)
"""

from instrumented.array import TracedArray
from instrumented.counters import Traffic, Work
from instrumented.errors import (
    BareArrayError,
    EscapeError,
    InstrumentError,
    UncountedOperationError,
)
from instrumented.events import Access, BufferInfo, Event, Kind
from instrumented.trace import Trace
from instrumented.untraced import Untraced

__all__ = [
    "Access",
    "BareArrayError",
    "BufferInfo",
    "EscapeError",
    "Event",
    "InstrumentError",
    "Kind",
    "Trace",
    "TracedArray",
    "Traffic",
    "UncountedOperationError",
    "Untraced",
    "Work",
]
