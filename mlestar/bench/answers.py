"""Grading submissions: by this package's metrics against a table of labels, or by another program."""

import json
import math
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from mlestar.bench.rows import Graded, Standing
from mlestar.data.tables import read_table
from mlestar.data.task import Task
from mlestar.errors import UserError, first_line
from mlestar.evaluation.answers import Answers as GradedRows
from mlestar.evaluation.grader import real_answers
from mlestar.files import read_regular
from mlestar.metrics import get_metric
from mlestar.metrics.spec import Direction

TABLE, SPEC = "answers.csv", "grade.json"
GRADING_SECONDS = 600
"""Time limit of a program that grades. Chosen by judgement; not measured."""


class GradeSpec(BaseModel):
    """What `grade.json` of an answers folder says; what it leaves out is inferred from the task folder."""

    model_config = ConfigDict(frozen=True)

    metric: str | None = None
    direction: Direction | None = None
    id_column: str | None = None
    target: tuple[str, ...] | None = None
    classes: tuple[str, ...] | None = None
    prediction_columns: tuple[str, ...] | None = None
    pos_label: str | None = None

    @field_validator("target", "classes", "prediction_columns", mode="before")
    @classmethod
    def _as_names(cls, value: object) -> object:
        """Take a name for a list of one, and numbers and booleans for the names that they are written as."""
        if value is None:
            return None
        return [_as_name(name) for name in (value if isinstance(value, list) else [value])]

    @field_validator("pos_label", mode="before")
    @classmethod
    def _as_label(cls, value: object) -> object:
        return None if value is None else _as_name(value)

    @classmethod
    def read(cls, folder: Path) -> "GradeSpec":
        """Return what the file of an answers folder says; nothing where there is none.

        Raises:
            UserError: the file cannot be read.
        """
        path = folder / SPEC
        if not path.exists():
            return cls()
        try:
            return cls.model_validate_json(read_regular(path))
        except (OSError, ValidationError) as error:
            msg = f"{path} cannot be read: {first_line(str(error))}"
            raise UserError(msg) from error

    @property
    def overrides(self) -> dict[str, Any]:
        """The fields as a user sets them about a task."""
        return {**self.model_dump(exclude={"direction", "id_column"}), "id": self.id_column}


def _as_name(value: object) -> object:
    return str(value) if isinstance(value, int | float) else value


class TableAnswers:
    """A table with the labels of the test rows, graded by this package's metrics with a bootstrap over the rows."""

    def __init__(self, folder: Path, task: Path) -> None:
        """Read what is graded.

        Args:
            folder: of the answers.
            task: the task folder, which says what a submission looks like.

        Raises:
            UserError: answers or task cannot be read.
        """
        self._rows = _read_answers(folder, task, GradeSpec.read(folder))
        self.metric: str = self._rows.form.spec.metric
        self.direction: Direction = self._rows.form.spec.direction

    def grade(self, submission: Path) -> Graded:
        """Grade a submission on the rows, and on resamples of them."""
        grade, resampled = self._rows.grade_and_resample(submission)
        return Graded(
            score=grade.score,
            standard_error=grade.standard_error,
            resampled=tuple(float(score) for score in resampled),
            problem=grade.problem,
        )

    def standing(self, score: float) -> Standing | None:
        """Return None: a table of labels has no leaderboard."""


def _read_answers(folder: Path, task: Path, spec: GradeSpec) -> GradedRows:
    path = folder / TABLE
    if not path.is_file():
        msg = f"{folder} has no {TABLE}: put the labels of the test rows there, or name a program with --grade"
        raise UserError(msg)
    overrides = {name: value for name, value in spec.overrides.items() if value is not None}
    return real_answers(Task.load(task.absolute(), **overrides), read_table(path).frame)


class ProgramAnswers:
    """An answers folder that a program grades: `PROGRAM ANSWERS SUBMISSION` prints JSON with `score` or `error`."""

    def __init__(self, program: str, folder: Path, task: Path) -> None:
        """Take the program, the answers folder and the task folder.

        Raises:
            UserError: neither folder says what the metric is, or its direction.
        """
        self._command, self._folder = program_command(program), folder
        spec = GradeSpec.read(folder)
        self.metric: str = spec.metric or Task.load(task.absolute()).spec.metric
        self.direction: Direction = spec.direction or get_metric(self.metric, task).direction

    def grade(self, submission: Path) -> Graded:
        """Run the program; rows cannot be resampled, so that there is no standard error unless it prints one."""
        command = [*self._command, str(self._folder), str(submission)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=GRADING_SECONDS)
        except (OSError, subprocess.TimeoutExpired) as error:
            return Graded(problem=f"the grading program failed: {first_line(str(error))}")
        printed = _last_object(done.stdout)
        score = printed.get("score")
        if not isinstance(score, int | float):
            reason = str(printed.get("error") or done.stderr.strip().rpartition("\n")[2] or "it printed no score")
            return Graded(problem=first_line(reason))
        if not math.isfinite(score):
            return Graded(problem="it printed no finite score")
        standard_error = printed.get("standard_error")
        return Graded(score=score, standard_error=standard_error if isinstance(standard_error, int | float) else None)

    def standing(self, score: float) -> Standing | None:
        """Return None: what else the program prints is not read."""


def program_command(program: str) -> list[str]:
    """Return a program as a command: a Python file runs with this interpreter.

    Raises:
        UserError: it is empty.
    """
    words = shlex.split(program)
    if not words:
        msg = "--grade needs a program"
        raise UserError(msg)
    return [sys.executable, *words] if words[0].endswith(".py") else words


def _last_object(text: str) -> dict[str, Any]:
    """Return the JSON object that a program printed, alone or on its last line; empty without one."""
    for part in (text, text.strip().rpartition("\n")[2]):
        try:
            value = json.loads(part)
        except ValueError:
            continue
        if isinstance(value, dict):
            return value
    return {}
