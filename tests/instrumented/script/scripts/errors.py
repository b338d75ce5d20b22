"""What fails says what NumPy says, and warns and shows lines as if nobody stood between."""
import sys, traceback, warnings
import numpy as np

x = np.arange(4.0); n = np.arange(4)
ATTEMPTS = """
x @ None|x[10]|x[1.5]|x + np.ones(3)|x + {}|x + "a"|n[0] + "a"|"a" + n[0]|float(x)|int(x)|x.nope|np.nope|{x: 1}
len(x[0])|iter(x[0])|x[0][0]|[1][x[0]]|range(x[0])|x()|np.zeros(x[2])|np.add(1)|np.sum(x, axis=3)|np.sum(x, bogus=3)
np.dot(x)|x.sum(axis="a")|x.reshape(3, 3)|x < "a"|np.stack([])|np.concatenate([x, np.eye(2)])|x.astype("odd")
np.linalg.inv(np.zeros((2, 2)))|np.linalg.solve(np.eye(3), np.ones(2))|np.broadcast_to(n, (3, 3))|bool(x)|n[n > 9].max()
"""
for attempt in ATTEMPTS.replace("\n", "|").strip("|").split("|"):
    try: print(attempt, eval(attempt))
    except Exception as error: print(attempt, "->", type(error).__name__, error)
with np.errstate(all="raise"):
    try: x / 0
    except FloatingPointError as error: print(error)
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    x / 0
    np.log(x - 1)
    np.float64(1) / x[0]
    np.mean(x[:0])
    for _ in range(2): x[:0].mean(), x[:0].std(), x[:1].var(ddof=1), np.ndarray.mean(x[:0])
    print([(str(w.message), w.lineno, w.filename.rpartition("/")[2]) for w in told if "fromnumeric" not in w.filename])


def fail(depth):
    return fail(depth - 1) if depth else x @ np.ones(3)


try: fail(2)
except ValueError: traceback.print_exc(file=sys.stdout)
try: x[7]
except IndexError as error: print([(line.name, line.lineno) for line in traceback.extract_tb(error.__traceback__)])
for _ in range(2):
    x / 0  # warns once
    x[:0].mean()
x[-1] = n @ n; x *= n.sum(); print(x, np.sqrt(x[-1:]))
try:
    import no_such_module_anywhere
except ImportError as error:
    entry = error.__traceback__
    while entry is not None:  # as pytest goes through one
        shown = traceback.extract_tb(entry, limit=1)
        if not entry.tb_frame.f_globals.get("__tracebackhide__"):
            print([line.lineno for line in shown], shown[0].name)
        assert shown
        entry = entry.tb_next
