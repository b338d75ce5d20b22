"""The user's source with its borders marked: where values come in from libraries or go out.

Only what the compiler makes of the source changes, never a file. Line numbers stay, so that
tracebacks show the user's own lines. The names that the marks call live in the builtins
(:mod:`instrumented.script.borders`).
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Set
from typing import Any

from instrumented.script.entering import (
    bringing_in,
    counts,
    entries,
    items_come_in,
    marked,
    named_by,
    names_captured,
    names_in,
    number_of_text,
    operands_come_in,
)
from instrumented.script.marks import (
    ARRAY_METHOD,
    CALLED,
    EACH,
    EXECUTED,
    FORMATTED,
    FOUND,
    GIVEN,
    INDEX,
    ITEM,
    ITSELF,
    NAMED,
    REMAINDER,
    RETURNED,
    RETURNING,
    SLICE,
    STORED,
    TYPE,
    TYPE_HANDED_ON,
    UPDATED,
    UPDATED_FIELD,
)
from instrumented.script.module_names import (
    RUN_THROUGH_ITEMS,
    UNTOUCHED,
    assigned_names,
    compiled_names,
    compiles,
    types_handed_on,
)

INDEXERS = frozenset("at iat iloc loc".split())

MAY_RETURN_ARRAYS = frozenset("eval getattr max min next pow sum".split())


def rewrite(source: str | bytes, file: str) -> ast.Module:
    """Parse the source of one of the user's modules and mark its borders.

    Raises:
        SyntaxError: as Python itself would for this source.
    """
    tree = ast.parse(source, file)
    mark_borders(tree)
    return tree


def mark_borders(tree: ast.mod, bound: Set[str] = frozenset()) -> None:
    """Mark the borders of a program, in place.

    Args:
        tree: a module, an expression or a line that is typed in.
        bound: builtins whose names stand for something else where the program runs.
    """
    assigned = assigned_names(tree) | bound
    types = set() if "type" in assigned else types_handed_on(tree)
    _Marks(assigned, compiled_names(tree), types).visit(tree)
    ast.fix_missing_locations(tree)


class _Marks(ast.NodeTransformer):
    """Wraps calls, attributes and items; arrays given to functions and loops come in too."""

    def __init__(self, assigned: set[str], compiled: set[str], types: set[int]) -> None:
        self._assigned = assigned
        self._compiled = compiled
        self._types = types
        self._class: str | None = None

    def visit_Call(self, node: ast.Call) -> ast.AST:
        name = node.func.id if isinstance(node.func, ast.Name) else None
        if not compiles(node.func):
            node.args = [self.visit(argument) for argument in node.args]
        node.keywords = [self.visit(keyword) for keyword in node.keywords]
        if name is not None and name not in self._assigned:
            if name == "type" and len(node.args) == 1 and not node.keywords:
                takes_one = not isinstance(node.args[0], ast.Starred)
                node.func = _name(TYPE if takes_one else TYPE_HANDED_ON, node.func)
                return node
            if name in RUN_THROUGH_ITEMS and (len(node.args) == 1 or name not in ("max", "min")):
                node.args = items_come_in(name, node.args)
            if name in ("eval", "exec") and not node.keywords:
                node.args = [_executed(name, node)]
            if name in UNTOUCHED:
                return marked(RETURNED, node) if name in MAY_RETURN_ARRAYS else node
        if isinstance(node.func, ast.Attribute):
            node.func.value = self.visit(node.func.value)
        else:
            node.func = self.visit(node.func)
        node.func = marked(CALLED, node.func)
        return marked(RETURNED, node)

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        node.value = self.visit(node.value)
        if isinstance(node.ctx, ast.Load):
            node.value = marked(EACH, node.value)
        return node

    def visit_keyword(self, node: ast.keyword) -> ast.AST:
        node.value = self.visit(node.value)
        if node.arg is None:
            node.value = marked(NAMED, node.value)
        return node

    def visit_Await(self, node: ast.Await) -> ast.AST:
        self.generic_visit(node)
        return marked(RETURNED, node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        self.generic_visit(node)
        node.value = node.value and marked(RETURNING, node.value)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return _name(TYPE_HANDED_ON, node) if id(node) in self._types else node

    def _field(self, target: ast.Attribute) -> ast.Attribute:
        """``field(owner, "name").value`` for an attribute that is given or changed."""
        name = ast.copy_location(ast.Constant(self._mangled(target.attr)), target)
        held = ast.Call(_name(UPDATED_FIELD, target), [self.visit(target.value), name], [])
        field = ast.Attribute(ast.copy_location(held, target), "value", ast.Store())
        return ast.copy_location(field, target)

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if isinstance(node.ctx, ast.Store):
            return self._field(node)
        node.value = self.visit(node.value)
        return marked(FOUND, node) if isinstance(node.ctx, ast.Load) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        index = _index(node.slice)
        if not isinstance(node.ctx, ast.Load):
            if index is not None and _is_plain(node.value):
                call = ast.Call(_name(INDEX, node), [copy.deepcopy(node.value), index], [])
                node.slice = ast.copy_location(call, node.slice)
            return node
        if index is None:
            return marked(FOUND, node)
        return ast.copy_location(ast.Call(_name(ITEM, node), [node.value, index], []), node)

    def visit_Assign(self, node: ast.Assign) -> list[ast.stmt]:
        named = [name for target in node.targets for name in named_by(target, node.value)]
        match node.targets:
            case [ast.Attribute(value=ast.Name() as owner)]:
                node.value = self._given(GIVEN, self.visit(node.value), owner)
            case [ast.Subscript(value=owner)] if _is_plain(owner):
                self.generic_visit(node)
                node.value = self._given(STORED, node.value, owner)
            case _:
                self.generic_visit(node)
        return [node, *entries(named, node)]

    @staticmethod
    def _given(mark: str, value: ast.expr, owner: ast.expr) -> ast.expr:
        """What an owner, a name, is given; what gives itself something is the user's."""
        if isinstance(owner, ast.Name) and owner.id in ("self", "cls"):
            return value
        given = ast.Call(_name(mark, value), [value, copy.deepcopy(owner)], [])
        return ast.copy_location(given, value)

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        target, index = node.target, None
        if isinstance(target, ast.Subscript):
            target.value, target.slice = self.visit(target.value), self.visit(target.slice)
            index = _index(target.slice)
            if index is not None:
                held = ast.Call(_name(UPDATED, target), [target.value, index], [])
                node.target = ast.Attribute(ast.copy_location(held, target), "value", ast.Store())
                ast.copy_location(node.target, target)
        elif isinstance(target, ast.Attribute):
            node.target = self._field(target)
        node.value = self.visit(node.value)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        around, self._class = self._class, node.name
        self.generic_visit(node)
        self._class = around
        return node

    def _mangled(self, name: str) -> str:
        """Return the name of an attribute as the compiler makes it of a private one."""
        owner = (self._class or "").lstrip("_")
        return f"_{owner}{name}" if owner and name[:2] == "__" and name[-2:] != "__" else name

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.op, ast.Not):
            node.operand = number_of_text(node.operand)
        return node

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        node.left, node.right = number_of_text(node.left), number_of_text(node.right)
        if not isinstance(node.op, ast.Mod) or _is_number(node.left) or _is_number(node.right):
            return node
        if _is_text(node.left):
            node.right = marked(FORMATTED, node.right)
            return node
        operands = [node.left, node.right]
        return ast.copy_location(ast.Call(_name(REMAINDER, node), operands, []), node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        self.generic_visit(node)
        operands = [node.left, *node.comparators]
        for at, op in enumerate(node.ops):
            pair = operands[at : at + 2]
            if isinstance(op, ast.Is | ast.IsNot) and ast.Constant not in map(type, pair):
                operands[at : at + 2] = [marked(ITSELF, operand) for operand in pair]
        node.left, *node.comparators = operands
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        return self._loop(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> ast.AST:
        return self._loop(node)

    def _loop(self, node: ast.For | ast.AsyncFor) -> ast.AST:
        self.generic_visit(node)
        if not counts(node.iter):
            node.body = [*entries(names_in(node.target), node.body[0]), *node.body]
        return node

    def visit_With(self, node: ast.With) -> ast.AST:
        return self._with(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> ast.AST:
        return self._with(node)

    def _with(self, node: ast.With | ast.AsyncWith) -> ast.AST:
        self.generic_visit(node)
        targets = [item.optional_vars for item in node.items if item.optional_vars]
        names = [name for target in targets for name in names_in(target)]
        node.body = [*entries(names, node.body[0]), *node.body]
        return node

    def visit_ImportFrom(self, node: ast.ImportFrom) -> list[ast.stmt]:
        names = [alias.asname or alias.name for alias in node.names if alias.name != "*"]
        return [node, *([] if node.module == "__future__" else entries(names, node))]

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self._comprehension(node)

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        return self._comprehension(node)

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self._comprehension(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        return self._comprehension(node)

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> ast.AST:
        self.generic_visit(node)
        node.generators = [part for loop in node.generators for part in bringing_in(loop)]
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        self.generic_visit(node)
        taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        body = operands_come_in([argument.arg for argument in taken], node.body)
        node.body = marked(RETURNING, body)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        is_compiled = any(map(compiles, node.decorator_list))
        if is_compiled or node.name in self._compiled:
            return node  # who compiles it knows no marks; what it is given leaves
        node.decorator_list = [self.visit(decorator) for decorator in node.decorator_list]
        if node.name == "__array__":
            node.decorator_list.insert(0, _name(ARRAY_METHOD, node.body[0]))
        node.args.defaults = [self.visit(default) for default in node.args.defaults]
        node.args.kw_defaults = [d and self.visit(d) for d in node.args.kw_defaults]
        node.body = self._visited(node.body)
        taken = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
        given = [a.arg for a in taken if a.arg not in ("self", "cls")]
        has_text = isinstance(node.body[0], ast.Expr) and _is_text(node.body[0].value)
        at = 1 if has_text else 0
        node.body[at:at] = entries(given, node.body[0])
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.target = self.visit(node.target)
        node.value = node.value and self.visit(node.value)
        return node

    def visit_Match(self, node: ast.Match) -> ast.AST:
        node.subject = self.visit(node.subject)
        for case in node.cases:  # patterns are no expressions: they stay as they are
            names = names_captured(case.pattern)
            case.guard = case.guard and operands_come_in(names, self.visit(case.guard))
            case.body = [*entries(names, case.body[0]), *self._visited(case.body)]
        return node

    def _visited(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        """Visit statements, of which some become several."""
        block: Any = self.generic_visit(ast.Module(statements, []))
        visited: list[ast.stmt] = block.body
        return visited


def _index(index: ast.expr) -> ast.expr | None:
    """Return an index as an expression of its own; None if it unpacks a sequence."""
    if isinstance(index, ast.Slice):
        ends = [part or ast.Constant(None) for part in (index.lower, index.upper, index.step)]
        made = ast.Call(ast.Name(SLICE, ast.Load()), ends, [])
        return ast.copy_location(made, index)
    if isinstance(index, ast.Tuple):
        parts = [_index(part) for part in index.elts]
        if any(part is None for part in parts):
            return None
        return ast.copy_location(ast.Tuple([p for p in parts if p], ast.Load()), index)
    return None if isinstance(index, ast.Starred) else index


def _executed(name: str, call: ast.Call) -> ast.expr:
    """``*executed("eval", text, …)``, which keeps the call itself: it knows whose frame it is."""
    made = ast.Call(_name(EXECUTED, call), [ast.Constant(name), *call.args], [])
    return ast.copy_location(ast.Starred(ast.copy_location(made, call), ast.Load()), call)


def _is_plain(owner: ast.expr) -> bool:
    """Return whether an expression may be evaluated twice: a name, or an indexer of one."""
    if isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == FOUND:
        (owner,) = owner.args
    if isinstance(owner, ast.Attribute) and owner.attr in INDEXERS:
        owner = owner.value
    return isinstance(owner, ast.Name)


def _name(name: str, at: ast.AST) -> ast.Name:
    return ast.copy_location(ast.Name(name, ast.Load()), at)


def _is_number(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and not _is_text(node)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )
