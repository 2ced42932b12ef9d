"""What the charts and texts of the report show, from the result of a run."""

import base64
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from mlestar.metrics.precision import format_score
from mlestar.metrics.spec import NOT_BLIND, better
from mlestar.report.anchors import anchor
from mlestar.report.baselines import BaselineRow, is_noise
from mlestar.report.charts import (
    Chart,
    effect_chart,
    importance_chart,
    lineage_chart,
    outcome_chart,
    score_chart,
    timeline_chart,
    trial_chart,
)
from mlestar.report.differences import changed_lines
from mlestar.report.examples import ExampleRow, ExamplesRow
from mlestar.report.media import media_type
from mlestar.report.result import Result, SolutionRow
from mlestar.state import FINISHED, Brief, Importance

MOST_MEDIA = 1_500_000
"""Bytes of all pictures and clips of a page."""
NAMED = 8
"""Columns that a sentence names."""
MOST_LINES = 300
"""Lines of a difference that are shown; the run folder has the scripts. Chosen by judgement."""


@dataclass(frozen=True)
class Charts:
    """The charts of a report; None where there is nothing to draw."""

    scores: Chart | None = None
    lineage: Chart | None = None
    studies: tuple[tuple[str, Chart], ...] = ()
    trials: Chart | None = None
    outcome: Chart | None = None
    importance: Chart | None = None
    timeline: Chart | None = None


@dataclass(frozen=True)
class ShownExample:
    """A withheld row with the winner's prediction."""

    row: ExampleRow
    source: str = ""
    """Its picture or clip as an address that holds all of it."""
    text: str = ""
    """What that is, for those who do not see or hear it."""


@dataclass(frozen=True)
class Page:
    """Everything that the template is given besides the result and the brief."""

    summary: tuple[str, ...]
    """Sentences: what was predicted, how well, compared with what, by which solution."""
    charts: Charts
    differences: Mapping[str, str] = field(default_factory=dict)
    """By solution: the unified difference of its script from that of its parent."""
    script: str = ""
    """Of the winner."""
    examples: tuple[ShownExample, ...] = ()


def make_page(
    result: Result, brief: Brief, scripts: Mapping[str, str], media: Mapping[str, bytes] = MappingProxyType({})
) -> Page:
    """Return what the report shows.

    Args:
        result: of the run.
        brief: of the run.
        scripts: the texts of scripts by the id of their solution, as far as they are known.
        media: small pictures and clips by their blobs, as far as they are known.
    """
    return Page(
        summary=summarize(result, brief),
        charts=_charts(result),
        differences={row.id: text for row in result.solutions if (text := shown_difference(row, scripts))},
        script=scripts.get(result.winner or "", ""),
        examples=tuple(_examples(result.examples, media)) if result.examples else (),
    )


def summarize(result: Result, brief: Brief) -> tuple[str, ...]:
    """Return the result in sentences; a difference is called one only where it exceeds its paired error."""
    spec, score = brief.spec, result.score
    what = ", ".join(spec.target)
    rows = f"{spec.test_rows} rows of {spec.test}" if spec.has_test else "no rows: the task has no test file"
    winner = result.winner_row
    if result.status not in FINISHED:
        return _summarize_so_far(result, what)
    if winner is None:
        return (f"No script that predicts {what} passed its evaluation.",)
    title = winner.title[:1].upper() + winner.title[1:]
    found = [f"{title} ({winner.id}) predicts {what} for {rows}."]
    if score.fresh is not None:
        seen = "that the search never had" if score.blind else f"({NOT_BLIND})"
        found.append(f"Its {result.metric} on fresh rows {seen} is {format_score(score.fresh, score.fresh_se)}.")
    elif score.holdout is not None:
        shown = format_score(score.holdout, score.holdout_se)
        found.append(f"Its {result.metric} on rows withheld during the search is {shown}; no fresh rows were left.")
    else:
        found.append(f"Its {result.metric} is known from the script alone.")
    # The gains are those of the best script of the run, in whose place a baseline may have been submitted.
    script = "The best script of the run" if result.status == "baseline" else "It"
    found += [_compared(row, script, winner.id) for row in result.baselines if row.winner_gain is not None]
    return tuple(found)


def _summarize_so_far(result: Result, what: str) -> tuple[str, ...]:
    """Return in sentences what a run has reached that is not finished."""
    best, score = result.winner_row, result.score
    if best is None:
        return (f"So far no script that predicts {what} has passed its evaluation.",)
    found = [f"So far {best.title} ({best.id}) has the best score of the scripts that predict {what}."]
    if score.holdout is not None:
        shown = format_score(score.holdout, score.holdout_se)
        found.append(f"Its {result.metric} on rows withheld during the search is {shown}.")
    return tuple(found)


def _compared(row: BaselineRow, script: str, winner: str) -> str:
    gain, error = row.winner_gain or 0.0, row.winner_gain_se
    shown = format_score(abs(gain), error)
    name = "it" if row.name == winner else f"the {row.name} baseline ({row.how})"
    if error is None or is_noise(gain, error):
        return f"{script} is not better than {name} beyond noise: {format_score(gain, error)} on the same rows."
    return f"{script} is {'better' if gain > 0 else 'worse'} than {name} by {shown} on the same rows."


