"""Progress events: what a run reports while it works."""

import time
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from mlestar.errors import clean_text
from mlestar.metrics.finite import Finite
from mlestar.metrics.precision import Standing
from mlestar.metrics.spec import Direction
from mlestar.state import RunStatus, VerdictStatus

Work = Literal["run", "step", "call", "retrieval", "preparation", "execution", "grading"]
"""What begins and ends. `run`: a session of the run. `step`: of the outer or inner loop of a track; it ends when the
next one begins. `call`: of a model. `preparation`: packages, weights or the sandbox. `execution`: of a script.
`grading`: of what it submitted."""


class Spending(BaseModel):
    """What a run has cost so far."""

    model_config = ConfigDict(frozen=True, from_attributes=True)

    model_calls: int = 0
    tokens: int = 0
    usd: float | None = 0.0
    """None: the price of the model is unknown."""
    executions: int = 0
    seconds: float = 0.0


def _clean_line(text: str) -> str:
    return clean_text(text).replace("\n", " ")


Line = Annotated[str, AfterValidator(_clean_line)]
"""A line that may quote scripts, models and files: without control characters."""


class RunFacts(BaseModel):
    """What is known of a run when a session of it begins."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    run_id: Line
    folder: Line
    """The run folder."""
    profile: Line
    model: Line
    tracks: int
    outer_steps: int
    inner_plans: int
    max_hours: float
    max_usd: float | None = None
    max_tokens: int | None = None
    max_executions: int | None = None
    seconds: float = 0.0
    """Active time of earlier sessions."""


class CallCost(BaseModel):
    """What the requests of a model call took."""

    model_config = ConfigDict(frozen=True, from_attributes=True, allow_inf_nan=False)

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    """Of the input tokens."""
    reasoning_tokens: int = 0
    """Of the output tokens."""
    usd: float | None = None
    """None: the price of the model is unknown."""


class Event(BaseModel):
    """One step of a run, streamed as a custom event of the graphs."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    stage: Line
    """Name of the node, or the origin of a graded script."""
    message: Line
    """One line for a person."""
    track: int | None = None
    role: str | None = None
    """Agent that answered."""
    solution: str | None = None
    script: str | None = None
    """Blob of the script that was graded."""
    verdict: VerdictStatus | None = None
    """Of a graded script."""
    score: Finite = None
    """Of a graded script, as precise as it may be shown; None where only its standing may be."""
    standing: Standing | None = None
    direction: Direction | None = None
    """Whether a higher or a lower score is better."""
    standard_error: Finite = None
    reported: Finite = None
    seconds: Finite = None
    """Time the script took, or the work that has ended."""
    spend: Spending | None = None
    work: Work | None = None
    """What begins or ends; None: a line about something else."""
    phase: Literal["begin", "end"] | None = None
    """Of the work."""
    work_id: str | None = None
    """What begins and ends with the same id is the same work."""
    outcome: Line = ""
    """Of work that has ended: the status of an execution, else `done`; `failed` or `stopped` of what gave no result."""
    model: Line = ""
    """That answered a call."""
    cost: CallCost | None = None
    """Of a call that has ended; None where no request was sent, because its reply was recorded earlier."""
    limit: Finite = None
    """Seconds that a script may take, when it begins."""
    title: Line = ""
    """Of the solution that a script belongs to."""
    plan: Line = ""
    """In a few words, what the script or the step tries."""
    outer: int | None = None
    """Number of the outer step of the track, from 1."""
    inner: int | None = None
    """Number of the plan within the outer step, from 1."""
    problem: Line = ""
    """Why something failed."""
    run: RunFacts | None = None
    """When a session begins."""
    status: RunStatus | None = None
    """How a session ended."""
    time: float = Field(default_factory=time.time)
    """Seconds since 1970, in UTC."""

    @property
    def is_line(self) -> bool:
        """Whether a list of what has happened shows the event; the others tell what is being done."""
        return self.role is None and self.work is None
