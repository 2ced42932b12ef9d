"""The HTML report: one self-contained page."""

from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from mlestar.report.amounts import dollars, tokens


def render_page(result: dict[str, Any], brief: dict[str, Any]) -> str:
    """Return the page for a dumped `Result` and `Brief`; every text is escaped."""
    pages = Environment(loader=PackageLoader("mlestar", "report"), autoescape=True, undefined=StrictUndefined)
    pages.filters.update(number=_number, duration=_duration, tokens=tokens, dollars=dollars)
    return pages.get_template("report.html").render(result=result, brief=brief, marks=_axis(result))


def _number(value: float | None, error: float | None = None) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" + (f" ± {error:.2g}" if error else "")


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
    """Return where each holdout and fresh score lies, with one standard error on either side."""
    spans = {
        (row["id"], name): (row["score"][name], row["score"][f"{name}_se"] or 0.0)
        for row in result["solutions"]
        for name in ("holdout", "fresh")
        if row["score"][name] is not None
    }
    low = min((score - error for score, error in spans.values()), default=0.0)
    high = max((score + error for score, error in spans.values()), default=1.0)
    width = (high - low) or 1.0

    def place(value: float) -> float:
        return round(1 + 98 * (value - low) / width, 2)

    return {key: Mark(place(at - error), place(at), place(at + error)) for key, (at, error) in spans.items()}
