"""`mlestar bench`: tools on a suite of tasks, in one table."""

import math
import os
import platform
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlestar import __version__
from mlestar.cli.exits import INTERRUPTED, Commands
from mlestar.cli.terminal import echo
from mlestar.errors import SettingsError, UserError

if TYPE_CHECKING:
    from mlestar.bench.find import Suite
    from mlestar.bench.rows import Conditions
    from mlestar.bench.run import BenchFolder
    from mlestar.bench.tools import Tool
    from mlestar.settings import Settings

RUN = "run"


class _DefaultCommand(Commands):
    """Runs the command `run` where the first argument is no command: it is the suite then."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        return super().parse_args(ctx, args if args and args[0] in self.commands else [RUN, *args])


bench = typer.Typer(cls=_DefaultCommand, help="Run tools on a suite of tasks with answers, in one table.")

Folder = Annotated[
    Path,
    typer.Argument(metavar="SUITE", help="Folder with `tasks` and `answers`, of task folders, or of competitions."),
]


@bench.command(RUN)
def run_suite(
    suite: Folder,
    answers: Annotated[
        Path | None, typer.Option("--answers", help="Folder with the answers. Default: SUITE/answers.")
    ] = None,
    grade: Annotated[
        str | None, typer.Option("--grade", help="Program that grades: PROGRAM ANSWERS_FOLDER SUBMISSION prints JSON.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the benchmark. Default: bench-SUITE.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each tool on each task: seeds 0, 1, ...")] = 1,
    profile: Annotated[str | None, typer.Option("--profile", help="quick, standard or paper.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="offline, or provider:name.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Time limit of each tool on a task. Default: that of the profile.")
    ] = None,
    runner: Annotated[str | None, typer.Option("--runner", help="auto, docker, local, or package.module:Name.")] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Run these tasks only: ids, comma-separated. Repeatable.")
    ] = None,
    parallel: Annotated[int, typer.Option("--parallel", min=1, help="How many tools run at once.")] = 1,
    peers: Annotated[
        str,
        typer.Option("--peers", help="Other tools, comma-separated: constant, sklearn, flaml, autogluon."),
    ] = "",
    peer: Annotated[
        list[str] | None,
        typer.Option("--peer", help='Another tool: NAME="cmd {input} {output} {seconds}". Repeatable.'),
    ] = None,
    shortcuts: Annotated[
        bool, typer.Option("--shortcuts", help="Add three generated tasks with a planted shortcut.")
    ] = False,
    no_information: Annotated[
        bool, typer.Option("--no-information", help="Also five generated tasks in which nothing can be learnt.")
    ] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Any setting as key=value. Repeatable.")] = None,
) -> None:
    """Run every tool on every task, grade the submissions on answers that no tool sees, and write the tables.

    What has a row is not run again, so the same command continues.

    `mlestar bench compare A B` compares two benchmarks.
    """
    from mlestar.bench.find import add_no_information, add_shortcuts, find_suite, find_tools
    from mlestar.bench.run import BenchFolder
    from mlestar.cli.values import resolve_settings

    options = {"profile": profile, "model": model, "runner": runner, "max_hours": _hours(minutes)}
    settings = resolve_settings(options, [*(set_ or []), "lessons="])
    found = find_suite(suite, answers, grade, _split(only or []))
    conditions = _conditions(settings, tuple(range(seeds)), parallel)
    own = _own_tool(settings, _arguments(options, set_ or []))
    tools = find_tools(own, _split([peers]), peer or [], seconds=3600 * settings.max_hours, cpus=conditions.cpus)
    folder = BenchFolder(out or Path(f"bench-{found.name}"))
    if shortcuts:
        found = add_shortcuts(found, folder.path.resolve() / "shortcuts")
    if no_information:
        found = add_no_information(found, folder.path.resolve() / "no-information")
    _check_tasks(found)
    with _interruptible():
        _run(found, tools, conditions, folder)


@bench.command("compare")
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Folder of a benchmark, or its bench.json.")],
    second: Annotated[
        Path | None, typer.Argument(metavar="B", help="Another one; the tools of both are compared.")
    ] = None,
    tools: Annotated[str, typer.Option("--tools", help="Tools, comma-separated; without B, the two to compare.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say whether B is better than A, worse, or whether that cannot be told, over all tasks and for each."""
    from mlestar.bench.compare import compare_folders, comparison_markdown
    from mlestar.cli.terminal import echo, echo_json

    comparisons = compare_folders(first, second, tuple(_split([tools])))
    if as_json:
        echo_json("[" + ",".join(comparison.model_dump_json() for comparison in comparisons) + "]")
        return
    for comparison in comparisons:
        echo(comparison_markdown(comparison))


