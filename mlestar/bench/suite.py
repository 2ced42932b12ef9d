"""The tasks of a suite and what their submissions are graded against."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlestar.bench.rows import Graded, Standing
from mlestar.metrics.spec import Direction


class Answers(Protocol):
    """What submissions of a task are graded against. It is never passed to a tool."""

    metric: str
    direction: Direction

    def grade(self, submission: Path) -> Graded:
        """Grade a submission; one that is not valid gets a problem in place of a score."""

    def standing(self, score: float) -> Standing | None:
        """Return where a score is on the leaderboard of the competition; None without one."""


@dataclass(frozen=True)
class SuiteTask:
    """A task of a suite."""

    id: str
    folder: Path
    """What tools are given: a task folder without any answer."""
    answers: Answers
    flaws: tuple[str, ...] = ()
    """Known flaws of its data, which are stated with every number."""
    shortcut: str = ""
    """Of a generated task: what its train data offers and its test rows lack; empty for all others."""
    plain_score: float | None = None
    """Of such a task: what a plain model reaches that never had the shortcut."""
    contents: str = ""
    """Fingerprint of its folder; empty where it is unknown."""
    answers_contents: str = ""
    """Fingerprint of the answers, and of what grades."""
    no_information: bool = False
    """A generated task whose features say nothing about its labels."""
