"""What agents, and so a model provider, may read of the data: column statistics and the output of scripts."""

import re
from collections.abc import Sequence

from mlestar.data.statistics import ColumnStatistics, FileStatistics
from mlestar.settings import Share
from mlestar.state import VerdictStatus

_SCORE = re.compile(r"Final Validation Performance:\s*\S+")
_FRAME = re.compile(r'File "[^"]*", line \d+(?:, in [\w<>]+)?')
_ERROR = re.compile(r"(?:[A-Za-z_]\w*\.)*[A-Za-z_]\w*(?:Error|Exception|Warning|Interrupt|Exit)(?=:|\b$)")
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"|`[^`]*`")
_TRACEBACK = "Traceback (most recent call last):"


def limit_statistics(statistics: Sequence[FileStatistics], share: Share) -> tuple[FileStatistics, ...]:
    """Return what agents may know about the files."""
    if share == "all":
        return tuple(statistics)
    return tuple(
        file.model_copy(
            update={
                "records": (),
                "note": "",
                "columns": tuple(_limit_column(column, share) for column in file.columns),
            }
        )
        for file in statistics
    )


def _limit_column(column: ColumnStatistics, share: Share) -> ColumnStatistics:
    """Return a column without its values, or with its name and kind alone."""
    if share == "names":
        formats = {"number_format": column.number_format, "date_format": column.date_format}
        return ColumnStatistics(name=column.name, kind=column.kind, distinct=0, **formats)
    # In a short table a quantile is the value of a row.
    quantiles = tuple(float(f"{value:.2g}") for value in column.quantiles)
    return column.model_copy(update={"examples": (), "minimum": None, "maximum": None, "quantiles": quantiles})


def limit_output(text: str, share: Share) -> str:
    """Return what agents may read of a script's output: scores, and where and with which error it failed."""
    if share == "all":
        return text
    lines = text.splitlines()
    kept = [line for line in map(_limit_line, lines) if line]
    left_out = len(lines) - len(kept)
    return "\n".join([*kept, *([f"({left_out} lines of output are not shared)"] if left_out else [])])


def limit_message(message: str, share: Share, status: VerdictStatus | None = None) -> str:
    """Return what agents may read of the reason for which a script failed: no text of an error, nothing in quotes.

    A script that did not start, because what it declares is unavailable, has read no data.
    """
    if share == "all" or status == "unavailable":
        return message
    error = _ERROR.search(message)
    return message[: error.end()] if error else _QUOTED.sub("(not shared)", message)


def _limit_line(line: str) -> str:
    if line.strip() == _TRACEBACK:
        return _TRACEBACK
    for pattern in (_SCORE, _FRAME):
        if match := pattern.search(line):
            return match.group()
    error = _ERROR.match(line.strip())
    return error.group() if error else ""
