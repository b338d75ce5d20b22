"""Every traced operation that JAX has, against XLA's analysis of that operation alone.

XLA compiles one operation to a program of its own. It says how large the program's operands and
results are (its buffers), how many bytes the program's kernels access, and how many flops and
transcendental functions they do (its cost analysis). Here the same operation is traced. Bytes and
flops of each pair are equal, or differ by a rule that is stated and checked: :data:`BYTE_RULES` and
:data:`FLOP_RULES`.

Needs JAX (extra ``validation``); the CPU is enough.
"""

from __future__ import annotations

import csv
import os
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import astuple, fields, replace
from operator import attrgetter
from pathlib import Path
from typing import Any

import numpy as np

import instrumented
from validation.xla_bytes import BYTE_RULES, UNEXPLAINED, Figure, byte_rule
from validation.xla_cases import STAY_OUT, Case, cases
from validation.xla_flops import FLOP_RULES, flop_rules
from validation.xla_program import read

FIGURES = Path(__file__).parent / "xla.csv"


def measured() -> Iterator[tuple[Figure, Case]]:
    """Measure every case; needs JAX."""
    os.environ.setdefault("XLA_FLAGS", "--xla_backend_optimization_level=0")  # machine code only
    import jax
    import jax.numpy as jnp

    jax.config.update("jax_enable_x64", True)
    for case in cases(jnp):
        trace = instrumented.Trace()
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                here = case.call(np, *(trace.array(operand) for operand in case.operands))
                there = jax.jit(lambda *a, call=case.call: call(jnp, *a))
                if described(here) != described(jax.eval_shape(there, *case.operands)):
                    continue  # JAX makes another type of these: not the same operation
                compiled = there.lower(*case.operands).compile()
            except (TypeError, ValueError, NotImplementedError):
                continue  # one of the two has no such operation on this type
        yield figure_of(case, trace, arrays_in(here), compiled), case


def figure_of(case: Case, trace: Any, results: list[Any], compiled: Any) -> Figure:
    """Put together what was counted here, what XLA says, and what its program's text says."""
    cost, memory = compiled.cost_analysis(), compiled.memory_analysis()
    program = read(compiled.as_text())
    return Figure(
        operation=case.name,
        shape=case.shape,
        dtype=case.dtype,
        results=" ".join("×".join(map(str, one.shape)) or "-" for one in results),
        bytes_here=trace.traffic.bytes_moved,
        bytes_buffers=memory.argument_size_in_bytes
        + memory.output_size_in_bytes
        - program.table_of_results,
        bytes_xla=int(cost.get("bytes accessed", 0)),
        bytes_kernels=program.moved,
        libraries=program.libraries,
        loops=program.loops,
        flops_here=trace.work.flops,
        flops_xla=int(cost.get("flops", 0) + cost.get("transcendentals", 0)),
    )


def judged(found: list[Figure], held: list[Case]) -> list[Figure]:
    """Return the figures, each with its rules, or ``unexplained`` where none holds."""
    groups = defaultdict(list)
    for place, figure in enumerate(found):
        groups[figure.operation, figure.dtype].append(place)
    answer = [
        replace(figure, bytes_rule=byte_rule(figure, case))
        for figure, case in zip(found, held, strict=True)
    ]
    for places in groups.values():
        for place, rule in zip(places, flop_rules([found[k] for k in places]), strict=True):
            answer[place] = replace(answer[place], flops_rule=rule)
    return answer


def arrays_in(answer: Any) -> list[Any]:
    """Return the arrays of an answer, those of tuples and lists one by one."""
    if isinstance(answer, (tuple, list)):
        return [array for one in answer for array in arrays_in(one)]
    return [answer]


def described(answer: Any) -> list[tuple[str, tuple[int, ...]]]:
    """Return types and shapes of what an operation made."""
    return [(str(one.dtype), tuple(one.shape)) for one in arrays_in(answer)]


TYPES: dict[str, type[Any]] = {
    field.name: {"str": str, "int": int}[str(field.type)] for field in fields(Figure)
}


def write(found: list[Figure]) -> None:
    """Write the figures to the committed file."""
    with FIGURES.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([field.name for field in fields(Figure)])
        writer.writerows(map(astuple, found))


def committed() -> list[Figure]:
    """Read the committed figures."""
    with FIGURES.open(newline="", encoding="utf-8") as file:
        return [Figure(**{k: TYPES[k](row[k]) for k in row}) for row in csv.DictReader(file)]


def left_out() -> list[str]:
    """Return counted functions that JAX has, which neither are cases nor stay out for a reason."""
    import jax.numpy as jnp

    def has(name: str) -> bool:
        try:
            return attrgetter(name)(jnp) is not None
        except AttributeError:
            return False

    none = STAY_OUT["JAX has none"].split()
    return [name for name in none if has(name)]


def main() -> int:
    """Measure, write and sum up; returns how many figures no rule explains."""
    pairs = list(measured())
    found = judged([figure for figure, _ in pairs], [case for _, case in pairs])
    write(found)
    operations = {figure.operation for figure in found}
    print(f"{len(operations)} operations, {len(found)} shapes and types against XLA")
    for what, rules in (("bytes_rule", BYTE_RULES), ("flops_rule", FLOP_RULES)):
        counts = Counter(getattr(figure, what) for figure in found)
        print(what.partition("_")[0])
        for name in (*rules, UNEXPLAINED):
            if counts[name]:
                print(f"  {counts[name]:5,}  {name}: {rules.get(name, 'no rule covers these')}")
    unexplained = [figure for figure in found if UNEXPLAINED in astuple(figure)]
    for figure in unexplained:
        print("  unexplained:", *astuple(figure))
    for name in (missed := left_out()):
        print(f"  JAX has numpy.{name}, and it is not held against it")
    return len(unexplained) + len(missed)
