"""A metric in a file of the task folder: read from its syntax tree, executed only when it scores."""

import ast
import importlib.util
import math
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

from mlestar.errors import UserError
from mlestar.metrics.definition import Metric
from mlestar.metrics.spec import Direction, PredictionKind
from mlestar.syntax import parse

_MAX_BYTES = 2**20
"""Bytes of a metric file. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class FileFunction:
    """A function in a file, which is executed on first use, in the process that uses it."""

    path: Path
    name: str

    def __call__(self, *values: Any, **keywords: Any) -> float:
        """Return the score as a number."""
        return number(self.function(*values, **keywords), self.name)

    def load(self) -> None:
        """Execute the file.

        Raises:
            UserError: it cannot be imported, or has no such function.
        """
        _ = self.function

    @cached_property
    def function(self) -> Any:
        spec = importlib.util.spec_from_file_location(f"mlestar_metric_{self.path.stem}", self.path)
        if spec is None or spec.loader is None:
            msg = f"metric file {self.path.name!r} is not a Python file"
            raise UserError(msg)
        module = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except (Exception, SystemExit) as error:
            msg = f"metric file {self.path.name!r} cannot be imported: {type(error).__name__}: {error}"
            raise UserError(msg) from error
        function = getattr(module, self.name, None)
        if not callable(function):
            msg = f"metric file {self.path.name!r} has no function {self.name!r} after it was imported"
            raise UserError(msg)
        return function


def number(score: object, name: str) -> float:
    """Return what a metric's function returned as a finite number.

    Raises:
        ValueError: it is none.
    """
    try:
        value = float(score)  # type: ignore[arg-type]  # it may be anything
    except (TypeError, ValueError, OverflowError):
        value = math.nan
    if isinstance(score, str) or not math.isfinite(value):
        msg = f"{name} returned {repr(score)[:80]}, which is no finite number"
        raise ValueError(msg)
    return value


def read_metric_file(name: str, folder: Path, direction: Direction | None, kind: PredictionKind | None) -> Metric:
    """Return the metric `file.py:function`, without executing the file.

    Args:
        name: of the file inside `folder`, and of a function that it defines with `def`.
        folder: of the task.
        direction: what the user set elsewhere; without it the file must state it.
        kind: what the user set elsewhere; else what the file states, and `value` without either.

    Raises:
        UserError: the file cannot be read, or does not state what is needed.
    """
    file, _, attribute = name.rpartition(":")
    path = _find_file(file, folder)
    tree = _parse(path, file)
    definition = _find_function(tree, file, attribute)
    stated = _constant(tree, "direction", get_args(Direction), file) or direction
    if stated is None:
        msg = f"metric {name!r} needs a direction: set direction = 'maximize' or 'minimize', in task.toml or in {file}"
        raise UserError(msg)
    kind = kind or _constant(tree, "prediction_kind", get_args(PredictionKind), file) or "value"
    parameters = definition.args
    names = [item.arg for item in (*parameters.posonlyargs, *parameters.args, *parameters.kwonlyargs)]
    function = FileFunction(path, attribute)
    metric = Metric.from_callable(function, stated, kind, name=name, takes_rows="rows" in names)
    return replace(metric, folder=folder, load=function.load)


def stated_kind(name: str, folder: Path) -> PredictionKind | None:
    """Return the kind of predictions that a metric file states, None where it states none."""
    file = name.rpartition(":")[0]
    kind: PredictionKind | None = _constant(
        _parse(_find_file(file, folder), file), "prediction_kind", get_args(PredictionKind), file
    )
    return kind


def _find_file(file: str, folder: Path) -> Path:
    path = (folder / file).resolve()
    if not path.is_relative_to(folder.resolve()) or not path.is_file():
        msg = f"metric file {file!r} is not a file inside {folder}"
        raise UserError(msg)
    if path.stat().st_size > _MAX_BYTES:
        msg = f"metric file {file!r} has more than {_MAX_BYTES:,} bytes: keep data in a file beside it"
        raise UserError(msg)
    return path


def _parse(path: Path, file: str) -> ast.Module:
    try:
        return parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        detail = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = f"metric file {file!r} is not valid Python: {detail}"
        raise UserError(msg) from None


def _find_function(tree: ast.Module, file: str, name: str) -> ast.FunctionDef:
    for node in reversed(tree.body):
        if isinstance(node, ast.FunctionDef) and node.name == name:
            return node
    msg = f"metric file {file!r} has no function {name!r}: write it at the top level as def {name}(truth, predicted):"
    raise UserError(msg)


def _constant(tree: ast.Module, name: str, choices: tuple[Any, ...], file: str) -> Any:
    """Return what a top-level assignment of a text sets, None without one."""
    value: ast.expr | None = None
    for node in tree.body:
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign):
            targets = [node.target]
        else:
            continue
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            value = node.value
    if value is None:
        return None
    if isinstance(value, ast.Constant) and value.value in choices:
        return value.value
    listed = ", ".join(f'"{choice}"' for choice in choices)
    msg = f'metric file {file!r}: {name} must be one of {listed}, written out, as in {name} = "{choices[0]}"'
    raise UserError(msg)
