"""What takes part: the tasks of a suite with their answers, and the tools."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mlestar.bench.answers import ProgramAnswers, TableAnswers
from mlestar.bench.mlebench import competition_answers, is_competition, read_competition, read_flaws
from mlestar.bench.no_information import write_no_information
from mlestar.bench.peers import find_peers
from mlestar.bench.rows import TaskRow
from mlestar.bench.shortcuts import write_shortcuts
from mlestar.bench.suite import Answers, SuiteTask
from mlestar.bench.tools import Tool
from mlestar.errors import UserError, first_line, nearest


@dataclass(frozen=True)
class TaskSource:
    """A task that was found, before its answers are read."""

    id: str
    folder: Path
    """The task folder."""
    answers: Path
    """The folder of its answers."""
    read: Callable[[], SuiteTask]
    """Reads the answers; raises UserError."""


@dataclass(frozen=True)
class Suite:
    """The tasks of a suite."""

    name: str
    tasks: tuple[SuiteTask, ...]
    rows: tuple[TaskRow, ...]
    """Of every task, those that cannot be run included."""


def find_suite(folder: Path, answers: Path | None = None, grade: str | None = None, only: Sequence[str] = ()) -> Suite:
    """Return the tasks of a suite; one whose answers cannot be read has a row that says why.

    Args:
        folder: with `tasks` and `answers`, or of task folders, or of prepared competitions.
        answers: the answers folders, one by each task's name, where they are not in the suite.
        grade: a program that grades in place of this package's metrics.
        only: ids of the tasks to run; all by default.

    Raises:
        UserError: there is no such suite or task.
    """
    sources = {source.id: source for source in find_tasks(folder, answers, grade)}
    if not sources:
        msg = f"{folder} has no tasks: give a folder with `tasks` and `answers`, or task folders and --answers"
        raise UserError(msg)
    for name in only:
        if name not in sources:
            near = nearest(name, sources)
            msg = f"{folder} has no task {name!r}" + (f"; did you mean {near!r}?" if near else "")
            raise UserError(msg)
    tasks: list[SuiteTask] = []
    rows: list[TaskRow] = []
    for name, source in sources.items():
        if only and name not in only:
            continue
        try:
            task = source.read()
        except UserError as error:
            rows.append(TaskRow(id=name, problem=first_line(str(error))))
        else:
            tasks.append(task)
            rows.append(_row(task))
    return Suite(folder.resolve().name, tuple(tasks), tuple(rows))


def add_shortcuts(suite: Suite, folder: Path) -> Suite:
    """Return a suite with the generated tasks that have a planted shortcut.

    Args:
        suite: the tasks that were found.
        folder: where the tasks are written.
    """
    planted = [
        _generated(folder, shortcut.id, shortcut=shortcut.what, plain_score=shortcut.plain_score)
        for shortcut in write_shortcuts(folder)
    ]
    return _add(suite, planted)


def add_no_information(suite: Suite, folder: Path) -> Suite:
    """Return a suite with the generated tasks whose features say nothing about the labels.

    Args:
        suite: the tasks that were found.
        folder: where the tasks are written.
    """
    return _add(suite, [_generated(folder, name, no_information=True) for name in write_no_information(folder)])


def _generated(folder: Path, name: str, **fields: Any) -> SuiteTask:
    task = folder / "tasks" / name
    return SuiteTask(name, task, open_answers(folder / "answers" / name, task, None), **fields)


def _add(suite: Suite, tasks: Sequence[SuiteTask]) -> Suite:
    return replace(suite, tasks=(*suite.tasks, *tasks), rows=(*suite.rows, *map(_row, tasks)))


def _row(task: SuiteTask) -> TaskRow:
    return TaskRow(
        id=task.id,
        flaws=task.flaws,
        shortcut=task.shortcut,
        plain_score=task.plain_score,
        no_information=task.no_information,
    )


def find_tasks(folder: Path, answers: Path | None, grade: str | None) -> list[TaskSource]:
    """Return the tasks of a suite folder, by id. Each kind of suite is a line here.

    Raises:
        UserError: there is no such folder.
    """
    if not folder.is_dir():
        msg = f"no such folder: {folder}"
        raise UserError(msg)
    competitions = [path for path in sorted(folder.iterdir()) if is_competition(path)]
    if competitions and answers is None:
        return [_competition(path) for path in competitions]
    tasks = folder / "tasks" if (folder / "tasks").is_dir() else folder
    if answers is None and not (folder / "answers").is_dir():
        msg = f"{folder} has no folder `answers`: name the folder of the answers with --answers"
        raise UserError(msg)
    return _find_folders(tasks, answers or folder / "answers", grade)


def _competition(folder: Path) -> TaskSource:
    prepared = folder / "prepared"
    return TaskSource(folder.name, prepared / "public", prepared / "private", partial(read_competition, folder))


def _find_folders(tasks: Path, answers: Path, grade: str | None) -> list[TaskSource]:
    folders = sorted(path for path in tasks.iterdir() if path.is_dir() and not path.name.startswith("."))
    return [_source(path, answers / path.name, grade) for path in folders]


def _source(folder: Path, answers: Path, grade: str | None) -> TaskSource:
    def read() -> SuiteTask:
        flaws = read_flaws(folder.name, answers.parent, [answers])
        return SuiteTask(folder.name, folder.resolve(), open_answers(answers.resolve(), folder, grade), flaws)

    return TaskSource(folder.name, folder, answers, read)


def open_answers(folder: Path, task: Path, grade: str | None) -> Answers:
    """Return what grades a task. Each kind of answers folder is a line here.

    Raises:
        UserError: there are no answers, or they cannot be read.
    """
    if not folder.is_dir():
        msg = f"there are no answers for {task.name}: {folder} is missing"
        raise UserError(msg)
    if grade is not None:
        return ProgramAnswers(grade, folder, task)
    competition = competition_answers(folder)
    if competition is not None:
        return competition
    return TableAnswers(folder, task)


def find_tools(
    own: Tool, peers: Sequence[str] = (), commands: Sequence[str] = (), *, seconds: float, cpus: int
) -> tuple[Tool, ...]:
    """Return the tools that take part, this package first. Each kind of tool is a line here.

    Args:
        own: this package.
        peers: names of other tools that this package knows.
        commands: `NAME=COMMAND` of any others.
        seconds: limit of each of them for a task.
        cpus: that each of them may use.

    Raises:
        UserError: there is no such tool.
    """
    return (own, *find_peers(peers, commands, seconds=seconds, cpus=cpus))
