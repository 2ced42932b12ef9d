"""Writing a script for tables whose main content is text."""

from pathlib import Path

from mlestar.data.tables.table import SUFFIXES, table_suffix
from mlestar.offline.facts import Facts
from mlestar.offline.recipe import Model
from mlestar.offline.rendering import finish, render, sort_imports
from mlestar.offline.tables.columns import treat_columns
from mlestar.offline.tables.recipes import find_unused as find_unused_columns
from mlestar.offline.tables.recipes import table_values

_MAIN_WORDS = 8.0
"""Mean number of words from which a column of texts is the main content. Chosen by judgement; not measured."""
_FEW_OTHERS = 3
"""Other columns up to which any column of texts is the main content. Chosen by judgement; not measured."""
_TABLE_MODEL = Model("linear", (), ())
"""A model of tables, which the model for texts replaces in the script."""
_FEW_LABELS = 4
"""Labels of a multilabel task up to which all models are fitted for each label. Chosen by judgement; not measured."""
_CHARACTERS, _MOST_CHARACTERS, _ALL_CHARACTERS = 5_000, 50_000, 6_000_000
"""Characters that are used: at least of each text, at most of each text, and of all texts together. Chosen by
judgement; not measured."""
_MINIMIZE = "from scipy.optimize import minimize"
_HISTOGRAM = "from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor"


def suits(facts: Facts) -> bool:
    """Return whether the main content of the tables is text."""
    spec = facts.spec
    if not all(table_suffix(Path(name)) in SUFFIXES for name in (spec.train, spec.test)):
        return False
    texts = treat_columns(facts).texts
    words = [column.words for column in facts.test_columns if column.name in texts]
    others = len(facts.test_columns) - len(words)
    has_texts = bool(words) or facts.spec.id in texts
    return has_texts and (others <= _FEW_OTHERS or max(words, default=0) >= _MAIN_WORDS)


def is_usable(facts: Facts, model: Model) -> bool:
    """Return True, as every model can be used."""
    return True


def find_unused(facts: Facts, script: str) -> list[str]:
    """Return the columns and joinable tables that a script does not mention."""
    return find_unused_columns(facts, script)


def write_script(facts: Facts, model: Model, title: str) -> str:
    """Return a whole script for the task with one model; the fast model `words` where a row has many labels."""
    values = table_values(facts, _TABLE_MODEL, title)
    labels = max(len(values["labels"]), values["targets"])
    name = "words" if values["multilabel"] and labels > _FEW_LABELS else model.name
    has_lightgbm = "lightgbm" in facts.packages
    values["longest"] = int(min(max(_CHARACTERS, _ALL_CHARACTERS // max(facts.spec.train_rows, 1)), _MOST_CHARACTERS))
    values["booster"] = "lightgbm" if has_lightgbm else "histogram"
    lines = {*values["imports"], *model.imports}
    if name == "blend":
        lines |= {_MINIMIZE, "import lightgbm" if has_lightgbm else _HISTOGRAM}
    values["imports"] = sort_imports(lines)
    values["model"] = render(f"text/models/{name}.py.jinja", values)
    return finish(render("tables/script.py.jinja", values))
