"""What a script imports before it does anything else: that, and no more, may be imported ahead of it."""

import ast
import sys

HEAVY = frozenset(
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
"""Packages that are worth importing ahead."""


def leading_imports(script: str) -> tuple[str, ...]:
    """Return the modules of heavy packages that a script imports before its first other statement, in its order.

    Whatever stands before an import may change it (a thread count in the environment, a filter of warnings), so the
    list ends at the first statement that is no import of a heavy package or of the standard library.
    """
    try:
        body = ast.parse(script).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two from nesting
        return ()
    found: list[str] = []
    for node in body:
        names = _imported(node)
        if names is None or any(name.partition(".")[0] not in HEAVY | sys.stdlib_module_names for name in names):
            break
        found += names
    return tuple(dict.fromkeys(name for name in found if name.partition(".")[0] in HEAVY))


def _imported(node: ast.stmt) -> list[str] | None:
    """Return the modules that a statement imports, None when it does anything else."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module and not node.level:
        return [node.module]
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):  # a docstring
        return []
    return None
