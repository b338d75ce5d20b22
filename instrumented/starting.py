"""``python -m instrumented`` among files of the user's that are called as modules of Python's own.

Python looks for modules in the folder at hand first, so that a ``random.py`` there would stand for
Python's in every library that the instrument loads. The command ``instrumented`` has the folder of
programs in that place; so it is given here, before anything else is imported. The script's own
imports look in the script's folder, as ever.
"""

import os
import sys


def _is_asked_for() -> bool:
    """Return whether Python is looking for this package to run it."""
    pairs = zip(sys.orig_argv, sys.orig_argv[1:], strict=False)
    return sys.argv[:1] == ["-m"] and ("-m", __package__) in pairs and not sys.flags.safe_path


def _shadows_python(folder: str) -> bool:
    """Return whether a folder has files or folders called as modules of Python's library."""
    try:
        names = {name.removesuffix(".py") for name in os.listdir(folder)}  # noqa: PTH208 - no more
    except OSError:
        return False
    return not names.isdisjoint(sys.stdlib_module_names)


if _is_asked_for() and _shadows_python(sys.path[0]):
    sys.path[0] = os.path.dirname(sys.executable)  # noqa: PTH120 - nothing else is imported yet
