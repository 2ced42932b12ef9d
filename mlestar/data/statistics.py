"""What every file of a task holds, column by column."""

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlestar.data.kinds import MISSING as MISSING
from mlestar.data.kinds import ColumnKind as ColumnKind
from mlestar.data.missing import NO_RULES, ColumnCodes, MissingRules, Source, equals_code, is_word, parse_numbers
from mlestar.data.tables import Table
from mlestar.data.tables.dates import find_date_format
from mlestar.data.tables.lists import find_separator
from mlestar.data.tables.numbers import PLAIN, NumberStyle, file_decimal, find_style

_MISSING = frozenset(MISSING)
LARGEST = 512 * 2**20
"""Bytes of an auxiliary file beyond which it is not opened to be described. Chosen by judgement; not measured."""

# The limits below were chosen by judgement; none was measured.
_MAX_ROWS = 100_000
"""Rows of a table that are described; of a larger one an even sample."""
_MAX_CELLS = 5_000_000
"""Cells of a table that are described: of a wide table fewer rows."""
_BLOCK_CELLS = 500_000
"""Cells that are held as Python texts at once."""
_MIN_ROWS = 1000
"""Rows that are described however wide a table is."""
_MAX_DEPTH = 4
"""Levels of nested JSON objects that become columns."""
_MAX_CELL = 120
"""Characters of an example."""
_EXAMPLES = 5
_FEW_VALUES = 20
"""Different values up to which all of them are examples, with their shares."""
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_MAX_VALUES = 2000
"""Different values of a column that are looked at, the most common ones."""
_UNIQUE_SHARE = 0.98
"""Different values per cell from which a column counts as unique: a few repeats are taken for errors."""
_TEXT_WORDS = 4
_TEXT_CHARACTERS = 60
"""Mean words or characters of a value from which a column is text."""
_ID_WORDS = 1.5
"""Mean words of a value below which a unique column is an id."""

_MAY_BE_LISTS = ("category", "id", "json", "text")

_DATE = re.compile(
    r"(?:\d{4}-\d{2}|\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4})(?:[T ]\d{1,2}:\d{2}.*)?"
    r"|\d{14}Z?|\d{8}T\d{4,6}Z?"
)
_ISO = re.compile(r"\d{4}[-/.]\d{2}|\d{14}|\d{8}T")
_INT = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)
_DIGIT = re.compile(r"\d|^[+-]?inf", re.IGNORECASE)
_PATH = re.compile(r"[^\s]+\.[A-Za-z0-9]{2,5}")
_ID_NAME = re.compile(r"(?:^|[_\W])(?:id|key|uuid|index|no)$|Id$|ID$|^(?:id|uuid)(?:[_\W]|$)", re.ASCII)


