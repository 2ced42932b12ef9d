"""The values that templates of scripts for sounds and for arrays of signals have in common."""

from typing import Any

from mlestar.offline.facts import Facts
from mlestar.offline.readers import separator_argument
from mlestar.offline.recipe import Model
from mlestar.offline.tables.recipes import plain_names, task_values

_OF_TEXTS = ("TruncatedSVD", "TfidfVectorizer")
"""Imports for columns of texts, which scripts for signals do not use."""


def signal_values(facts: Facts, model: Model, title: str, used: set[str]) -> dict[str, Any]:
    """Return the values of a script's template.

    Args:
        facts: of the prompt.
        model: the model of the script.
        title: the first line of the script.
        used: columns that are not features themselves: they name files or contain signals.
    """
    values = task_values(facts, model, title)
    columns = values["columns"]
    others = {column.name for column in facts.test_columns} - {*used, facts.spec.id, facts.split.column}
    imports = [line for line in values["imports"] if not line.endswith(_OF_TEXTS)]
    return {
        **values,
        "imports": imports,
        "numbers": _named([name for name in columns.numbers if name in others]),
        "categories": _named([name for name in columns.categories if name in others]),
        "sample_separator": separator_argument(facts.spec.submission_delimiter),
    }


def _named(columns: list[str]) -> dict[str, str]:
    """Return the columns with the names that they have in a script's feature table."""
    return {column: f"column_{name}" for column, name in plain_names(columns).items()}
