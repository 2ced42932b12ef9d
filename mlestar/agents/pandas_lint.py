"""Lines of a script that behave differently with pandas 3 than with older versions, found before it runs.

Each rule was tried with pandas 3.1: in-place changes of a selection and assignments to one have no effect, because
every selection is a copy; columns of text have the dtype `str`, so that a comparison with `object` is false;
`applymap`, `iteritems` and `fillna(method=...)` do not exist. A line is named only where its objects are tables as far
as the script shows: a wrong finding costs a model call.
"""

import ast
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from mlestar.agents.script import parse_tree

MAX_FINDINGS = 5
"""Lines that one reason names. Chosen by judgement; not measured."""
_IN_PLACE = {"fillna", "replace", "clip", "ffill", "bfill", "interpolate", "mask", "where"}
"""Methods that are used to fill or change one column in place."""
_LOCATORS = {"loc", "iloc", "at", "iat"}
_MASKS = {"isna", "isnull", "notna", "notnull", "isin", "between", "duplicated"}
_PARTS = re.compile(r"(?i)(x_|y_|df_)?(train|test|valid|val|full|all|data)(_df|_data)?")
"""Keys by which a dictionary of tables is read, rather than a table."""
_TABLE_NAMES = re.compile(r"(?i)(\w+_)?(df|train|test|valid|val|full|all|data|dataset|frame|table|x)(_\w+|\d+)?")
"""Names of tables; other names may be dictionaries, as `configs`, until an assignment shows that they are not."""
_FRAME_MAKERS = re.compile(r"(pd|pandas)\.(read_\w+|DataFrame|concat|merge)$")
_CONTAINERS = (ast.Dict, ast.DictComp, ast.List, ast.ListComp, ast.Set, ast.SetComp, ast.Tuple)
_CONTAINER_MAKERS = {"dict", "list", "defaultdict", "OrderedDict"}
_OWN_DTYPES = re.compile(r"is_string_dtype|StringDtype|infer_string|dtype_backend|['\"](str|string)['\"]")
"""A script that mentions one of these handles columns of text itself."""
_MADE_OBJECT = re.compile(r"(astype\(|dtype\s*=\s*)['\"]?(object|O\b)")

NO_EFFECT = "it changes nothing, because a selection is a copy: "
FILL = NO_EFFECT + 'assign the result, as in `df["a"] = df["a"].fillna(0)`'
ASSIGN = NO_EFFECT + 'use one `.loc`, as in `df.loc[mask, "a"] = 0`'
TEXT = "it is never true: columns of text are `str`; use `pd.api.types.is_numeric_dtype` or `is_string_dtype`"
NOT_TEXT = TEXT.replace("never", "always")
GONE = {"applymap": "it no longer exists: use `map`", "iteritems": "it no longer exists: use `items`"}
METHOD = "`fillna(method=...)` no longer exists: use `ffill()` or `bfill()`"


@dataclass(frozen=True)
class Finding:
    """A line, and what is wrong with it."""

    line: int
    code: str
    advice: str


def advise_on_pandas(packages: Mapping[str, str], base: str = "") -> Callable[[str | None], str]:
    """Return a function that says which lines of a script behave differently with pandas 3.

    Args:
        packages: of the sandbox; with an older pandas there are none.
        base: the script that was changed; lines that it has, too, are not the agent's.
    """
    known = {line.strip() for line in base.split("\n")}
    return lambda script: describe_old_pandas(script or "", packages, known)


def describe_old_pandas(script: str, packages: Mapping[str, str], known: Collection[str] = ()) -> str:
    """Return in words which lines behave differently with pandas 3; empty when none do, or pandas is older.

    Args:
        script: the code.
        packages: of the sandbox.
        known: lines that are left out.
    """
    major = packages.get("pandas", "0").split(".")[0]
    if not major.isdigit() or int(major) < 3:
        return ""
    findings = [finding for finding in find_old_pandas(script) if finding.code not in known]
    if not findings:
        return ""
    return f"with pandas {packages['pandas']} these lines do not do what they seem to: {_describe(findings)}"


def _describe(findings: list[Finding]) -> str:
    """Return the first findings in words."""
    shown = [f"line {finding.line}, `{finding.code[:150]}`: {finding.advice}" for finding in findings[:MAX_FINDINGS]]
    more = [f"and {len(findings) - MAX_FINDINGS} more of the kind"] if len(findings) > MAX_FINDINGS else []
    return "; ".join(shown + more)


def find_old_pandas(script: str) -> list[Finding]:
    """Return the lines that behave differently with pandas 3, in order."""
    tree = parse_tree(script)
    if tree is None or "pandas" not in script:
        return []
    lines = script.split("\n")
    names = _Names(tree)
    texts = not _OWN_DTYPES.search(script) and not _MADE_OBJECT.search(script)
    pairs = {(line, advice) for node in ast.walk(tree) for line, advice in _check(node, names, texts=texts)}
    return [Finding(line, lines[line - 1].strip(), advice) for line, advice in sorted(pairs)]


