"""`mlestar check`: the inferred spec, the holdout with its evidence, and what is wrong."""

from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.table import Table
from rich.text import Text

from mlestar.cli.terminal import Console, echo_json
from mlestar.data.frames import TableInput, write_table_task
from mlestar.data.task import Task
from mlestar.errors import HoldoutError
from mlestar.evaluation import Division, divide_rows, fresh_holdouts, infer_split
from mlestar.evaluation.holdout.answers import describe_answers, find_answers
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.revealing import describe_left_out
from mlestar.metrics.spec import NOT_BLIND, TaskSpec
from mlestar.runtime.context import load_task
from mlestar.runtime.estimate import Estimate, estimate_run
from mlestar.settings import Settings
from mlestar.store.text import to_json

_MAX_VALUES = 10
"""Values of a list that are shown. Chosen by judgement; not measured."""


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
    split, division, problem = _plan(task, settings)
    answers = find_answers(task)
    left_out = describe_left_out(task)
    estimate = estimate_run(settings, task)
    if as_json:
        facts = {
            "spec": task.spec.model_dump(mode="json"),
            "split": split.model_dump(mode="json") if split else None,
            "fallback": problem,
            "kept_apart": len(division.apart.withheld) if division and division.apart else 0,
            "notes": task.notes,
            "answers": answers,
            "left_out": left_out,
            "estimate": {"profile": settings.profile, **asdict(estimate)},
        }
        echo_json(to_json(facts, indent=2))
        return
    console = Console()
    _show_spec(console, task)
    if answers:
        _print(console, "  ", describe_answers(answers), "bold red")
    for line in left_out:
        _print(console, "  ", line, "bold red")
    if split is None or division is None:
        console.print()
        text = f"no holdout: {problem}; scores will be what scripts report about themselves"
        console.print(Text(text, "bold red"))
    else:
        _show_split(console, task, split, division, settings)
    _show_estimate(console, settings, estimate)


def _plan(task: Task, settings: Settings) -> tuple[SplitPlan | None, Division | None, str]:
    """Return the split and its rows, or why there are none."""
    if not task.labelled:
        return None, None, "the labels cannot be located in the files"
    try:
        split = infer_split(task)
        return split, divide_rows(task, split, seed=settings.seed, fresh_share=settings.fresh_share), ""
    except HoldoutError as error:
        return None, None, str(error)


def _show_spec(console: Console, task: Task) -> None:
    table = Table(box=None, show_header=False)
    for name, value in task.spec.model_dump(mode="json").items():
        if _tells(task.spec, name, value):
            table.add_row(Text(name, style="cyan"), Text(_format(value)))
    console.print(table)
    for note in task.notes:
        if note not in task.spec.layout_note:
            _print(console, "  ", note, "dim")


def _tells(spec: TaskSpec, name: str, value: object) -> bool:
    """Return whether a field of the spec has a value that is not the usual one or said by another field."""
    if name == "has_test" or value in (None, [], "", 0):
        return False
    if name == "test":
        return spec.has_test
    if name == "prediction_columns":
        return spec.prediction_columns != spec.target
    return (name, value) not in (("submission_delimiter", ","), ("submission_decimal", "."))


def _format(value: object) -> str:
    if not isinstance(value, list):
        return str(value)
    more = len(value) - _MAX_VALUES
    return ", ".join(map(str, value[:_MAX_VALUES])) + (f" and {more} more" if more > 0 else "")


def _print(console: Console, start: str, text: str, style: str = "") -> None:
    """Print a line: a terminal breaks it between words and indents what follows, a file or a pipe gets it whole."""
    if not console.is_terminal:
        console.print(Text(start, "cyan").append(text, style), soft_wrap=True, highlight=False)
        return
    line = Table.grid()
    line.add_row(Text(start, "cyan"), Text(text, style))
    console.print(line)


def _show_split(console: Console, task: Task, split: SplitPlan, division: Division, settings: Settings) -> None:
    console.print()
    holdout = division.search
    how = split.kind + (f" by {split.by}" if split.by else "")
    how += f" ({split.group_rule})" if split.group_rule else ""
    how += ", equal rows kept together" if split.keep_duplicates else ""
    _print(console, "holdout  ", how, "bold")
    sizes = f"{len(holdout.train)} rows to train on, {len(holdout.withheld)} withheld"
    _print(console, " " * 9, sizes)
    _print(console, "fresh    ", _describe_fresh(task, split, division, settings), "bold")
    for line in split.evidence:
        _print(console, "  - ", line)


def _describe_fresh(task: Task, split: SplitPlan, division: Division, settings: Settings) -> str:
    """Return where the fresh score comes from."""
    if division.apart is not None:
        return division.note
    fresh = fresh_holdouts(task, split, seed=settings.seed, count=settings.fresh_splits)
    mark = "" if all(holdout.unseen_in(division.search) for holdout in fresh) else f"; {NOT_BLIND}"
    return f"{division.note}; fresh splits for the rescorings: {len(fresh)}{mark}"


def _show_estimate(console: Console, settings: Settings, estimate: Estimate) -> None:
    """Print what a run may cost when every step is taken and nothing has to be repaired."""
    console.print()
    cost = "price unknown" if estimate.usd is None else f"about ${estimate.usd:.2f}"
    tokens = f"{estimate.input_tokens / 1000:,.0f}k tokens read, {estimate.output_tokens / 1000:,.0f}k written"
    work = f"{estimate.total_calls} model calls ({tokens}), {cost}; {estimate.executions} executions"
    _print(console, "estimate ", f"{settings.profile} profile with model {estimate.model}: {work}")
    _print(console, " " * 9, "without repairs, repeats and reasoning tokens; nothing counted as cached", "dim")
