"""Writing a script that predicts pictures from pictures: each pixel is a row."""

import re
from typing import Any

from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.offline.facts import Facts
from mlestar.offline.recipe import Model
from mlestar.offline.rendering import finish, render
from mlestar.offline.tables.recipes import table_values

_PIXELS_PER_SECOND = 2000
"""Pixels to fit on per second of a script's time limit. Measured on documents: with a limit of 120 seconds, fits took 1
to 2 seconds."""
_PIXELS = (40_000, 600_000)
"""Fewest and most pixels to fit on. Chosen by judgement; not measured."""

_FOLDS = 2
"""Every fold predicts all pixels of test, which takes most of the time. Measured on generated documents: two folds with
twice the pixels had the same error as five folds."""


def suits(facts: Facts) -> bool:
    """Return whether each picture of train has another picture as its answer."""
    return facts.spec.layout == "file to file"


def write_script(facts: Facts, model: Model, title: str) -> str:
    """Return a whole script for the task with one model."""
    values = _values(facts, model, title)
    values["model"] = render(f"pictures_to_pictures/models/{model.name}.py.jinja", values)
    return finish(render("pictures_to_pictures/script.py.jinja", values))


def _values(facts: Facts, model: Model, title: str) -> dict[str, Any]:
    """Return the values of the templates: those of tables, as a pixel is a row; a picture stays on one side."""
    note = facts.spec.layout_note
    # The model of a table is not used: the caller replaces it.
    values = table_values(facts, Model("linear", model.imports, model.words), title)
    answers = re.search(r"the picture of the same name in (.+?)/; predict it", note)
    low, high = _PIXELS
    return values | {
        "folds": _FOLDS,
        "answers": answers[1] if answers else "",
        "by_columns": "column by column" in note,
        "top": 255 if "to 255 (white)" in note else 1,
        "pixels": int(min(max(_PIXELS_PER_SECOND * facts.seconds, low), high)),
        "imports": [line for line in values["imports"] if "Fold" not in line],
        "split": SplitPlan(kind="group", column="picture", fraction=facts.split.fraction),
        "grouped": True,
        "group_code": "cells",
        "units_code": "",
        "trend": False,
        "stratify": False,
    }