class ColumnStatistics(BaseModel):
    """One column; a field of a nested JSON object is the column `outer.inner`."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: ColumnKind
    distinct: int
    """Different values, without missing ones."""
    missing: float = 0.0
    """Share of cells that are absent, read as missing, or hold a code for a missing value."""
    missing_codes: tuple[str, ...] = ()
    """Values that stand for missing ones, as they are spelled in the cells; the other figures are without them."""
    coded: float = 0.0
    """Share of cells that hold such a code."""
    codes_from: Source | None = None
    """How the codes were recognised."""
    minimum: str | None = None
    """Of numbers and of dates that sort as text."""
    maximum: str | None = None
    examples: tuple[str, ...] = ()
    """The most common values, the most frequent first."""
    shares: tuple[float, ...] = ()
    """Shares of the examples among the cells that are not missing: of a target, the class balance. Only where they
    mean something: few values, or categories."""
    quantiles: tuple[float, ...] = ()
    """5 %, 25 %, 50 %, 75 % and 95 % of numbers with many values."""
    words: float = 0.0
    """Mean number of words of text."""
    number_format: str = ""
    """How the number 1234.5 is written here, such as `1.234,5` or `$1,234.5`; empty for plain numbers."""
    date_format: str = ""
    """Format of dates that begin with the day or the month, such as `%d.%m.%Y`, decided over the whole column."""
    list_separator: str = ""
    """What separates the items of cells that are lists of a few values, such as tags."""
    doubt: str = ""
    """Why the number or date format is a guess; empty when it is not."""
    shared_with: tuple[str, ...] = ()
    """Columns of the train file, as `file:column`, whose values (or the dates in them) are in this column."""


class FileStatistics(BaseModel):
    """One file or folder of the input."""

    model_config = ConfigDict(frozen=True)

    file: str
    size: int
    """Bytes; of a folder, of all its files."""
    rows: int | None = None
    """None when it is not a table."""
    delimiter: str = ""
    """What is between the cells of a delimited file; empty for other formats."""
    nested: tuple[str, ...] = ()
    """Columns whose cells are JSON objects; `columns` has their fields in their place."""
    columns: tuple[ColumnStatistics, ...] = ()
    records: tuple[tuple[str, ...], ...] = ()
    """The first two records, cells in the order of `columns`, long ones cut."""
    sampled: bool = False
    """The columns are described from an even sample of the rows."""
    note: str = ""
    """A description of a file that is not a table, or why it could not be read."""


def table_statistics(
    name: str,
    table: Table,
    rows: np.ndarray | None = None,
    rules: MissingRules = NO_RULES,
    also: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> FileStatistics:
    """Describe a table, or only these rows of it.

    Args:
        name: the name of its file.
        table: the table.
        rows: row numbers, None for all.
        rules: what is known of codes for missing values.
        also: values of columns in another file, which have a say in how numbers and dates are written.
    """
    count = len(table) if rows is None else len(rows)
    sample = _sample(count, len(table.columns))
    chosen = sample if rows is None else rows[sample]
    frame = table.frame.iloc[chosen] if len(chosen) < len(table) else table.frame
    decimal, delimiter = file_decimal(frame, MISSING), table.delimiter
    columns: dict[str, ColumnStatistics] = {}
    heads: dict[str, list[str]] = {}
    for column, cells in _flat_columns(frame):
        columns[column] = column_statistics(column, cells, rules, decimal, delimiter, also.get(column, ()))
        heads[column] = [cell[:_MAX_CELL] for cell in cells[:2]]
    return FileStatistics(
        file=name,
        size=table.path.stat().st_size,
        rows=len(table),
        delimiter=delimiter,
        nested=tuple(name for name in map(str, frame.columns) if name not in columns),
        columns=tuple(columns.values()),
        records=tuple(zip(*heads.values(), strict=True)),
        sampled=len(sample) < count,
    )


def describe_tables(
    tables: Mapping[str, Table], labelled: Mapping[str, np.ndarray | None], rules: MissingRules
) -> tuple[FileStatistics, ...]:
    """Describe the tables of a task by name; a column that is not labelled has the codes that it has in train.

    Args:
        tables: the tables, train first.
        labelled: the tables with labelled rows and which of their rows to describe, None for all.
        rules: what is known of codes for missing values in the labelled rows.
    """
    statistics: list[FileStatistics] = []
    known: dict[str, ColumnCodes] = {}
    for name, table in tables.items():
        if name in labelled:
            statistics.append(table_statistics(name, table, labelled[name], rules))
            known |= known_codes(statistics[-1])
        else:
            statistics.append(table_statistics(name, table, rules=MissingRules(known=known, guess=False)))
    return tuple(statistics)


def known_codes(statistics: FileStatistics) -> dict[str, ColumnCodes]:
    """Return the codes of a table's columns by name."""
    return {
        column.name: ColumnCodes(column.missing_codes, column.codes_from)
        for column in statistics.columns
        if column.codes_from is not None
    }


def file_statistics(name: str, path: Path) -> FileStatistics:
    """Describe a file that is not a table."""
    return FileStatistics(file=name, size=path.stat().st_size, note=_describe(path))


def folder_statistics(name: str, folder: Path, files: list[str]) -> FileStatistics:
    size = sum((folder / file).stat().st_size for file in files)
    return FileStatistics(file=f"{name}/", size=size, note=f"{len(files)} files, e.g. {', '.join(files[:3])}")


def array_shapes(path: Path) -> dict[str, tuple[tuple[int, ...], str]]:
    """Return name to (shape, dtype) of a NumPy archive's arrays; empty when it is not one. Never unpickles."""
    if path.suffix.lower() != ".npz" or path.stat().st_size > LARGEST:
        return {}
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: (archive[name].shape, str(archive[name].dtype)) for name in archive.files}
    except Exception:  # a broken archive fails in zipfile, zlib or numpy, each with errors of its own
        return {}


def _describe(path: Path) -> str:
    if arrays := array_shapes(path):
        return "arrays " + ", ".join(f"{name} {shape} {kind}" for name, (shape, kind) in arrays.items())
    try:
        with path.open("rb") as file:
            head = file.read(400)
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    text = head.decode("utf-8", errors="ignore")
    return "" if b"\0" in head or not text.strip() else f"text, begins {text.splitlines()[0][:60]!r}"


