"""Which file is train, test and sample submission: inferred from file names, then from columns."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from mlestar.data.folder import TaskFolder, check_name
from mlestar.data.layouts.sources import TableCache
from mlestar.data.layouts.weights import without_weights
from mlestar.data.overrides import Overrides
from mlestar.data.tables import is_table

ROLES = ("train", "test", "sample_submission")
_TRAIN = {"train", "training", "labeled", "labelled"}
_TEST = {"test", "testing", "unlabeled", "unlabelled", "holdout"}
_SAMPLE = {"sample", "example", "format", "template"}
LABEL_WORDS = {"labels", "label", "y", "target", "targets", "answers", "outcomes"}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def find_roles(folder: TaskFolder, overrides: Overrides, tables: TableCache) -> dict[str, str]:
    """Return the file of each role that is set or suggested by names, else by columns; roles without one are absent.

    Raises:
        TaskError: a file that a person named does not exist.
    """
    settings = {role: getattr(overrides, role) for role in ROLES}
    names = {role: check_name(name, role, folder) for role, name in settings.items() if name}
    for role, name in _rank_by_name(folder):
        if name not in names.values():
            names.setdefault(role, name)
    if not {"train", "test"} <= set(names):
        names |= _pair_by_columns(folder, tables, names)
    if "sample_submission" not in names and (sample := _sample_by_columns(folder, tables, names)):
        names["sample_submission"] = sample
    return names


def role_of_name(name: str) -> str | None:
    """Return the role that a file's name suggests."""
    words = file_words(name)
    if "submission" in "".join(words) or words[:1] == ["sample"]:
        return "sample_submission"
    if _TEST & set(words):
        return "test"
    return "train" if _TRAIN & set(words) else None


def file_words(name: str) -> list[str]:
    """Return the words of a file's name in lower case, without its folder and suffixes."""
    stem = PurePosixPath(name).name.split(".")[0]
    return [word.lower() for word in _WORD.findall(stem)]


def _rank_by_name(folder: TaskFolder) -> Iterator[tuple[str, str]]:
    """Yield (role, file) by names, the likeliest file of a role first: tables, then short plain names near the top."""
    files = without_weights(folder.files, kept=_TRAIN | _TEST)
    entries = dict.fromkeys(name.split("/")[0] for name in files)
    tables = [name for name in files if is_table(folder.input / name)]
    ranked = sorted(tables, key=lambda name: (name.count("/"), not _is_sample(name), _has_labels(name), len(name)))
    others = [name for name in (*entries, *files) if name not in set(tables)]
    for name in (*ranked, *others):
        role = role_of_name(name)
        if role and (role != "sample_submission" or name in tables):
            yield role, name


def _is_sample(name: str) -> bool:
    """Return whether a name says that the file is a sample, not somebody's submission."""
    return bool(_SAMPLE & set(file_words(name)))


def _has_labels(name: str) -> bool:
    """Return whether a name says that the file holds labels, so that another one holds the rows."""
    return bool(LABEL_WORDS & set(file_words(name)))


def _pair_by_columns(folder: TaskFolder, tables: TableCache, names: dict[str, str]) -> dict[str, str]:
    """Return the pair with the most columns in common of which train has every column of test and more."""
    readable = [name for name in folder.files if name != names.get("sample_submission") and tables.is_readable(name)]
    columns = {name: set(tables.get(name).columns) for name in readable}
    pairs: list[tuple[int, str, str]] = []
    for train in readable:
        for test in readable:
            fits = names.get("train", train) == train and names.get("test", test) == test
            if fits and columns[test] < columns[train]:
                pairs.append((len(columns[test]), train, test))
    if not pairs:
        return {}
    _, train, test = max(pairs)
    return {"train": train, "test": test}


def _sample_by_columns(folder: TaskFolder, tables: TableCache, names: dict[str, str]) -> str | None:
    """Return a table with a row for each row of test, an id, and only columns that test lacks and train has.

    One without a telling name has the same prediction in every row: others may be the answers.
    """
    if not all(role in names and is_table(folder.input / names[role]) for role in ("train", "test")):
        return None
    train, test = tables.get(names["train"]), tables.get(names["test"])
    candidates = set(train.columns) - set(test.columns)
    for name in folder.entries:
        if name in names.values() or not tables.is_readable(name):
            continue
        table = tables.get(name)
        shared = [column for column in table.columns if column in test.columns]
        predictions = [column for column in table.columns if column not in shared]
        if len(shared) != 1 or len(table) != len(test) or not set(predictions) <= candidates:
            continue
        if all(table.frame[column].nunique() == 1 for column in predictions):
            return name
    return None
