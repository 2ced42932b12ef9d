"""`mlestar show` and `mlestar diff`: one run, one solution, how two scripts differ."""

from collections.abc import Iterable

from rich.syntax import Syntax
from rich.text import Text

from mlestar.cli.tables import Column, make_console, print_table
from mlestar.cli.terminal import Console, echo, echo_json
from mlestar.errors import one_line
from mlestar.metrics.precision import format_score
from mlestar.report import Result
from mlestar.report.differences import difference, find_pair, read_script
from mlestar.report.lineage import describe_gain, find_solution, format_gain, origin_of, tree
from mlestar.report.ranking import Choosing, rank
from mlestar.report.representation import baseline_lines, main_score, score_lines
from mlestar.report.result import SolutionRow
from mlestar.store.text import to_json

BEST = 10
"""Solutions in the table of the best; the lineage has all. Chosen by judgement."""
STYLES = {"+": "green", "-": "red", "@": "cyan"}
"""Colours of the lines of a difference by their first character."""


def show_run(result: Result, *, as_json: bool) -> None:
    """Print how a run ended: scores, best solutions, lineage, caps, spend, files."""
    if as_json:
        echo_json(result.model_dump_json(indent=2))
        return
    console = make_console()
    _print_title(console, f"{result.run_id}: {result.status.replace('_', ' ')}")
    facts = {"task": result.task, "metric": f"{result.metric} ({result.direction})", "winner": result.winner or "none"}
    facts |= {"message": result.message, "baseline": result.baseline_warning, "no holdout": result.fallback}
    facts |= {"model": result.model, "runner": result.runner, "minutes": f"{result.seconds / 60:.1f}"}
    _print_facts(console, [*facts.items(), ("spent", str(result.spend))])
    _print_facts(
        console, [("cap", f"{row.cap} ({row.limit:g}) stopped {', '.join(row.stopped)}") for row in result.caps]
    )
    _print_facts(console, [("warning", line) for line in (*result.warnings, *result.weak_models)])
    _print_scores(console, [*score_lines(result.score), *baseline_lines(result)])
    if result.solutions:
        _print_best(console, result)
        _print_tree(console, result)
    files = {"script": result.solution, "submission": result.submission, "report": result.report}
    _print_title(console, "Files")
    _print_facts(
        console, [*((name, path or "") for name, path in files.items()), ("folder", result.folder)], whole=True
    )


def _print_best(console: Console, result: Result) -> None:
    ranked = [one for one in rank(result) if one.choosing is not None]
    if not ranked:
        return
    columns = [Column("solution"), Column("score"), Column("on", rank=3), Column("gain", rank=2)]
    columns += [Column("seconds", rank=4), Column("what", fold=True, rank=1)]
    rows = [_ranked_cells(one.row, one.choosing, result.winner) for one in ranked[:BEST] if one.choosing]
    _print_title(console, "Best solutions")
    print_table(console, columns, rows)
    if rest := len(ranked) - len(rows):
        console.print(Text(f"... and {rest} more, which the lineage has", style="dim"))


def _ranked_cells(row: SolutionRow, choosing: Choosing, winner: str | None) -> list[str]:
    name = f"{row.id} *" if row.id == winner else row.id
    score = format_score(choosing.score, choosing.error)
    return [name, score, choosing.rows, _gain(row), f"{row.seconds:.1f}", row.title]


def _gain(row: SolutionRow) -> str:
    return "" if row.gain is None else format_gain(row)


def _print_tree(console: Console, result: Result) -> None:
    columns = [Column("solution"), Column("score or failure", fold=True), Column("gain", rank=1)]
    columns += [Column("plan or title", fold=True)]
    rows = []
    for branch in tree(result):
        row = branch.row
        what = one_line(row.plan or row.title if row.status == "ok" else row.message or row.title)
        rows.append(
            [f"{branch.indent}{row.id}{' *' if row.id == result.winner else ''}", main_score(row), _gain(row), what]
        )
    _print_title(console, "Lineage")
    print_table(console, columns, rows)
    if result.winner:
        console.print(Text("* submitted; gain: over the solution above, on the same withheld rows", style="dim"))


def show_solution(result: Result, name: str, *, script: bool, as_json: bool) -> None:
    """Print one solution: origin, plan, scores, gain, why it failed; or only its script.

    Raises:
        UserError: the run has no such solution, or it has no script.
    """
    row = find_solution(result, name)
    if as_json:
        text = {"text": read_script(result, row)} if script else {}
        echo_json(to_json({**row.model_dump(mode="json"), **text}, indent=2))
        return
    console = make_console()
    if script:
        _print_script(console, read_script(result, row))
        return
    _print_title(console, f"{result.run_id} {row.id}: {row.title}")
    parts = [*row.combines, *(f"{member.solution} {member.weight:.2f}" for member in row.members)]
    facts = {"origin": row.origin, "made from": origin_of(row) or "", "combines": ", ".join(parts), "plan": row.plan}
    facts |= {"status": row.status, "failed": row.message, "standing": row.standing or "", "gain": describe_gain(row)}
    facts |= {"seconds": f"{row.seconds:.1f}", "submitted": "yes" if row.id == result.winner else ""}
    _print_facts(console, list(facts.items()))
    _print_scores(console, score_lines(row.score))
    _print_facts(console, [("script", str(row.script or ""))], whole=True)


def show_difference(result: Result, before: str, after: str, *, as_json: bool) -> None:
    """Print how two scripts differ: in colours on a terminal.

    Raises:
        UserError: the run has no such solution, or one has no script.
    """
    text = difference(result, before, after)
    left, right = find_pair(result, before, after)
    if as_json:
        names = {"run_id": result.run_id, "before": left.id, "after": right.id}
        echo_json(to_json({**names, "gain": _gain_between(left, right), "difference": text}, indent=2))
        return
    if not text:
        echo(f"the scripts of {left.id} and {right.id} are the same", err=True)
        return
    console = Console(highlight=False)
    for line in text.split("\n"):
        style = STYLES.get(line[:1], "") if not line.startswith(("+++", "---")) else "bold"
        console.print(Text(line, style=style), soft_wrap=True)


def _gain_between(left: SolutionRow, right: SolutionRow) -> dict[str, float | None] | None:
    """Return the paired gain of the second over the first, where the run compared them."""
    if right.compared != left.id or right.gain is None:
        return None
    return {"gain": right.gain, "gain_se": right.gain_se}


def _print_title(console: Console, text: str) -> None:
    console.print(Text(f"\n{one_line(text)}", style="bold"), soft_wrap=True)


def _print_scores(console: Console, lines: Iterable[tuple[str, str, str]]) -> None:
    _print_title(console, "Scores")
    columns = [Column("score"), Column("value"), Column("what it is", fold=True, rank=1)]
    print_table(console, columns, [list(line) for line in lines])


def _print_facts(console: Console, facts: Iterable[tuple[str, str]], *, whole: bool = False) -> None:
    """Print names and values; `whole` values are never broken, so that they can be copied."""
    rows = [[name, value] for name, value in facts if value]
    if rows:
        print_table(console, [Column("", width=10), Column("", fold=not whole)], rows, header=False)


def _print_script(console: Console, code: str) -> None:
    """Print a script as it is, in colours on a terminal."""
    if console.is_terminal:
        console.print(Syntax(code, "python", background_color="default", word_wrap=True))
    else:
        echo(code)