def _sample(rows: int, columns: int) -> np.ndarray:
    most = min(_MAX_ROWS, max(_MIN_ROWS, _MAX_CELLS // max(columns, 1)))
    return np.arange(rows) if rows <= most else np.linspace(0, rows - 1, most).astype(int)


def _flat_columns(frame: pd.DataFrame) -> Iterator[tuple[str, list[str]]]:
    """Yield each column and its cells; of a column of JSON objects each field as a column."""
    step = max(1, _BLOCK_CELLS // max(len(frame), 1))
    for start in range(0, frame.shape[1], step):
        block = frame.iloc[:, start : start + step]
        for name, cells in zip(block.columns, block.to_numpy(dtype=object).T.tolist(), strict=True):
            yield from _flatten(str(name), cells, _MAX_DEPTH)


def _flatten(name: str, cells: list[str], depth: int) -> Iterator[tuple[str, list[str]]]:
    if depth and _are_objects(cells):
        for field, values in _fields(name, cells).items():
            yield from _flatten(field, values, depth - 1)
    else:
        yield name, cells


def _are_objects(cells: list[str]) -> bool:
    head = cells[:_MAX_VALUES]
    first = next((cell for cell in head if cell), "")
    return first.startswith("{") and all(_load(cell) is not None for cell in head if cell)


def _load(cell: str) -> dict[str, object] | None:
    if not cell.startswith("{"):
        return None
    try:
        value = json.loads(cell, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _fields(name: str, cells: list[str]) -> dict[str, list[str]]:
    objects = [_load(cell) or {} for cell in cells]
    keys = dict.fromkeys(key for value in objects for key in value)
    return {f"{name}.{key}": [_cell(value.get(key)) for value in objects] for key in keys}


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


@dataclass(frozen=True)
class _Values:
    """The different values of a column that are not missing, the most frequent first, and how often each occurs."""

    values: list[str]
    counts: np.ndarray
    decimal: str = ""
    delimiter: str = ""
    """Of the file, as `find_style` takes them."""
    also: tuple[str, ...] = ()
    """Values that are not counted, but written in the same way."""

    @property
    def total(self) -> int:
        return int(self.counts.sum())

    @cached_property
    def style(self) -> NumberStyle | None:
        """How the numbers are written, words for missing ones left out; None where the others are no numbers."""
        numbers = [value for value in (*self.values, *self.also) if not is_word(value)]
        # Most columns of words are known by their first values.
        if not numbers or not all(_DIGIT.search(value) for value in numbers[:_FEW_VALUES]):
            return None
        if self.decimal != "," and not np.isnan(parse_numbers(numbers)).any():
            return PLAIN
        return find_style(numbers, decimal=self.decimal, delimiter=self.delimiter)

    @cached_property
    def numbers(self) -> np.ndarray:
        """The number of each value, NaN where it is none."""
        if self.style is None:
            return np.full(len(self.values), np.nan)
        if not self.style.text:
            return parse_numbers(self.values)
        return self.style.read(pd.Series(self.values, dtype=object))

    @property
    def numeric(self) -> bool:
        return bool(self.values) and not np.isnan(self.numbers).any()

    def without(self, mask: np.ndarray) -> "_Values":
        values = [value for value, leave_out in zip(self.values, mask, strict=True) if not leave_out]
        return replace(self, values=values, counts=self.counts[~mask])


def _count_values(cells: Iterable[str], decimal: str = "", delimiter: str = "") -> _Values:
    counted = Counter(cells).most_common()
    filled = [(value, count) for value, count in counted if value not in _MISSING and value.strip()]
    counts = np.array([count for _, count in filled], dtype=float)
    return _Values([value for value, _ in filled], counts, decimal, delimiter)


def find_codes(name: str, cells: pd.Series, rules: MissingRules) -> ColumnCodes | None:
    """Return the codes for missing values in a column, from a sample of its cells; None where it has none."""
    column = _count_values(cells.iloc[_sample(len(cells), 1)].tolist())
    return rules.find(name, column.values, column.numbers, column.counts)


def column_statistics(
    name: str,
    cells: Iterable[str],
    rules: MissingRules = NO_RULES,
    decimal: str = "",
    delimiter: str = "",
    also: Sequence[str] = (),
) -> ColumnStatistics:
    """Describe a column from its cells.

    Args:
        name: its name.
        cells: its cells as text.
        rules: what is known of codes for missing values.
        decimal: the decimal mark of its file, as `find_style` takes it.
        delimiter: the delimiter of its file.
        also: values of the same column in another file, which are written in the same way.
    """
    cells = list(cells)
    column = replace(_count_values(cells, decimal, delimiter), also=tuple(also))
    codes = rules.find(name, column.values, column.numbers, column.counts)
    filled = column.total
    if codes is not None:
        column = column.without(equals_code(column.values, codes.codes))
    values, rows = column.values, max(len(cells), 1)
    kind = _column_kind(name, column)
    style = column.style if kind in ("int", "float", "id") and column.numeric else None
    dates = find_date_format([*values, *also]) if kind == "date" else None
    low, high = _range(column, kind)
    few = len(values) <= _FEW_VALUES
    shown = _FEW_VALUES if few else _EXAMPLES
    return ColumnStatistics(
        name=name,
        kind=kind,
        distinct=len(values),
        missing=(len(cells) - column.total) / rows,
        missing_codes=codes.codes if codes else (),
        coded=(filled - column.total) / rows,
        codes_from=codes.source if codes else None,
        minimum=low,
        maximum=high,
        examples=tuple(value[:_MAX_CELL] for value in values[:shown]),
        shares=_shares(column, shown) if kind in ("bool", "category") or _is_code(kind, few) else (),
        quantiles=_number_quantiles(column) if kind in ("int", "float") and not few else (),
        words=_mean_words(values) if kind == "text" else 0.0,
        number_format=style.text if style else "",
        date_format=dates.text if dates else "",
        list_separator=find_separator(values[:_MAX_VALUES]) if kind in _MAY_BE_LISTS else "",
        doubt=dates.guess if dates else style.guess if style else "",
    )


def _is_code(kind: ColumnKind, few: bool) -> bool:
    """Return whether the values of a column of numbers are few enough to be counted one by one."""
    return few and kind in ("int", "float")


def _shares(column: _Values, most: int) -> tuple[float, ...]:
    return tuple(float(f"{count / column.total:.3g}") for count in column.counts[:most])


def _number_quantiles(column: _Values) -> tuple[float, ...]:
    """Return the quantiles of numbers, from how often each of them occurs."""
    if not np.isfinite(column.numbers).all():
        return ()
    order = np.argsort(column.numbers)
    cumulated = np.cumsum(column.counts[order])
    positions = np.searchsorted(cumulated, np.array(_QUANTILES) * cumulated[-1])
    return tuple(float(f"{column.numbers[order][position]:.4g}") for position in positions)


def column_kind(name: str, values: Iterable[str], *, rows: int) -> ColumnKind:
    """Return what a column holds.

    Args:
        name: the name of the column.
        values: its different values, the most frequent first.
        rows: the number of its cells that are not missing.
    """
    values = list(values)
    return _column_kind(name, _Values(values, np.full(len(values), rows / max(len(values), 1))))


def _column_kind(name: str, column: _Values) -> ColumnKind:
    values, head = column.values, column.values[:_MAX_VALUES]
    unique = column.total > 1 and len(values) >= _UNIQUE_SHARE * column.total
    if not values:
        return "empty"
    if all(value.strip().lower() in ("true", "false") for value in head):
        return "bool"
    if all(_DATE.fullmatch(value.strip()) for value in head):
        return "date"
    if column.numeric:
        return _number_kind(name, column, unique=unique)
    if all(value.lstrip()[:1] in ("{", "[") for value in head):
        return "json"
    if unique and all(_PATH.fullmatch(value) for value in head):
        return "path"
    return _word_kind(head, unique=unique)


def _number_kind(name: str, column: _Values, *, unique: bool) -> ColumnKind:
    if column.style is not None and column.style.text:
        return "int" if bool((column.numbers == np.round(column.numbers)).all()) else "float"
    if not all(_INT.fullmatch(value) for value in column.values):
        return "float"
    return "id" if unique and _ID_NAME.search(name) else "int"


def _word_kind(values: list[str], *, unique: bool) -> ColumnKind:
    words = _mean_words(values)
    if words >= _TEXT_WORDS or np.mean([len(value) for value in values]) > _TEXT_CHARACTERS:
        return "text"
    return "id" if unique and words < _ID_WORDS else "category"


def is_numeric(values: Iterable[str]) -> bool:
    """Return whether every value is a number, in whatever style the column has."""
    values = list(values)
    return _Values(values, np.ones(len(values))).numeric


def _mean_words(values: Iterable[str]) -> float:
    head = list(values)[:_MAX_VALUES]
    return float(np.mean([len(value.split()) for value in head])) if head else 0.0


def _range(column: _Values, kind: ColumnKind) -> tuple[str | None, str | None]:
    values = column.values
    if not values or kind not in ("int", "float", "date", "id"):
        return None, None
    if kind == "date" and all(_ISO.match(value) for value in values[:_MAX_VALUES]):
        return min(values), max(values)
    if not column.numeric:
        return None, None
    if column.style is not None and column.style.text:
        return f"{np.nanmin(column.numbers):g}", f"{np.nanmax(column.numbers):g}"
    return values[int(column.numbers.argmin())].strip(), values[int(column.numbers.argmax())].strip()
