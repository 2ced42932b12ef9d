"""What a page says of how a run stands, and what can be done with it."""

from dataclasses import dataclass

from mlestar.errors import UserError
from mlestar.report import FINISHED, read_result
from mlestar.report.result import Result
from mlestar.store import RunFolder
from mlestar.ui.processes import Processes

TONES = {
    "solved": "good",
    "baseline": "good",
    "running": "live",
    "starting": "live",
    "stopping": "live",
    "paused": "wait",
    "stopped": "rest",
    "unfinished": "rest",
}
"""The colour of a state; others are failures."""


@dataclass(frozen=True)
class State:
    """How a run stands."""

    name: str
    problem: str = ""
    """Why the last process of this page for it ended with an error."""
    can_stop: bool = False
    result: Result | None = None

    @property
    def label(self) -> str:
        return self.name.replace("_", " ")

    @property
    def tone(self) -> str:
        return TONES.get(self.name, "bad")

    @property
    def is_working(self) -> bool:
        return self.name in ("starting", "running", "stopping")

    @property
    def can_resume(self) -> bool:
        """Whether the run can go on as it is; one that asks something goes on with the answer."""
        return not self.is_working and self.name not in (*FINISHED, "missing", "not started")


def read_state(folder: RunFolder, processes: Processes) -> State:
    """Return how a run stands now."""
    run_id = folder.run_id
    problem = processes.problem(run_id)
    if processes.is_working(run_id):
        return State(_working_name(folder, processes), can_stop=processes.can_stop(run_id), result=_read(folder))
    if not folder.settings.is_file():
        return State("not started" if processes.knows(run_id) else "missing", problem=problem)
    result = _read(folder)
    return State(result.status if result else "unfinished", problem=problem, result=result)


def _working_name(folder: RunFolder, processes: Processes) -> str:
    if processes.is_stopping(folder.run_id):
        return "stopping"
    return "starting" if processes.is_starting(folder.run_id) else "running"


def _read(folder: RunFolder) -> Result | None:
    """Return the result of a run; None where there is none that this version reads."""
    try:
        return read_result(folder, check=False)
    except UserError:
        return None
