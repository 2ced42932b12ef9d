"""Which columns the simple model reads, and how."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mlestar.baselines.reasons import NoBaselineError
from mlestar.data.statistics import ColumnStatistics, FileStatistics
from mlestar.data.tables.numbers import NumberStyle
from mlestar.metrics.spec import TaskSpec

_MIN_WORDS = 3.0
"""Mean number of words from which a column of many different values is text. Chosen by judgement; not measured."""
_MANY_VALUES = 50
"""Different values from which such a column is no category. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Columns:
    """The columns that train and test have in common, by how they are read."""

    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    dates: tuple[str, ...]
    texts: tuple[str, ...]
    formats: dict[str, tuple[str, str, tuple[str, ...]]] = field(default_factory=dict)
    """Of columns of numbers that are not written plainly: decimal mark, pattern of marks between thousands, and the
    other texts that are removed."""
    date_formats: dict[str, str] = field(default_factory=dict)
    codes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Codes for missing values by column."""

    @property
    def count(self) -> int:
        return len(self.numbers) + len(self.categories) + len(self.dates) + len(self.texts)

    def __str__(self) -> str:
        kinds = [("number", "numbers", self.numbers), ("category", "categories", self.categories)]
        kinds += [("date", "dates", self.dates), ("text", "texts", self.texts)]
        counts = [f"{len(names)} {one if len(names) == 1 else many}" for one, many, names in kinds if names]
        return ", ".join(counts)


def find_columns(spec: TaskSpec, statistics: Sequence[FileStatistics]) -> Columns:
    """Return the columns to read; ids, paths and columns without a value are left out.

    Raises:
        NoBaselineError: train and test are no tables, or have no such column in common.
    """
    files = {file.file: file for file in statistics}
    train, test = files.get(spec.train), files.get(spec.test)
    if train is None or test is None or not train.columns or not test.columns:
        msg = f"none for data of this kind ({spec.modality}): train and test are no tables"
        raise NoBaselineError(msg)
    shared = {column.name for column in test.columns} - {spec.id, *spec.target, *spec.train_only}
    columns = [column for column in train.columns if column.name in shared]
    texts = tuple(column.name for column in columns if _is_text(column))
    found = Columns(
        numbers=tuple(column.name for column in columns if column.kind in ("int", "float")),
        categories=tuple(
            column.name for column in columns if column.kind in ("category", "bool") and column.name not in texts
        ),
        dates=tuple(column.name for column in columns if column.kind == "date"),
        texts=texts,
        formats={**_number_formats(columns), **_styles(spec.number_formats)},
        date_formats={column.name: column.date_format for column in columns if column.date_format},
        codes={column.name: column.missing_codes for column in columns if column.missing_codes},
    )
    if not found.count:
        msg = f"none for data of this kind ({spec.modality}): no column of numbers, categories, dates or texts"
        raise NoBaselineError(msg)
    return found


def find_labels(spec: TaskSpec, statistics: Sequence[FileStatistics]) -> tuple[str, str | None]:
    """Return the table of the targets where they are not in train, and the column by which its rows are found.

    The name is empty where train has the targets; the column is None where both tables are in the same order.

    Raises:
        NoBaselineError: no table has the targets.
    """
    train = next(file for file in statistics if file.file == spec.train)
    names, targets = {column.name for column in train.columns}, set(spec.target)
    if targets <= names:
        return "", None
    apart = (spec.train, spec.test, spec.sample_submission)
    for file in statistics:
        if file.file not in apart and targets <= {column.name for column in file.columns}:
            shared = [column.name for column in file.columns if column.name in names]
            return file.file, spec.id if spec.id in shared else next(iter(shared), None)
    msg = "no table has the targets"
    raise NoBaselineError(msg)


def _is_text(column: ColumnStatistics) -> bool:
    long = column.words >= _MIN_WORDS and column.distinct > _MANY_VALUES
    return column.kind == "text" or (column.kind == "category" and long)


def _number_formats(columns: Sequence[ColumnStatistics]) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    return _styles({column.name: column.number_format for column in columns if column.number_format})


def _styles(texts: dict[str, str]) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    styles = {name: NumberStyle.of_text(text) for name, text in texts.items()}
    return {name: (style.decimal, style.grouping, style.dropped) for name, style in styles.items()}
