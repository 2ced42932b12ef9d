"""`mlestar compare`: two runs side by side."""

from dataclasses import asdict

from rich.text import Text

from mlestar.cli.tables import Column, make_console, print_table
from mlestar.cli.terminal import echo_json
from mlestar.errors import clean_text
from mlestar.metrics.spec import NOT_BLIND
from mlestar.report import Result
from mlestar.report.comparing import compare_runs, describe_run
from mlestar.store.text import to_json


def show_comparison(left: Result, right: Result, *, as_json: bool) -> None:
    """Print both runs, the settings that differ, and what may be said about which is better."""
    comparison = compare_runs(left, right)
    if as_json:
        both = [_values(result) for result in (left, right)]
        echo_json(to_json({**asdict(comparison), "results": both}, indent=2))
        return
    console = make_console()
    facts = [describe_run(result) for result in (left, right)]
    rows = [[name, facts[0][name], facts[1][name]] for name in facts[0]]
    columns = [Column(""), Column(comparison.runs[0], fold=True), Column(comparison.runs[1], fold=True)]
    for run, letter in zip(comparison.runs, "AB", strict=True):
        console.print(Text(f"{letter}  {run}"), soft_wrap=True)
    columns = [Column(""), Column("A", fold=True), Column("B", fold=True)]
    print_table(console, columns, [row for row in rows if row[1] or row[2]])
    if comparison.settings:
        console.print(Text("Settings that differ", style="bold"))
        print_table(console, [Column(""), *columns[1:]], [list(row) for row in comparison.settings])
    console.print(Text(clean_text(comparison.sentence), style="bold" if comparison.better else ""))
    if comparison.rows == "fresh" and not (left.score.blind and right.score.blind):
        console.print(Text(f"fresh scores that are marked: {NOT_BLIND}", style="dim"))


def _values(result: Result) -> dict[str, object]:
    """Return what programs compare of a run."""
    names = ("run_id", "status", "task", "metric", "direction", "winner", "model", "runner", "seconds")
    values = {name: getattr(result, name) for name in names}
    return {**values, "score": result.score.model_dump(), "spend": result.spend.model_dump()}
