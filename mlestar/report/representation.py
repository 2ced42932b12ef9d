"""What results and solutions look like in a notebook and an interpreter: short text, and HTML."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from mlestar import markup
from mlestar.errors import clean_text, one_line
from mlestar.metrics.precision import format_claim, format_score
from mlestar.metrics.spec import NOT_BLIND
from mlestar.report.lineage import chain, describe_gain

if TYPE_CHECKING:
    from mlestar.report.result import Result, Score, SolutionRow


def score_lines(score: "Score") -> list[tuple[str, str, str]]:
    """Return each kind of score: its name, its value with the error, and what it means."""
    fresh = "graded on fresh rows that the search never had" if score.blind else NOT_BLIND
    if score.fresh is None:
        fresh = "nothing was graded on fresh rows"
    return [
        ("fresh", format_score(score.fresh, score.fresh_se), fresh),
        ("holdout", format_score(score.holdout, score.holdout_se), "graded on rows withheld during the search"),
        ("reported", format_claim(score.reported), "the script's own claim"),
    ]


def baseline_lines(result: "Result") -> list[tuple[str, str, str]]:
    """Return each baseline: its name, its fresh score, that of the holdout without one, and what it is."""
    lines = []
    for row in result.baselines:
        rows, pair = "fresh", (row.fresh, row.fresh_se)
        if row.fresh is None:
            rows, pair = "holdout", (row.holdout, row.holdout_se)
        meaning = "; ".join(filter(None, (f"baseline, {rows}" if pair[0] is not None else "", row.how, row.message)))
        lines.append((row.name, format_score(*pair), one_line(meaning)))
    return lines


def main_score(row: "SolutionRow") -> str:
    """Return the best confirmed score of a solution and the rows that it is of, or how it failed."""
    score = row.score
    if row.status != "ok":
        return row.status
    if score.fresh is not None:
        return f"fresh {format_score(score.fresh, score.fresh_se)}"
    if score.holdout is not None:
        return f"holdout {format_score(score.holdout, score.holdout_se)}"
    return row.standing or f"reported {format_claim(score.reported)}"


def result_text(result: "Result") -> str:
    """Return the result in two lines."""
    score, count = result.score, len(result.solutions)
    best = f"fresh {format_score(score.fresh, score.fresh_se)}"
    if score.fresh is None:
        best = f"holdout {format_score(score.holdout, score.holdout_se)}"
    if score.fresh is None and score.holdout is None:
        best = f"reported {format_claim(score.reported)}"
    status = result.status.replace("_", " ")
    first = f"Result of run {result.run_id}: {status}, {one_line(result.metric)} ({result.direction}): {best}"
    winner = result.winner_row
    what = f"winner {winner.id}, {one_line(winner.title)}" if winner else "no winner"
    return f"{first}\n{what}; {count} solution{'' if count == 1 else 's'} in {short_path(result.folder)}"


def short_path(path: str) -> str:
    """Return a path relative to the current folder when it is below it."""
    here = Path.cwd()
    return clean_text(str(Path(path).relative_to(here) if Path(path).is_relative_to(here) else path))


def solution_text(row: "SolutionRow") -> str:
    """Return a solution in one or two lines."""
    first = f"Solution {row.id} ({one_line(row.origin)}): {main_score(row)}, {one_line(row.title)}"
    second = one_line(row.message) if row.status != "ok" else describe_gain(row)
    return f"{first}\n{second}" if second else first


def lineage_text(rows: Iterable["SolutionRow"]) -> str:
    """Return a chain of solutions, a line for each."""
    lines = []
    for row in rows:
        parts = (f"{row.id} {main_score(row)}", describe_gain(row), one_line(row.plan or row.title))
        lines.append("; ".join(filter(None, parts)))
    return "\n".join(lines)


def result_html(result: "Result") -> str:
    """Return score, lineage and links."""
    status = result.status.replace("_", " ")
    head = markup.title(f"{one_line(result.task)}: {status}, {one_line(result.metric)} ({result.direction})")
    files = {"report": result.report, "script": result.solution, "submission": result.submission}
    links = [markup.link(path, name) for name, path in files.items() if path]
    notes = [one_line(text, 500) for text in (result.message, result.baseline_warning) if text]
    lineage = _lineage_table(chain(result)) if result.winner_row else Markup("")
    return markup.block(
        head,
        markup.table([*score_lines(result.score), *baseline_lines(result)]),
        *map(markup.line, notes),
        lineage,
        markup.line(f"{len(result.solutions)} solutions; {result.spend}"),
        *([markup.line(Markup(" &middot; ").join(links))] if links else []),
    )


def solution_html(row: "SolutionRow") -> str:
    """Return scores, origin, plan, and gain or failure."""
    facts = [("origin", row.origin), ("parent", row.parent or ""), ("combines", ", ".join(row.combines))]
    facts += [("members", ", ".join(f"{member.solution} {member.weight:.2f}" for member in row.members))]
    facts += [("plan", row.plan), ("gain", describe_gain(row)), ("status", row.status), ("message", row.message)]
    facts += [("seconds", f"{row.seconds:.1f}")]
    return markup.block(
        markup.title(f"{row.id}: {one_line(row.title)}"),
        markup.table(score_lines(row.score)),
        markup.table([(name, value) for name, value in facts if value]),
    )


def lineage_html(rows: Iterable["SolutionRow"]) -> str:
    """Return a chain of solutions as a table."""
    return markup.block(_lineage_table(rows))


def _lineage_table(rows: Iterable["SolutionRow"]) -> Markup:
    cells = [(row.id, main_score(row), describe_gain(row), one_line(row.plan or row.title)) for row in rows]
    return markup.table(cells, ("solution", "score", "gain", "what was done"))
