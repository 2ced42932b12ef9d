"""The files of a task as the agents are told about them."""

import unicodedata

from mlestar.data.statistics import ColumnProfile, FileProfile

LONGEST = 6000
_COLUMNS = (60, 40, 25, 15, 8, 4, 2)
_FILES = 40


def render_preview(profiles: tuple[FileProfile, ...], train: str) -> str:
    """Describe every file within `LONGEST` characters: fewer columns of each table are shown until it fits."""
    shown = profiles[:_FILES]
    more = [f"... and {len(profiles) - _FILES} more files"] if len(profiles) > _FILES else []
    reference = next((profile for profile in profiles if profile.file == train), None)
    text = ""
    for limit in _COLUMNS:
        text = "\n".join([_render(profile, limit, reference) for profile in shown] + more)
        if len(text) <= LONGEST:
            return text
    return text[: LONGEST - 30].rstrip() + "\n... (the preview is cut)"


def clean(text: str, longest: int = 60) -> str:
    """Return a text on one line, without control and formatting characters."""
    kept = "".join(" " if unicodedata.category(mark).startswith("C") else mark for mark in text[: 4 * longest])
    kept = " ".join(kept.split())
    return kept if len(kept) <= longest and len(text) <= 4 * longest else kept[: longest - 3] + "..."


def _render(profile: FileProfile, limit: int, reference: FileProfile | None) -> str:
    head = f"{clean(profile.file, 100)}: {_size(profile.size)}"
    if profile.rows is None:
        return f"{head}{', ' * bool(profile.note)}{clean(profile.note, 300)}"
    title = f"{head}, {profile.rows} rows, {len(profile.columns)} columns"
    title += " (figures from a sample of the rows)" * profile.sampled
    known = [column.name for column in reference.columns] if reference and reference is not profile else []
    names = [column.name for column in profile.columns]
    repeated = [name for name in names if name in known]
    fresh = [column for column in profile.columns if column.name not in known]
    lines = [title]
    if repeated:
        lacking = [name for name in known if name not in names]
        without = f"; without {_names(lacking, limit)}" if len(lacking) < len(repeated) else ""
        lines.append(f"  as in {clean(reference.file if reference else '')}: {_names(repeated, limit)}{without}")
    lines += [f"  {_column(column)}" for column in fresh[:limit]]
    lines += [f"  ... {len(fresh) - limit} more columns"] if len(fresh) > limit else []
    return "\n".join(lines + _records(profile, limit))


def _column(column: ColumnProfile) -> str:
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


def _records(profile: FileProfile, limit: int) -> list[str]:
    tail = ["..."] if len(profile.columns) > limit else []
    return ["  > " + " | ".join([clean(cell, 40) for cell in record[:limit]] + tail) for record in profile.records]


def _names(names: list[str], limit: int) -> str:
    more = f", ... {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(clean(name) for name in names[:limit]) + more


def _size(size: int) -> str:
    for unit, scale in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= scale:
            return f"{size / scale:.1f} {unit}"
    return f"{size} bytes"
