"""Where a script writes: the last table whose name is that of a submission becomes `./submission.csv`."""

import ast
import re
from collections.abc import Mapping

from mlestar.offline.adapting.texts import file_name, known_texts, last_name, read_texts, text_of
from mlestar.syntax import parse, replace_nodes

SUBMISSION = "./submission.csv"
_LIKELY = (re.compile(r"^submission\.csv$"), re.compile(r"subm|(?:^|[_\W\d])sub(?:$|[_\W\d])"), re.compile(r"sub"))
_PERHAPS = re.compile(r"pred|output|result|answer|final|test")
_OF_TRAIN = re.compile(r"oof|out_of_fold|train|valid")
"""In names of predictions for rows of train, where another table is written too."""
_SAVES = frozenset({"to_csv", "write_csv"})


def write_submission_file(script: str) -> str:
    """Return the script with the required path of the submission."""
    tree = parse(script)
    texts = known_texts(tree)
    written = [argument for node in ast.walk(tree) if isinstance(node, ast.Call) and (argument := _written(node))]
    written.sort(key=lambda argument: (argument.lineno, argument.col_offset))
    read = {file_name(path).lower() for path in read_texts(tree, texts)}
    # What the script reads again is a step before its predictions.
    chosen = _choose([argument for argument in written if _shown(argument, texts) not in read], texts)
    if chosen is None or text_of(chosen, {}) in (SUBMISSION, "submission.csv"):
        return script
    return replace_nodes(script, [(chosen, f'"{SUBMISSION}"')])


def _written(node: ast.Call) -> ast.expr | None:
    """Return the path that a call writes a table of text to."""
    name = last_name(node.func)
    if name in _SAVES:
        paths = [*node.args[:1], *(word.value for word in node.keywords if word.arg in ("path_or_buf", "file"))]
        return paths[0] if paths else None
    if name == "savetxt" and node.args:
        return node.args[0]
    if name == "open" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
        return node.args[0] if "w" in str(node.args[1].value) else None
    return None


def _choose(written: list[ast.expr], texts: Mapping[str, str]) -> ast.expr | None:
    """Return the path of the submission among those written: by its name, the last one where several names match."""
    named = [(argument, _shown(argument, texts)) for argument in written]
    named = [(argument, name) for argument, name in named if not _OF_TRAIN.search(name)] or named
    for pattern in (*_LIKELY, _PERHAPS):
        matching = [argument for argument, name in named if pattern.search(name)]
        if matching:
            return matching[-1]
    return named[-1][0] if named else None


def _shown(argument: ast.expr, texts: Mapping[str, str]) -> str:
    text = text_of(argument, texts)
    return (ast.unparse(argument) if text is None else file_name(text)).lower()
