"""Calls of functions that a new block changed: do they still fit?"""

import ast
from collections.abc import Iterator, Sequence

from mlestar.agents.script import Function


def functions(tree: ast.AST, path: str = "") -> Iterator[tuple[str, Function]]:
    """Yield every function with the names that lead to it."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.expr):
            continue
        inner = path
        if isinstance(child, Function | ast.ClassDef):
            inner = f"{path}.{child.name}".strip(".")
        if isinstance(child, Function):
            yield inner, child
        yield from functions(child, inner)


def called_name(call: ast.Call) -> str:
    """Return the last name of the function that is called; empty where it has none."""
    return getattr(call.func, "attr", "") or getattr(call.func, "id", "")


def find_broken_call(before: ast.Module, after: ast.Module) -> str:
    """Return why a call does not fit a function that was changed; empty when all do."""
    old_functions = dict(functions(before))
    new_functions = list(functions(after))
    names = [path for path, _ in new_functions]
    for path, function in new_functions:
        old = old_functions.get(path)
        if old is None or names.count(path) > 1 or ast.dump(old) == ast.dump(function):
            continue
        problem = _find_lost_result(old, function, after) or _find_other_arguments(old, function, after)
        if problem:
            return problem
    return ""


def _find_lost_result(old: Function, new: Function, tree: ast.Module) -> str:
    """Compare what a function returns with what its callers take."""
    if not _results(old) or _is_generator(old) or _is_generator(new):
        return ""
    if not _results(new):
        return f"`{new.name}` no longer returns a value, which the script uses" if is_used(new.name, tree) else ""
    sizes = {_tuple_size(result) for result in _results(new)}
    for count in _unpacked(new.name, tree):
        if None not in sizes and count not in sizes:
            return f"`{new.name}` returns {_count(sizes)}, but the script takes {count}"
    return ""


def _count(sizes: set[int | None]) -> str:
    return " or ".join(str(size) for size in sorted(size for size in sizes if size is not None)) + " values"


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """Yield the nodes of a function without those of functions inside it."""
    remaining: list[ast.AST] = list(function.body)
    while remaining:
        node = remaining.pop()
        yield node
        if not isinstance(node, Function | ast.Lambda | ast.ClassDef):
            remaining += ast.iter_child_nodes(node)


def _results(function: Function) -> list[ast.expr]:
    """Return the expressions that a function returns, without None."""
    values = [node.value for node in _own_nodes(function) if isinstance(node, ast.Return) and node.value]
    return [value for value in values if not (isinstance(value, ast.Constant) and value.value is None)]


def _is_generator(function: Function) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in _own_nodes(function))


def is_used(name: str, tree: ast.AST) -> bool:
    """Return whether the value of a call of this name is used; a call that is a statement does not use it."""
    statements = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return any(id(call) not in statements for call in _calls(name, tree))


def _calls(name: str, tree: ast.AST) -> list[ast.Call]:
    """Return the calls of a function, or of a method, by its name."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return [call for call in calls if name in (getattr(call.func, "id", ""), getattr(call.func, "attr", ""))]


def _unpacked(name: str, tree: ast.AST) -> list[int]:
    """Return the numbers of variables to which results of calls of this function are assigned."""
    assigned = [node for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    direct = [node for node in assigned if isinstance(node.value, ast.Call) and _is_name(node.value.func, name)]
    targets = [node.targets[0] for node in direct]
    tuples = [target for target in targets if isinstance(target, ast.Tuple | ast.List)]
    return [len(target.elts) for target in tuples if not any(isinstance(part, ast.Starred) for part in target.elts)]


def _is_name(node: ast.expr, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name


def _tuple_size(value: ast.expr) -> int | None:
    """Return how many values an expression has; None when the code does not show it."""
    if not isinstance(value, ast.Tuple) or any(isinstance(part, ast.Starred) for part in value.elts):
        return None
    return len(value.elts)


def _find_other_arguments(old: Function, new: Function, tree: ast.Module) -> str:
    """Find a call that the old function accepts and the new one does not."""
    if new not in tree.body or new.decorator_list:
        return ""
    for call in _calls(new.name, tree):
        if _is_name(call.func, new.name) and _accepts(old, call) and not _accepts(new, call):
            return f"the script calls `{ast.unparse(call)[:80]}`, which the new arguments of `{new.name}` do not allow"
    return ""


def _accepts(function: Function, call: ast.Call) -> bool:
    """Return whether a call fits the arguments of a function; true when this is only known at run time."""
    unknown = any(isinstance(value, ast.Starred) for value in call.args) or any(not word.arg for word in call.keywords)
    if unknown:
        return True
    arguments = function.args
    positional = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)]
    words = {word.arg for word in call.keywords if word.arg}
    allowed = {*positional[len(arguments.posonlyargs) :], *(argument.arg for argument in arguments.kwonlyargs)}
    if len(call.args) > len(positional) and not arguments.vararg:
        return False
    if words - allowed and not arguments.kwarg:
        return False
    passed = {*positional[: len(call.args)], *words}
    return set(_required(arguments, positional)) <= passed


def _required(arguments: ast.arguments, positional: Sequence[str]) -> list[str]:
    """Return the arguments without a default."""
    keyword = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    return [
        *positional[: len(positional) - len(arguments.defaults)],
        *(argument.arg for argument, default in keyword if default is None),
    ]
