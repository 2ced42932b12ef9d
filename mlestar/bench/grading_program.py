"""Grading submissions by a program of the user's."""

import json
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Any, TypeGuard

from mlestar.bench.answers import GradeSpec
from mlestar.bench.logs import last_line
from mlestar.bench.rows import Graded, Standing
from mlestar.bench.watched import run_watched
from mlestar.data.task import Task
from mlestar.errors import UserError, first_line
from mlestar.evaluation.answers import LARGEST_SCORE
from mlestar.files import read_regular
from mlestar.metrics import get_metric
from mlestar.metrics.spec import Direction

GRADING_SECONDS = 600.0
"""Time limit of a program that grades. Chosen by judgement; not measured."""


class ProgramAnswers:
    """An answers folder that a program grades: `PROGRAM ANSWERS SUBMISSION` prints JSON with `score` or `error`."""

    def __init__(self, program: str, folder: Path, task: Path, seconds: float = GRADING_SECONDS) -> None:
        """Take the program, the answers folder, the task folder and the time limit of the program.

        Raises:
            UserError: neither folder says what the metric is, or its direction.
        """
        self._command, self._folder, self._seconds = program_command(program), folder, seconds
        spec = GradeSpec.read(folder)
        self.metric: str = spec.metric or Task.load(task.absolute()).spec.metric
        self.direction: Direction = spec.direction or get_metric(self.metric, task).direction

    def grade(self, submission: Path) -> Graded:
        """Run the program; rows cannot be resampled, so that there is no standard error unless it prints one."""
        with tempfile.TemporaryDirectory() as folder:
            output, log = Path(folder, "output"), Path(folder, "log")
            command = [*self._command, str(self._folder), str(submission)]
            ended = run_watched(command, output=output, log=log, seconds=self._seconds)
            if ended.timed_out:
                return Graded(problem=f"the grading program did not end in {self._seconds:g} s")
            try:
                printed = _last_object(read_regular(output).decode("utf-8", errors="replace"))
            except OSError as error:
                return Graded(problem=f"the output of the grading program cannot be read: {error.strerror}")
            return _read_graded(printed, last_line(log) or "it printed no score")

    def standing(self, score: float) -> Standing | None:
        """Return None: what else the program prints is not read."""


def program_command(program: str) -> list[str]:
    """Return a program as a command: a Python file runs with this interpreter.

    Raises:
        UserError: it is empty, or its quotes are not closed.
    """
    try:
        words = shlex.split(program)
    except ValueError as error:
        msg = f"--grade {program!r} cannot be read: {error}"
        raise UserError(msg) from error
    if not words:
        msg = "--grade needs a program"
        raise UserError(msg)
    return [sys.executable, *words] if words[0].endswith(".py") else words


def _read_graded(printed: dict[str, Any], otherwise: str) -> Graded:
    """Return what a program printed.

    Args:
        printed: its JSON object.
        otherwise: the problem where it has neither a score nor an error.
    """
    score = printed.get("score")
    if not _is_number(score):
        return Graded(problem=first_line(str(printed.get("error") or otherwise)))
    if not abs(score) <= LARGEST_SCORE:  # NaN is not
        return Graded(problem="it printed no finite score")
    error = printed.get("standard_error")
    if not _is_number(error) or not 0 <= error <= LARGEST_SCORE:
        error = None
    return Graded(score=float(score), standard_error=error)


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _last_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a program printed, alone or on its last line; empty without one."""
    for part in (text, text.strip().rpartition("\n")[2]):
        try:
            value = json.loads(part)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            return value
    return {}
