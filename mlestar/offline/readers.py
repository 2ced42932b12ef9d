"""How the tables of a task are read: the values for a script's reader, which has only the code that it needs."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mlestar.data.tables.table import table_suffix, usual_delimiter
from mlestar.offline.facts import Facts

_FORMS = {
    ".csv": "delimited",
    ".tsv": "delimited",
    ".parquet": "parquet",
    ".json": "json",
    ".jsonl": "json lines",
    ".ndjson": "json lines",
}


def reader_values(facts: Facts, tables: Iterable[str]) -> dict[str, Any]:
    """Return the values of the template `reading.py.jinja`.

    Args:
        facts: of the prompt.
        tables: names of the tables that the script reads; folders and arrays among them are left out.
    """
    forms = {name: form for name in tables if (form := _FORMS.get(table_suffix(Path(name))))}
    delimiters = {name: find_delimiter(facts, name) for name, form in forms.items() if form == "delimited"}
    different = set(delimiters.values())
    return {
        "forms": sorted(set(forms.values())),
        "nested": any(facts.files[name].nested for name in forms if name in facts.files),
        "zipped": any(form.startswith("json") and name.lower().endswith(".gz") for name, form in forms.items()),
        "delimiters": delimiters if len(different) > 1 else {},
        "delimiter": different.pop() if len(different) == 1 else ",",
    }


def find_delimiter(facts: Facts, name: str) -> str:
    """Return the delimiter of a delimited file."""
    if name == facts.spec.sample_submission:
        return facts.spec.submission_delimiter
    file = facts.files.get(name)
    return file.delimiter if file else usual_delimiter(name)


def separator_argument(delimiter: str) -> str:
    """Return the argument of `read_csv` for a delimiter; empty for a comma."""
    return "" if delimiter == "," else f", sep={delimiter!r}"


def tables_of(facts: Facts, joins: Iterable[str] = ()) -> list[str]:
    """Return the tables that a script reads: train, test, labels, joined tables, and the sample where it is needed."""
    labels = [facts.labels_file.file] if facts.labels_file else []
    sample = [facts.spec.sample_submission] if facts.cut_predictions and facts.spec.sample_submission else []
    return [facts.spec.train, facts.spec.test, *labels, *joins, *sample]
