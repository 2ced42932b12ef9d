"""What takes part: the tasks of a suite with their answers, and the tools."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from mlestar.bench.answers import TableAnswers
from mlestar.bench.contents import check_separate, fingerprint
from mlestar.bench.grading_program import ProgramAnswers, program_command
from mlestar.bench.mlebench import competition_answers, is_competition, read_competition, read_flaws
from mlestar.bench.mlebench.competitions import GRADE, LEADERBOARD, MEDALS
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
    graded_with: tuple[Path, ...] = ()
    """Files besides the answers that decide scores."""
    grade: str = ""
    """The program that grades; empty without one."""


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
            task = _read(source)
        except UserError as error:
            rows.append(TaskRow(id=_shown(name), problem=first_line(str(error))))
        except Exception as error:  # a task is data of others, and the rest of the suite can do without it
            problem = f"it cannot be read: {type(error).__name__}: {error}"
            rows.append(TaskRow(id=_shown(name), problem=first_line(problem)))
        else:
            tasks.append(task)
            rows.append(_task_row(task))
    return Suite(_shown(folder.resolve().name), tuple(tasks), tuple(rows))


def _task_row(task: SuiteTask) -> TaskRow:
    return TaskRow(
        id=task.id,
        flaws=task.flaws,
        shortcut=task.shortcut,
        plain_score=task.plain_score,
        no_information=task.no_information,
    )


def _read(source: TaskSource) -> SuiteTask:
    """Return a task of which no tool can see the answers.

    Raises:
        UserError: it cannot be run.
    """
    if _shown(source.id) != source.id:
        msg = "the name of its folder is not UTF-8: rename it"
        raise UserError(msg)
    check_separate(source.folder, source.answers)
    answers = fingerprint(source.answers, *source.graded_with, text=source.grade)
    return replace(source.read(), contents=fingerprint(source.folder), answers_contents=answers)


def _shown(name: str) -> str:
    """Return the name of a folder with escapes for bytes that are no text."""
    return os.fsencode(name).decode("utf-8", errors="backslashreplace")


def add_shortcuts(suite: Suite, folder: Path) -> Suite:
    """Return a suite with the generated tasks that have a planted shortcut.

    Args:
        suite: the tasks that were found.
        folder: where the tasks are written.
    """
    return _add(
        suite,
        [
            _generated(folder, shortcut.id, shortcut=shortcut.what, plain_score=shortcut.plain_score)
            for shortcut in write_shortcuts(folder)
        ],
        "--shortcuts",
    )


def add_no_information(suite: Suite, folder: Path) -> Suite:
    """Return a suite with the generated tasks whose features say nothing about the labels.

    Args:
        suite: the tasks that were found.
        folder: where the tasks are written.
    """
    tasks = [_generated(folder, name, no_information=True) for name in write_no_information(folder)]
    return _add(suite, tasks, "--no-information")


def _generated(folder: Path, name: str, **fields: Any) -> SuiteTask:
    task, labels = folder / "tasks" / name, folder / "answers" / name
    fields |= {"contents": fingerprint(task), "answers_contents": fingerprint(labels)}
    return SuiteTask(name, task, open_answers(labels, task, None), **fields)


def _add(suite: Suite, tasks: Sequence[SuiteTask], option: str) -> Suite:
    """Return a suite with generated tasks.

    Raises:
        UserError: it has a task of the same name.
    """
    taken = {row.id for row in suite.rows}
    for task in tasks:
        if task.id in taken:
            msg = f"the suite has a task {task.id!r}, as {option} has: rename its folder"
            raise UserError(msg)
    return replace(suite, tasks=(*suite.tasks, *tasks), rows=(*suite.rows, *map(_task_row, tasks)))


def find_tasks(folder: Path, answers: Path | None, grade: str | None) -> list[TaskSource]:
    """Return the tasks of a suite folder, by id. Each kind of suite is a line here.

    Raises:
        UserError: there is no such folder, or a program is to grade competitions.
    """
    if not folder.is_dir():
        msg = f"no such folder: {folder}"
        raise UserError(msg)
    competitions = [path for path in sorted(folder.iterdir()) if is_competition(path)]
    if competitions and answers is None:
        if grade is not None:
            msg = f"{folder} has prepared competitions, which --grade does not grade: leave it out"
            raise UserError(msg)
        return [_competition(path) for path in competitions]
    tasks = folder / "tasks" if (folder / "tasks").is_dir() else folder
    if answers is None and not (folder / "answers").is_dir():
        msg = f"{folder} has no folder `answers`: name the folder of the answers with --answers"
        raise UserError(msg)
    return _find_folders(tasks, answers or folder / "answers", grade)


def _competition(folder: Path) -> TaskSource:
    prepared = folder / "prepared"
    beside = tuple(folder / name for name in (GRADE, MEDALS, LEADERBOARD))
    return TaskSource(folder.name, prepared / "public", prepared / "private", partial(read_competition, folder), beside)


def _find_folders(tasks: Path, answers: Path, grade: str | None) -> list[TaskSource]:
    folders = sorted(path for path in tasks.iterdir() if path.is_dir() and not path.name.startswith("."))
    folders = [path for path in folders if path.resolve() != answers.resolve() and not is_bench_folder(path)]
    return [_source(path, answers / path.name, grade) for path in folders]


def _source(folder: Path, answers: Path, grade: str | None) -> TaskSource:
    def read() -> SuiteTask:
        flaws = read_flaws(folder.name, answers.parent, [answers])
        return SuiteTask(folder.name, folder.resolve(), open_answers(answers.resolve(), folder, grade), flaws)

    return TaskSource(folder.name, folder, answers, read, _files_of(grade), grade or "")


def _files_of(program: str | None) -> tuple[Path, ...]:
    """Return the scripts that the command of a program names."""
    if program is None:
        return ()
    paths = map(Path, program_command(program))
    return tuple(path for path in paths if path.suffix and path.is_file())


def is_bench_folder(folder: Path) -> bool:
    """Return whether a folder is that of a benchmark, and no task."""
    return (folder / "bench.json").is_file() and (folder / "rows").is_dir()


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
