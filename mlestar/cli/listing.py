"""`mlestar runs`: the content of the runs folder."""

from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from mlestar.api import prune
from mlestar.cli.terminal import Console, echo, echo_json
from mlestar.errors import UserError
from mlestar.metrics.precision import format_score
from mlestar.metrics.spec import NOT_BLIND
from mlestar.report import Result, read_result
from mlestar.store import RunFolder, list_runs, maker
from mlestar.store.text import to_json

PIPED_WIDTH = 200
"""Columns of a table that no terminal shows: enough for a row of names as long as they may be."""


def list_all(runs_dir: Path, *, as_json: bool) -> None:
    """Print every run with its status and scores."""
    runs = [RunFolder(runs_dir, path.name) for path in list_runs(runs_dir)]
    if as_json:
        echo_json(to_json([_facts(run) for run in runs], indent=2))
        return
    console = Console()
    if not console.is_terminal:
        console = Console(width=PIPED_WIDTH)
    if not runs:
        console.print(Text(f"no runs in {runs_dir}"))
        return
    table = Table(box=None, header_style="dim")
    table.add_column("run", no_wrap=True)  # whole, so that it can be copied
    for column in ("status", "metric", "fresh", "holdout", "minutes"):
        table.add_column(column, overflow="fold")
    for run in runs:
        table.add_row(Text(run.run_id), *_cells(run))
    console.print(table)


def _facts(run: RunFolder) -> dict[str, Any]:
    """Return a run's result for programs, or its name and status when it has none."""
    result, status = _read(run)
    return result.model_dump(mode="json") if result else {"run_id": run.run_id, "status": status}


def _cells(run: RunFolder) -> list[str]:
    result, status = _read(run)
    if result is None:
        return [status, "", "", "", ""]
    score = result.score
    fresh, holdout = format_score(score.fresh, score.fresh_se), format_score(score.holdout, score.holdout_se)
    fresh += "" if score.blind or score.fresh is None else f" ({NOT_BLIND})"
    return [status, result.metric, fresh, holdout, f"{result.seconds / 60:.1f}"]


def _read(run: RunFolder) -> tuple[Result | None, str]:
    """Return the result of a run, if this version can read one, and its status."""
    version = run.foreign_format()
    if version is not None:
        return None, f"format {version}, of {maker(version)}"
    if not run.result.is_file():
        return None, "unfinished"
    try:
        result = read_result(run, check=False)
    except UserError:
        return None, "unreadable"
    return result, result.status


def prune_all(runs_dir: Path) -> None:
    """Prune the finished runs and print what that freed."""
    for name, freed in prune(runs_dir).items():
        echo(f"{name}: {freed / 2**20:.1f} MiB freed")