class _Names:
    """What the names of a script are bound to, as far as its assignments show."""

    def __init__(self, tree: ast.Module) -> None:
        self.frames: set[str] = set()
        self.containers: set[str] = set()
        self.arrays: set[str] = set()
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                self._read(node.targets, node.value)
            elif isinstance(node, ast.AnnAssign) and node.value is not None:
                self._read([node.target], node.value)

    def _read(self, targets: list[ast.expr], value: ast.expr) -> None:
        kind = self._kind(value)
        if kind is not None:
            kind.update(target.id for target in targets if isinstance(target, ast.Name))

    def _kind(self, value: ast.expr) -> set[str] | None:
        if isinstance(value, _CONTAINERS):
            return self.containers
        function = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
        if function.rpartition(".")[2] in _CONTAINER_MAKERS:
            return self.containers
        if _FRAME_MAKERS.match(function):
            return self.frames
        return self.arrays if function.endswith((".to_numpy", "np.array", "np.asarray")) else None


def _check(node: ast.AST, names: _Names, *, texts: bool) -> Iterator[tuple[int, str]]:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and _fills_selection(node.value, names):
        yield node.lineno, FILL
    if isinstance(node, ast.Assign | ast.AugAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(_is_chained(target, names) for target in targets):
            yield node.lineno, ASSIGN
    if isinstance(node, ast.Compare) and texts and _compares_with_object(node, names):
        different = isinstance(node.ops[0], ast.NotEq | ast.NotIn)
        yield node.lineno, NOT_TEXT if different else TEXT
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        if node.func.attr in GONE:
            yield node.lineno, GONE[node.func.attr]
        if node.func.attr == "fillna" and any(keyword.arg == "method" for keyword in node.keywords):
            yield node.lineno, METHOD


def _fills_selection(call: ast.Call, names: _Names) -> bool:
    """Return whether a call changes a column in place: `df["a"].fillna(0, inplace=True)`."""
    in_place = any(
        keyword.arg == "inplace" and isinstance(keyword.value, ast.Constant) and keyword.value.value is True
        for keyword in call.keywords
    )
    if not (in_place and isinstance(call.func, ast.Attribute) and call.func.attr in _IN_PLACE):
        return False
    receiver = call.func.value
    if isinstance(receiver, ast.Attribute):  # df.a; the attribute of anything but a table may be a table itself
        return isinstance(receiver.value, ast.Name) and receiver.value.id in names.frames
    return isinstance(receiver, ast.Subscript) and _selects(receiver, names)


def _selects(node: ast.Subscript, names: _Names) -> bool:
    """Return whether a subscript selects from a table, and does not read a dictionary or list of tables."""
    base, key = node.value, node.slice
    if isinstance(base, ast.Attribute) and base.attr in _LOCATORS:
        return True
    if isinstance(key, ast.Constant) and (not isinstance(key.value, str) or _PARTS.fullmatch(key.value)):
        return False
    if not isinstance(base, ast.Name) or base.id in names.containers:
        return False
    return base.id in names.frames or bool(_TABLE_NAMES.fullmatch(base.id))


def _is_chained(target: ast.expr, names: _Names) -> bool:
    """Return whether an assignment selects twice: `df["a"][mask]`, `df["a"].loc[mask]`, `df[mask]["a"]`."""
    if not isinstance(target, ast.Subscript):
        return False
    inner = target.value
    if isinstance(inner, ast.Attribute) and inner.attr in _LOCATORS and isinstance(inner.value, ast.Subscript):
        selected, one_axis = inner.value, not isinstance(target.slice, ast.Tuple)
        is_column = isinstance(selected.slice, ast.Constant)
        return one_axis and is_column and _selects(selected, names) and _is_mask(target.slice, selected.value)
    if not isinstance(inner, ast.Subscript) or not _selects(inner, names):
        return False
    if _is_mask(inner.slice, inner.value):
        return isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str)
    return isinstance(inner.slice, ast.Constant) and _is_mask(target.slice, inner.value)


def _is_mask(key: ast.expr, base: ast.expr) -> bool:
    """Return whether a key chooses rows by a condition on the same table."""
    if isinstance(base, ast.Attribute):  # df.loc
        base = base.value
    same = isinstance(base, ast.Name) and any(isinstance(n, ast.Name) and n.id == base.id for n in ast.walk(key))
    if isinstance(key, ast.Call):
        return same and isinstance(key.func, ast.Attribute) and key.func.attr in _MASKS
    return same and isinstance(key, ast.Compare | ast.UnaryOp | ast.BinOp)


def _compares_with_object(node: ast.Compare, names: _Names) -> bool:
    """Return whether a dtype is compared with `object`."""
    sides = [node.left, *node.comparators]
    equal = all(isinstance(operator, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for operator in node.ops)
    return equal and any(_is_dtype(side, names) for side in sides) and any(_is_object(side) for side in sides)


def _is_dtype(node: ast.expr, names: _Names) -> bool:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "str" and node.args:
        return _is_dtype(node.args[0], names)
    if isinstance(node, ast.Attribute) and node.attr == "name":
        return _is_dtype(node.value, names)
    if isinstance(node, ast.Subscript):
        return _is_dtype(node.value, names)
    known_array = isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names.arrays
    return isinstance(node, ast.Attribute) and node.attr in ("dtype", "dtypes") and not known_array


def _is_object(node: ast.expr) -> bool:
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return any(_is_object(item) for item in node.elts)
    if isinstance(node, ast.Constant):
        return node.value in ("object", "O")
    return ast.unparse(node) in ("object", "np.object_", "numpy.object_")
