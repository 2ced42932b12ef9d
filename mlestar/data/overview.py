"""What agents read about the files of a task: spec, files and column statistics, together within a limit.

Columns are described once, where they occur first. The informative ones are described in full, as many as fit; the
others of a kind share one entry with their number and names.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from mlestar.data.names import clean, shorten_names
from mlestar.data.statistics import ColumnKind, ColumnStatistics, FileStatistics
from mlestar.data.tables.table import table_suffix, usual_delimiter
from mlestar.metrics.spec import TaskSpec
from mlestar.prompts import as_data, as_json, shorten

OVERVIEW_BYTES = 12_000
"""Bytes of spec, files and column statistics together, as they are in a prompt: 3,000 tokens. A requirement on the cost
of prompts; without a limit 1,000 columns took 478,000."""
_SPEC_BYTES = 3000
_FILES_BYTES = 3500
"""Bytes of the spec and of the files; the columns get the rest. These and the limits below are chosen by judgement; not
measured."""
_LIST_LIMITS = (40, 20, 10, 5, 2)
"""Entries of a list in the spec: the largest number that fits is used."""
_FILE_LIMITS = (40, 20, 10, 5)
"""Files that are listed: the largest number that fits is used."""
_NAME_LIMITS = (400, 100, 40, 15, 5, 1)
"""Names of columns that share an entry: the largest number that fits is used."""
_MAX_RECORD = 15
"""Cells of a record that are shown."""
_MAX_EXAMPLE = 40
"""Characters of an example."""
_MAX_TEXT = 120
"""Characters of an example of a text."""
_MAX_FIELD = 400
"""Of one text of the spec."""
_MAX_NAME = 200
"""Characters of a name: scripts need it exactly as it is."""
_SHIFT = 0.05
"""Difference in the share of missing cells from which a column of test is described besides train's."""


_MIN_ENTRY = 30
"""Bytes that the description of a column has at least."""


class ColumnGroup(BaseModel):
    """Columns of one kind that are not described one by one."""

    model_config = ConfigDict(frozen=True)

    kind: ColumnKind
    count: int
    distinct: tuple[int, int]
    """The fewest and the most different values."""
    missing: tuple[float, float]
    """The lowest and the highest share."""
    missing_codes: tuple[str, ...] = ()
    """Values that stand for missing ones in each of them."""
    names: tuple[str, ...]
    """`x0..x99` is a run of numbered names; `... N more` ends a list that is cut."""
    number_format: str = ""
    date_format: str = ""


@dataclass(frozen=True)
class Overview:
    """What prompts contain about the files of a task."""

    spec: dict[str, Any]
    files: str
    columns: list[dict[str, Any]]
    coded: bool
    """Some column has codes for missing values."""


@dataclass(frozen=True)
class _Entry:
    """The columns of one file that are described there, and the names of those that are as in train."""

    file: FileStatistics
    columns: tuple[ColumnStatistics, ...]
    repeated: tuple[str, ...]
    missing_here: tuple[str, ...]
    """Columns of train that this file does not have."""


@lru_cache(maxsize=4)
def make_overview(spec: TaskSpec, statistics: tuple[FileStatistics, ...]) -> Overview:
    """Return what agents read about the files of a task, within `OVERVIEW_BYTES`."""
    shown_spec = _first_that_fits([partial(_spec, spec, limit) for limit in _LIST_LIMITS], _SPEC_BYTES)
    files = _list_files(statistics, spec.train)
    left = OVERVIEW_BYTES - _size(shown_spec) - len(as_data(files, OVERVIEW_BYTES).encode())
    coded = any(column.missing_codes for file in statistics for column in file.columns)
    return Overview(spec=shown_spec, files=files, columns=_describe_columns(spec, statistics, left), coded=coded)


def _size(value: object) -> int:
    return len(as_json(value).encode())


def _first_that_fits(versions: Sequence[Callable[[], Any]], limit: int) -> Any:
    """Return the first version within a limit, else the last one, which is the shortest."""
    for version in versions:
        value = version()
        if _size(value) <= limit:
            break
    return value


def _spec(spec: TaskSpec, most: int) -> dict[str, Any]:
    """Return the spec without empty fields, with long lists and texts cut."""
    dumped = spec.model_dump(mode="json", exclude_defaults=True)
    values = {name: shorten(value, _MAX_FIELD) if isinstance(value, str) else value for name, value in dumped.items()}
    lists = {name: value for name, value in values.items() if isinstance(value, list)}
    return {**values, **{name: _names(value, most) for name, value in lists.items()}}


