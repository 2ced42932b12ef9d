"""The target columns of survival data: a time, and whether it is that of an event."""

import re
from collections.abc import Sequence

import pandas as pd

from mlestar.data.statistics import is_numeric

_SURVIVAL = re.compile(
    r"\bsurvival (?:data|analysis|times?|model|curve)|\bcensor|\bconcordance\b|\bc[\s-]?(?:index|statistic)\b|\bhazard",
    re.IGNORECASE,
)
_TIME = re.compile(r"(?:.*_)?(?:time|duration|days|months|years|tte|os|efs_time|t)(?:_.*)?", re.IGNORECASE)
_EVENT = re.compile(r"(?:.*_)?(?:event|status|observed|death|dead|died|efs|e|relapse)(?:_.*)?", re.IGNORECASE)


def survival_target(extras: Sequence[str], frame: pd.DataFrame | None, description: str) -> tuple[str, ...]:
    """Return the columns of time and event, in this order; empty where the task is none of survival data.

    Args:
        extras: the columns that only train has.
        frame: the train table.
        description: the description.
    """
    if frame is None or not _SURVIVAL.search(description):
        return ()
    events = [column for column in extras if _is_event(frame[column])]
    times = [column for column in extras if column not in events and is_numeric(frame[column].unique())]
    event, time = _only(events, _EVENT, description), _only(times, _TIME, description)
    return (time, event) if time and event else ()


def _is_event(cells: pd.Series) -> bool:
    return set(cells.str.strip()) - {""} <= {"0", "1", "0.0", "1.0"} and cells.nunique() > 1


def _only(columns: list[str], name: re.Pattern[str], description: str) -> str:
    """Return the only column, else the only one that is quoted, else the only one with such a name."""
    quoted = [column for column in columns if f"`{column}`" in description]
    named = [column for column in columns if name.fullmatch(column)]
    choices = [part for part in (columns, quoted, named) if len(part) == 1]
    return choices[0][0] if choices else ""
