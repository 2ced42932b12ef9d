"""What a page asks of a process that works on a run: start it, resume it, fork it."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from mlestar.state import Answer


class Order(BaseModel):
    """One call of the public API."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    do: Literal["solve", "resume", "fork"]
    run_id: str
    """Of the run that is worked on; of a fork, the new one."""
    runs_dir: Path
    task: str = ""
    """Of a new run: the folder, or the file of a table."""
    settings: dict[str, Any] = {}
    answers: dict[str, Answer | str] = {}
    """To what a run that is resumed has asked."""
    source: str = ""
    """The run that is forked."""
    at: str = ""
    """Its decision that is replaced."""
    answer: Answer | None = None
    """What replaces it."""
