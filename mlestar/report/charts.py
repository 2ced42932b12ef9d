"""Charts of the report: Vega-Lite specifications, drawn as SVG when the page is written.

The page needs no script and no network. Colours are names of the page's CSS variables, so that a chart follows light
and dark; each chart is drawn wide and narrow, and CSS shows the one that fits.
"""

import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert
from markupsafe import Markup

from mlestar.errors import clean_text, one_line
from mlestar.evaluation.outcome import Outcome
from mlestar.report.baselines import BEYOND_NOISE, is_noise
from mlestar.report.history import ExecutionRow, StudyRow, TrialRow
from mlestar.state import Importance

WIDE, NARROW = 880, 300
"""Pixels of the plot without its axis labels: for pages of 1,040 and of 390 pixels."""
COLORS = {
    "ink": "#010101",
    "soft": "#020202",
    "line": "#030303",
    "accent": "#040404",
    "good": "#050505",
    "bad": "#060606",
    "card": "#070707",
}
"""Stand-ins that are replaced by variables of the page: Vega draws no variables."""
MOST_BARS = 25
"""Columns in the chart of their importance. Chosen by judgement."""
TITLE_CHARACTERS = 24
"""Characters of a line of a title below a narrow plot."""
LABEL = 40
"""Characters of a name beside an axis. Chosen by judgement."""

_LINK = re.compile(r'(?:xlink:)?href="[^"#]*#')

Rows = Sequence[dict[str, Any]]
Drawing = alt.Chart | alt.LayerChart | alt.FacetChart
Specify = Callable[[int], Drawing]


@dataclass(frozen=True)
class Chart:
    """A drawn chart."""

    wide: Markup
    narrow: Markup
    text: str
    """What it shows, for those who do not see it."""


def score_chart(rows: Rows, metric: str) -> Chart | None:
    """Return the scores of solutions against the executions that had ended, with the best so far.

    Args:
        rows: in order of time, each with `id`, `executions`, `score`, `low`, `high`, `best` so far, and `state`:
            `winner`, `better` than all before, or `other`.
        metric: name of the axis.
    """
    if len(rows) < 2:
        return None
    best = rows[-1]["best"]
    colors = alt.Scale(domain=["winner", "better", "other"], range=[COLORS["good"], COLORS["accent"], COLORS["soft"]])

    def specify(width: int) -> Drawing:
        x = alt.X("executions:Q", title="executions that had ended", axis=alt.Axis(tickMinStep=1))
        scale = alt.Scale(zero=False)
        path = alt.Chart(_data(rows)).mark_line(interpolate="step-after", color=COLORS["accent"], opacity=0.5)
        best_line = path.encode(x=x, y=alt.Y("best:Q", title=metric, scale=scale))
        points = alt.Chart(_data(rows)).encode(x=x, color=alt.Color("state:N", scale=colors, legend=None))
        errors = points.mark_rule(opacity=0.45).encode(y=alt.Y("low:Q", scale=scale), y2="high:Q")
        dots = points.mark_circle(size=60, opacity=1).encode(y=alt.Y("score:Q", scale=scale), href="link:N")
        return alt.layer(best_line, errors, dots).properties(width=width, height=220)

    text = f"{metric} of {len(rows)} solutions by the executions that had ended; the best reached is {best:.6g}."
    return draw(specify, text)


