"""A bounded child process that grades: what a submission or a metric file does there costs no more than one grading."""

import contextlib
import io
import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from mlestar.errors import UserError, clean_text
from mlestar.evaluation.answers import Answers
from mlestar.evaluation.blending.scales import NotBlendedError
from mlestar.evaluation.blending.weights import Fit
from mlestar.evaluation.examples import Examples
from mlestar.evaluation.holdout.plan import Comparison, Grade
from mlestar.evaluation.importance.measuring import Losses, NotMeasuredError, PermutedAnswers
from mlestar.evaluation.outcome import NotShownError, Outcome
from mlestar.evaluation.submission import SubmissionForm
from mlestar.evaluation.uncertainty.calibration import Calibration, Coverage, NotCalibratedError
from mlestar.metrics import Metric, get_metric
from mlestar.metrics.spec import Direction, PredictionKind
from mlestar.runners.variables import common_variables

LOAD_SECONDS = 120.0
"""Time in which a process must have started and read the answers. It took 2 s of a CPU, and 15 s on a machine with a
load of ten per core (`benchmarks/grading.py`)."""
_MAX_REPLY = 2**20
"""Bytes of a reply. Chosen by judgement; not measured."""
_MAX_MESSAGE = 2000
"""Characters of a message. Chosen by judgement; not measured."""
_START = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from mlestar.evaluation.grading_child import serve
serve()
"""
_INHERITED = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "TZ")
"""Environment variables that Python or a library needs; no other reaches the process."""

M = TypeVar("M", bound=BaseModel)
Subject = Answers | SubmissionForm


class GradingError(Exception):
    """A submission could not be graded; the message says why, fit for an agent and a person."""


class ProcessEnded(GradingError):
    """The process ended, so that its state, and not the submission alone, may be the reason."""


class NotPortableError(Exception):
    """What is to be sent exists in this process only."""


class GradingProcess:
    """One child process, which is started on first use, again after it was killed, and serves one request at a time.

    What it has to know is sent over a pipe and never written to a file. It has no other environment variable than it
    needs, a limit on its memory, writes no file, and ends with this process, however that ends.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._subjects: list[Subject] = []
        """What the process has been sent; the position of an item is its key."""
        self._requests = 0
        self._lock = threading.Lock()
        self._closed = False
        self.executed: Path | None = None
        """The task folder whose metric file it executed; from then on it serves only runs of that folder."""

    def grade(self, answers: Answers, submission: Path, seconds: float) -> Grade:
        """Grade a submission within a time limit.

        Raises:
            GradingError: there is no grade.
            NotPortableError: the answers cannot be sent.
        """
        return _read_as(Grade, self._ask(answers, seconds, "grade", str(submission)))

    def compare(self, answers: Answers, submission: Path, baseline: Path, seconds: float) -> Comparison:
        """Compare two submissions within a time limit.

        Raises:
            GradingError: there is no comparison.
            NotPortableError: the answers cannot be sent.
        """
        return _read_as(Comparison, self._ask(answers, seconds, "compare", str(submission), str(baseline)))

    def blend(
        self, answers: Answers, submissions: Sequence[Path], costs: Sequence[float], limit: float, seconds: float
    ) -> Fit:
        """Return the weights of a blend within a time limit; see `fit_blend` for the first arguments.

        Raises:
            NotBlendedError: the submissions cannot be blended.
            GradingError: there are no weights.
            NotPortableError: the answers cannot be sent.
        """
        result = self._ask(answers, seconds, "blend", list(map(str, submissions)), list(costs), limit)
        if isinstance(result, str):
            raise NotBlendedError(_legible(result))
        return _read_as(Fit, result)

    def calibrate(self, answers: Answers, submission: Path, seconds: float) -> Calibration:
        """Return the quantiles of a submission within a time limit; see `calibrate`.

        Raises:
            NotCalibratedError: there are none.
            GradingError: they could not be computed.
            NotPortableError: the answers cannot be sent.
        """
        return _read_calibrated(Calibration, self._ask(answers, seconds, "calibrate", str(submission)))

    def cover(self, answers: Answers, submission: Path, calibration: Calibration, seconds: float) -> Coverage:
        """Return what quantiles cover on the rows of a submission within a time limit; see `cover`.

        Raises:
            NotCalibratedError: the submission cannot be read.
            GradingError: it could not be computed.
            NotPortableError: the answers cannot be sent.
        """
        values = str(submission), calibration.model_dump(mode="json")
        return _read_calibrated(Coverage, self._ask(answers, seconds, "cover", *values))

    def show(self, answers: Answers, submission: Path, seconds: float) -> Outcome:
        """Return the predictions of a submission beside the truth within a time limit; see `compare_with_truth`.

        Raises:
            NotShownError: they are not shown.
            GradingError: that could not be computed.
            NotPortableError: the answers cannot be sent.
        """
        result = self._ask(answers, seconds, "show", str(submission))
        if isinstance(result, str):
            raise NotShownError(_legible(result))
        return _read_as(Outcome, result)

    def choose_examples(self, answers: Answers, submission: Path, seconds: float) -> Examples:
        """Return a few rows of a submission within a time limit; see `choose_examples`.

        Raises:
            NotShownError: none can be shown.
            GradingError: that could not be computed.
            NotPortableError: the answers cannot be sent.
        """
        result = self._ask(answers, seconds, "choose_examples", str(submission))
        if isinstance(result, str):
            raise NotShownError(_legible(result))
        return _read_as(Examples, result)

    def measure(self, answers: PermutedAnswers, submission: Path, earlier: Path, seconds: float) -> Losses:
        """Return what a submission for permuted copies shows within a time limit; see `measure_losses`.

        Raises:
            NotMeasuredError: a submission is not valid.
            GradingError: that could not be computed.
            NotPortableError: the answers cannot be sent.
        """
        result = self._ask(answers, seconds, "measure", str(submission), str(earlier))
        if isinstance(result, str):
            raise NotMeasuredError(_legible(result))
        return _read_as(Losses, result)

    def check(self, form: SubmissionForm, submission: Path, seconds: float) -> str:
        """Return what is wrong with a submission of which only the form is known; empty when it is valid.

        Raises:
            GradingError: it could not be checked.
            NotPortableError: the form cannot be sent.
        """
        return _legible(self._ask(form, seconds, "check", str(submission)))

    def load_metric(self, subject: Subject, seconds: float) -> None:
        """Execute the file of a metric, so that an error in it is reported before anything is graded.

        Raises:
            UserError: it cannot be imported, or not within the limits.
            NotPortableError: the subject cannot be sent.
        """
        try:
            self._ask(subject, seconds, "execute")
        except GradingError as error:
            msg = f"metric {_form(subject).spec.metric!r} cannot be loaded: {error}"
            raise UserError(msg) from None

    def close(self) -> None:
        """End the process, also while it grades."""
        self._closed = True
        self._release()

    def forget(self) -> bool:
        """Remove what the process was sent; return whether it lives, so that another run may use it."""
        if self._closed or self._process is None or self._process.poll() is not None:
            return False
        if not self._lock.acquire(blocking=False):
            return False
        try:
            with self._limit(LOAD_SECONDS):
                self._exchange(LOAD_SECONDS, ("forget",))
        except GradingError:
            return False
        finally:
            self._lock.release()
        self._subjects = []
        return True

    def _ask(self, subject: Subject, seconds: float, action: str, *values: object) -> Any:
        with self._lock:
            used = self._process is not None and self._process.poll() is None and self._requests > 0
            try:
                return self._ask_once(subject, seconds, action, values)
            except ProcessEnded:
                if not used or self._closed:
                    raise
            # What earlier submissions left behind must not decide on this one.
            return self._ask_once(subject, seconds, action, values)

    def _ask_once(self, subject: Subject, seconds: float, action: str, values: tuple[object, ...]) -> Any:
        self._ensure_started()
        key = next((place for place, known in enumerate(self._subjects) if known is subject), None)
        if key is None:
            key = len(self._subjects)
            frame = _pickle(("load", key, subject))
            with self._limit(LOAD_SECONDS):
                self._exchange(LOAD_SECONDS, frame)
            self._subjects.append(subject)
            self.executed = _form(subject).metric.folder or self.executed
        with self._limit(seconds):
            return self._exchange(seconds, (action, key, *values))

    def _ensure_started(self) -> None:
        self._refuse_when_closed()
        if self._process is not None and self._process.poll() is None:
            return
        self._release()
        self._subjects, self._requests, self.executed = [], 0, None
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-B", "-W", "ignore", "-c", _START, json.dumps(sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(),
            start_new_session=True,
        )
        self._refuse_when_closed()  # it may have been closed while the process was being started

    def _refuse_when_closed(self) -> None:
        if self._closed:
            self._release()
            msg = "the run was closed"
            raise GradingError(msg)

    def _exchange(self, seconds: float, message: tuple[object, ...] | bytes) -> Any:
        process = self._process
        if process is None or process.stdin is None or process.stdout is None:
            msg = "the grading process is not running"
            raise ProcessEnded(msg)
        self._requests += 1
        try:
            for frame in (json.dumps([self._requests, seconds]).encode(), _as_frame(message)):
                process.stdin.write(len(frame).to_bytes(8, "big") + frame)
            process.stdin.flush()
            line = process.stdout.readline(_MAX_REPLY)
        except (OSError, ValueError):
            line = b""
        if not line:
            self._kill()
            msg = f"the process that grades ended ({_describe_exit(process)})"
            raise ProcessEnded(msg)
        return self._read_reply(line)

    def _read_reply(self, line: bytes) -> Any:
        try:
            reply = json.loads(line)
            number = reply.pop("number")
        except (ValueError, AttributeError, KeyError, TypeError, RecursionError):
            number, reply = -1, {}
        if number != self._requests:
            self._kill()
            msg = "the process that grades gave an answer that cannot be read"
            raise GradingError(msg)
        if "unknown" in reply:
            raise NotPortableError(_legible(reply["unknown"]))
        if "problem" in reply:
            raise UserError(_legible(reply["problem"]))
        if "failure" in reply:
            # Memory may be short from now on.
            self._kill()
            raise ProcessEnded(_legible(reply["failure"]))
        return reply.get("result")

    @contextmanager
    def _limit(self, seconds: float) -> Iterator[None]:
        """Kill the process when a request takes longer.

        Raises:
            GradingError: it did.
        """
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            self._kill()

        timer = threading.Timer(max(0.0, seconds), expire)
        timer.daemon = True
        timer.start()
        try:
            yield
        except ProcessEnded as error:
            if not expired.is_set():
                raise
            msg = f"it took more than {seconds:.3g} s"
            raise GradingError(msg) from error
        finally:
            timer.cancel()

    def _kill(self) -> None:
        """Kill the process and all that it started."""
        process = self._process
        # The id of a process that was waited for may be another's by now.
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def _release(self) -> None:
        """Kill the process and close the pipes to it."""
        self._kill()
        if self._process is not None:
            for pipe in (self._process.stdin, self._process.stdout):
                with contextlib.suppress(OSError):
                    pipe and pipe.close()


