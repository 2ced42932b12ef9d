"""Where the signals of a task's rows are that have a file each: tables of readings or arrays, named by a column."""

import re
from dataclasses import dataclass

from mlestar.offline.facts import Facts

_SUFFIX = re.compile(r"\.(?:npy|npz|csv|tsv|txt|dat|parquet)$", re.IGNORECASE)
_MAY_BE_TEXTS = frozenset({".txt", ".dat"})
_FOLDERS = re.compile(r"files named by its column '([^']*)': of train in ([^,;]*)/, of test in ([^,;]*)/")
_SHOWN = re.compile(r"^([^:]*)/: [^\n]*? files?, e\.g\. ([^\n]*)$", re.MULTILINE)


@dataclass(frozen=True)
class Recordings:
    """Where the files of the rows are."""

    train_column: str
    """The column of train that names a file."""
    test_column: str
    train_folder: str
    """Below which the files of train are; empty for the input folder."""
    test_folder: str
    test_rows: str
    """The table that lists the rows to predict; `files` where the files of the test folder do."""
    suffixes: tuple[str, ...]


def find_recordings(facts: Facts) -> Recordings | None:
    """Return where the files of the rows are; None where rows have none, or none of numbers."""
    spec = facts.spec
    match = _FOLDERS.search(spec.layout_note)
    if match:
        column, train, test = match.groups()
        suffixes = _shown_suffixes(facts, (train, test))
    else:
        paths = [name.name for name in facts.test_columns if name.kind == "path"]
        column, train, test = next(iter(paths), ""), "", ""
        found = facts.column(column)
        suffixes = _suffixes_of(found.examples if found else ())
    if not suffixes or (_MAY_BE_TEXTS & {*suffixes} and (facts.test_columns or spec.modality == "text")):
        return None
    if spec.layout != "labelled files":
        return Recordings(column, column, train, test, spec.test, suffixes)
    return Recordings(column, spec.id or column, train, test, spec.sample_submission or "files", suffixes)


def _shown_suffixes(facts: Facts, folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the suffixes of the files that the prompt shows of the folders; none where one holds no numbers."""
    shown = [
        name for folder, names in _SHOWN.findall(facts.text("files")) if folder in folders for name in names.split(", ")
    ]
    return _suffixes_of(shown)


def _suffixes_of(names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    found = [_SUFFIX.search(name.strip()) for name in names]
    return tuple(sorted({match[0].lower() for match in found if match})) if found and all(found) else ()
