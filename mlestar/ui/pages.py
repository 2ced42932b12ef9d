"""Rendering pages: templates that escape and clean every text."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mlestar.errors import clean_text
from mlestar.metrics.precision import format_claim, format_score
from mlestar.report.amounts import dollars, duration, tokens
from mlestar.report.lineage import describe_gain
from mlestar.report.representation import main_score
from mlestar.report.runs import format_date
from mlestar.ui.live import Clock, LiveFacts

SECTIONS = ("now", "best", "spend", "failures", "lines")
"""Parts of the page of a run that change while it works."""


def render(name: str, **values: Any) -> str:
    """Return a page."""
    return _templates().get_template(name).render(**values)


def render_sections(facts: LiveFacts, now: float | None) -> Mapping[str, str]:
    """Return the parts of the page of a run that change.

    Args:
        facts: where the run stands.
        now: seconds since 1970; None: without the seconds that count on, which the page fills in itself.
    """
    macros = _templates().get_template("_live.html").module
    return {name: str(getattr(macros, name)(facts, now)) for name in SECTIONS}


@cache
def _templates() -> Environment:
    pages = Environment(
        loader=PackageLoader("mlestar", "ui/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_clean,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters.update(number=format_score, claim=format_claim, duration=duration, tokens=tokens, dollars=dollars)
    pages.filters.update(gain=describe_gain, main_score=main_score, date=format_date, clock=_clock)
    # Of what a template of ours has rendered, and nothing else.
    pages.filters["safe_html"] = Markup
    return pages


def _clean(value: Any) -> Any:
    return clean_text(value) if type(value) is str else value


def _clock(clock: Clock, now: float | None) -> Markup:
    """Return an element that shows how long something has taken; a script counts it on."""
    text = "" if now is None else duration(clock.seconds(now))
    if clock.until is not None:
        return Markup("<span>{}</span>").format(duration(clock.seconds(clock.until)))
    return Markup('<span data-since="{}">{}</span>').format(f"{clock.since:.1f}", text)