def lineage_chart(nodes: Rows, edges: Rows) -> Chart | None:
    """Return which solution came from which, each step to the right; failed ones are hollow.

    Args:
        nodes: each with `id`, `step`, `lane`, `state` (`winner`, `ok` or `failed`) and `link`.
        edges: each with `x`, `y`, `x2` and `y2`, the places of parent and child.
    """
    if len(nodes) < 2:
        return None
    colors = alt.Scale(domain=["winner", "ok", "failed"], range=[COLORS["good"], COLORS["accent"], COLORS["bad"]])
    lanes = max(node["lane"] for node in nodes) + 1

    def specify(width: int) -> Drawing:
        x = alt.X("step:Q", axis=None, scale=alt.Scale(nice=False, padding=30))
        y = alt.Y("lane:Q", axis=None, scale=alt.Scale(reverse=True, nice=False, padding=16))
        lines = alt.Chart(_data(edges)).mark_rule(color=COLORS["line"], strokeWidth=1.5)
        joined = lines.encode(x=alt.X("x:Q", axis=None), x2="x2:Q", y=alt.Y("y:Q", axis=None), y2="y2:Q")
        base = alt.Chart(_data(nodes)).encode(
            x=x, y=y, color=alt.Color("state:N", scale=colors, legend=None), href="link:N"
        )
        dots = base.mark_point(size=90, filled=True, opacity=1).encode(
            shape=alt.Shape(
                "state:N",
                legend=None,
                scale=alt.Scale(domain=["winner", "ok", "failed"], range=["diamond", "circle", "cross"]),
            )
        )
        names = base.mark_text(dy=-11, fontSize=10).encode(text="id:N")
        layers = [joined, dots] + ([names] if width == WIDE or len(nodes) < 12 else [])
        return alt.layer(*layers).properties(width=width, height=min(60 + 34 * lanes, 1200))

    failed = sum(node["state"] == "failed" for node in nodes)
    return draw(specify, f"{len(nodes)} solutions, {failed} of them failed, joined to those that they came from.")


def effect_chart(study: StudyRow) -> Chart | None:
    """Return what each variant of an ablation study changes, with two standard errors."""
    rows = [
        _effect(variant.name, variant.gain.difference, variant.gain.standard_error)
        for variant in study.variants
        if variant.gain is not None
    ]
    return _bars(rows, "change of the score without the part (worse is left)", "Effect of switching parts off")


def trial_chart(trials: Iterable[TrialRow]) -> Chart | None:
    """Return the gain of each plan over the script that it started from, with two standard errors."""
    rows = [
        _effect(trial.solution or trial.plan, trial.gain.difference, trial.gain.standard_error)
        for trial in trials
        if trial.gain is not None
    ]
    return _bars(rows, "gain over the script before (better is right)", "Gain of each plan")


def importance_chart(importance: Importance) -> Chart | None:
    """Return how much worse the score gets when each of the most important columns is permuted."""
    rows = [
        _effect(row.column, row.loss, row.loss_se) for row in importance.columns[:MOST_BARS] if row.loss is not None
    ]
    return _bars(rows, "loss of score when permuted (more important is right)", "Loss of score by column")


def timeline_chart(executions: Sequence[ExecutionRow]) -> Chart | None:
    """Return when each script was executed, a lane for each track."""
    if not executions:
        return None
    rows = [
        {
            "lane": _lane(row.label),
            "start": row.started / 60,
            "end": (row.started + row.seconds) / 60,
            "state": "ok" if row.status == "ok" else "failed",
            "what": f"{clean_text(row.label)}: {row.seconds:.1f} s, {row.status}",
        }
        for row in executions
    ]
    lanes = len({row["lane"] for row in rows})
    colors = alt.Scale(domain=["ok", "failed"], range=[COLORS["accent"], COLORS["bad"]])

    def specify(width: int) -> Drawing:
        bars = alt.Chart(_data(rows)).mark_bar(opacity=0.65, stroke=COLORS["ink"], strokeWidth=0.3)
        drawn: alt.Chart = bars.encode(
            x=alt.X("start:Q", title="minutes"),
            x2="end:Q",
            y=alt.Y("lane:N", title=None, sort=None),
            color=alt.Color("state:N", scale=colors, legend=None),
            description="what:N",
        )
        return drawn.properties(width=width, height=30 + 26 * lanes)

    seconds = sum(row.seconds for row in executions)
    return draw(specify, f"{len(executions)} executions of {seconds:.0f} s together in {lanes} lanes over time.")


