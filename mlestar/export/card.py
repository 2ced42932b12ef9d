"""The model card of an exported folder, and its page of commands."""

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from mlestar import __version__
from mlestar.errors import clean_text, mask_secrets
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.uncertainty.record import Uncertainty
from mlestar.export.lock import Package
from mlestar.export.neutral import made_up_value, without_paths
from mlestar.metrics.precision import format_score, round_score
from mlestar.metrics.spec import NOT_BLIND
from mlestar.predictor.coverage import limits_of
from mlestar.predictor.frames import RowSpec
from mlestar.predictor.package import PackageInfo
from mlestar.report import Result
from mlestar.settings import Settings

TEMPLATES = Path(__file__).with_name("templates")
_MAX_CELL = 400
"""Most characters of a text from outside this package. Chosen by judgement; not measured."""
_MARKS = {ord(mark): f"&#{ord(mark)};" for mark in "\\`*[]<>|#&"}
"""Characters with a meaning in Markdown or HTML."""
_SETTINGS = (
    "profile",
    "seed",
    "tracks",
    "retrieved_models",
    "outer_steps",
    "inner_plans",
    "ensemble_rounds",
    "blend",
    "accept",
    "finalists",
    "fresh_share",
    "fresh_splits",
    "subsample_rows",
    "script_seconds",
)
"""Settings that determine how a run searches and scores; others may contain folders and addresses."""
_SPLITS = {
    "random": "at random",
    "stratified": "at random, with the same share of each class",
    "time": "the latest ones",
    "series": "the last ones of each series",
    "group": "whole groups",
    "space": "blocks of neighbouring places",
}


def render(template: str, /, **values: Any) -> str:
    """Return a file of the exported folder from its template."""
    environment = Environment(  # Markdown and configuration, not HTML
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"cell": cell, "yaml": lambda text: json.dumps(str(text))}
    return environment.get_template(template).render(**values)


def cell(text: object) -> str:
    """Return a text from elsewhere as a cell of a Markdown table: on one line, with all markup escaped."""
    plain = " ".join(without_paths(clean_text(mask_secrets(str(text)))).split())[:_MAX_CELL]
    return plain.translate(_MARKS)


def model_card(
    result: Result, settings: Settings, saved: PackageInfo, rows: RowSpec, packages: Sequence[Package]
) -> str:
    """Return the model card."""
    spec = saved.spec
    winner = result.winner_row
    return render(
        "MODEL_CARD.md",
        name=cell(spec.name),
        task=clean_text(spec.name),
        problem=spec.problem,
        metric=spec.metric,
        direction=spec.direction,
        targets=_names(spec.target),
        classes=_names(spec.classes),
        columns=rows.columns,
        limits=_limits(result, saved),
        train_rows=spec.train_rows,
        data_files=saved.data_files,
        scores=_scores(result),
        split=_split(result.split, result.fallback),
        baselines=_baselines(result),
        warnings=result.warnings,
        version=__version__,
        run=result.run_id,
        winner=result.winner,
        title=winner.title if winner else "",
        model=result.model or "unknown",
        runner=result.runner or "unknown",
        executions=result.spend.executions,
        minutes=round(result.seconds / 60),
        settings=", ".join(f"{name} {getattr(settings, name)}" for name in _SETTINGS),
        checks=saved.checks,
        intervals=describe_coverage(result.uncertainty),
        formats=_formats(saved),
        packages=packages,
        weights=result.weights,
    )


def readme(result: Result, saved: PackageInfo, rows: RowSpec, image: str) -> str:
    """Return the page with the commands of the folder."""
    required = [*([rows.id] if rows.id and not rows.free_id else []), *rows.columns]
    example = json.dumps({column.name: made_up_value(column) for column in required}, ensure_ascii=False)
    return render(
        "README.md",
        name=cell(saved.spec.name),
        targets=_names(saved.spec.target),
        version=__version__,
        run=result.run_id,
        image=image,
        further=_further(result.uncertainty),
        example=clean_text(example).replace("'", "\\u0027"),
    )


def describe_coverage(uncertainty: Uncertainty | None) -> list[str]:
    """Return the lines about intervals or sets of classes in a result; an empty list where it has neither.

    Args:
        uncertainty: of the result; None in results that say nothing.
    """
    if uncertainty is None or uncertainty.kind == "none":
        return []
    what = "Sets of classes" if uncertainty.kind == "set" else "Intervals"
    measured = f"{what} of a stated coverage, and the share of fresh rows inside them: {uncertainty.summary}."
    against = [f"{line[0].upper()}{line[1:]}." for line in limits_of(uncertainty) if line != uncertainty.promise]
    return [measured, uncertainty.rule, uncertainty.promise, *against]


def _further(uncertainty: Uncertainty | None) -> str:
    """Return what a model has beside predictions: `interval`, `set`, or nothing."""
    return "" if uncertainty is None or uncertainty.kind == "none" else uncertainty.kind


def _names(names: Sequence[str]) -> str:
    return ", ".join(cell(name) for name in names)


def _formats(saved: PackageInfo) -> list[dict[str, Any]]:
    """Return the formats of the saved files, with the number of files of each."""
    counts = Counter((file.format, file.safe) for file in saved.files)
    return [{"name": name, "files": count, "safe": safe} for (name, safe), count in sorted(counts.items())]


def _limits(result: Result, saved: PackageInfo) -> list[str]:
    lines = []
    if saved.spec.prediction_kind == "probability":
        lines.append("How well the probabilities are calibrated was not checked.")
    if result.score.fresh is None:
        lines.append("There is no score on fresh rows: the holdout score chose the model, so it may flatter it.")
    if saved.train_files:
        lines.append(
            "The model contains the train rows, in which it looks up features: share it only where these may be shared."
        )
    if saved.depends:
        lines.append("The prediction of a row depends on the other rows of the call: predict many rows together.")
    if not saved.safe:
        lines.append("Files of the model can execute code when they are read: keep it in its container.")
    return lines


def _scores(result: Result) -> list[dict[str, str | float]]:
    score = result.score
    fresh = "no script of the search had them" if score.blind else NOT_BLIND
    rows = [
        ("fresh", score.fresh, score.fresh_se, fresh),
        ("holdout", score.holdout, score.holdout_se, "withheld from every script during the search"),
    ]
    if score.fresh is None and score.holdout is None:
        rows.append(("reported by the script itself", score.reported, None, "nothing checked it"))
    return [
        {"name": name, "value": format_score(value, error), "number": round_score(value, error) or 0.0, "rows": where}
        for name, value, error, where in rows
        if value is not None
    ]


def _split(split: SplitPlan | None, fallback: str) -> str:
    """Return a sentence about how rows were withheld."""
    if split is None:
        return f"No rows were withheld: {cell(fallback)}." if fallback else "No rows were withheld."
    by = f" (by {cell(split.by)})" if split.by else ""
    together = ", with equal rows on one side" if split.keep_duplicates else ""
    share = round(100 * split.fraction)
    how = f"{_SPLITS[split.kind]}{by}{together}"
    return f"{share} % of the labelled rows were withheld: {how}. Errors are standard errors."


def _baselines(result: Result) -> list[dict[str, str]]:
    return [
        {
            "name": row.name,
            "how": row.how,
            "score": format_score(row.fresh, row.fresh_se)
            if row.fresh is not None
            else format_score(row.holdout, row.holdout_se),
            "gain": "not compared" if row.winner_gain is None else format_score(row.winner_gain, row.winner_gain_se),
        }
        for row in result.baselines
    ]
