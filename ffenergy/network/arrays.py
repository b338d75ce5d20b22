"""The two words the trainers use for what flows through them.

Trainers never test whether they are traced: they are given a ``Tracer`` and work on ``Array``.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from instrumented import Trace, Untraced

Array: TypeAlias = Any  # a TracedArray inside a Trace, a plain ndarray inside Untraced
Tracer: TypeAlias = Trace | Untraced
