"""Items and attributes that a script makes and reads: columns, keys, `self.scaler`."""

import ast
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator

from mlestar.agents.calls import called_name
from mlestar.agents.script import Function

TABLE_MAKERS = {
    *("get_dummies", "concat", "merge", "join", "assign", "rename", "DataFrame", "pivot_table", "agg", "setattr"),
    *("defaultdict", "fromkeys", "add_module", "register_buffer", "register_parameter"),
}
"""Functions that make columns whose names are not those of assignments."""

SET_BY_TEXT = {"insert", "setdefault", "setattr", "__setattr__", "add_module", "register_buffer", "register_parameter"}
"""Functions whose first text names what they set."""
EVALUATED = re.compile(r"(?m)^\s*(\w+)\s*=(?!=)")
"""A column that an expression of `eval` sets."""


def find_lost_item(before: ast.Module, after: ast.Module, columns: Collection[str]) -> str:
    """Return which item or attribute is read and no longer made; empty when there is none.

    Args:
        before: the script as it was, which made it.
        after: the script with a new block.
        columns: of the task's files, which need not be made.
    """
    if _computed_names(after) > _computed_names(before):
        return ""
    made = _made_items(before) - {text_item(column) for column in columns}
    lost = sorted((made - written_items(after)) & read_items(after))
    return f"the new block no longer sets {lost[0]}, which the script reads" if lost else ""


def _computed_names(tree: ast.AST) -> int:
    """Return how often items get names that only a run computes."""
    count = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
            count += not isinstance(node.slice, ast.Constant | ast.Slice | ast.Tuple)
        elif isinstance(node, ast.Call):
            count += called_name(node) in TABLE_MAKERS
        elif isinstance(node, ast.DictComp):
            count += not isinstance(node.key, ast.Constant)
    return count


def text_item(name: str) -> str:
    return f"[{name!r}]"


def _made_items(tree: ast.Module) -> set[str]:
    """Return what is written in the first statement that mentions it: it was not there before."""
    made: set[str] = set()
    earlier: set[str] = set()
    for statement in _simple_statements(tree):
        mentions = Counter(_mentions(statement))
        made |= {item for item in written_items(statement) if item not in earlier and mentions[item] == 1}
        earlier |= mentions.keys()
    return made


def _simple_statements(tree: ast.AST) -> Iterator[ast.stmt]:
    """Yield the statements without a body in the order of their lines."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.stmt) and not hasattr(child, "body"):
            yield child
        else:
            yield from _simple_statements(child)


def _mentions(tree: ast.AST) -> Iterator[str]:
    """Yield every text and attribute of a tree as an item; an attribute may also be a column."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield text_item(node.value)
        elif isinstance(node, ast.Attribute):
            yield text_item(node.attr)
            yield from _names_of(node)


def written_items(tree: ast.AST) -> set[str]:
    """Return the items and attributes of `self` that are assigned, and what classes define."""
    written: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            written |= _names_of(node)
        elif isinstance(node, ast.ClassDef):
            written |= {f"self.{name}" for name in _class_names(node)}
        elif isinstance(node, ast.Call):
            written |= _set_by_call(node)
        elif isinstance(node, ast.Dict):
            written |= _texts(node.keys)
    return written


def _set_by_call(call: ast.Call) -> set[str]:
    """Return what a call sets by its keywords or by a text: `assign`, `insert`, `setdefault`, `setattr`, `eval`."""
    name, words = called_name(call), {word.arg for word in call.keywords if word.arg}
    written = {text_item(word) for word in words}
    if name == "update":
        written |= {f"self.{word}" for word in words}
    texts = [value.value for value in call.args if isinstance(value, ast.Constant) and isinstance(value.value, str)]
    if name in SET_BY_TEXT:
        written |= {item for text in texts[:1] for item in (text_item(text), f"self.{text}")}
    if name == "eval":
        written |= {text_item(column) for text in texts for column in EVALUATED.findall(text)}
    return written


def _class_names(node: ast.ClassDef) -> set[str]:
    """Return what a class body defines."""
    functions = {part.name for part in node.body if isinstance(part, Function)}
    names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    return functions | names


def read_items(tree: ast.AST) -> set[str]:
    """Return the items and attributes of `self` that are read, also by a name that stands for texts."""
    read: set[str] = set()
    named = _named_texts(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Load):
            read |= _names_of(node)
        if isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load) and isinstance(node.slice, ast.Name):
            read |= named.get(node.slice.id, set())
    return read


def _named_texts(tree: ast.AST) -> dict[str, set[str]]:
    """Return the texts for which names stand that are set once, to a text or a list of texts."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.Name | ast.arg)]
    stored = Counter(
        node.arg if isinstance(node, ast.arg) else node.id
        for node in nodes
        if isinstance(node, ast.arg) or not isinstance(node.ctx, ast.Load)
    )
    named: dict[str, set[str]] = {}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.targets[0], ast.Name):
            continue
        parts = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
        if stored[node.targets[0].id] == 1:
            named[node.targets[0].id] = _texts(parts)
    return named


def _names_of(node: ast.Subscript | ast.Attribute) -> set[str]:
    """Return the items that a subscript names, or the attribute of `self`."""
    if isinstance(node, ast.Attribute):
        return {f"self.{node.attr}"} if isinstance(node.value, ast.Name) and node.value.id == "self" else set()
    parts = node.slice.elts if isinstance(node.slice, ast.List | ast.Tuple) else [node.slice]
    return _texts(parts)


def _texts(nodes: Iterable[ast.expr | None]) -> set[str]:
    """Return the items that constant texts name."""
    values = [node.value for node in nodes if isinstance(node, ast.Constant)]
    return {text_item(value) for value in values if isinstance(value, str)}
