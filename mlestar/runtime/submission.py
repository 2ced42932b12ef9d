"""The solution whose script and submission are in the run folder."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from mlestar.state import Solution
from mlestar.store import Blobs, Ledger, RunFolder, key_of

logger = logging.getLogger("mlestar.runtime")

_NOTE_KEY = key_of("submitted")


@dataclass(frozen=True)
class SubmittedSolution:
    """A solution that the run has submitted."""

    solution: Solution
    script: str
    """Blob of the script as it is handed over: it declares what it imports."""
    final: bool
    """The run chose it; otherwise it is there until the run has chosen."""


class SubmissionFiles:
    """Writes `solution.py` and `submission.csv`; what the run chose is never replaced by an earlier export."""

    def __init__(self, folder: RunFolder, blobs: Blobs, ledger: Ledger) -> None:
        self._folder = folder
        self._blobs = blobs
        self._ledger = ledger
        self._lock = threading.Lock()
        self.current = self._recorded()

    def write(
        self,
        submitted: SubmittedSolution,
        submission: str | None,
        replaces: Callable[[Solution], bool] = lambda current: True,
    ) -> None:
        """Put a script and its submission into the run folder.

        Args:
            submitted: the solution.
            submission: a blob; None where nothing has to be submitted.
            replaces: whether it replaces the one that is there; exports of several tracks end at any time.
        """
        with self._lock:
            if self.current and ((self.current.final and not submitted.final) or not replaces(self.current.solution)):
                return
            self._folder.write_text(self._folder.solution, self._blobs.text(submitted.script))
            if submission is not None:
                self._folder.copy_file(self._blobs.verified(submission), self._folder.submission)
            fact = {
                "solution": submitted.solution.model_dump(mode="json"),
                "script": submitted.script,
                "final": submitted.final,
            }
            self._ledger.note("submitted", _NOTE_KEY, fact, replace=True)
            self.current = submitted
        logger.info("submitted %s%s", submitted.solution.id, "" if submitted.final else " until the run has chosen")

    def withdraw(self) -> None:
        """Remove what was submitted: the run has no solution that it may submit, or starts afresh."""
        with self._lock:
            self._folder.solution.unlink(missing_ok=True)
            self._folder.submission.unlink(missing_ok=True)
            self.current = None

    def _recorded(self) -> SubmittedSolution | None:
        """Return what an earlier session submitted, if its files are still there."""
        facts = self._ledger.notes("submitted")
        if not facts or not self._folder.solution.is_file():
            return None
        solution = Solution.model_validate(facts[-1]["solution"])
        script = facts[-1].get("script") or solution.script or ""
        return SubmittedSolution(solution, script, final=bool(facts[-1]["final"]))
