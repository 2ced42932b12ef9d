"""The runs of a folder: what a list shows of each, sorted and filtered."""

import operator
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from mlestar.errors import SettingsError, UserError, nearest
from mlestar.metrics.spec import sign
from mlestar.report.result import Result, read_result
from mlestar.store import RunFolder, list_runs, maker

NAMES = ("run", "status", "task", "metric", "score", "minutes", "date")
"""What runs can be sorted and filtered by."""
CONDITION = re.compile(r"\s*(\w+)\s*(<=|>=|!=|=|<|>)\s*(.*?)\s*", re.DOTALL)
Compare = Callable[[Any, Any], bool]
OPERATORS: dict[str, Compare] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class ListedRun:
    """A run in a list."""

    run: str
    status: str
    date: datetime
    """When it began."""
    task: str = ""
    result: Result | None = None
    """None: it has none, or this version cannot read it."""

    @property
    def metric(self) -> str:
        return self.result.metric if self.result else ""

    @property
    def score(self) -> float | None:
        """The fresh score, that of the holdout without one."""
        if self.result is None:
            return None
        return self.result.score.holdout if self.result.score.fresh is None else self.result.score.fresh

    @property
    def minutes(self) -> float | None:
        return self.result.seconds / 60 if self.result else None


def read_runs(runs_dir: Path) -> list[ListedRun]:
    """Return the runs of a folder, oldest first."""
    return [_read(RunFolder(runs_dir, path.name)) for path in list_runs(runs_dir)]


def _read(run: RunFolder) -> ListedRun:
    date = datetime.fromtimestamp(run.settings.stat().st_mtime).astimezone()
    version = run.foreign_format()
    if version is not None:
        return ListedRun(run.run_id, f"format {version}, of {maker(version)}", date)
    try:
        task = Path(run.read_settings().task).name
    except UserError:
        task = ""
    if not run.result.is_file():
        return ListedRun(run.run_id, "unfinished", date, task)
    try:
        result = read_result(run, check=False)
    except UserError:
        return ListedRun(run.run_id, "unreadable", date, task)
    return ListedRun(run.run_id, result.status, date, result.task, result)


def filter_runs(runs: Iterable[ListedRun], conditions: Iterable[str]) -> list[ListedRun]:
    """Return the runs that satisfy all conditions: `status=solved`, `task=wine*`, `score>0.8`, `date>=2026-01`.

    Raises:
        SettingsError: a condition cannot be read.
    """
    kept = list(runs)
    for condition in conditions:
        test = _read_condition(condition)
        kept = [run for run in kept if test(run)]
    return kept


def _read_condition(condition: str) -> Callable[[ListedRun], bool]:
    parts = CONDITION.fullmatch(condition)
    if parts is None:
        msg = f"--filter {condition!r}: write NAME=VALUE, NAME!=VALUE, or < <= > >= with a number or a date"
        raise SettingsError(msg)
    name, sign_, value = parts.groups()
    _check_name(name, "--filter")
    if name in ("score", "minutes"):
        return _number_test(name, sign_, value)
    if name == "date":
        return _date_test(sign_, value)
    if sign_ not in ("=", "!="):
        msg = f"--filter {condition!r}: {name} is a text, which is compared by = and != only; * stands for any letters"
        raise SettingsError(msg)
    pattern = value.casefold()
    return lambda run: fnmatchcase(str(getattr(run, name)).casefold(), pattern) == (sign_ == "=")


def _number_test(name: str, sign_: str, value: str) -> Callable[[ListedRun], bool]:
    try:
        number = float(value)
    except ValueError:
        msg = f"--filter {name}{sign_}{value}: write a number"
        raise SettingsError(msg) from None

    def test(run: ListedRun) -> bool:
        own = getattr(run, name)
        return own is not None and OPERATORS[sign_](own, number)

    return test


def _date_test(sign_: str, value: str) -> Callable[[ListedRun], bool]:
    """Compare as many characters as are given, so that a year, a month or a day can be named."""
    if not re.fullmatch(r"\d{4}(-\d{2}(-\d{2}([ T]\d{2}(:\d{2})?)?)?)?", value):
        msg = f"--filter date{sign_}{value}: write a date such as 2026-01-31 or '2026-01-31 14:25'"
        raise SettingsError(msg)
    moment = value.replace("T", " ")
    return lambda run: OPERATORS[sign_](format_date(run.date)[: len(moment)], moment)


def sort_runs(runs: Iterable[ListedRun], keys: Sequence[str]) -> list[ListedRun]:
    """Return the runs sorted by names of `NAMES`, the first one first; `-` in front of one reverses it.

    By `score` the best come first within each metric. Runs that have no value come last.

    Raises:
        SettingsError: a name is unknown.
    """
    ordered = list(runs)
    for key in reversed(keys):
        name, is_reversed = key.removeprefix("-"), key.startswith("-")
        _check_name(name, "--sort")
        known = [run for run in ordered if getattr(run, name) not in (None, "")]
        unknown = [run for run in ordered if getattr(run, name) in (None, "")]
        ordered = [*sorted(known, key=_sort_key(name), reverse=is_reversed), *unknown]
    return ordered


def _sort_key(name: str) -> Callable[[ListedRun], tuple[object, ...]]:
    if name != "score":
        return lambda run: (getattr(run, name),)
    return lambda run: (run.metric, -sign(run.result.direction if run.result else "maximize") * (run.score or 0.0))


def _check_name(name: str, option: str) -> None:
    if name not in NAMES:
        match = nearest(name, NAMES)
        hint = f"did you mean {match!r}?" if match else f"choose one of {', '.join(NAMES)}"
        msg = f"{option} {name!r}: {hint}"
        raise SettingsError(msg)


def format_date(date: datetime) -> str:
    """Return a date as lists show it."""
    return f"{date:%Y-%m-%d %H:%M}"
