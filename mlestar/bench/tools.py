"""What takes part in a benchmark."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mlestar.bench.rows import RowStatus
from mlestar.bench.suite import SuiteTask
from mlestar.report import Result


@dataclass(frozen=True)
class Outcome:
    """How a tool ended on a task."""

    status: RowStatus
    """`graded` stands for "has a submission", which is graded next."""
    seconds: float
    reason: str = ""
    submission: Path | None = None
    result: Result | None = None
    """Of a run of this package."""


class Tool(Protocol):
    """Turns a task folder into a submission."""

    name: str

    @property
    def settings(self) -> Mapping[str, str]:
        """What its rows depend on besides the conditions of a benchmark."""

    def run(self, task: SuiteTask, seed: int, folder: Path) -> Outcome:
        """Solve a task. Blocks, and is called in a thread; called again after it was killed, it continues if it can.

        Args:
            task: only its `folder` may be read.
            seed: of everything that is random in the tool.
            folder: of this task, tool and seed alone; kept.
        """