def _list_files(statistics: Sequence[FileStatistics], train: str) -> str:
    """Return a line for every file, with the first two records of a table that has columns of its own."""
    text = ""
    for limit in _FILE_LIMITS:
        lines = [_describe_file(file, records=file.file == train or limit > 10) for file in statistics[:limit]]
        more = [f"... and {len(statistics) - limit} more files"] if len(statistics) > limit else []
        text = "\n".join(lines + more)
        if len(as_data(text, OVERVIEW_BYTES).encode()) <= _FILES_BYTES:
            return text
    return text.encode()[: _FILES_BYTES // 5].decode(errors="ignore") + "\n... (the list is cut)"


def _describe_file(file: FileStatistics, *, records: bool) -> str:
    head = f"{clean(file.file, 100)}: {_bytes(file.size)}"
    if file.rows is None:
        return f"{head}{', ' * bool(file.note)}{clean(file.note, 300)}"
    title = f"{head}, {file.rows} rows, {len(file.columns)} columns"
    title += " (figures from a sample of the rows)" * file.sampled
    return "\n".join([title, *(_record(file, record) for record in file.records if records)])


def _record(file: FileStatistics, record: tuple[str, ...]) -> str:
    tail = ["..."] if len(file.columns) > _MAX_RECORD else []
    return "  > " + " | ".join([clean(cell, _MAX_EXAMPLE) for cell in record[:_MAX_RECORD]] + tail)


def _bytes(size: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"


def _describe_columns(spec: TaskSpec, statistics: Sequence[FileStatistics], limit: int) -> list[dict[str, Any]]:
    """Describe as many columns in full as fit, the informative ones first."""
    entries = _entries(spec, statistics)
    names = next((most for most in _NAME_LIMITS if _size(_render_all(entries, [], most)) <= limit // 2), 1)
    # Where there are more tables than fit, the list of files still has them all.
    while entries and _size(_render_all(entries, [], names)) > limit // 2:
        entries = entries[: len(entries) * 3 // 4]
    keys = ((number, *key) for number, entry in enumerate(entries) for key in _ranks(spec, entry))
    ranked = [(number, position) for number, position, _ in sorted(keys, key=lambda key: (key[2], key[0], key[1]))]
    least, most = 0, min(len(ranked), limit // _MIN_ENTRY)
    while least < most:
        middle = (least + most + 1) // 2
        fits = _size(_render_all(entries, ranked[:middle], names)) <= limit
        least, most = (middle, most) if fits else (least, middle - 1)
    return _render_all(entries, ranked[:least], names)


def _render_all(entries: Sequence[_Entry], full: Sequence[tuple[int, int]], names: int) -> list[dict[str, Any]]:
    """Return the description of every table; `full` are the columns described in full, by table and position."""
    chosen: dict[int, set[int]] = {}
    for number, position in full:
        chosen.setdefault(number, set()).add(position)
    shown = [_render(entry, chosen.get(number, set()), names) for number, entry in enumerate(entries)]
    return [columns for columns in shown if columns.keys() - {"file", "delimiter", "nested"}]


def _entries(spec: TaskSpec, statistics: Sequence[FileStatistics]) -> list[_Entry]:
    """Return every table with the columns that are described there: none twice, unless test differs from train."""
    train = next((file for file in statistics if file.file == spec.train), None)
    of_train = {column.name: column for column in train.columns} if train else {}
    entries = []
    for file in statistics:
        known = {} if file is train else of_train
        own = tuple(column for column in file.columns if _is_new(column, known.get(column.name)))
        repeated = tuple(column.name for column in file.columns if column.name in known)
        names = set(repeated)
        entries.append(_Entry(file, own, repeated, tuple(name for name in known if name not in names)))
    return entries


def _is_new(column: ColumnStatistics, in_train: ColumnStatistics | None) -> bool:
    """Return whether a column is described: it is not in train, can be joined, or differs from train's."""
    if in_train is None or column.shared_with:
        return True
    if (column.number_format, column.date_format) != (in_train.number_format, in_train.date_format):
        return True
    return column.kind != in_train.kind or abs(column.missing - in_train.missing) > _SHIFT


def _ranks(spec: TaskSpec, entry: _Entry) -> list[tuple[int, int]]:
    """Return the position of each column of a file and how soon it is described in full."""
    return [(position, _rank(spec, entry, column)) for position, column in enumerate(entry.columns)]


def _rank(spec: TaskSpec, entry: _Entry, column: ColumnStatistics) -> int:
    """Return how soon a column is described in full: the target first, then keys, texts, gaps, plain numbers."""
    if column.distinct <= 1:
        return 6
    if entry.file.file == spec.train and column.name in (*spec.target, *spec.train_only, spec.id):
        return 0
    if column.shared_with or column.name == spec.id:
        return 1
    if column.kind not in ("int", "float") or column.number_format:
        return 2
    if entry.repeated:
        return 5
    return 3 if column.missing or column.shares else 4


def _render(entry: _Entry, chosen: set[int], names: int) -> dict[str, Any]:
    """Return the description of a table's columns: those chosen in full, the others by kind."""
    described = [_column(column) for position, column in enumerate(entry.columns) if position in chosen]
    others = [column for position, column in enumerate(entry.columns) if position not in chosen]
    groups = [group.model_dump(mode="json", exclude_defaults=True) for group in _group(others, names)]
    shown: dict[str, Any] = {"file": shorten(entry.file.file, _MAX_NAME)}
    if entry.file.delimiter not in ("", usual_delimiter(entry.file.file)):
        shown["delimiter"] = entry.file.delimiter
    if entry.file.nested and not table_suffix(Path(entry.file.file)).endswith(("json", "jsonl")):
        shown["nested"] = _names(entry.file.nested, names)
    if entry.repeated and len(entry.missing_here) < len(entry.repeated):
        shown["as_in_train_without"] = _names(entry.missing_here, names)
    elif entry.repeated:
        shown["as_in_train"] = _names(entry.repeated, names)
    shown |= {"columns": described} if described else {}
    return shown | ({"others": groups} if groups else {})


def _names(names: Sequence[str], most: int) -> list[str]:
    return shorten_names([shorten(name, _MAX_NAME) for name in names], most)


def _group(columns: Sequence[ColumnStatistics], most: int) -> list[ColumnGroup]:
    """Return the columns by kind, format and codes, constant ones apart."""
    groups: dict[tuple[ColumnKind, str, str, tuple[str, ...], bool], list[ColumnStatistics]] = {}
    for column in columns:
        formats = (column.number_format, column.date_format)
        key = (column.kind, *formats, column.missing_codes, column.distinct <= 1)
        groups.setdefault(key, []).append(column)
    return [
        ColumnGroup(
            kind=kind,
            count=len(group),
            distinct=(min(column.distinct for column in group), max(column.distinct for column in group)),
            missing=(_share(min(column.missing for column in group)), _share(max(column.missing for column in group))),
            names=tuple(_names([column.name for column in group], most)),
            number_format=number_format,
            date_format=date_format,
            missing_codes=codes,
        )
        for (kind, number_format, date_format, codes, _), group in groups.items()
    ]


def _column(column: ColumnStatistics) -> dict[str, Any]:
    """Return what is known about a column, without what is empty."""
    values = column.model_dump(mode="json", exclude_defaults=True, exclude={"coded", "codes_from"})
    if column.missing_codes:
        values["missing_codes"] = [clean(code, _MAX_EXAMPLE) for code in column.missing_codes]
    values["name"] = shorten(column.name, _MAX_NAME)
    if column.missing:
        values["missing"] = _share(column.missing)
    if column.words:
        values["words"] = round(column.words, 1)
    values["examples"] = _examples(column)
    for name in ("minimum", "maximum"):
        if name in values:
            values[name] = clean(values[name], _MAX_EXAMPLE)
    if column.shared_with:
        values["shared_with"] = [clean(key) for key in column.shared_with[:3]]
    return {name: value for name, value in values.items() if value != []}


def _examples(column: ColumnStatistics) -> list[str]:
    """Return values as they are written; of numbers with many values the range and the quantiles say more."""
    if column.kind in ("int", "float") and not column.shares:
        return []
    if column.kind in ("text", "json"):
        return [clean(example, _MAX_TEXT) for example in column.examples[:2]]
    return [clean(example, _MAX_EXAMPLE) for example in column.examples]


def _share(share: float) -> float:
    return float(f"{share:.3g}")
