"""The HTML report: one self-contained page."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mlestar.errors import clean_text
from mlestar.evaluation.uncertainty.record import Uncertainty
from mlestar.metrics.precision import format_claim, format_score
from mlestar.metrics.spec import NOT_BLIND
from mlestar.report.amounts import dollars, tokens
from mlestar.report.anchors import anchor_name
from mlestar.report.result import Result
from mlestar.state import FINISHED, Brief

SHOWN_TARGETS = 10
"""Targets in the table of intervals; `result.json` has all. Chosen by judgement; not measured."""


def render_page(
    result: Result,
    brief: Brief,
    scripts: Mapping[str, str] | None = None,
    settings: Mapping[str, Any] | None = None,
    media: Mapping[str, bytes] | None = None,
    *,
    running_at: str = "",
) -> str:
    """Return the page of a run; every text is cleaned and escaped.

    Args:
        result: of the run.
        brief: of the run.
        scripts: the texts of scripts by the id of their solution.
        settings: those of the run.
        media: small pictures and clips by their blobs.
        running_at: when a process that works on the run was seen; empty where none does.
    """
    # Here, because the library of charts takes seconds to import, and most commands write no page.
    from mlestar.report.views import make_page, tell_examples, tell_importance

    start_lines = result.start.lines if result.start is not None else ()
    shown: dict[str, Any] = {
        "intervals": _intervals(result.uncertainty),
        "not_blind": NOT_BLIND,
        "start_lines": start_lines,
    }
    shown["importance"] = tell_importance(result.importance) if result.importance else ""
    shown["examples"] = tell_examples(result.examples) if result.examples else ""
    shown |= {"status": "running" if running_at else result.status.replace("_", " "), "running_at": running_at}
    shown["is_finished"] = result.status in FINISHED
    page = make_page(result, brief, scripts or {}, media or {})
    return _template().render(result=result, brief=brief, page=page, settings=dict(settings or {}), **shown)


@cache
def _template() -> Template:
    pages = Environment(
        loader=PackageLoader("mlestar", "report/templates"), autoescape=True, undefined=StrictUndefined, finalize=_clean
    )
    pages.filters.update(number=format_score, claim=format_claim, duration=_duration, tokens=tokens, dollars=dollars)
    pages.filters.update(percent=_percent, anchor=anchor_name)
    return pages.get_template("report.html")


def _clean(value: Any) -> Any:
    return clean_text(value) if type(value) is str else value


def _intervals(uncertainty: Uncertainty | None) -> dict[str, Any] | None:
    """Return what is shown of intervals: the first targets only where they are many."""
    if uncertainty is None:
        return None
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
