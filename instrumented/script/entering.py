"""Statements and expressions that bring plain arrays in, wherever the user's code names them."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from typing import Any

from instrumented.script.items import AFTER_FIRST, FIRST
from instrumented.script.marks import CALLED, EACH, FOUND, KIND, PLAIN_ARRAY, RETURNED

OPERATE = frozenset({*"abs divmod max min pow round sum".split(), EACH})
"""Builtins that apply an operator to what they are given, and what runs through it."""


def marked(mark: str, node: ast.expr) -> ast.expr:
    """``mark(node)``."""
    call = ast.Call(ast.copy_location(ast.Name(mark, ast.Load()), node), [node], [])
    return ast.copy_location(call, node)


def entries(names: Iterable[str], at: ast.stmt) -> list[ast.stmt]:
    """``if type(x) is ndarray: x = come_in(x)`` for each name: fast where nothing comes in."""
    code = "\n".join(
        f"if {KIND}({name}) is {PLAIN_ARRAY}: {name} = {FOUND}({name})"
        for name in names
        if name.isidentifier()  # pytest has some of its own that are none
    )
    return [_located(statement, at) for statement in ast.parse(code).body]


def _come_in(name: str, at: ast.expr) -> ast.expr:
    """``come_in(x) if type(x) is ndarray else x``."""
    code = f"{FOUND}({name}) if {KIND}({name}) is {PLAIN_ARRAY} else {name}"
    made: ast.expr = _located(ast.parse(code, mode="eval").body, at)
    return made


def _located(made: Any, at: ast.AST) -> Any:
    """Return code that was made of text, at the place of a node."""
    for node in ast.walk(made):
        if "lineno" in node._attributes:
            ast.copy_location(node, at)
    return made


def items_come_in(name: str, arguments: list[ast.expr]) -> list[ast.expr]:
    """Bring the items in that a builtin runs through: not its function, nor what a sum starts with.

    What the module's own expressions make has come in.
    """
    through = AFTER_FIRST if name in ("filter", "map") else FIRST
    marked_ones = list(arguments)
    marked_ones[through] = [
        argument
        if isinstance(argument, ast.Starred | ast.GeneratorExp | ast.ListComp)
        else marked(EACH, argument)
        for argument in arguments[through]
    ]
    return marked_ones


def number_of_text(operand: ast.expr) -> ast.expr:
    """Bring in what an operator may have made of text or dates: ``(t - u) / day() * 2``."""
    if isinstance(operand, ast.Compare):
        return marked(FOUND, operand)
    if isinstance(operand, ast.BinOp) and isinstance(operand.op, ast.Div):
        return marked(FOUND, operand) if isinstance(operand.right, ast.Call) else operand
    return operand


def bringing_in(loop: ast.comprehension) -> list[ast.comprehension]:
    """``for x in xs for x in [come_in(x)] if x``: Python makes the second an assignment."""
    loops = [loop]
    for name in [] if counts(loop.iter) else names_in(loop.target):
        only = ast.copy_location(ast.List([_come_in(name, loop.iter)], ast.Load()), loop.iter)
        target = ast.copy_location(ast.Name(name, ast.Store()), loop.target)
        loops.append(ast.comprehension(target, only, [], 0))
    loop.ifs, loops[-1].ifs = [], loop.ifs
    return loops


def operands_come_in(names: Iterable[str], expression: ast.expr) -> ast.expr:
    """Bring names in where an expression has them as operands: it has no room for statements."""
    visited: ast.expr = _Operands(set(names)).visit(expression)
    return visited


class _Operands(ast.NodeTransformer):
    """Brings operands of these names in."""

    def __init__(self, names: set[str]) -> None:
        self._given = names

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        node.left, node.right = self._operand(node.left), self._operand(node.right)
        return node

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        node.operand = self._operand(node.operand)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        node.left, *node.comparators = map(self._operand, [node.left, *node.comparators])
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id in OPERATE:
            node.args = list(map(self._operand, node.args))
        return node

    def _operand(self, node: ast.expr) -> ast.expr:
        if isinstance(node, ast.IfExp):
            node.body, node.orelse = self._operand(node.body), self._operand(node.orelse)
        elif isinstance(node, ast.Name) and node.id in self._given:
            return _come_in(node.id, node)
        return node


def names_in(target: ast.expr) -> list[str]:
    """Return the names that a target binds, those that take the rest of a sequence left out."""
    if isinstance(target, ast.Name):
        return [target.id]
    if isinstance(target, ast.Tuple | ast.List):
        return [name for element in target.elts for name in names_in(element)]
    return []


def names_captured(pattern: ast.pattern) -> list[str]:
    """Return the names that a pattern binds, those that take the rest left out."""
    return [n.name for n in ast.walk(pattern) if isinstance(n, ast.MatchAs) and n.name is not None]


def named_by(target: ast.expr, value: ast.expr) -> list[str]:
    """Names that an assignment gives to what an operator made or was sent, or that it unpacks."""
    if isinstance(value, ast.BinOp | ast.UnaryOp | ast.Compare | ast.Yield | ast.YieldFrom):
        return names_in(target)
    if isinstance(target, ast.Name) or isinstance(value, ast.Constant):
        return []
    if isinstance(value, ast.Tuple | ast.List) and isinstance(target, ast.Tuple | ast.List):
        pairs = list(zip(target.elts, value.elts, strict=False))
        if not any(isinstance(part, ast.Starred) for pair in pairs for part in pair):
            return [name for one, given in pairs for name in named_by(one, given)]
    return names_in(target)


def counts(iterated: ast.expr) -> bool:
    """Return whether a loop runs over ``range(…)``, whose numbers are no arrays."""
    while isinstance(iterated, ast.Call) and isinstance(iterated.func, ast.Name):
        if iterated.func.id == "range":
            return True
        if iterated.func.id not in (RETURNED, CALLED) or not iterated.args:
            return False
        iterated = iterated.args[0]
    return False
