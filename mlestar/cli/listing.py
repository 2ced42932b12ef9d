"""`mlestar runs`: the content of the runs folder."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.text import Text

from mlestar.api import prune
from mlestar.cli.tables import Column, make_console, print_table
from mlestar.cli.terminal import echo, echo_json
from mlestar.metrics.precision import format_score
from mlestar.metrics.spec import NOT_BLIND
from mlestar.report.runs import ListedRun, filter_runs, format_date, read_runs, sort_runs
from mlestar.store.text import to_json

MARK = "*"
"""Of a fresh score that is not blind."""
COLUMNS = (
    Column("run"),
    Column("status", fold=True),
    Column("task", rank=5),
    Column("metric", rank=2),
    Column("fresh", rank=0),
    Column("holdout", rank=1),
    Column("minutes", rank=3),
    Column("date", rank=4),
)


def list_all(runs_dir: Path, *, sort: Sequence[str] = (), conditions: Sequence[str] = (), as_json: bool) -> None:
    """Print the runs that satisfy the conditions with their status and scores."""
    every = read_runs(runs_dir)
    runs = sort_runs(filter_runs(every, conditions), sort)
    if as_json:
        echo_json(to_json([_facts(run) for run in runs], indent=2))
        return
    console = make_console()
    if not runs:
        none = f"no runs in {runs_dir}" if not every else f"none of the {len(every)} runs in {runs_dir} matches"
        console.print(Text(none))
        return
    print_table(console, COLUMNS, [_cells(run) for run in runs])
    if any(_is_marked(run) for run in runs):
        console.print(Text(f"{MARK} {NOT_BLIND}", style="dim"))


def _facts(run: ListedRun) -> dict[str, Any]:
    """Return a run's result for programs, or its name and status when it has none."""
    facts = run.result.model_dump(mode="json") if run.result else {"run_id": run.run, "status": run.status}
    return {**facts, "date": run.date.isoformat()}


def _cells(run: ListedRun) -> list[str]:
    date = format_date(run.date)
    if run.result is None:
        return [run.run, run.status, run.task, "", "", "", "", date]
    score = run.result.score
    fresh, holdout = format_score(score.fresh, score.fresh_se), format_score(score.holdout, score.holdout_se)
    fresh += f" {MARK}" if _is_marked(run) else ""
    status = run.status.replace("_", " ")
    return [run.run, status, run.task, run.metric, fresh, holdout, f"{run.result.seconds / 60:.1f}", date]


def _is_marked(run: ListedRun) -> bool:
    return run.result is not None and run.result.score.fresh is not None and not run.result.score.blind


def prune_all(runs_dir: Path) -> None:
    """Prune the finished runs and print what that freed."""
    for name, freed in prune(runs_dir).items():
        echo(f"{name}: {freed / 2**20:.1f} MiB freed")
