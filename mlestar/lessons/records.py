"""The content of a lessons file: what one finished run tried, with the results."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from mlestar.lessons.cleaning import LINE, NAME, one_line
from mlestar.metrics.finite import Finite, finite

MAX_TRIALS, MAX_FAILURES = 60, 20
"""Records that one run leaves. A run of the profile paper has 32 plans, 8 first solutions and up to 96 variants; the
last ones are left out. Chosen by judgement; not measured."""

Line = Annotated[str, AfterValidator(lambda text: one_line(text, LINE))]
"""Text in a file; it is always read as one clean line of limited length."""
Name = Annotated[str, AfterValidator(lambda text: one_line(text, NAME))]
Share = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=0, le=1_000_000)]
RowClass = Literal["hundreds", "thousands", "ten thousands", "hundred thousands", "millions"]
ColumnClass = Literal["up to 10", "up to 30", "up to 100", "up to 1000", "more"]
Error = Annotated[Annotated[float, Field(ge=0)] | None, BeforeValidator(finite)]
Seconds = Annotated[float, Field(ge=0, le=1e9)]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class TaskFacts(_Record):
    """The stored facts of a task, from which similarity is computed; they contain no names, values or texts of it."""

    kind: Name
    """Kind of data: table, text, image, ..."""
    problem: Name
    metric: Name
    direction: Literal["maximize", "minimize"]
    prediction: Name
    """Kind of prediction: label, probability, value or text."""
    rows: RowClass
    columns: ColumnClass
    missing: Share = 0.0
    """Share of cells that are missing, in tenths."""
    text: Share = 0.0
    """Share of the columns that contain text, in tenths; likewise the next two."""
    categories: Share = 0.0
    times: Share = 0.0


class Trial(_Record):
    """A trial: a changed script compared with the script that it started from, on the same withheld rows."""

    kind: Literal["idea", "part", "model"]
    """`idea`: a plan for a block. `part`: a part of a script that an ablation switched off. `model`: a first solution,
    compared with the best other one of its track."""
    component: Name = ""
    """Function that was rewritten."""
    idea: Line
    ids: Annotated[tuple[Name, ...], Field(max_length=8)] = ()
    """Ideas of the offline engineer's recipes that it consists of."""
    status: Name = "ok"
    effect: Finite = None
    """Gain, positive when it is better; rounded to two digits of its error. None where it did not run, or where only
    its standing may be known."""
    error: Error = None
    """Standard error of the gain."""
    seconds: Seconds = 0.0
    base_seconds: Seconds = 0.0
    """Duration of the script that it started from; 0 where it is not known."""


class Failure(_Record):
    """A failure of scripts: the class of the error and its first line without values."""

    error: Line
    met: Count = 1
    """Number of scripts of the run with this failure."""
    fixed_by: Line = ""
    """The first change of the repair that worked; empty where none did."""


class RunLessons(_Record):
    """A lessons file."""

    version: Literal[1] = 1
    """Format of the file; one of another format is skipped."""
    made_by: Name = ""
    """Version of mlestar."""
    run: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
    """Name of the run; no prompt contains it."""
    task: Annotated[str, Field(pattern=r"^[0-9a-f]{0,16}$")] = ""
    """Beginning of a hash of the task's files, by which runs on the same task are recognized."""
    facts: TaskFacts
    status: Name = ""
    """How the run ended."""
    trials: Annotated[tuple[Trial, ...], Field(max_length=MAX_TRIALS)] = ()
    failures: Annotated[tuple[Failure, ...], Field(max_length=MAX_FAILURES)] = ()
