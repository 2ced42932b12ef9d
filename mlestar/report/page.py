"""The HTML report: one self-contained page."""

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mlestar.errors import clean_text
from mlestar.evaluation.uncertainty.record import Uncertainty
from mlestar.metrics.precision import format_claim, format_score
from mlestar.metrics.spec import NOT_BLIND
from mlestar.report.amounts import dollars, tokens

SHOWN_TARGETS = 10
"""Targets in the table of intervals; `result.json` has all. Chosen by judgement; not measured."""


def render_page(result: dict[str, Any], brief: dict[str, Any]) -> str:
    """Return the page for a dumped `Result` and `Brief`; every text is cleaned and escaped."""
    shown = {"marks": _axis(result), "intervals": _intervals(result["uncertainty"]), "not_blind": NOT_BLIND}
    return _template().render(result=result, brief=brief, **shown)


@cache
def _template() -> Template:
    pages = Environment(
        loader=PackageLoader("mlestar", "report"), autoescape=True, undefined=StrictUndefined, finalize=_clean
    )
    pages.filters.update(number=format_score, claim=format_claim, duration=_duration, tokens=tokens, dollars=dollars)
    pages.filters.update(percent=_percent)
    return pages.get_template("report.html")


def _clean(value: Any) -> Any:
    return clean_text(value) if type(value) is str else value


def _intervals(dumped: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return what is shown of a dumped `Uncertainty`: the first targets only where they are many."""
    if dumped is None:
        return None
    uncertainty = Uncertainty.model_validate(dumped)
    rows = [
        {
            "target": target.target,
            "check": check,
            "shortage": "" if uncertainty.has_quantiles(check.level) else uncertainty.shortage(check.level),
            "falls_short": uncertainty.falls_short(check),
        }
        for target in uncertainty.targets[:SHOWN_TARGETS]
        for check in target.checks
    ]
    left_out = max(0, len(uncertainty.targets) - SHOWN_TARGETS)
    return {"record": uncertainty, "rows": rows, "left_out": left_out}


def _percent(share: float | None, error: float | None) -> str:
    """Return a share with its standard error in per cent."""
    if share is None:
        return "-"
    return f"{format_score(100 * share, None if error is None else 100 * error)} %"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


@dataclass(frozen=True)
class Mark:
    """A score on the common axis, in per cent of its width."""

    low: float
    at: float
    high: float


def _axis(result: dict[str, Any]) -> dict[tuple[str, str], Mark]:
    """Return the position of each holdout and fresh score, with one standard error on either side."""
    spans = {}
    for row, name in product(result["solutions"], ("holdout", "fresh")):
        score = row["score"]
        if score[name] is not None:
            spans[row["id"], name] = score[name], score[f"{name}_se"] or 0.0
    low = min((score - error for score, error in spans.values()), default=0.0)
    high = max((score + error for score, error in spans.values()), default=1.0)
    width = (high - low) or 1.0

    def position(score: float) -> float:
        return round(1 + 98 * (score - low) / width, 2)

    marks = {}
    for key, (score, error) in spans.items():
        marks[key] = Mark(position(score - error), position(score), position(score + error))
    return marks
