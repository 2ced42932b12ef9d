"""The imports at the beginning of a script: only these may be imported before the script is known."""

import ast
import sys

from mlestar.syntax import parse

HEAVY_PACKAGES = frozenset(
    {
        "catboost",
        "lightgbm",
        "matplotlib",
        "numpy",
        "optuna",
        "pandas",
        "polars",
        "pyarrow",
        "scipy",
        "seaborn",
        "sklearn",
        "statsmodels",
        "torch",
        "torchvision",
        "transformers",
        "xgboost",
    }
)
"""Packages that take long to import."""


def leading_imports(script: str) -> tuple[str, ...]:
    """Return the modules of heavy packages that a script imports before its first other statement, in its order.

    Any statement before an import may change its effect (a thread count in the environment, a filter of warnings), so
    the list ends at the first one that imports neither a heavy package nor the standard library.
    """
    try:
        body = parse(script).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two come from deep nesting
        return ()
    modules: list[str] = []
    for node in body:
        names = _imported_names(node)
        if names is None or not {_package(name) for name in names} <= HEAVY_PACKAGES | sys.stdlib_module_names:
            break
        modules += names
    return tuple(dict.fromkeys(name for name in modules if _package(name) in HEAVY_PACKAGES))


def _package(module: str) -> str:
    return module.partition(".")[0]


def _imported_names(node: ast.stmt) -> list[str] | None:
    """Return the modules that a statement imports, None when it does anything else."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
        return []
    return None