def _examples(found: ExamplesRow, media: Mapping[str, bytes]) -> Iterator[ShownExample]:
    """Yield the rows that can be shown, as long as the page stays small."""
    left = MOST_MEDIA
    for row in found.rows:
        made = media.get(row.media)
        if made is None:
            if row.texts:
                yield ShownExample(row)
            continue
        left -= len(made)
        if left >= 0:
            source = f"data:{media_type(made)};base64,{base64.b64encode(made).decode()}"
            what = "picture" if found.kind == "image" else "sound"
            yield ShownExample(row, source, f"{what} of a row: predicted {row.predicted}, true {row.true}")


def tell_examples(found: ExamplesRow) -> str:
    """Return in a sentence which rows are shown."""
    groups = {row.group for row in found.rows}
    kinds = {"right": "right ones", "wrong": "wrong ones", "close": "close ones", "far": "ones that are far off"}
    named = " and ".join(words for group, words in kinds.items() if group in groups)
    rows = "rows of the holdout, which chose the winner"
    if found.rows_of == "fresh":
        rows = "fresh rows" + ("" if found.blind else f" ({NOT_BLIND})")
    if not named:
        return f"Predictions of the winner for {rows}, drawn at random."
    share = "" if len(groups) == 1 else " How many are shown says nothing about their share."
    return f"Predictions of the winner for {rows}: {named}, drawn at random.{share}"


def tell_importance(importance: Importance) -> str:
    """Return in words which columns matter; one does only where its loss exceeds two standard errors."""
    count, mattering = len(importance.columns), [row.column for row in importance.mattering]
    if not mattering:
        return f"No column changes the score beyond two standard errors ({count} measured)."
    named = ", ".join(mattering[:NAMED]) + (f" and {len(mattering) - NAMED} more" if len(mattering) > NAMED else "")
    rest = count - len(mattering)
    within = f" The other {rest} are within noise." if rest > 1 else " The other one is within noise." if rest else ""
    which = "this column" if len(mattering) == 1 else "one of these columns"
    return f"The score gets worse by more than two standard errors when {which} is permuted: {named}.{within}"


def shown_difference(row: SolutionRow, scripts: Mapping[str, str]) -> str:
    """Return how the script of a solution differs from that of its parent, as a unified difference."""
    before, after = scripts.get(row.parent or ""), scripts.get(row.id)
    if before is None or after is None or row.members:
        return ""
    lines = changed_lines(before, after, row.parent or "", row.id, context=2)
    left_out = len(lines) - MOST_LINES
    shown = lines[:MOST_LINES] + ([f"... {left_out} more lines"] if left_out > 0 else [])
    return "\n".join(shown)


def _charts(result: Result) -> Charts:
    history = result.history
    nodes, edges = lineage(result)
    outcome = outcome_chart(result.outcome.outcome) if result.outcome else None
    importance = importance_chart(result.importance) if result.importance else None
    if history is None:
        return Charts(lineage=lineage_chart(nodes, edges), outcome=outcome, importance=importance)
    drawn = ((study.label, effect_chart(study)) for study in history.studies)
    return Charts(
        scores=score_chart(_score_rows(result), result.metric),
        lineage=lineage_chart(nodes, edges),
        studies=tuple((label, chart) for label, chart in drawn if chart is not None),
        trials=trial_chart(history.trials),
        outcome=outcome,
        importance=importance,
        timeline=timeline_chart(history.executions),
    )


def _score_rows(result: Result) -> list[dict[str, Any]]:
    """Return the holdout scores, or where there is no holdout the reported ones, in order of time."""
    by_id, rows, best = {row.id: row for row in result.solutions}, list[dict[str, Any]](), None
    for point in result.history.points if result.history else ():
        row = by_id.get(point.solution)
        score = None if row is None else row.score.holdout
        score = row.score.reported if row is not None and score is None and result.fallback else score
        if row is None or score is None or row.status != "ok":
            continue
        error = row.score.holdout_se or 0.0
        ahead = better(result.direction, score, best)
        best = score if ahead else best
        state = "winner" if row.id == result.winner else "better" if ahead else "other"
        span = {"low": score - error, "high": score + error}
        rows.append(
            {
                "id": row.id,
                "executions": point.executions,
                "score": score,
                "best": best,
                "state": state,
                "link": anchor(row.id),
                **span,
            }
        )
    return rows


def lineage(result: Result) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return the places of solutions, each to the right of those that it came from, and the lines between them."""
    places: dict[str, tuple[int, int]] = {}
    taken: set[tuple[int, int]] = set()
    nodes, edges = list[dict[str, Any]](), list[dict[str, Any]]()
    for row in result.solutions:
        parents = [member.solution for member in row.members] or ([row.parent] if row.parent else [])
        known = [places[name] for name in parents if name in places]
        step = max((place[0] for place in known), default=-1) + 1
        lane = known[0][1] if known else 0
        while (step, lane) in taken:
            lane += 1
        places[row.id] = step, lane
        taken.add((step, lane))
        state = "winner" if row.id == result.winner else "ok" if row.status == "ok" else "failed"
        nodes.append({"id": row.id, "step": step, "lane": lane, "state": state, "link": anchor(row.id)})
        edges += [{"x": place[0], "y": place[1], "x2": step, "y2": lane} for place in known]
    return nodes, edges
