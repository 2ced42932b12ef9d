"""`mlestar bench`: tools on a suite of tasks, in one table."""

import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlestar import __version__
from mlestar.cli.exits import Commands
from mlestar.errors import SettingsError

if TYPE_CHECKING:
    from mlestar.bench.rows import Conditions
    from mlestar.settings import Settings

RUN = "run"
_HOURS = 24.0
"""Limit of other tools where the settings have none: that of MLE-bench."""


class _DefaultCommand(Commands):
    """Takes what is no command for the suite of the command `run`."""

    def parse_args(self, ctx: Any, args: list[str]) -> Any:
        return super().parse_args(ctx, args if args and args[0] in self.commands else [RUN, *args])


bench = typer.Typer(cls=_DefaultCommand, help="Run tools on a suite of tasks with answers, in one table.")

Folder = Annotated[Path, typer.Argument(metavar="SUITE", help="Folder with `tasks` and `answers`, or of task folders.")]


@bench.command(RUN)
def run_suite(
    suite: Folder,
    answers: Annotated[Path | None, typer.Option("--answers", help="Folder with the answers of each task.")] = None,
    grade: Annotated[
        str | None, typer.Option("--grade", help="Program that grades: PROGRAM ANSWERS SUBMISSION prints JSON.")
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help="Folder of the benchmark. Default: bench-SUITE.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", min=1, help="Runs of each tool on each task: seeds 0, 1, ...")] = 1,
    profile: Annotated[str | None, typer.Option("--profile", help="quick, standard or paper.")] = None,
    model: Annotated[str | None, typer.Option("--model", help="offline, or provider:name.")] = None,
    minutes: Annotated[
        float | None, typer.Option("--minutes", help="Limit for each tool on a task. Default: that of the profile.")
    ] = None,
    runner: Annotated[str | None, typer.Option("--runner", help="auto, docker, local, or package.module:Name.")] = None,
    only: Annotated[list[str] | None, typer.Option("--only", help="Ids of tasks, with commas. Repeatable.")] = None,
    parallel: Annotated[int, typer.Option("--parallel", min=1, help="Tools that run at once.")] = 1,
    peers: Annotated[str, typer.Option("--peers", help="Other tools, with commas.")] = "",
    peer: Annotated[
        list[str] | None, typer.Option("--peer", help='NAME="cmd {input} {output} {seconds}". Repeatable.')
    ] = None,
    shortcuts: Annotated[
        bool, typer.Option("--shortcuts", help="Also three generated tasks with a planted shortcut.")
    ] = False,
    no_information: Annotated[
        bool, typer.Option("--no-information", help="Also five generated tasks in which nothing can be learnt.")
    ] = False,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Any setting as key=value. Repeatable.")] = None,
) -> None:
    """Run every tool on every task, grade the submissions on answers that no tool sees, and write the tables.

    What has a row is not run again. `mlestar bench compare A B` compares two benchmarks.
    """
    from mlestar.cli.values import resolve_settings

    options = {"profile": profile, "model": model, "runner": runner}
    options |= {"max_hours": None if minutes is None else str(minutes / 60)}
    settings = resolve_settings(options, set_)
    from mlestar.bench.find import add_no_information, add_shortcuts, find_suite, find_tools
    from mlestar.bench.live import LiveTable
    from mlestar.bench.made_with import describe_run
    from mlestar.bench.own import OwnTool
    from mlestar.bench.run import BenchFolder, run_bench
    from mlestar.cli.terminal import Console, echo

    found = find_suite(suite, answers, grade, _split(only or []))
    conditions = _conditions(settings, minutes, tuple(range(seeds)), parallel)
    own = OwnTool(_arguments(options, set_ or []), settings.max_hours, settings=describe_run(settings))
    seconds = 3600 * (settings.max_hours or _HOURS)
    tools = find_tools(own, _split([peers]), peer or [], seconds=seconds, cpus=conditions.cpus)
    folder = BenchFolder(out or Path(f"bench-{found.name}"))
    if shortcuts:
        found = add_shortcuts(found, folder.path.resolve() / "shortcuts")
    if no_information:
        found = add_no_information(found, folder.path.resolve() / "no-information")
    with LiveTable(Console()) as table:
        run_bench(found, tools, conditions, folder, show=table)
    for name in ("bench.md", "bench.html"):
        echo(str(folder.path / name))


@bench.command("compare")
def compare(
    first: Annotated[Path, typer.Argument(metavar="A", help="Folder of a benchmark, or its bench.json.")],
    second: Annotated[Path | None, typer.Argument(metavar="B", help="Another; every tool of both is compared.")] = None,
    tools: Annotated[str, typer.Option("--tools", help="Tools, with commas; of one benchmark, two.")] = "",
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


def _conditions(settings: "Settings", minutes: float | None, seeds: tuple[int, ...], parallel: int) -> "Conditions":
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
        minutes=minutes,
        runner=settings.runner,
        seeds=seeds,
        cpus=os.cpu_count() or 1,
        parallel=parallel,
        memory_mb=memory // 2**20,
        machine=f"{platform.system()} {platform.machine()}",
        version=__version__,
    )
