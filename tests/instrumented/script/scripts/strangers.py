"""Numbers beside what is no number of NumPy's: text, dates, fractions, classes of the script's."""

import io
import logging
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import numpy as np

x = np.arange(1.0, 5.0)
s, k = x[1], np.arange(5)[3]
form = "%.2f"


class Unit:
    form = "%d and %.1f"

    def __init__(self, value):
        self.value = value

    def __rmul__(self, other):
        return f"{other} by {self.value}"

    def __mod__(self, other):
        return "mod", other


class Metres(np.float64):
    def __add__(self, other):
        return Metres(super().__add__(other))

    __radd__ = __add__

    def __gt__(self, other):
        return "asked"


class Own(float):
    def __add__(self, other):
        return super().__add__(other)

    __radd__ = __add__


print(form % s, Unit.form % (k, s), [form % one for one in x], Unit(1) % s, k % 2, 7 % k, x % k)
print(b"%.1f" % s, "%(a).1f" % {"a": s}, f"{form % s:>8}")
for day in (timedelta(days=1),):
    print(day * s, s * day, day * k, k * day, day / s, day // k)
print(s * Unit(3), k * Unit(3), s + Fraction(1, 2), Fraction(1, 2) + s, k + Fraction(1, 2))
print(type(s + Metres(1)), type(Metres(1) + s), s < Metres(1), Metres(2) > s, s + Own(1), Own(1) + s)
print(s + [1.0, 2.0], (1.0, 2.0) - s, s == [2.0], s != (2.0,), s == None, s == "a")  # noqa: E711
for number in (s, k):
    for other in (Decimal(2), "a", None, object()):
        try:
            print(number * other)
        except TypeError as error:
            print(type(error), error)

log, out = logging.getLogger("strangers"), io.StringIO()
log.propagate = False
log.setLevel(logging.INFO)
log.addHandler(logging.StreamHandler(out))
log.info("%.2f %d %s", s, k, x)
log.info("%(a).1f", {"a": s})
log.info(s)
log.debug("%.2f", s)
log.error("%s", ("b", s))
print(out.getvalue(), (np.ones((10, 10)) @ np.ones(10)).sum())
