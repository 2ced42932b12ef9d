"""What a person reads about codes."""

from collections.abc import Mapping, Sequence

from mlestar.data.missing.codes import ColumnCodes

_MAX_NAMES = 3
"""Columns that one line names. Chosen by judgement; not measured."""
_MAX_LINES = 12
"""Lines about codes. Chosen by judgement; not measured."""
_FROM = {"description": "from the description", "values": "from the values", "setting": "set"}


def describe_codes(codes: Mapping[str, ColumnCodes], shares: Mapping[str, float]) -> list[str]:
    """Return a line for each code; columns with the same codes share one.

    Args:
        codes: the codes by column.
        shares: the share of the rows that hold one of them, by column.
    """
    groups: dict[ColumnCodes, list[str]] = {}
    for name, column in codes.items():
        groups.setdefault(column, []).append(name)
    lines = [_line(column, names, [shares[name] for name in names]) for column, names in groups.items()]
    more = len(lines) - _MAX_LINES
    return lines if more <= 0 else [*lines[:_MAX_LINES], f"{more} more groups of columns have such codes"]


def _line(column: ColumnCodes, names: Sequence[str], shares: Sequence[float]) -> str:
    who = f"column {names[0]}"
    if len(names) > 1:
        who = f"{len(names)} columns ({', '.join(names[:_MAX_NAMES])}{', ...' * (len(names) > _MAX_NAMES)})"
    low, high = _percent(min(shares)), _percent(max(shares))
    share = low if low == high else f"{low} to {high}"
    return f"{who}: {', '.join(column.codes)} in {share} of rows is read as missing ({_FROM[column.source]})"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %" if share >= 0.001 else "less than 0.1 %"