def _read_as(model: type[M], value: Any) -> M:
    """Return the result of a reply; a metric file may have written the reply itself.

    Raises:
        GradingError: it is something else.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        msg = "the grading process gave an invalid answer"
        raise GradingError(msg) from error


def _read_calibrated(model: type[M], value: Any) -> M:
    if isinstance(value, str):
        raise NotCalibratedError(_legible(value))
    return _read_as(model, value)


def _legible(value: object) -> str:
    """Return a message of the process, which a metric file may have chosen."""
    return clean_text(str(value)[:_MAX_MESSAGE]).replace("\n", " ")


class _Pickler(pickle.Pickler):
    """Pickles a metric as its name, because nested functions cannot be pickled, and nothing that was only cached.

    Another thread may compute a cached value of the same object meanwhile, which adds it to the object's dictionary.
    """

    def reducer_override(self, value: object) -> Any:
        if isinstance(value, Metric):
            return _find_metric, (value.name, value.folder, value.direction, value.kind)
        cached = _cached_names(type(value))
        if not cached:
            return NotImplemented
        state = vars(value).copy()
        return _create, (type(value),), {name: state[name] for name in state if name not in cached}


def _cached_names(kind: type) -> frozenset[str]:
    members = (item for base in kind.__mro__ for item in vars(base).items())
    return frozenset(name for name, member in members if isinstance(member, cached_property))


def _create(kind: type) -> object:
    return object.__new__(kind)


def _find_metric(name: str, folder: Path | None, direction: Direction, kind: PredictionKind) -> Metric:
    return get_metric(name, folder, direction=direction, kind=kind)


def _pickle(message: tuple[object, ...]) -> bytes:
    buffer = io.BytesIO()
    try:
        _Pickler(buffer, pickle.HIGHEST_PROTOCOL).dump(message)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise NotPortableError(str(error)) from error
    return buffer.getvalue()


def _form(subject: Subject) -> SubmissionForm:
    return subject.form if isinstance(subject, Answers) else subject


def _as_frame(message: tuple[object, ...] | bytes) -> bytes:
    return message if isinstance(message, bytes) else pickle.dumps(message)


def _environment() -> dict[str, str]:
    """Return the environment of the process: no secret of this one."""
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    # One arena per thread would count as address space.
    return {**common_variables(0, 1, tempfile.gettempdir()), **inherited, "MALLOC_ARENA_MAX": "2"}


def _describe_exit(process: subprocess.Popen[bytes]) -> str:
    code = process.wait()
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