def outcome_chart(outcome: Outcome) -> Chart | None:
    """Return predictions beside the truth: points, a table of classes, or shares by predicted probability."""
    if outcome.kind == "values":
        return _points(outcome)
    return _confusion(outcome) if outcome.kind == "labels" else _calibration(outcome)


def _points(outcome: Outcome) -> Chart | None:
    if len(outcome.points) < 2:
        return None
    rows = [{"predicted": predicted, "true": true} for predicted, true in outcome.points]
    numbers = [number for point in outcome.points for number in point]
    ends = [{"at": min(numbers)}, {"at": max(numbers)}]

    def specify(width: int) -> Drawing:
        scale = alt.Scale(zero=False)
        x, y = alt.X("predicted:Q", scale=scale), alt.Y("true:Q", scale=scale)
        equal = alt.Chart(_data(ends)).mark_line(color=COLORS["soft"], strokeDash=[4, 4])
        line = equal.encode(
            x=alt.X("at:Q", title="predicted"), y=alt.Y("at:Q", title=f"true {one_line(outcome.target, LABEL)}")
        )
        dots = alt.Chart(_data(rows)).mark_circle(size=26, opacity=0.55, color=COLORS["accent"]).encode(x=x, y=y)
        return alt.layer(line, dots).properties(width=min(width, 520), height=min(width, 380))

    errors = sorted(abs(predicted - true) for predicted, true in outcome.points)
    middle = errors[len(rows) // 2]
    return draw(specify, f"{len(rows)} of {outcome.rows} rows; half of them are off by {middle:.3g} or less.")


def _confusion(outcome: Outcome) -> Chart:
    rows = []
    for true, counts in zip(outcome.classes, outcome.counts, strict=True):
        total = max(1, sum(counts))
        rows += [
            {
                "true": one_line(true, LABEL),
                "predicted": one_line(name, LABEL),
                "rows": count,
                "share": count / total,
                "dark": count / total > 0.5,
            }
            for name, count in zip(outcome.classes, counts, strict=True)
        ]
    right = sum(outcome.counts[place][place] for place in range(len(outcome.classes)))

    def specify(width: int) -> Drawing:
        size = min((width - 60) // len(outcome.classes), 70)
        base = alt.Chart(_data(rows)).encode(
            x=alt.X("predicted:N", sort=None, title="predicted", axis=alt.Axis(labelAngle=-40)),
            y=alt.Y("true:N", sort=None, title=f"true {one_line(outcome.target, LABEL)}"),
        )
        cells = base.mark_rect(color=COLORS["accent"]).encode(opacity=alt.Opacity("share:Q", legend=None))
        ink = alt.Color(
            "dark:N", legend=None, scale=alt.Scale(domain=[True, False], range=[COLORS["card"], COLORS["ink"]])
        )
        counts = base.mark_text(fontSize=11).encode(text="rows:Q", color=ink)
        return alt.layer(cells, counts).properties(
            width=size * len(outcome.classes), height=min(size, 44) * len(outcome.classes)
        )

    text = f"{right} of {outcome.rows} rows have the true label; rows are true classes, columns predicted ones."
    return draw(specify, text)


def _calibration(outcome: Outcome) -> Chart | None:
    if not outcome.bins:
        return None
    rows = [
        {
            "predicted": group.predicted,
            "true": group.true,
            "low": max(0.0, group.true - BEYOND_NOISE * group.error),
            "high": min(1.0, group.true + BEYOND_NOISE * group.error),
        }
        for group in outcome.bins
    ]

    def specify(width: int) -> Drawing:
        scale = alt.Scale(domain=[0, 1])
        ends = [{"at": 0.0}, {"at": 1.0}]
        equal = alt.Chart(_data(ends)).mark_line(color=COLORS["soft"], strokeDash=[4, 4])
        x = alt.X("at:Q", title="predicted probability", scale=scale)
        line = equal.encode(x=x, y=alt.Y("at:Q", title="share that came true", scale=scale))
        base = alt.Chart(_data(rows)).encode(x="predicted:Q")
        errors = base.mark_rule(color=COLORS["accent"], opacity=0.5).encode(y="low:Q", y2="high:Q")
        dots = base.mark_circle(size=60, opacity=1, color=COLORS["accent"]).encode(y="true:Q")
        return alt.layer(line, errors, dots).properties(width=min(width, 420), height=min(width, 320))

    off = sum(not is_noise(group.predicted - group.true, group.error) for group in outcome.bins)
    told = "the share that came true is within two standard errors of the prediction"
    return draw(specify, f"In {len(rows) - off} of {len(rows)} groups of rows {told}.")


def draw(specify: Specify, text: str) -> Chart:
    """Return a specified chart in both widths."""
    return Chart(_svg(specify(WIDE)), _svg(specify(NARROW)), text)


def _svg(chart: Drawing) -> Markup:
    lines = {"gridColor": COLORS["line"], "domainColor": COLORS["line"], "tickColor": COLORS["line"]}
    texts = {"labelColor": COLORS["soft"], "titleColor": COLORS["soft"], "titleFontWeight": "normal"}
    sizes = {"labelLimit": 170, "labelFontSize": 12, "titleFontSize": 12}
    config = {
        "view": {"strokeOpacity": 0},
        "axis": {**lines, **texts, **sizes},
        "background": "transparent",
        "font": "system-ui, sans-serif",
    }
    svg = vl_convert.vegalite_to_svg({**chart.to_dict(), "config": config})
    for name, color in COLORS.items():
        svg = svg.replace(f'"{color}"', f'"var(--{name})"')
    # The renderer puts an address of its own before a link within the page.
    svg = _LINK.sub('href="#', svg)
    # The names and values come from Vega, which escapes them.
    return Markup(svg.replace("<svg ", '<svg focusable="false" ', 1))


def _bars(rows: Rows, title: str, text: str) -> Chart | None:
    if not rows:
        return None
    colors = alt.Scale(domain=["more", "noise", "less"], range=[COLORS["good"], COLORS["soft"], COLORS["bad"]])

    def specify(width: int) -> Drawing:
        base = alt.Chart(_data(rows)).encode(y=alt.Y("name:N", title=None, sort=None))
        color = alt.Color("kind:N", scale=colors, legend=None)
        # On a phone the plot is narrower than a title of one line.
        lines = textwrap.wrap(title, TITLE_CHARACTERS) if width == NARROW else title
        bars = base.mark_bar(size=12, opacity=0.75).encode(x=alt.X("difference:Q", title=lines), color=color)
        errors = base.mark_rule(color=COLORS["ink"], strokeWidth=1.5).encode(x="low:Q", x2="high:Q")
        zero = alt.Chart(_data([{"zero": 0}])).mark_rule(color=COLORS["soft"]).encode(x="zero:Q")
        return alt.layer(bars, errors, zero).properties(width=width - 140, height=24 * len(rows) + 10)

    told = "; ".join(f"{row['name']} {row['difference']:+.3g} ± {row['error']:.2g}" for row in rows)
    return draw(specify, f"{text}: {told}.")


def _effect(name: str, difference: float, error: float) -> dict[str, Any]:
    """Return a bar: only what exceeds two standard errors is called more or less."""
    kind = "noise" if is_noise(difference, error) else "more" if difference > 0 else "less"
    low, high = difference - BEYOND_NOISE * error, difference + BEYOND_NOISE * error
    return {
        "name": one_line(name, LABEL),
        "difference": difference,
        "error": error,
        "low": low,
        "high": high,
        "kind": kind,
    }


def _lane(label: str) -> str:
    """Return the track of an execution, by the beginning of its label."""
    first = clean_text(label).split(".")[0]
    return first[:16] or "run"


def _data(rows: Rows) -> alt.InlineData:
    return alt.InlineData(values=list(rows))