def _own_tool(settings: "Settings", arguments: list[str]) -> "Tool":
    """Return this package as a tool, with the arguments of its runs."""
    from mlestar.bench.made_with import describe_run
    from mlestar.bench.own import OwnTool

    return OwnTool(arguments, settings.max_hours, settings=describe_run(settings))


def _hours(minutes: float | None) -> str | None:
    if minutes is None:
        return None
    if not 0 < minutes < math.inf:
        msg = f"--minutes {minutes:g}: give a number above 0"
        raise SettingsError(msg)
    return str(minutes / 60)


def _check_tasks(suite: "Suite") -> None:
    """Check that there is a task to run.

    Raises:
        UserError: there is none; with the reason of the first.
    """
    if not suite.tasks:
        first = suite.rows[0]
        more = f" (and {len(suite.rows) - 1} more)" if len(suite.rows) > 1 else ""
        msg = f"no task of {suite.name} can be run: {first.id}: {first.problem}{more}"
        raise UserError(msg)


@contextmanager
def _interruptible() -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt:
        echo("mlestar: interrupted; the same command continues", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _run(suite: "Suite", tools: "Sequence[Tool]", conditions: "Conditions", folder: "BenchFolder") -> None:
    """Run what has no row yet, and print the rows, what stands under the table, and where the tables are."""
    from mlestar.bench.live import LiveTable
    from mlestar.bench.run import run_bench
    from mlestar.cli.terminal import Console

    console = Console()
    for task in suite.rows:
        if task.problem:
            console.print(f"{task.id} is not run: {task.problem}", style="yellow", markup=False, highlight=False)
    with LiveTable(console, [task.id for task in suite.tasks], [tool.name for tool in tools]) as table:
        bench = run_bench(suite, tools, conditions, folder, show=table)
    for line in bench.statements:
        console.print(f"* {line}", markup=False, highlight=False)
    for name in ("bench.md", "bench.html"):
        echo(str(folder.path / name))


def _split(items: list[str]) -> list[str]:
    return [part.strip() for item in items for part in item.split(",") if part.strip()]


def _arguments(options: dict[str, str | None], items: list[str]) -> list[str]:
    """Return the options that were used, as those of `mlestar run`."""
    arguments: list[str] = []
    for name, value in options.items():
        if value is not None:
            arguments += [f"--{name.replace('_', '-')}", value]
    for item in items:
        arguments += ["--set", item]
    return arguments


def _conditions(settings: "Settings", seeds: tuple[int, ...], parallel: int) -> "Conditions":
    from mlestar.bench.made_with import other_settings
    from mlestar.bench.rows import Conditions
    from mlestar.llm.external import ASK
    from mlestar.llm.models import choose_models

    models = choose_models(settings)
    if any(chosen.name == ASK for chosen in models.all()):
        msg = f"a benchmark cannot answer the questions of the model {ASK!r}: choose another"
        raise SettingsError(msg)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Conditions(
        profile=settings.profile,
        model=models.title,
        minutes=round(60 * settings.max_hours, 3),
        runner=settings.runner,
        seeds=seeds,
        cpus=os.cpu_count() or 1,
        parallel=parallel,
        memory_mb=memory // 2**20,
        machine=f"{platform.system()} {platform.machine()}",
        version=__version__,
        settings=other_settings(settings),
    )
