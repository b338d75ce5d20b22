"""What learning rules are built from: layers, normalisation, optimisers, negatives, head.

``Array`` and ``Tracer`` are the two words for what flows through them. Trainers never test whether
they are traced: they are given a ``Tracer`` and work on ``Array``. A traced array does what an
``ndarray`` does, and the type checker takes it for one.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from numpy.typing import NDArray

from instrumented import Trace, Untraced

Array: TypeAlias = NDArray[Any]  # a TracedArray inside a Trace, a plain ndarray inside Untraced
Tracer: TypeAlias = Trace | Untraced
