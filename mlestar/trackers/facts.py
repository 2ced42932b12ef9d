"""Parameters and metrics of a run and of its evaluations, with scores as precise as they are shown."""

import json
from collections.abc import Mapping
from typing import Any

from mlestar.errors import mask_secrets
from mlestar.metrics.precision import round_score
from mlestar.report import Result
from mlestar.report.result import SolutionRow
from mlestar.trackers.course import Course, Evaluation, Point

LEFT_OUT = ("trackers", "runs_dir")
"""Settings that say nothing of the run."""
EMPTY: tuple[object, ...] = (None, "", [], {})


def run_params(course: Course) -> dict[str, object]:
    """Return the settings of a run, without secrets; those that are empty are left out."""
    settings = course.recorded.settings
    model = course.recorded.model
    params: dict[str, object] = {"model": model} if model else {}
    return params | {
        f"settings.{name}": mask_secrets(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
        for name, value in settings.items()
        if name not in LEFT_OUT and value not in EMPTY
    }


def child_params(evaluation: Evaluation, row: SolutionRow | None) -> dict[str, object]:
    """Return what an evaluation is of; what it was made from is known once the run has a result."""
    params: dict[str, object] = {
        "solution": evaluation.solution,
        "origin": evaluation.origin,
        "track": evaluation.track,
    }
    if row is not None:
        params |= {"parent": row.parent, "compared": row.compared, "combines": ", ".join(row.combines)}
    return {name: value for name, value in params.items() if value not in EMPTY}


def child_metrics(evaluation: Evaluation, row: SolutionRow | None) -> dict[str, float]:
    """Return the scores of an evaluation with their errors, its time and its gain."""
    values = {
        "score": evaluation.score,
        "standard_error": evaluation.standard_error,
        "reported": evaluation.reported,
        "seconds": evaluation.seconds,
    }
    if row is not None:
        values |= _with_error("fresh", row.score.fresh, row.score.fresh_se)
        values |= _with_error("gain", row.gain, row.gain_se)
    return _known(values)


def point_metrics(point: Point) -> dict[str, float]:
    """Return where a run stood after a number of executions."""
    spend = point.spend
    return _known(
        {
            "best_score": point.best,
            "model_calls": spend.model_calls,
            "tokens": spend.tokens,
            "usd": spend.usd,
            "active_seconds": spend.seconds,
        }
    )


def final_metrics(result: Result) -> dict[str, float]:
    """Return the scores of the winner and of the baselines."""
    values = _scores("", result.score)
    values |= {"reported": result.score.reported}
    for row in result.baselines:
        values |= _scores(f"{row.name}.", row)
    return _known(values)


def _scores(prefix: str, scored: Any) -> dict[str, float | None]:
    return {
        **_with_error(f"{prefix}holdout", scored.holdout, scored.holdout_se),
        **_with_error(f"{prefix}fresh", scored.fresh, scored.fresh_se),
    }


def _with_error(name: str, value: float | None, error: float | None) -> dict[str, float | None]:
    """Return a number and its standard error as they are shown."""
    return {name: round_score(value, error), f"{name}_se": round_score(error, error)}


def _known(values: Mapping[str, float | None]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}
