"""Where the signals are if each row has a file: a table of readings or an array, named by a column."""

import re
from dataclasses import dataclass

from mlestar.offline.facts import Facts

_SUFFIX = re.compile(r"\.(?:npy|npz|csv|tsv|txt|dat|parquet)$", re.IGNORECASE)
_MAY_BE_TEXTS = frozenset({".txt", ".dat"})
_FOLDERS = re.compile(r"files named by its column '([^']*)': of train in ([^,;]*)/, of test in ([^,;]*)/")
_SHOWN = re.compile(r"^([^:\n]*)/: [^\n]*?([\d,]+) files?, e\.g\. ([^\n]*)$", re.MULTILINE)


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
        if not paths and (folder := _folder_of_ids(facts)):
            column, train, test = spec.id or "", folder, folder
            suffixes = _shown_suffixes(facts, (folder,))
    if not suffixes or (_MAY_BE_TEXTS & {*suffixes} and (facts.test_columns or spec.modality == "text")):
        return None
    if spec.layout != "labelled files":
        return Recordings(column, column, train, test, spec.test, suffixes)
    return Recordings(column, spec.id or column, train, test, spec.sample_submission or "files", suffixes)


def _folder_of_ids(facts: Facts) -> str:
    """Return the folder whose files are named by the ids of train and test; empty without one."""
    column = facts.column(facts.spec.id or "")
    shapes = {_shape(example) for example in column.examples} if column else set()
    folders = [
        folder
        for folder, count, names in _SHOWN.findall(facts.text("files"))
        if int(count.replace(",", "")) >= facts.spec.train_rows
        and all({_shape(name), _shape(_SUFFIX.sub("", name))} & shapes for name in names.strip().split(", "))
    ]
    return folders[0] if len(folders) == 1 else ""


def _shape(name: str) -> str:
    """Return a name with each number replaced by 0, so that names which differ only in numbers become equal."""
    return re.sub(r"\d+", "0", name)


def _shown_suffixes(facts: Facts, folders: tuple[str, ...]) -> tuple[str, ...]:
    """Return the suffixes of the files that the prompt shows of the folders; none where one holds no numbers."""
    shown = [
        name
        for folder, _, names in _SHOWN.findall(facts.text("files"))
        if folder in folders
        for name in names.split(", ")
    ]
    return _suffixes_of(shown)


def _suffixes_of(names: tuple[str, ...] | list[str]) -> tuple[str, ...]:
    found = [_SUFFIX.search(name.strip()) for name in names]
    return tuple(sorted({match[0].lower() for match in found if match})) if found and all(found) else ()
