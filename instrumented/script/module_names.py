"""What the source of a module tells of its names before it is marked."""

from __future__ import annotations

import ast

UNTOUCHED = frozenset(
    """
    abs all any bool callable classmethod complex delattr dict dir divmod enumerate eval exec
    filter float format frozenset getattr globals hasattr hash id input int isinstance
    issubclass iter len list locals map max min next object open ord pow print property range
    repr reversed round set slice sorted staticmethod str sum super tuple vars zip
    """.split()
)
"""Builtins that call the methods of traced values, which note by themselves what leaves."""

ASK_OF_TYPES = UNTOUCHED - {"filter", "map"} | {"help", "setattr"}
"""Builtins that ask about a type, or hold it, but call none that they are given."""

COMPILING = frozenset("cfunc guvectorize jit njit stencil vectorize".split())
"""Decorators, such as numba's, that compile a function from its code."""

RUN_THROUGH_ITEMS = frozenset("filter map max min sorted sum".split())


def assigned_names(tree: ast.AST) -> set[str]:
    """Names that the module binds anywhere: builtins of these names are not the builtins."""
    names = {
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and n.ctx.__class__ != ast.Load
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.alias):
            names |= RUN_THROUGH_ITEMS if node.name == "*" else {node.asname or node.name}
    return names  # by ``*`` comes, say, the sum of NumPy's


def compiled_names(tree: ast.AST) -> set[str]:
    """Names of functions that the module gives to a decorator of ``COMPILING``: ``njit(slow)``."""
    return {
        argument.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and compiles(node.func)
        for argument in node.args
        if isinstance(argument, ast.Name)
    }


def types_handed_on(tree: ast.AST) -> set[int]:
    """Names ``type`` that are given to somebody or kept: ids of their nodes.

    Not what is compared, subscripted, made a base, or asked for by ``isinstance`` and the like.
    """
    given: list[ast.expr | None] = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in ASK_OF_TYPES:
                given += [keyword.value for keyword in node.keywords]
            case ast.Call():
                given += [*node.args, *(keyword.value for keyword in node.keywords)]
            case ast.Assign() | ast.AnnAssign() | ast.NamedExpr() | ast.Return():
                given.append(node.value)
            case ast.arguments():
                given += [*node.defaults, *node.kw_defaults]
            case ast.Dict():
                given += node.values
            case ast.List():
                given += node.elts
    return {id(node) for node in given if isinstance(node, ast.Name) and node.id == "type"}


def compiles(node: ast.expr) -> bool:
    """Return whether ``numba.njit(cache=True)``, say, compiles; ``np.vectorize`` does not."""
    while isinstance(node, ast.Call):
        node = node.func
    if isinstance(node, ast.Attribute):
        is_numpys = isinstance(node.value, ast.Name) and node.value.id in ("np", "numpy")
        return node.attr in COMPILING and not is_numpys
    return isinstance(node, ast.Name) and node.id in COMPILING
