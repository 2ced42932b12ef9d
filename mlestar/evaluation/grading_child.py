"""The process in which submissions are graded: it serves one parent over pipes, within limits, and ends with it.

A request is a frame: the length in eight bytes, then a pickle. What is sent by the parent is trusted. Replies are lines
of JSON, because what a metric file does to this process must not reach the parent. A reply repeats the number of its
request.
"""

import contextlib
import json
import os
import pickle
import resource
import select
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlestar.errors import MlestarError
from mlestar.evaluation.answers import Answers, check_form
from mlestar.evaluation.blending.scales import NotBlendedError
from mlestar.evaluation.blending.weights import fit_blend
from mlestar.evaluation.examples import choose_examples
from mlestar.evaluation.importance.measuring import NotMeasuredError, measure_losses
from mlestar.evaluation.outcome import NotShownError, compare_with_truth
from mlestar.evaluation.submission import SubmissionForm
from mlestar.evaluation.uncertainty.calibration import Calibration, NotCalibratedError, calibrate, cover

IDLE_SECONDS = 60.0
"""Time after which a process that holds no answers ends. Chosen by judgement; not measured."""
_BASE_MEMORY = 2**30
_MEMORY_PER_BYTE = 6
"""Address space for grading: a fixed part, and bytes for each byte that a submission may have, beyond what the process
uses when it has read the answers. Measured only in that 1,000,000 rows are graded and checked within it."""
_GRACE = 10
"""Seconds beyond its limit after which a process ends by itself: the parent has ended it before, if it still lives."""
_MESSAGE = 500
"""Characters of a failure that are returned. Chosen by judgement; not measured."""


class Stop(Exception):
    """The parent closed its end of the pipe."""


def serve() -> None:
    """Answer requests from standard input until it is closed."""
    requests, replies = os.dup(0), os.dup(1)
    _silence()
    threading.Thread(target=_end_with_parent, args=(requests,), daemon=True).start()
    subjects: dict[int, Answers | SubmissionForm] = {}
    with contextlib.suppress(Stop, BrokenPipeError):
        while True:
            if not subjects and not select.select([requests], [], [], IDLE_SECONDS)[0]:
                return
            number, seconds = json.loads(_read_frame(requests))
            signal.alarm(int(seconds) + _GRACE)
            reply = _answer(_read_frame(requests), subjects)
            signal.alarm(0)
            _write(replies, json.dumps({"number": number, **reply}, allow_nan=False).encode() + b"\n")


def _silence() -> None:
    """Connect the standard streams, which a metric may use, to the null device: the pipes carry only requests."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def _end_with_parent(requests: int) -> None:
    """Kill this process and all that it started when the other end of the pipe is closed, whatever it is doing."""
    watch = select.poll()
    watch.register(requests, 0)
    watch.poll()
    os.killpg(os.getpgrp(), signal.SIGKILL)


def _answer(frame: bytes, subjects: dict[int, Answers | SubmissionForm]) -> dict[str, Any]:
    try:
        order, *values = pickle.loads(frame)  # from the parent
    except (ImportError, AttributeError) as error:
        return {"unknown": _describe(error)}
    try:
        return {"result": _ACTIONS[order](subjects, *values)}
    except MlestarError as error:
        return {"problem": str(error)[:_MESSAGE]}
    except MemoryError:
        return {"failure": "it needs more memory than grading may use"}
    except (Exception, SystemExit) as error:  # whatever a metric raises is its failure
        return {"failure": _describe(error)}


def _load(subjects: dict[int, Answers | SubmissionForm], key: int, subject: Answers | SubmissionForm) -> None:
    _limit_resources(_form(subject).max_bytes)
    subjects[key] = subject


def _execute_metric(subjects: dict[int, Answers | SubmissionForm], key: int) -> None:
    load = _form(subjects[key]).metric.load
    if load is not None:
        load()


def _form(subject: Answers | SubmissionForm) -> SubmissionForm:
    return subject.form if isinstance(subject, Answers) else subject


def _forget(subjects: dict[int, Answers | SubmissionForm]) -> None:
    subjects.clear()


def _grade(subjects: dict[int, Any], key: int, submission: str) -> Any:
    return subjects[key].grade(Path(submission)).model_dump(mode="json")


def _compare(subjects: dict[int, Any], key: int, submission: str, baseline: str) -> Any:
    return subjects[key].compare(Path(submission), Path(baseline)).model_dump(mode="json")


def _check(subjects: dict[int, Any], key: int, submission: str) -> str:
    return check_form(subjects[key], Path(submission))


def _blend(subjects: dict[int, Any], key: int, submissions: list[str], seconds: list[float], limit: float) -> Any:
    try:
        fit = fit_blend(subjects[key], [Path(submission) for submission in submissions], seconds, limit)
    except NotBlendedError as reason:
        return str(reason)
    return fit.model_dump(mode="json")


def _calibrate(subjects: dict[int, Any], key: int, submission: str) -> Any:
    try:
        return calibrate(subjects[key], Path(submission)).model_dump(mode="json")
    except NotCalibratedError as reason:
        return str(reason)


def _cover(subjects: dict[int, Any], key: int, submission: str, calibration: dict[str, Any]) -> Any:
    try:
        coverage = cover(subjects[key], Path(submission), Calibration.model_validate(calibration))
    except NotCalibratedError as reason:
        return str(reason)
    return coverage.model_dump(mode="json")


def _show(subjects: dict[int, Any], key: int, submission: str) -> Any:
    try:
        return compare_with_truth(subjects[key], Path(submission)).model_dump(mode="json")
    except NotShownError as reason:
        return str(reason)


def _choose_examples(subjects: dict[int, Any], key: int, submission: str) -> Any:
    try:
        return choose_examples(subjects[key], Path(submission)).model_dump(mode="json")
    except NotShownError as reason:
        return str(reason)


def _measure(subjects: dict[int, Any], key: int, submission: str, earlier: str) -> Any:
    try:
        return measure_losses(subjects[key], Path(submission), Path(earlier)).model_dump(mode="json")
    except NotMeasuredError as reason:
        return str(reason)


_ACTIONS: dict[str, Callable[..., Any]] = {
    "load": _load,
    "execute": _execute_metric,
    "forget": _forget,
    "grade": _grade,
    "compare": _compare,
    "blend": _blend,
    "calibrate": _calibrate,
    "cover": _cover,
    "show": _show,
    "choose_examples": _choose_examples,
    "measure": _measure,
    "check": _check,
}


def _limit_resources(submission_bytes: int) -> None:
    """Limit the address space beyond what is in use now, and let no file be written."""
    allowed = _address_space() + _BASE_MEMORY + _MEMORY_PER_BYTE * submission_bytes
    with contextlib.suppress(ValueError, OSError):  # not every system knows these limits
        resource.setrlimit(resource.RLIMIT_AS, (allowed, resource.getrlimit(resource.RLIMIT_AS)[1]))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def _address_space() -> int:
    """Return the bytes of address space in use, 0 where the system does not show them."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _describe(error: BaseException) -> str:
    text = str(error).splitlines()
    return f"{type(error).__name__}: {text[0] if text else ''}"[:_MESSAGE]


def _read_frame(source: int) -> bytes:
    length = int.from_bytes(_read(source, 8), "big")
    return _read(source, length)


def _read(source: int, length: int) -> bytes:
    parts = bytearray()
    while len(parts) < length:
        part = os.read(source, min(length - len(parts), 2**20))
        if not part:
            raise Stop
        parts += part
    return bytes(parts)


def _write(target: int, data: bytes) -> None:
    while data:
        data = data[os.write(target, data) :]
