"""Progress events: what a run tells while it works."""

from pydantic import BaseModel, ConfigDict


class Event(BaseModel):
    """One step of a run, streamed as a custom event of the graphs."""

    model_config = ConfigDict(frozen=True)

    stage: str
    """Name of the node that speaks."""
    message: str
    """One line for a person."""
    track: int | None = None
    solution: str | None = None
    status: str = ""
    """Verdict status, when a script was judged."""
    score: float | None = None
    standard_error: float | None = None
    reported: float | None = None
    seconds: float | None = None
    tokens: int | None = None
    """Input and output tokens of the run so far."""
    usd: float | None = None
    """US dollars of the run so far; None when a price is unknown."""
