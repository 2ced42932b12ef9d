"""The solution whose script and submission are in the run folder."""

import logging
import shutil
import threading
from dataclasses import dataclass

from mlestar.state import Solution
from mlestar.store import Blobs, RunFolder

logger = logging.getLogger("mlestar.runtime")


@dataclass(frozen=True)
class SubmittedSolution:
    """A solution that the run has submitted."""

    solution: Solution
    final: bool
    """The run chose it; otherwise it is there until the run has chosen."""


class SubmissionFiles:
    """Writes `solution.py` and `submission.csv`; what the run chose is never replaced by an earlier export."""

    def __init__(self, folder: RunFolder, blobs: Blobs) -> None:
        self._folder = folder
        self._blobs = blobs
        self._lock = threading.Lock()
        self.current: SubmittedSolution | None = None

    def write(self, submitted: SubmittedSolution, submission: str) -> None:
        """Put a script and its submission (a blob) into the run folder."""
        with self._lock:
            if self.current and self.current.final and not submitted.final:
                return
            self._folder.write_text(self._folder.solution, self._blobs.text(submitted.solution.script or ""))
            part = self._folder.submission.with_name("submission.csv.part")
            shutil.copyfile(self._blobs.path(submission), part)
            part.replace(self._folder.submission)
            self.current = submitted
        logger.info("submitted %s%s", submitted.solution.id, "" if submitted.final else " until the run has chosen")

    def withdraw(self) -> None:
        """Remove what was submitted early: the run ended without a solution that it may submit."""
        with self._lock:
            self._folder.solution.unlink(missing_ok=True)
            self._folder.submission.unlink(missing_ok=True)
            self.current = None
