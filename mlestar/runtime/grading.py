"""Grading for the nodes of a run, in one bounded child process."""

import asyncio
import atexit
import logging
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from mlestar.evaluation import Comparison, Grade
from mlestar.evaluation.answers import Answers, check_form
from mlestar.evaluation.blending.scales import NotBlendedError
from mlestar.evaluation.blending.weights import Fit, fit_blend
from mlestar.evaluation.examples import Examples, choose_examples
from mlestar.evaluation.grading_process import GradingError, GradingProcess, NotPortableError
from mlestar.evaluation.importance.measuring import Losses, NotMeasuredError, PermutedAnswers, measure_losses
from mlestar.evaluation.outcome import NotShownError, Outcome, compare_with_truth
from mlestar.evaluation.uncertainty.calibration import Calibration, Coverage, NotCalibratedError, calibrate, cover
from mlestar.runtime.inputs import StagedInput
from mlestar.state import ExecutionRecord

logger = logging.getLogger("mlestar.runtime")

T = TypeVar("T")

_IDLE: list[GradingProcess] = []
_LOCK = threading.Lock()
_MAX_IDLE = 1
"""Processes that wait for the next run of this process, because starting one takes over a second. They hold no answers,
and end after a minute. One that executed a metric file serves only the same task folder."""


_ROWS = 500_000
"""Rows or lines up to which the time limit is that of the settings; with more it grows in proportion. Checking
1,000,000 rows took 28 s on a machine with a load of ten per core (`benchmarks/grading.py`)."""


BLENDING = 2.0
"""Time limit of finding the weights of a blend, in multiples of that of a submission. Chosen by judgement."""

MEASURING = 3.0
"""Time limit of measuring the importance of columns, in multiples of that of a submission. Chosen by judgement."""

MESSAGE_CHARACTERS = 300
"""Of the last line of standard error, in a message: a long traceback line still fits on three lines of a terminal."""


