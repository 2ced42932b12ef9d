"""The HTML report: one self-contained page."""

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from mlestar.errors import clean_text
from mlestar.metrics.precision import format_claim, format_score
from mlestar.metrics.spec import NOT_BLIND
from mlestar.report.amounts import dollars, tokens


def render_page(result: dict[str, Any], brief: dict[str, Any]) -> str:
    """Return the page for a dumped `Result` and `Brief`; every text is cleaned and escaped."""
    return _template().render(result=result, brief=brief, marks=_axis(result), not_blind=NOT_BLIND)


@cache
def _template() -> Template:
    pages = Environment(
        loader=PackageLoader("mlestar", "report"), autoescape=True, undefined=StrictUndefined, finalize=_clean
    )
    pages.filters.update(number=format_score, claim=format_claim, duration=_duration, tokens=tokens, dollars=dollars)
    return pages.get_template("report.html")


def _clean(value: Any) -> Any:
    return clean_text(value) if type(value) is str else value


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
