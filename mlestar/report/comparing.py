"""Two runs side by side, and what may be said about which of them is better."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mlestar.errors import mask_secrets, one_line
from mlestar.metrics.precision import format_claim, format_score
from mlestar.metrics.spec import TaskSpec, sign
from mlestar.report.baselines import BEYOND_NOISE, is_noise
from mlestar.report.result import Result
from mlestar.store import RunFolder
from mlestar.store.content import Contents, load_contents

OF_PLACE = ("runs_dir",)
"""Settings that say where a run is, and nothing about what it does."""
OF_ROWS = ("seed", "fresh_share")
"""Settings that decide which rows are withheld, besides the split."""


@dataclass(frozen=True)
class RunComparison:
    """Two runs, and the difference of their scores where they can be compared."""

    runs: tuple[str, str]
    sentence: str
    """What may be said about which run is better, and why no more."""
    rows: Literal["fresh", "holdout", ""] = ""
    """The scores that were compared; empty: none."""
    same_rows: bool = False
    difference: float | None = None
    """Positive where the second run is better, whatever the metric's direction; None: they cannot be compared."""
    standard_error: float | None = None
    """As if the scores were of different rows: the paired error is not known, and mostly smaller."""
    better: str | None = None
    """The run that is better beyond the error, on the same rows."""
    settings: tuple[tuple[str, str, str], ...] = ()
    """Settings that differ, with both values."""


def compare_runs(left: Result, right: Result) -> RunComparison:
    """Compare two runs: their scores where metric and rows allow it, and their settings."""
    runs = left.run_id, right.run_id
    settings = differing_settings(_settings(left), _settings(right))
    if (left.metric, left.direction) != (right.metric, right.direction):
        metrics = " and ".join(f"{result.metric or 'none'} ({result.direction})" for result in (left, right))
        sentence = f"The runs have different metrics, {metrics}, so that their scores cannot be compared."
        return RunComparison(runs, sentence, settings=settings)
    rows = _common_rows(left, right)
    if rows is None:
        sentence = "The runs have no graded score of the same kind, so that there is nothing to compare."
        return RunComparison(runs, sentence, settings=settings)
    (before, before_se), (after, after_se) = (_graded(result, rows) for result in (left, right))
    difference = sign(left.direction) * (after - before)
    error = math.hypot(before_se, after_se) if before_se and after_se else None
    reason = rows_differ(left, right, rows)
    better = None
    if not reason and error is not None and not is_noise(difference, error):
        better = runs[1] if difference > 0 else runs[0]
    return RunComparison(
        runs,
        _describe(rows, difference, error, reason, better),
        rows=rows,
        same_rows=not reason,
        difference=difference,
        standard_error=error,
        better=better,
        settings=settings,
    )


def describe_run(result: Result) -> dict[str, str]:
    """Return what people compare of a run: names and values."""
    score, spend = result.score, result.spend
    winner = result.winner_row
    fresh = format_score(score.fresh, score.fresh_se)
    return {
        "status": result.status.replace("_", " "),
        "task": result.task,
        "metric": f"{result.metric} ({result.direction})" if result.metric else "",
        "fresh": fresh + (" *" if score.fresh is not None and not score.blind else ""),
        "holdout": format_score(score.holdout, score.holdout_se),
        "reported": format_claim(score.reported),
        "winner": f"{winner.id}, {one_line(winner.title)}" if winner else "none",
        "solutions": str(len(result.solutions)),
        "model": result.model,
        "runner": result.runner,
        "minutes": f"{result.seconds / 60:.1f}",
        "spent": str(spend),
    }


def _common_rows(left: Result, right: Result) -> Literal["fresh", "holdout"] | None:
    if left.score.fresh is not None and right.score.fresh is not None:
        return "fresh"
    return "holdout" if left.score.holdout is not None and right.score.holdout is not None else None


def _graded(result: Result, rows: Literal["fresh", "holdout"]) -> tuple[float, float]:
    score = result.score
    pair = (score.fresh, score.fresh_se) if rows == "fresh" else (score.holdout, score.holdout_se)
    return pair[0] or 0.0, pair[1] or 0.0


def _describe(rows: str, difference: float, error: float | None, reason: str, better: str | None) -> str:
    shown = format_score(abs(difference), error)
    if reason:
        return f"The {rows} scores differ by {shown}, on rows that differ ({reason}): neither run is shown to be ahead."
    if error is None:
        return f"The {rows} scores differ by {shown}, with an unknown error: neither run is shown to be ahead."
    if better is None:
        within = f"within {BEYOND_NOISE:g} standard errors: neither run is shown to be ahead."
        return f"The {rows} scores differ by {shown} on the same rows, which is {within}"
    return f"{better} is better by {shown}, by its {rows} score on the same rows."


def rows_differ(left: Result, right: Result, rows: Literal["fresh", "holdout"]) -> str:
    """Return why two runs were not graded on the same rows for certain; empty where they were."""
    if left.spec is None or right.spec is None:
        return "a run is of a version that did not record its task"
    if left.split is None or right.split is None:
        return "a run withheld none"
    if (left.spec.train, left.spec.target) != (right.spec.train, right.spec.target):
        return "the runs have other files or targets"
    contents = [_data(_contents(result), result.spec) for result in (left, right)]
    if not all(contents):
        return "a run has not recorded its data"
    if contents[0] != contents[1]:
        return "the runs have other data"
    if left.split != right.split:
        return "the runs split them in another way"
    names = (*OF_ROWS, *(("fresh_splits",) if rows == "fresh" else ()))
    before, after = _settings(left), _settings(right)
    others = [name for name in names if before.get(name) != after.get(name)]
    return f"the runs differ in {', '.join(others)}" if others else ""


def _data(contents: Contents, spec: TaskSpec | None) -> dict[str, str]:
    """Return the hashes of the files that hold a task's labelled rows."""
    name = spec.train.strip("/") if spec else ""
    own = {path: one.sha256 for path, one in contents.items() if f"/{name}/" in f"/{path}/"}
    # Of other layouts than tables, all files count.
    return own or {path: one.sha256 for path, one in contents.items()}


def _contents(result: Result) -> Contents:
    return load_contents(RunFolder.at(result.folder).contents) or {}


def _settings(result: Result) -> dict[str, Any]:
    return RunFolder.at(result.folder).read_settings().settings


def differing_settings(left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[tuple[str, str, str], ...]:
    """Return the settings that differ, with both values as text."""
    names = [name for name in dict.fromkeys((*left, *right)) if name not in OF_PLACE]
    return tuple(
        (name, _show(left.get(name)), _show(right.get(name))) for name in names if left.get(name) != right.get(name)
    )


def _show(value: object) -> str:
    if value is None or value in ("", [], {}):
        return "-"
    return mask_secrets(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