class Grading:
    """Grades the submissions of a run, one at a time, in a child process.

    The process is shared by all holdouts of the run: each of its own would take 200 MB. A metric that is an object of
    the caller's exists in this process only, and so is computed here, like every metric of a run that trusts it.
    """

    def __init__(self, seconds: float, *, trust: bool = False) -> None:
        """Describe the grading.

        Args:
            seconds: time limit of one submission.
            trust: grade in this process, without limits.
        """
        self._seconds = seconds
        self._trust = trust
        self._process: GradingProcess | None = None
        self._turn = threading.Lock()
        self._closed = False

    def limit(self, staged: StagedInput) -> float:
        """Return the seconds in which a submission for an input must be graded."""
        return self._seconds * max(1.0, staged.form.rows / _ROWS)

    async def grade(self, staged: StagedInput, submission: Path, seconds: float | None = None) -> Grade:
        """Grade a submission for the withheld rows of an input; what cannot be graded in time is invalid."""
        return await asyncio.to_thread(self._grade, staged, submission, seconds)

    async def check(self, staged: StagedInput, submission: Path) -> str:
        """Return what is wrong with a submission for the real rows; empty when it is valid."""
        return await asyncio.to_thread(self._check, staged, submission)

    async def compare(self, staged: StagedInput, submission: Path, baseline: Path) -> Comparison | None:
        """Compare two graded submissions for the withheld rows of an input; None when that takes too long."""
        return await asyncio.to_thread(self._compare, staged, submission, baseline)

    async def blend(
        self, staged: StagedInput, submissions: Sequence[Path], costs: Sequence[float], limit: float
    ) -> Fit:
        """Return the weights of a blend of submissions for the withheld rows of an input; see `fit_blend`.

        Raises:
            NotBlendedError: there are none.
        """
        return await asyncio.to_thread(self._blend, staged, submissions, costs, limit)

    async def calibrate(self, staged: StagedInput, submission: Path) -> Calibration:
        """Return the quantiles of a graded submission for the withheld rows of an input.

        Raises:
            NotCalibratedError: there are none.
        """
        return await asyncio.to_thread(self._calibrate, staged, submission)

    async def cover(self, staged: StagedInput, submission: Path, calibration: Calibration) -> Coverage:
        """Return what quantiles cover of the withheld rows of an input.

        Raises:
            NotCalibratedError: that could not be computed.
        """
        return await asyncio.to_thread(self._cover, staged, submission, calibration)

    async def show(self, staged: StagedInput, submission: Path) -> Outcome:
        """Return predictions for withheld rows beside the truth.

        Raises:
            NotShownError: they are not shown.
        """
        return await asyncio.to_thread(self._show, staged, submission)

    async def choose_examples(self, staged: StagedInput, submission: Path) -> Examples:
        """Return a few withheld rows with prediction and truth.

        Raises:
            NotShownError: none can be shown.
        """
        return await asyncio.to_thread(self._choose_examples, staged, submission)

    async def measure(self, staged: StagedInput, answers: PermutedAnswers, submission: Path, earlier: Path) -> Losses:
        """Return what predictions for permuted copies of withheld rows of an input show; see `measure_losses`.

        Raises:
            NotMeasuredError: that could not be computed.
        """
        return await asyncio.to_thread(self._measure, staged, answers, submission, earlier)

    async def load_metric(self, staged: StagedInput) -> None:
        """Execute the file of the task's metric.

        Raises:
            UserError: it cannot be imported within the limits.
        """
        await asyncio.to_thread(self._load_metric, staged)

    def close(self) -> None:
        """End the process, or leave it to the next run when nothing of this one remains in it."""
        with self._turn:
            self._closed = True
            process, self._process = self._process, None
        if process is None:
            return
        with _LOCK:
            if process.forget():
                # The newest stays: the next run is likely of the same task.
                _IDLE.append(process)
                process = _IDLE.pop(0) if len(_IDLE) > _MAX_IDLE else None
        if process is not None:
            process.close()

    def _grade(self, staged: StagedInput, submission: Path, seconds: float | None) -> Grade:
        grader = staged.grader
        if grader is None:
            msg = f"no rows of {staged.name} are withheld"
            raise ValueError(msg)
        limit = self.limit(staged) if seconds is None else seconds
        try:
            if self._in_process(staged):
                return grader.grade(submission)
            return self._bounded(
                staged,
                lambda process: process.grade(grader.answers, submission, limit),
                lambda: grader.grade(submission),
            )
        except GradingError as error:
            return Grade(score=None, standard_error=None, problem=f"the submission could not be graded: {error}")

    def _check(self, staged: StagedInput, submission: Path) -> str:
        form = staged.form
        try:
            if self._in_process(staged):
                return check_form(form, submission)
            return self._bounded(
                staged,
                lambda process: process.check(form, submission, self.limit(staged)),
                lambda: check_form(form, submission),
            )
        except GradingError as error:
            return f"the submission could not be checked: {error}"

    def _compare(self, staged: StagedInput, submission: Path, baseline: Path) -> Comparison | None:
        grader = staged.grader
        if grader is None:
            return None
        try:
            if self._in_process(staged):
                return grader.compare(submission, baseline)
            return self._bounded(
                staged,
                # Both were graded within the limit of one each.
                lambda process: process.compare(grader.answers, submission, baseline, 2 * self.limit(staged)),
                lambda: grader.compare(submission, baseline),
            )
        except (GradingError, ValueError) as error:
            logger.warning("two submissions for %s were not compared: %s", staged.name, error)
            return None

    def _blend(self, staged: StagedInput, submissions: Sequence[Path], costs: Sequence[float], limit: float) -> Fit:
        return self._from_answers(
            staged,
            lambda process, answers: process.blend(answers, submissions, costs, limit, BLENDING * self.limit(staged)),
            lambda answers: fit_blend(answers, submissions, costs, limit),
            NotBlendedError,
            "the weights were not found",
        )

    def _calibrate(self, staged: StagedInput, submission: Path) -> Calibration:
        return self._from_answers(
            staged,
            lambda process, answers: process.calibrate(answers, submission, self.limit(staged)),
            lambda answers: calibrate(answers, submission),
            NotCalibratedError,
            "they could not be computed",
        )

    def _cover(self, staged: StagedInput, submission: Path, calibration: Calibration) -> Coverage:
        return self._from_answers(
            staged,
            lambda process, answers: process.cover(answers, submission, calibration, self.limit(staged)),
            lambda answers: cover(answers, submission, calibration),
            NotCalibratedError,
            "they could not be computed",
        )

    def _show(self, staged: StagedInput, submission: Path) -> Outcome:
        return self._from_answers(
            staged,
            lambda process, answers: process.show(answers, submission, self.limit(staged)),
            lambda answers: compare_with_truth(answers, submission),
            NotShownError,
            "they could not be compared",
        )

    def _choose_examples(self, staged: StagedInput, submission: Path) -> Examples:
        return self._from_answers(
            staged,
            lambda process, answers: process.choose_examples(answers, submission, self.limit(staged)),
            lambda answers: choose_examples(answers, submission),
            NotShownError,
            "they could not be compared",
        )

    def _measure(self, staged: StagedInput, answers: PermutedAnswers, submission: Path, earlier: Path) -> Losses:
        return self._from_answers(
            staged,
            lambda process, _: process.measure(answers, submission, earlier, MEASURING * self.limit(staged)),
            lambda _: measure_losses(answers, submission, earlier),
            NotMeasuredError,
            "the submission could not be measured",
        )

    def _from_answers(
        self,
        staged: StagedInput,
        work: Callable[[GradingProcess, Answers], T],
        otherwise: Callable[[Answers], T],
        error: type[Exception],
        failed: str,
    ) -> T:
        """Return what predictions for withheld rows show besides a grade.

        Args:
            staged: the input whose rows are withheld.
            work: computes it in the process that grades.
            otherwise: computes it in this process.
            error: says why it cannot be computed.
            failed: begins the message where computing it failed.
        """
        grader = staged.grader
        if grader is None:
            msg = "no rows are withheld"
            raise error(msg)
        answers = grader.answers
        try:
            if self._in_process(staged):
                return otherwise(answers)
            return self._bounded(staged, lambda process: work(process, answers), lambda: otherwise(answers))
        except GradingError as reason:
            msg = f"{failed}: {reason}"
            raise error(msg) from None

    def _load_metric(self, staged: StagedInput) -> None:
        grader = staged.grader
        if grader is None or ".py:" not in grader.form.spec.metric or not grader.is_portable:
            return
        if self._trust:
            load = grader.form.metric.load
            if load is not None:
                load()
            return
        self._bounded(staged, lambda process: process.load_metric(grader.answers, self.limit(staged)), lambda: None)

    def _in_process(self, staged: StagedInput) -> bool:
        return self._trust or not staged.is_portable

    def _bounded(self, staged: StagedInput, work: Callable[[GradingProcess], T], otherwise: Callable[[], T]) -> T:
        """Do work with the process, or here where what it needs cannot be sent."""
        with self._turn:
            if self._closed:
                msg = "the run was closed"
                raise GradingError(msg)
            if self._process is None:
                self._process = _take_process(staged.form.metric.folder)
            process = self._process
        try:
            return work(process)
        except NotPortableError as error:
            logger.info("graded without a process of its own: %s", error)
            return otherwise()


def describe_failure(execution: ExecutionRecord, stderr: str) -> str:
    """Return one line on why a script failed: the limit that it hit, or the last line of its standard error."""
    if execution.detail:
        return execution.detail
    last = next((line.strip() for line in reversed(stderr.split("\n")) if line.strip()), "")
    reason = f": {last[:MESSAGE_CHARACTERS]}" if last else ""
    return f"{execution.status}, exit status {execution.exit_code}{reason}"


def _take_process(folder: Path | None) -> GradingProcess:
    """Return a process that may execute metric files of this folder, None where the metric is in no file."""
    with _LOCK:
        if _IDLE and _IDLE[0].executed in (None, folder):
            return _IDLE.pop()
    return GradingProcess()


@atexit.register
def _close_idle() -> None:
    """End the processes that wait, instead of leaving it to the end of their pipes."""
    while _IDLE:
        _IDLE.pop().close()
