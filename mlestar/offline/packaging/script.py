"""The packaged form of a script: the script itself as a text, and the code that takes its steps."""

import ast
import json
from importlib.resources import files

from mlestar.evaluation.blending.script import read_members, write_literal
from mlestar.runners.supply.needs import NeedsError, read_needs
from mlestar.syntax import parse

_STEPS = ("values", "rewrite", "steps", "run_steps", "main")
_FITS = ("values", "fits", "main")
_SKOPS = "skops==0.16.0"
_LEARNERS = frozenset({"sklearn", "lightgbm", "xgboost", "catboost"})
"""Modules whose models skops writes."""


def write_packaged(source: str, train: str, test: str, rows: tuple[str, ...] = ()) -> str:
    """Return a script that defines `fit` and `predict` for another script.

    Without `rows`, the script is executed step by step, and the steps that no row to predict goes through are saved.
    With `rows`, only the calls that train are saved, and predicting executes everything else again on the train rows.

    Args:
        source: the script, which may be a blend of others.
        train: name of the file of the train rows.
        test: name of the file of the rows to predict.
        rows: files of train rows and their labels that are saved with the models.

    Raises:
        ValueError: the script cannot be read or held as a text.
    """
    members = read_members(source) or {"script": source}
    blend = source if "script" not in members else ""
    scripts = "\n".join(f"SCRIPTS[{name!r}] = _text({write_literal(text)})" for name, text in members.items())
    imports, codes = _runtime(_FITS if rows else _STEPS)
    lines = [
        _declaration(source, *members.values()),
        '"""Fitting and predicting apart: `fit` runs the script and keeps what `predict` needs."""',
        imports,
        f"TRAIN, TEST, ROWS = {train!r}, {test!r}, {rows!r}",
        *codes,
        'def _text(lines):\n    return "\\n".join(line[1:] for line in lines.split("\\n")[1:])',
        "SCRIPTS = {}",
        scripts,
        f"BLEND = _text({write_literal(blend)})" if blend else 'BLEND = ""',
    ]
    return "\n\n".join(lines) + "\n"


def _runtime(parts: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return the imports of the templates, and the rest of them."""
    imports, codes = dict[str, None](), list[str]()
    for part in parts:
        text = files(__package__).joinpath(f"templates/{part}.py.jinja").read_text(encoding="utf-8")
        found = [node for node in parse(text).body if isinstance(node, ast.Import | ast.ImportFrom)]
        imports |= dict.fromkeys(ast.unparse(node) for node in found)
        codes.append("\n".join(text.split("\n")[found[-1].end_lineno or 0 :]).strip("\n"))
    return "\n".join(sorted(imports)), codes


def _declaration(*sources: str) -> str:
    """Return the block of metadata: what the scripts declare, and what writes their models."""
    dependencies, weights = dict[str, None](), dict[str, None]()
    for source in sources:
        try:
            needs = read_needs(source)
        except NeedsError:
            continue
        dependencies |= dict.fromkeys(needs.dependencies)
        weights |= dict.fromkeys(needs.weights)
    if any(f"import {name}" in source or f"from {name}" in source for name in _LEARNERS for source in sources):
        dependencies[_SKOPS] = None
    lines = ["# /// script", f"# dependencies = {json.dumps(list(dependencies))}"]
    if weights:
        lines += ["#", "# [tool.mlestar]", f"# weights = {json.dumps(list(weights))}"]
    return "\n".join([*lines, "# ///"])
