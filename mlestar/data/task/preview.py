"""The files of a task as the agents are told about them."""

import unicodedata

from mlestar.data.statistics import ColumnStatistics, FileStatistics

LONGEST = 6000
_COLUMNS = (60, 40, 25, 15, 8, 4, 2)
_FILES = 40


def render_preview(statistics: tuple[FileStatistics, ...], train: str) -> str:
    """Describe every file within `LONGEST` characters: fewer columns of each table are shown until it fits."""
    shown = statistics[:_FILES]
    more = [f"... and {len(statistics) - _FILES} more files"] if len(statistics) > _FILES else []
    reference = next((statistics for statistics in statistics if statistics.file == train), None)
    text = ""
    for limit in _COLUMNS:
        text = "\n".join([_render(statistics, limit, reference) for statistics in shown] + more)
        if len(text) <= LONGEST:
            return text
    return text[: LONGEST - 30].rstrip() + "\n... (the preview is cut)"


def clean(text: str, longest: int = 60) -> str:
    """Return a text on one line, without control and formatting characters."""
    kept = "".join(" " if unicodedata.category(mark).startswith("C") else mark for mark in text[: 4 * longest])
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest and len(text) <= 4 * longest else kept[: longest - 3] + "..."


def _render(statistics: FileStatistics, limit: int, reference: FileStatistics | None) -> str:
    head = f"{clean(statistics.file, 100)}: {_size(statistics.size)}"
    if statistics.rows is None:
        return f"{head}{', ' * bool(statistics.note)}{clean(statistics.note, 300)}"
    title = f"{head}, {statistics.rows} rows, {len(statistics.columns)} columns"
    title += " (figures from a sample of the rows)" * statistics.sampled
    known = [column.name for column in reference.columns] if reference and reference is not statistics else []
    names = [column.name for column in statistics.columns]
    repeated = [name for name in names if name in known]
    fresh = [column for column in statistics.columns if column.name not in known]
    lines = [title]
    if repeated:
        lacking = [name for name in known if name not in names]
        without = f"; without {_names(lacking, limit)}" if len(lacking) < len(repeated) else ""
        lines.append(f"  as in {clean(reference.file if reference else '')}: {_names(repeated, limit)}{without}")
    lines += [f"  {_column(column)}" for column in fresh[:limit]]
    lines += [f"  ... {len(fresh) - limit} more columns"] if len(fresh) > limit else []
    return "\n".join(lines + _records(statistics, limit))


def _column(column: ColumnStatistics) -> str:
    parts = [column.kind, f"{column.distinct} distinct"]
    if column.missing:
        parts.append(f"{column.missing:.1%} missing")
    if column.minimum is not None and column.maximum is not None:
        parts.append(f"{clean(column.minimum)} to {clean(column.maximum)}")
    elif column.examples:
        parts.append("e.g. " + " | ".join(clean(example, 30) for example in column.examples[:4]))
    if column.shared_with:
        parts.append("joins " + ", ".join(clean(key) for key in column.shared_with[:3]))
    return f"{clean(column.name)}: {', '.join(parts)}"


def _records(statistics: FileStatistics, limit: int) -> list[str]:
    tail = ["..."] if len(statistics.columns) > limit else []
    return ["  > " + " | ".join([clean(cell, 40) for cell in record[:limit]] + tail) for record in statistics.records]


def _names(names: list[str], limit: int) -> str:
    more = f", ... {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(clean(name) for name in names[:limit]) + more


def _size(size: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
