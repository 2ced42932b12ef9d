"""The files of a task as a text for agents."""

import unicodedata

from mlestar.data.statistics import ColumnStatistics, FileStatistics

PREVIEW_CHARACTERS = 6000
"""About 1,500 tokens in every prompt. Chosen by judgement; not measured."""
_COLUMN_LIMITS = (60, 40, 25, 15, 8, 4, 2)
"""Columns of a table that are shown, the most that fit."""
_MAX_FILES = 40
"""Files that are listed. These limits were chosen by judgement, too."""


def render_preview(statistics: tuple[FileStatistics, ...], train: str) -> str:
    """Describe every file within `PREVIEW_CHARACTERS`: fewer columns of each table are shown until it fits."""
    files = statistics[:_MAX_FILES]
    more = [f"... and {len(statistics) - _MAX_FILES} more files"] if len(statistics) > _MAX_FILES else []
    reference = next((file for file in statistics if file.file == train), None)
    text = ""
    for limit in _COLUMN_LIMITS:
        text = "\n".join([_render(file, limit, reference) for file in files] + more)
        if len(text) <= PREVIEW_CHARACTERS:
            return text
    return text[: PREVIEW_CHARACTERS - 30].rstrip() + "\n... (the preview is cut)"


def clean(text: str, longest: int = 60) -> str:
    """Return a text on one line, without control and formatting characters."""
    head = text[: 4 * longest]
    visible = "".join(" " if unicodedata.category(mark).startswith("C") else mark for mark in head)
    line = " ".join(visible.split())
    return line if len(line) <= longest and len(text) == len(head) else line[: longest - 3] + "..."


def _render(file: FileStatistics, limit: int, reference: FileStatistics | None) -> str:
    head = f"{clean(file.file, 100)}: {_size(file.size)}"
    if file.rows is None:
        return f"{head}{', ' * bool(file.note)}{clean(file.note, 300)}"
    title = f"{head}, {file.rows} rows, {len(file.columns)} columns"
    title += " (figures from a sample of the rows)" * file.sampled
    described = [column.name for column in reference.columns] if reference and reference is not file else []
    names = [column.name for column in file.columns]
    repeated = [name for name in names if name in described]
    others = [column for column in file.columns if column.name not in described]
    lines = [title]
    if repeated and reference:
        missing = [name for name in described if name not in names]
        without = f"; without {_names(missing, limit)}" if len(missing) < len(repeated) else ""
        lines.append(f"  as in {clean(reference.file)}: {_names(repeated, limit)}{without}")
    lines += [f"  {_column(column)}" for column in others[:limit]]
    lines += [f"  ... {len(others) - limit} more columns"] if len(others) > limit else []
    return "\n".join(lines + _records(file, limit))


def _column(column: ColumnStatistics) -> str:
    facts = [column.kind, f"{column.distinct} distinct"]
    if column.missing:
        facts.append(f"{column.missing:.1%} missing")
    if column.minimum is not None and column.maximum is not None:
        facts.append(f"{clean(column.minimum)} to {clean(column.maximum)}")
    elif column.examples:
        facts.append("e.g. " + " | ".join(clean(example, 30) for example in column.examples[:4]))
    if column.shared_with:
        facts.append("joins " + ", ".join(clean(key) for key in column.shared_with[:3]))
    return f"{clean(column.name)}: {', '.join(facts)}"


def _records(file: FileStatistics, limit: int) -> list[str]:
    tail = ["..."] if len(file.columns) > limit else []
    return ["  > " + " | ".join([clean(cell, 40) for cell in record[:limit]] + tail) for record in file.records]


def _names(names: list[str], limit: int) -> str:
    more = f", ... {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(clean(name) for name in names[:limit]) + more


def _size(size: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
