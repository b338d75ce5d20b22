"""Errors and warnings of code that is made of text: caught, in a compiled file, and uncaught."""
import timeit
import traceback
import warnings

import numpy as np

x = np.ones(3)
for text in ("x +", "x[7]", "np.dot(x, np.ones(2))", "nope", "x = 1", "lambda: (yield)"):
    for run in (lambda: eval(text), lambda: exec(text), lambda: compile(text, "a.py", "eval"), lambda: [eval][0](text)):
        try:
            run()
        except Exception:
            traceback.print_exc()
for _ in range(2):
    exec("x is 3\ny = '\\d'\nx / 0")
    eval(compile("x is 5", "<text>", "eval"))
    warnings.warn("again")
timer = timeit.Timer("x[9]", globals=globals())
try:
    timer.timeit(1)
except IndexError:
    timer.print_exc()
exec(compile("def fails(v):\n    # of a file\n    return v @ np.ones(5)\n", "made.py", "exec"))
exec("def outer(v):\n    return fails(v)")
outer(x)
