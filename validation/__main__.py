"""``python -m validation [NAME…]``: hold the instrument against its references, all or some.

    xla        371 traced operations against XLA's analyses of each (minutes)
    torch      matrix flops of a training step against PyTorch's counter (seconds)
    mutation   whether small changes of the source are noticed (hours)
    callgrind  a cache's misses against a simulated one (committed figures: a minute)
    gpu        the meter and the counters of a GPU, beside the model (committed figures: minutes)

Figures are written beside this file; the exit code is 1 if anything is left unexplained.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

PARTS = {
    "xla": ("validation.xla", "jax"),
    "torch": ("validation.torch_flops", "torch"),
    "callgrind": ("validation.callgrind", "numpy"),
    "gpu": ("validation.gpu", "numpy"),
}


def main(words: list[str]) -> int:
    """Run the parts by name and return the exit code."""
    parser = argparse.ArgumentParser("python -m validation", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--since", metavar="COMMIT", help="mutation: only lines changed since then")
    parser.add_argument("--within", metavar="PATH", default="", help="mutation: only such sources")
    asked = parser.parse_args(words)
    names = asked.names
    known = ("mutation", *PARTS)  # mutants need a process that has not loaded the instrument
    unknown = [name for name in names if name not in known]
    if unknown:
        print(f"no part {unknown[0]}; there are {', '.join(known)}", file=sys.stderr)
        return 2
    open_questions = 0
    for name in names or known:
        print(f"== {name}")
        if name == "mutation":
            try:
                open_questions += import_module("validation.mutation").main(
                    asked.since, asked.within
                )
            except (ValueError, RuntimeError) as error:
                print(error, file=sys.stderr)
                return 2
            continue
        module, needed = PARTS[name]
        try:
            import_module(needed)
        except ImportError:
            print(f"  needs {needed}: pip install 'ffenergy[validation]'", file=sys.stderr)
            open_questions += 1
            continue
        if name == "callgrind":
            import_module(module).check_all()
        else:
            open_questions += import_module(module).main()
    return 1 if open_questions else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
