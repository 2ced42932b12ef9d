"""Paths in a script that lead to the task's files on this machine, where no row is withheld."""

import ast
import re
from collections.abc import Collection
from pathlib import Path

from mlestar.agents.script import parse_tree
from mlestar.offline.adapting.texts import UNKNOWN, known_texts, text_of

_ABSOLUTE = re.compile(r"[/~][^\n\0]{1,4000}")


def find_outside(code: str, files: Collection[str]) -> str:
    """Return a path of this machine by which a script reads data, empty where there is none.

    A sandbox does not have it. Where scripts run without one, they would read the withheld rows there.

    Args:
        code: of the script.
        files: of the task, by their paths in its folder.
    """
    tree = parse_tree(code)
    if tree is None:
        return ""
    known = known_texts(tree)
    nodes = (node for node in ast.walk(tree) if isinstance(node, ast.expr) and not isinstance(node, ast.Name))
    texts = {text for node in nodes if (text := text_of(node, known)) and UNKNOWN not in text}
    names = {Path(name).name for name in files}
    found = (text for text in sorted(texts) if _ABSOLUTE.fullmatch(text) and _holds_data(text, names))
    return next(found, "")


def _holds_data(text: str, names: Collection[str]) -> bool:
    """Return whether a path is one of a file with the name of one of the task, or of a folder with such a file."""
    try:
        path = Path(text).expanduser()
        return (path.name in names and path.is_file()) or any((path / name).is_file() for name in names)
    except (OSError, RuntimeError, ValueError):
        return False
