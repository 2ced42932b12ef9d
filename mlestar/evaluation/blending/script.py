"""The script of a blend: it holds its members' scripts as texts and blends what they submit as the run scored it."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files

from jinja2 import PackageLoader

from mlestar.script_templates import script_environment
from mlestar.syntax import parse

MARK = "|"
"""Stands before every line of a member's script, so that no line of it reads as one of the blend's own, such as the
block in which a script declares its packages."""


@dataclass(frozen=True)
class Part:
    """A member of a blend."""

    name: str
    """Id of its solution."""
    source: str
    """Its script."""
    weight: float


def write_blend(
    parts: Sequence[Part],
    *,
    columns: Sequence[str],
    scale: str,
    key: str | None = None,
    delimiter: str = ",",
    decimal: str = ".",
) -> str:
    """Return the script that runs the members and blends their submissions.

    Args:
        parts: the members; the first one decides the order of the rows.
        columns: those with predictions.
        scale: see `stack_members`.
        key: the column by which rows are matched; None where their order does.
        delimiter: of submissions.
        decimal: their decimal mark.

    Raises:
        ValueError: a member's script cannot be held as a text.
    """
    imports, arithmetic = _split_imports(files(__package__).joinpath("combine.py").read_text(encoding="utf-8"))
    code = _TEMPLATES.get_template("script.py.jinja").render(
        members=[
            {"name": part.name, "weight": round(part.weight, 3), "literal": write_literal(part.source)}
            for part in parts
        ],
        weights={part.name: part.weight for part in parts},
        columns=list(columns),
        scale=scale,
        key=key,
        delimiter=delimiter,
        decimal=decimal,
        imports=imports,
        arithmetic=arithmetic,
    )
    if read_members(code) != {part.name: part.source for part in parts}:
        msg = "a script cannot be held as a text"
        raise ValueError(msg)
    return code


def read_members(code: str) -> dict[str, str]:
    """Return the scripts that a blend's script holds, by name, as they are executed."""
    members = {}
    for node in parse(code).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).startswith("MEMBERS["):
            target = node.targets[0]
            assert isinstance(target, ast.Subscript)
            lines = ast.literal_eval(node.value).split("\n")[1:]
            members[ast.literal_eval(target.slice)] = "\n".join(line[len(MARK) :] for line in lines)
    return members


def replace_members(code: str, sources: Mapping[str, str]) -> str:
    """Return a blend's script with other scripts for some of its members, by name.

    Raises:
        ValueError: a script cannot be held as a text.
    """
    members = read_members(code)
    for name, source in sources.items():
        before, after = (f"MEMBERS[{name!r}] = {write_literal(text)}" for text in (members[name], source))
        code = code.replace(before, after)
    if read_members(code) != {**members, **sources}:
        msg = "a script cannot be held as a text"
        raise ValueError(msg)
    return code


def write_literal(source: str) -> str:
    """Return the marked lines of a script as a text of Python: as they are, where Python can hold them so."""
    marked = "\n" + "\n".join(MARK + line for line in source.split("\n"))
    for quotes in ("'''", '"""'):
        if quotes not in marked and marked[-1] not in "\\'\"" and not {"\r", "\0"} & set(marked):
            return f"r{quotes}{marked}{quotes}"
    escaped = marked.replace("\\", "\\\\").replace("\r", "\\r").replace("\0", "\\0").replace("'", "\\'")
    return f"'''{escaped}'''"


def _split_imports(text: str) -> tuple[list[str], str]:
    """Return the imports of a module, and what follows them."""
    lines = text.split("\n")
    imports = [node for node in parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
    return [ast.unparse(node) for node in imports], "\n".join(lines[imports[-1].end_lineno or 0 :]).strip("\n")


_TEMPLATES = script_environment(PackageLoader("mlestar.evaluation.blending", "templates"))
_TEMPLATES.filters["py"] = repr  # by which `replace_members` finds a member
