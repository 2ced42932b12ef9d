"""`mlestar runs`: what lies in the runs folder."""

import json
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlestar.api import prune
from mlestar.report import Result
from mlestar.state import format_score
from mlestar.store import list_runs


def list_all(runs_dir: Path, *, as_json: bool) -> None:
    """Print every run with its status and scores."""
    results = [(path.name, _read(path / "result.json")) for path in list_runs(runs_dir)]
    if as_json:
        rows = [result.model_dump(mode="json") if result else {"run_id": name} for name, result in results]
        typer.echo(json.dumps(rows, indent=2))
        return
    console = Console()
    if not results:
        console.print(Text(f"no runs in {runs_dir}"))
        return
    table = Table(box=None, header_style="dim")
    for column in ("run", "status", "metric", "fresh", "holdout", "minutes"):
        table.add_column(column, overflow="fold")
    for name, result in results:
        if result is None:
            table.add_row(Text(name), "unfinished", "", "", "", "")
            continue
        score = result.score
        table.add_row(
            Text(name),
            result.status,
            result.metric,
            format_score(score.fresh, score.fresh_se),
            format_score(score.holdout, score.holdout_se),
            f"{result.seconds / 60:.1f}",
        )
    console.print(table)


def prune_all(runs_dir: Path) -> None:
    """Prune the finished runs and say what that freed."""
    for name, freed in prune(runs_dir).items():
        typer.echo(f"{name}: {freed / 2**20:.1f} MiB freed")


def _read(path: Path) -> Result | None:
    return Result.read(path) if path.is_file() else None
