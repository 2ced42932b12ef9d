"""`mlestar check`: the inferred spec, the holdout with its evidence, and what is wrong."""

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlestar.data.frames import TableInput, write_table_task
from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation import fresh_holdouts, infer_split, search_holdout
from mlestar.evaluation.holdout.answers import describe_answers, find_answers
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.runtime.context import load_task
from mlestar.runtime.estimate import Estimate, estimate_run
from mlestar.settings import Settings


def check_task(path: Path, settings: Settings, *, as_json: bool) -> None:
    """Print what is inferred from a task folder or a file, and what a run with these settings may cost.

    Raises:
        TaskError: it cannot be understood.
    """
    if not path.is_file():
        _check_folder(path, settings, as_json=as_json)
        return
    with TemporaryDirectory(prefix="mlestar-") as scratch:
        tables = TableInput(path)
        folder = write_table_task(Path(scratch) / tables.name, tables, settings.target)
        _check_folder(folder, settings, as_json=as_json)


def _check_folder(folder: Path, settings: Settings, *, as_json: bool) -> None:
    task = load_task(folder, settings)
    split, problem = _plan(task)
    answers = find_answers(task)
    estimate = estimate_run(settings, task)
    if as_json:
        facts = {
            "spec": task.spec.model_dump(mode="json"),
            "split": split.model_dump(mode="json") if split else None,
            "fallback": problem,
            "notes": task.notes,
            "answers": answers,
            "estimate": {"profile": settings.profile, **asdict(estimate)},
        }
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    console = Console()
    _show_spec(console, task)
    if answers:
        console.print(Text(f"  {describe_answers(answers)}", "bold red"), soft_wrap=True, highlight=False)
    _show_split(console, task, split, problem)
    _show_estimate(console, settings, estimate)


def _plan(task: Task) -> tuple[SplitPlan | None, str]:
    if not task.labelled:
        return None, "the labels cannot be located in the files"
    try:
        return infer_split(task), ""
    except HoldoutError as error:
        return None, str(error)


def _show_spec(console: Console, task: Task) -> None:
    table = Table(box=None, show_header=False)
    for name, value in task.spec.model_dump(mode="json").items():
        if value not in (None, [], "", 0):
            text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
            table.add_row(Text(name, style="cyan"), Text(text))
    console.print(table)
    for note in task.notes:
        console.print(Text(f"  {note}", style="dim"), soft_wrap=True, highlight=False)


def _show_split(console: Console, task: Task, split: SplitPlan | None, problem: str) -> None:
    console.print()
    if split is None:
        console.print(Text(f"no holdout: {problem}; scores will be what scripts report about themselves", "bold red"))
        return
    holdout = search_holdout(task, split, seed=0)
    fresh = fresh_holdouts(task, split, seed=0, count=2)
    how = split.kind + (f" by {split.by}" if split.by else "")
    how += f" ({split.group_rule})" if split.group_rule else ""
    how += ", equal rows kept together" if split.keep_duplicates else ""
    console.print(Text.assemble(("holdout  ", "cyan"), (how, "bold")), highlight=False)
    sizes = f"{len(holdout.train)} rows to train on, {len(holdout.withheld)} withheld"
    console.print(
        Text(f"           {sizes}; fresh splits for the rescorings: {len(fresh)}"), soft_wrap=True, highlight=False
    )
    for line in split.evidence:
        console.print(Text(f"  - {line}"), soft_wrap=True, highlight=False)


def _show_estimate(console: Console, settings: Settings, estimate: Estimate) -> None:
    """Print what a run may cost when every step is taken and nothing has to be repaired."""
    console.print()
    cost = "price unknown" if estimate.usd is None else f"about ${estimate.usd:.2f}"
    tokens = f"{estimate.input_tokens / 1000:,.0f}k tokens read, {estimate.output_tokens / 1000:,.0f}k written"
    work = f"{estimate.total_calls} model calls ({tokens}), {cost}; {estimate.executions} executions"
    title = (f"{settings.profile} profile with model {estimate.model}: ", "bold")
    console.print(Text.assemble(("estimate ", "cyan"), title, work), soft_wrap=True, highlight=False)
    note = "without repairs, repeats and reasoning tokens; nothing counted as cached"
    console.print(Text(f"         {note}", style="dim"), soft_wrap=True)
