"""Commands that read runs: `runs`, `show`, `diff` and `compare`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlestar.cli.values import resolve_settings
from mlestar.errors import SettingsError

if TYPE_CHECKING:
    from mlestar.report import Result

RunsDir = Annotated[Path | None, typer.Option("--runs-dir", help="Folder that holds the run folders.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Run = Annotated[str, typer.Argument(metavar="RUN", help="Name of a run that has a result.")]
SOLUTION = "Id of a solution, or: winner, start"


def runs(
    runs_dir: RunsDir = None,
    sort: Annotated[
        list[str] | None,
        typer.Option(
            help="run, status, task, metric, score (best first), minutes or date; -NAME reverses it. Repeatable."
        ),
    ] = None,
    filter_: Annotated[
        list[str] | None,
        typer.Option(
            "--filter", help="Condition such as status=solved, task=wine*, 'score>0.8' or 'date>=2026-01'. Repeatable."
        ),
    ] = None,
    prune: Annotated[bool, typer.Option("--prune", help="Reduce finished runs to results and scripts.")] = False,
    as_json: AsJson = False,
) -> None:
    """List the runs, or prune them."""
    from mlestar.cli.listing import list_all, prune_all

    folder = resolve_settings({"runs_dir": runs_dir}).runs_dir
    if prune and (sort or filter_):
        msg = "--prune is for all finished runs: give it without --sort and --filter"
        raise SettingsError(msg)
    if prune:
        prune_all(folder)
    else:
        list_all(folder, sort=sort or (), conditions=filter_ or (), as_json=as_json)


def show(
    run: Run,
    solution: Annotated[str | None, typer.Argument(metavar="[SOLUTION]", help=SOLUTION)] = None,
    script: Annotated[bool, typer.Option("--script", help="Print only the script of the solution.")] = False,
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """Show a run with its solutions and their lineage, or one solution."""
    from mlestar.cli.solutions import show_run, show_solution

    result = _read(run, runs_dir)
    if solution is None and not script:
        show_run(result, as_json=as_json)
    else:
        show_solution(result, solution or "winner", script=script, as_json=as_json)


def diff(
    run: Run,
    before: Annotated[str, typer.Argument(metavar="A", help=f"{SOLUTION}, parent (of the other one).")],
    after: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """Show how the scripts of two solutions differ."""
    from mlestar.cli.solutions import show_difference

    show_difference(_read(run, runs_dir), before, after, as_json=as_json)


def compare(
    first: Annotated[str, typer.Argument(metavar="RUN", help="Name of a run that has a result.")],
    second: Annotated[str, typer.Argument(metavar="RUN", help="Name of another one.")],
    runs_dir: RunsDir = None,
    as_json: AsJson = False,
) -> None:
    """Show two runs side by side: scores with errors, spend, winner, settings that differ."""
    from mlestar.cli.comparison import show_comparison

    show_comparison(_read(first, runs_dir), _read(second, runs_dir), as_json=as_json)


def _read(run: str, runs_dir: Path | None) -> "Result":
    from mlestar.report import read_result
    from mlestar.store import RunFolder

    return read_result(RunFolder(resolve_settings({"runs_dir": runs_dir}).runs_dir, run), check=False)
