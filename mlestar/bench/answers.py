"""Grading submissions by this package's metrics against a table of labels."""

from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator, model_validator

from mlestar.bench.rows import Graded, Standing
from mlestar.data.tables import read_table
from mlestar.data.task import Task
from mlestar.errors import UserError, first_line
from mlestar.evaluation.answers import Answers as GradedRows
from mlestar.evaluation.grader import real_answers
from mlestar.files import read_regular
from mlestar.metrics.spec import Direction

TABLE, SPEC = "answers.csv", "grade.json"
_NEAR = 0.8
"""How much a field must resemble one that is known to be taken for a mistyped one, as `difflib` measures it. Chosen by
judgement; not measured."""


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

    @model_validator(mode="before")
    @classmethod
    def _check_spelling(cls, fields: Any) -> Any:
        """Refuse a field that is most likely a mistyped one; others are of other programs."""
        names = fields if isinstance(fields, dict) else ()
        for name in names:
            near = get_close_matches(name, cls.model_fields, n=1, cutoff=_NEAR)
            if name not in cls.model_fields and near:
                msg = f"unknown field {name!r}: did you mean {near[0]!r}?"
                raise ValueError(msg)
        return fields

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
        except OSError as error:
            msg = f"{path} cannot be read: {error.strerror}"
            raise UserError(msg) from error
        except ValidationError as error:
            msg = f"{path} cannot be read: {_describe(error)}"
            raise UserError(msg) from error

    @property
    def overrides(self) -> dict[str, Any]:
        """The fields as a user sets them about a task."""
        return {**self.model_dump(exclude={"direction", "id_column"}), "id": self.id_column}


def _describe(error: ValidationError) -> str:
    """Return the first fault in a line."""
    fault = error.errors()[0]
    field = ".".join(map(str, fault["loc"]))
    return first_line(f"{field}: {fault['msg']}" if field else fault["msg"])


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
        spec = GradeSpec.read(folder)
        self._rows = _read_answers(folder, task, spec)
        self.metric: str = self._rows.form.spec.metric
        self.direction: Direction = self._rows.form.spec.direction
        if spec.direction not in (None, self.direction):
            msg = f"{folder / SPEC}: direction is {spec.direction}, but {self.metric} is to {self.direction}"
            raise UserError(msg)

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
    if spec.metric is not None and ".py:" in spec.metric and spec.direction is not None:
        overrides["direction"] = spec.direction
    return real_answers(Task.load(task.absolute(), **overrides), read_table(path).frame)
