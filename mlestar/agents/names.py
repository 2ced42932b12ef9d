"""Names of a script: those that nothing defines, and those that are read before they are set."""

import ast
import builtins
import re
from dataclasses import dataclass, field

from mlestar.agents.calls import functions
from mlestar.agents.script import Function, parse_tree
from mlestar.syntax import symbol_tables

BUILTINS = set(dir(builtins))
DYNAMIC = {"exec", "globals", "vars"}
"""Functions that may set any name; `exec` with a namespace of its own sets none here."""
CATCHES_ALL = {"NameError", "Exception", "BaseException"}
ASKS_FOR_NAME = re.compile(r"\bsys\.modules\b|\bhasattr\((__builtins__|builtins)\b|\bin (globals|locals|dir)\(\)")
"""A test of whether an optional name exists."""

Scope = ast.Module | Function


def undefined_names(code: str, *, at_run_time: bool = True) -> set[str]:
    """Return the names that code reads and that neither it nor Python defines.

    A name that is read where a NameError would be caught does not count.

    Args:
        code: that is read.
        at_run_time: whether code that may set names at run time defines all of them.
    """
    tree = parse_tree(code)
    if tree is None or (at_run_time and sets_names_at_run_time(tree)):
        return set()
    try:
        module, *inner = symbol_tables(code)
    except (SyntaxError, ValueError, RecursionError):
        return set()
    tables = [module, *inner]
    defined = {
        symbol.get_name()
        for table in tables
        for symbol in table.get_symbols()
        if (table is module or symbol.is_declared_global()) and (symbol.is_assigned() or symbol.is_imported())
    }
    read = {
        symbol.get_name()
        for table in tables
        for symbol in table.get_symbols()
        if symbol.is_referenced() and symbol.is_global()
    }
    return {name for name in read - defined - BUILTINS - _guarded_names(tree) if not name.startswith("__")}


def defined_names(code: str) -> set[str]:
    """Return the names that code defines for the whole script."""
    try:
        table = next(symbol_tables(code))
    except (SyntaxError, ValueError, RecursionError):
        return set()
    return {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}


def early_names(tree: ast.Module) -> set[tuple[str, str]]:
    """Return the scope and name of each variable that is read before it is set; "" is the scope of the module."""
    early: set[tuple[str, str]] = set()
    scopes: list[tuple[str, Scope]] = [("", tree), *functions(tree)]
    for path, scope in scopes:
        events = _Events()
        for statement in scope.body:
            events.visit(statement)
        outside = _argument_names(scope) | events.not_local | BUILTINS
        early |= {(path, name) for name in events.early() if name not in outside}
    return early


def sets_names_at_run_time(tree: ast.AST) -> bool:
    """Return whether code may set names that its text does not show."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return True
        called = node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""
        if called in DYNAMIC and isinstance(node, ast.Call) and len(node.args) < 2:
            return True
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "locals().update":
            return True
    return False


def _guarded_names(tree: ast.AST) -> set[str]:
    """Return the names that are read where a NameError is caught, or after a test of whether they exist."""
    bodies = [node.body for node in ast.walk(tree) if isinstance(node, ast.Try) and _catches_names(node)]
    conditions = [node for node in ast.walk(tree) if isinstance(node, ast.If)]
    bodies += [node.body for node in conditions if ASKS_FOR_NAME.search(ast.unparse(node.test))]
    nodes = [node for body in bodies for statement in body for node in ast.walk(statement)]
    return {node.id for node in nodes if isinstance(node, ast.Name)}


def _catches_names(node: ast.Try) -> bool:
    types = [handler.type for handler in node.handlers]
    names = {name.id for caught in types if caught for name in ast.walk(caught) if isinstance(name, ast.Name)}
    return None in types or bool(names & CATCHES_ALL)


def _argument_names(scope: Scope) -> set[str]:
    if isinstance(scope, ast.Module):
        return set()
    return {node.arg for node in ast.walk(scope.args) if isinstance(node, ast.arg)}


@dataclass
class _Events(ast.NodeVisitor):
    """Reads and assignments of names in the order in which one scope executes them; other scopes are left out."""

    reads: dict[str, frozenset[int]] = field(default_factory=dict)
    """Names that are read before they are set in this order, with the loops around the first read."""
    writes: dict[str, set[int]] = field(default_factory=dict)
    """Names that are set, with all loops around them."""
    not_local: set[str] = field(default_factory=set)
    loops: list[int] = field(default_factory=list)
    hidden: list[set[str]] = field(default_factory=list)
    """Variables of the enclosing comprehensions."""

    def early(self) -> set[str]:
        """Return the names that are read first and set later, not by an earlier iteration of the same loop."""
        return {name for name, loops in self.reads.items() if name in self.writes and not loops & self.writes[name]}

    def _set(self, name: str) -> None:
        self.writes.setdefault(name, set()).update(self.loops)

    def visit_Name(self, node: ast.Name) -> None:  # the names of ast.NodeVisitor
        if any(node.id in names for names in self.hidden):
            return
        if isinstance(node.ctx, ast.Store):
            self._set(node.id)
        elif isinstance(node.ctx, ast.Load) and node.id not in self.writes:
            self.reads.setdefault(node.id, frozenset(self.loops))

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value:
            self.visit(node.value)
            self.visit(node.target)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self.visit_Name(ast.Name(node.target.id, ast.Load()))
            self.visit(node.value)
            # It needs a value, so that an earlier iteration cannot be the first to set it.
            self.writes.setdefault(node.target.id, set())
        else:
            self.generic_visit(node)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        self.visit(node.value)
        self.visit(node.target)

    def visit_For(self, node: ast.For | ast.AsyncFor) -> None:
        self.visit(node.iter)
        self.visit(node.target)
        self._visit_loop(node)

    visit_AsyncFor = visit_For

    def visit_While(self, node: ast.While) -> None:
        self.visit(node.test)
        self._visit_loop(node)

    def _visit_loop(self, node: ast.For | ast.AsyncFor | ast.While) -> None:
        self.loops.append(id(node))
        for statement in node.body:
            self.visit(statement)
        self.loops.pop()
        for statement in node.orelse:
            self.visit(statement)

    def visit_Try(self, node: ast.Try) -> None:
        if _catches_names(node):
            self.not_local |= {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
        self.generic_visit(node)

    def visit_ExceptHandler(self, node: ast.ExceptHandler) -> None:
        if node.name:
            self._set(node.name)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            self._set((alias.asname or alias.name).split(".")[0])

    visit_ImportFrom = visit_Import

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> None:
        self.not_local |= set(node.names)

    visit_Nonlocal = visit_Global

    def visit_FunctionDef(self, node: Function) -> None:
        for part in (*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)):
            self.visit(part)
        self._set(node.name)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for part in (*node.decorator_list, *node.bases):
            self.visit(part)
        self._set(node.name)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Skip what runs later."""

    def visit_MatchAs(self, node: ast.MatchAs) -> None:
        if node.name:
            self._set(node.name)
        self.generic_visit(node)

    def _visit_comprehension(self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp) -> None:
        targets = {name.id for part in node.generators for name in ast.walk(part.target) if isinstance(name, ast.Name)}
        self.visit(node.generators[0].iter)
        self.hidden.append(targets)
        for child in ast.iter_child_nodes(node):
            self.visit(child)
        self.hidden.pop()

    visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _visit_comprehension
