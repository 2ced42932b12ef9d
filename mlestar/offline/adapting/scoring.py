"""The score line of a script that has none: the script is executed again on part of train and predicts the rest.

This works for every script, and scores no row on which a model was fitted.
"""

import re
from typing import Any

from mlestar.errors import UserError
from mlestar.offline.facts import Facts
from mlestar.offline.metrics import Objective, find_objective
from mlestar.offline.rendering import render

SCORE_MARK = "# --- The score: "
"""The beginning of the first added line."""
SCORE_LINE = "Final Validation Performance"
_TABLES = re.compile(r"\.(?:csv|tsv|txt)(?:\.(?:gz|bz2|xz|zip))?$")
_RULES = frozenset({"likeliest", "threshold", "prior", "cuts", "positive", "probabilities", "values", "quantile"})
"""Decision rules whose predictions can be read from a submission."""
_UNKNOWN = f'''
# The host scores the submission; the script has no score of its own.
print("{SCORE_LINE}: nan")
'''


def add_score(script: str, facts: Facts) -> str:
    """Return the script with the line of its score at the end; `nan` where none can be computed."""
    if SCORE_LINE in script:
        return script
    values = _values(facts)
    ending = _UNKNOWN if values is None else "\n\n" + render("start_score.py.jinja", values)
    return f"{script.rstrip()}\n{ending}"


def _values(facts: Facts) -> dict[str, Any] | None:
    """Return the values of the template; None where the rows of the task cannot be split as tables."""
    spec = facts.spec
    if not spec.has_test or not _TABLES.search(spec.train) or not _TABLES.search(spec.test or ""):
        return None
    if spec.train not in facts.files or facts.labels_file is not None or facts.cut_predictions or facts.cut_classes:
        return None
    try:
        objective = find_objective(facts)
    except (UserError, KeyError, IndexError):
        return None
    if objective.rule not in _RULES or (objective.multilabel and spec.prediction_kind != "value"):
        return None
    classify = (
        objective.classify or objective.rule == "cuts"
    )  # grades are classes, also where a regression predicts them
    if classify and not spec.classes:
        return None
    train, test = facts.files[spec.train], facts.files.get(spec.test or "")
    return {
        "train": spec.train,
        "test": spec.test,
        "sample": spec.sample_submission,
        "delimiters": [train.delimiter or ",", (test.delimiter if test else "") or ","],
        "submission_delimiter": spec.submission_delimiter,
        "submission_decimal": spec.submission_decimal,
        "targets": list(spec.target),
        "train_only": list(spec.train_only),
        "predicted": list(spec.prediction_columns),
        "id": spec.id,
        "classes": list(spec.classes),
        "positive": spec.pos_label,
        "classify": classify,
        "single": objective.rule == "positive",
        "labels": spec.prediction_kind in ("label", "text"),
        "code": _code(objective),
        "split": facts.split,
        "split_code": facts.split.code,
        "seed": facts.environment.get("seed", 0),
    }


def _code(objective: Objective) -> str:
    """Return the body of `score`; the grades of an ordinal target are treated as classes."""
    return re.sub(
        r"^names = .*grade_numbers\(y\).*$", "names = np.asarray(CLASSES)[y]", objective.code, flags=re.MULTILINE
    )
