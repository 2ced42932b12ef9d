"""Progress events: what a run reports while it works."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from mlestar.errors import clean_text
from mlestar.metrics.finite import Finite
from mlestar.metrics.precision import Standing
from mlestar.metrics.spec import Direction
from mlestar.state import VerdictStatus


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
    """Time the script took."""
    spend: Spending | None = None
