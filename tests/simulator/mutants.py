"""Weakened copies of a module of bounds: one term of one function removed or halved at a time.

The list is generated from the source, so a new term is attacked as soon as it is written:

* an operand of + is dropped, or halved; an operand of - is halved, or dropped if it is subtracted
* an arm of a maximum is dropped
* an argument of gamma, or of a function of the module, is halved
* what is assigned or returned is halved
* the interior extrema of a supremum are dropped

Decisions (comparisons, and what they are combined to) are left alone: they have tests of their own.
So is, on request, what underflow costs: it is counted, operation by operation, for the form with
the most of them, and too small to be the reason why anything fails.

A mutant is not always weaker: halving what is subtracted can raise a bound. The caller decides that
from the numbers. Half of a record or of nothing raises TypeError: that is no mutant.
"""

from __future__ import annotations

import ast
import copy
import types
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

_MAXIMA = ("maximum", "fmax")


class Mutant(NamedTuple):
    """One change: the function it is in, the line, and the expression before and after."""

    function: str
    line: int
    before: str
    after: str
    tree: ast.Module

    def __str__(self) -> str:
        return f"{self.function}:{self.line}: {self.before}  ->  {self.after}"

    @property
    def change(self) -> str:
        """The change without its line, which moves when something above it is edited."""
        return f"{self.function}: {self.before}  ->  {self.after}"

    def load(self, package: str) -> types.ModuleType:
        """Execute the weakened source as a module of its own."""
        module = types.ModuleType(f"{package}.weakened")
        module.__package__ = package
        code = compile(self.tree, "<weakened>", "exec")
        exec(code, module.__dict__)  # noqa: S102 (the weakened source of the module under test)
        return module


def mutants(
    source: str, *, without_underflow: bool = False, skip: Collection[str] = (), halve: bool = True
) -> Iterator[Mutant]:
    """Every mutant of every function of a module that is not in ``skip``, in order."""
    tree = ast.parse(source)
    local = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for k, function in enumerate(tree.body):
        if not isinstance(function, ast.FunctionDef) or function.name in skip:
            continue
        for path, replacements in _sites(function, local - set(skip), without_underflow, halve):
            for new in replacements:
                changed = copy.deepcopy(tree)
                old = _replace(changed.body[k], path, new)
                ast.fix_missing_locations(changed)
                yield Mutant(function.name, old.lineno, ast.unparse(old), ast.unparse(new), changed)


Path = tuple[tuple[str, int | None], ...]


def _sites(
    function: ast.FunctionDef, local: set[str], without_underflow: bool, halve: bool
) -> Iterator[tuple[Path, list[ast.expr]]]:
    """Paths from the function to an expression, with what may stand in its place."""
    for path, node, parent in _walk(function, (), function, without_underflow):
        if not isinstance(node, ast.expr) or _is_zero(node):
            continue
        if without_underflow and _is_underflow(node):
            continue
        found = [_half(node)] if halve and _is_term(node, parent, local) else []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            found += [
                kept
                for kept, dropped in ((node.left, node.right), (node.right, node.left))
                if not (without_underflow and _is_underflow(dropped))
            ]
        subtracts = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Sub)
        if subtracts and not isinstance(node.right, ast.Constant):
            found += [node.left]
        if isinstance(node, ast.Call) and _name(node.func) in _MAXIMA and len(node.args) == 2:
            found += [arm for arm in node.args if not isinstance(arm, ast.Constant)]
        if isinstance(node, ast.Tuple) and isinstance(parent, ast.Call):
            found += [ast.Tuple([], ast.Load())]
        if found:
            yield path, found


def _walk(
    node: ast.AST, path: Path, parent: ast.AST, without_underflow: bool
) -> Iterator[tuple[Path, ast.AST, ast.AST]]:
    if isinstance(node, ast.Compare) or (
        isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr)
    ):
        return
    yield path, node, parent
    if without_underflow and _is_underflow(node):
        return
    for field, value in ast.iter_fields(node):
        if field in ("decorator_list", "returns", "annotation"):
            continue
        if isinstance(value, ast.AST):
            yield from _walk(value, (*path, (field, None)), node, without_underflow)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                if isinstance(item, ast.AST):
                    yield from _walk(item, (*path, (field, i)), node, without_underflow)


def _is_term(node: ast.expr, parent: ast.AST, local: set[str]) -> bool:
    """Whether half of the expression is a meaningful weakening."""
    if isinstance(node, ast.Constant) and not isinstance(node.value, int | float):
        return False
    if isinstance(node, ast.Tuple | ast.Lambda | ast.Slice):
        return False
    if isinstance(parent, ast.BinOp) and isinstance(parent.op, ast.Add | ast.Sub):
        return True
    if isinstance(parent, ast.Assign | ast.AugAssign | ast.Return):
        return node is parent.value
    if isinstance(parent, ast.Tuple):
        return (
            not isinstance(node, ast.Constant) and isinstance(node.ctx, ast.Load)
            if isinstance(node, ast.Name)
            else True
        )
    if isinstance(parent, ast.Call) and node in parent.args:
        name = _name(parent.func)
        model = isinstance(node, ast.Name) and node.id in ("A", "z", "x")
        return (name == "gamma" or name in local) and not model
    return False


def _is_underflow(node: ast.AST) -> bool:
    """A smallest normal number, or a product with one, or a part of one."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div):
        return _is_underflow(node.left) or _is_underflow(node.right)
    return isinstance(node, ast.Attribute) and node.attr.startswith("tiny")


def _is_zero(node: ast.expr) -> bool:
    zeros = isinstance(node, ast.Call) and _name(node.func) == "zeros_like"
    return zeros or (isinstance(node, ast.Constant) and node.value == 0)


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _half(node: ast.expr) -> ast.expr:
    return ast.BinOp(ast.Constant(0.5), ast.Mult(), copy.deepcopy(node))


def _replace(root: ast.AST, path: Path, new: ast.expr) -> ast.expr:
    node: Any = root
    for field, index in path[:-1]:
        node = getattr(node, field)
        node = node if index is None else node[index]
    field, index = path[-1]
    if index is None:
        old = getattr(node, field)
        setattr(node, field, copy.deepcopy(new))
    else:
        old = getattr(node, field)[index]
        getattr(node, field)[index] = copy.deepcopy(new)
    assert isinstance(old, ast.expr)
    return old
