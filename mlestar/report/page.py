"""The HTML report: one self-contained page."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined


def render_page(result: dict[str, Any], brief: dict[str, Any]) -> str:
    """Return the page for a dumped `Result` and `Brief`; every text is escaped."""
    pages = Environment(loader=PackageLoader("mlestar", "report"), autoescape=True, undefined=StrictUndefined)
    pages.filters.update(number=_number, duration=_duration)
    return pages.get_template("report.html").render(result=result, brief=brief, bars=_bars(result))


def _number(value: float | None, error: float | None = None) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" + (f" ± {error:.2g}" if error else "")


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def _bars(result: dict[str, Any]) -> dict[str, float]:
    """Return the share of the width that each solution's search score takes, the best being the widest."""
    scores = {row["id"]: row["score"]["search"] for row in result["solutions"]}
    known = [score for score in scores.values() if score is not None]
    if not known:
        return {}
    low, high = min(known), max(known)
    span = (high - low) or 1.0
    up = result["direction"] == "maximize"
    return {
        name: 0.15 + 0.85 * ((score - low) if up else (high - score)) / span
        for name, score in scores.items()
        if score is not None
    }
