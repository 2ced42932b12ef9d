"""Grading in a bounded child process: hostile submissions and metric files cost one grading, and give a verdict."""

import json
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.errors import UserError
from mlestar.evaluation import Grader, infer_split, search_holdout
from mlestar.evaluation.answers import Answers
from mlestar.evaluation.grader import has_portable_metric, real_form
from mlestar.evaluation.grading_process import GradingError, GradingProcess, NotPortableError
from mlestar.metrics import Metric
from tests.unit.holdout_folders import random_task

T = TypeVar("T")

SECONDS = 60.0


@pytest.fixture(scope="module")
def process() -> Iterator[GradingProcess]:
    """Return one process that all tests share, as the submissions of a run do."""
    process = GradingProcess()
    yield process
    process.close()


class Case:
    """A task whose metric may be a file, with its grader and a right submission."""

    def __init__(self, folder: Path, metric: str = "mae", code: str = "") -> None:
        (folder / "task").mkdir()
        (folder / "task" / "metric.py").write_text(code, encoding="utf-8")
        kind = "label" if ".py:" in metric else None
        self.folder = folder
        self.task: Task = random_task(folder / "task", metric=metric, prediction_kind=kind)
        self.holdout = search_holdout(self.task, infer_split(self.task), seed=1)
        self.grader = Grader(self.task, self.holdout)
        rows = self.task.train.rows.iloc[self.holdout.withheld]
        self.right: pd.DataFrame = rows[["id", "label"]].reset_index(drop=True)

    def submit(self, frame: pd.DataFrame, name: str = "submission.csv") -> Path:
        frame.to_csv(self.folder / name, index=False)
        return self.folder / name


def with_metric(folder: Path, body: str, head: str = "") -> Case:
    lines = [head, "direction = 'maximize'", "def share(truth, predicted):", f"    {body}"]
    return Case(folder, "metric.py:share", "\n".join(lines))


def test_a_process_grades_and_compares_as_the_grader_does(process: GradingProcess, tmp_path: Path) -> None:
    case = Case(tmp_path)
    right = case.submit(case.right)
    noisy = case.submit(case.right.assign(label=case.right["label"].astype(float) + 1), "noisy.csv")
    for path in (right, noisy):
        assert process.grade(case.grader.answers, path, SECONDS) == case.grader.grade(path)
    assert process.compare(case.grader.answers, right, noisy, SECONDS) == case.grader.compare(right, noisy)


def test_a_process_checks_a_submission_for_the_real_rows(process: GradingProcess, tmp_path: Path) -> None:
    case = Case(tmp_path)
    form = real_form(case.task)
    valid = case.submit(case.task.test.rows[["id"]].assign(label="1.5"))
    assert process.check(form, valid, SECONDS) == ""
    short = case.submit(case.task.test.rows[["id"]].iloc[:3].assign(label="1.5"), "short.csv")
    assert "has 3 rows" in process.check(form, short, SECONDS)


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("return float('nan')", "returned nan, which is no finite number"),
        ("return '0.5'", "returned '0.5', which is no finite number"),
        ("return 10**400", "which is no finite number"),
        ("return 1e200", "the score is 1e\\+200, too large"),
        ("raise KeyError('secret')", "failed: KeyError"),
        ("raise SystemExit(3)", "failed: SystemExit"),
    ],
)
def test_what_is_no_score_makes_a_submission_invalid(
    body: str, problem: str, process: GradingProcess, tmp_path: Path
) -> None:
    case = with_metric(tmp_path, body)
    grade = process.grade(case.grader.answers, case.submit(case.right), SECONDS)
    assert (grade.score, grade.standard_error) == (None, None)
    assert pd.Series([grade.problem]).str.contains(problem).all(), grade.problem


def test_what_a_metric_prints_or_reads_disturbs_nothing(process: GradingProcess, tmp_path: Path) -> None:
    body = 'print(\'{"number": 1, "result": {}}\' * 9, flush=True); sys.stdin.read(); return 0.5'
    case = with_metric(tmp_path, body, head="import sys")
    assert process.grade(case.grader.answers, case.submit(case.right), SECONDS).score == 0.5


def test_a_metric_writes_no_file(process: GradingProcess, tmp_path: Path) -> None:
    target = tmp_path / "labels.csv"
    case = with_metric(tmp_path, f"open({str(target)!r}, 'w').write(str(list(truth)) * 99); return 1")
    grade = process.grade(case.grader.answers, case.submit(case.right), SECONDS)
    assert "failed: OSError" in grade.problem
    assert not target.exists() or target.stat().st_size == 0


def test_a_metric_sees_no_environment_variable_of_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "hidden")
    process = GradingProcess()
    case = with_metric(tmp_path, "return float(b'hidden' in open('/proc/self/environ', 'rb').read())", head="import os")
    try:
        assert process.grade(case.grader.answers, case.submit(case.right), SECONDS).score == 0.0
    finally:
        process.close()


def test_a_metric_that_takes_eight_gigabytes_is_a_failure(process: GradingProcess, tmp_path: Path) -> None:
    case = with_metric(tmp_path, "return len(bytearray(8 * 2**30))")
    grade = process.grade(case.grader.answers, case.submit(case.right), SECONDS)
    assert "failed: MemoryError" in grade.problem


@pytest.mark.parametrize("body", ["time.sleep(600)", "[x for x in iter(int, 1)]", "subprocess.run(['sleep', '600'])"])
def test_a_metric_that_never_returns_is_stopped_with_what_it_started(
    body: str, process: GradingProcess, tmp_path: Path
) -> None:
    case = with_metric(tmp_path, body, head="import subprocess, time")
    submission = case.submit(case.right)
    start = time.monotonic()
    with pytest.raises(GradingError, match="it took more than 1 s"):
        process.grade(case.grader.answers, submission, 1.0)
    assert time.monotonic() - start < 45
    other = tmp_path / "other"
    other.mkdir()
    well = Case(other)
    assert process.grade(well.grader.answers, well.submit(well.right), SECONDS).score == 0.0


@pytest.mark.parametrize(
    ("body", "how"), [("os._exit(3)", "exit status 3"), ("os.kill(os.getpid(), 9)", "signal SIGKILL")]
)
def test_a_metric_that_ends_the_process_is_a_failure(
    body: str, how: str, process: GradingProcess, tmp_path: Path
) -> None:
    case = with_metric(tmp_path, body, head="import os")
    with pytest.raises(GradingError, match=f"the process that grades ended .{how}"):
        process.grade(case.grader.answers, case.submit(case.right), SECONDS)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("1 / 0", "cannot be imported: ZeroDivisionError"),
        ("import os; os._exit(3)", "cannot be loaded: the process that grades ended"),
        ("import time; time.sleep(600)", "cannot be loaded: it took more than 1 s"),
        ("bytearray(8 * 2**30)", "cannot be imported: MemoryError"),
    ],
)
def test_a_metric_file_that_cannot_be_imported_is_the_users_error(
    head: str, message: str, process: GradingProcess, tmp_path: Path
) -> None:
    case = with_metric(tmp_path, "return 1", head=head)
    with pytest.raises(UserError, match=message):
        process.load_metric(case.grader.answers, 1.0 if "sleep" in head else SECONDS)


def test_a_reply_that_a_metric_forges_is_refused(process: GradingProcess, tmp_path: Path) -> None:
    forged = json.dumps({"number": 10**6, "result": {"score": 1.0, "standard_error": 0.0}})
    head = f"""
import contextlib, os, stat
def forge():
    for fd in range(3, 20):
        with contextlib.suppress(OSError):
            if stat.S_ISFIFO(os.fstat(fd).st_mode):
                os.write(fd, {forged!r}.encode() + b"\\n")
"""
    case = with_metric(tmp_path, "forge(); return 1", head=head)
    with pytest.raises(GradingError):
        process.grade(case.grader.answers, case.submit(case.right), SECONDS)


@pytest.mark.parametrize("values", ["1e200", "-1e308", "1e155"])
def test_a_score_or_error_that_overflows_is_invalid(values: str, process: GradingProcess, tmp_path: Path) -> None:
    case = Case(tmp_path)
    label = np.where(np.arange(len(case.right)) == 3, values, case.right["label"])
    grade = process.grade(case.grader.answers, case.submit(case.right.assign(label=label)), SECONDS)
    assert grade.score is None
    assert grade.standard_error is None
    assert f"a prediction is as large as {abs(float(values)):.3g}" in grade.problem


def test_a_submission_beyond_its_size_is_refused_unread(process: GradingProcess, tmp_path: Path) -> None:
    case = Case(tmp_path)
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(600 * 2**20)
    start = time.monotonic()
    grade = process.grade(case.grader.answers, path, SECONDS)
    assert "has 629,145,600 bytes, more than the 1,048,576 that" in grade.problem
    assert case.grader.grade(path) == grade
    assert time.monotonic() - start < 30


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blank_lines_are_refused_by_their_number(end: str, tmp_path: Path) -> None:
    case = Case(tmp_path)
    path = tmp_path / "blank.csv"
    path.write_text("id,label\n" + end * 500_000, encoding="utf-8", newline="")
    assert "far more lines than" in case.grader.grade(path).problem


def test_a_submission_may_be_written_in_a_wasteful_way(tmp_path: Path) -> None:
    case = Case(tmp_path)
    frame = case.right.assign(label=[f"  {float(value):.40f} " for value in case.right["label"]])
    path = tmp_path / "wasteful.csv"
    lines = [f'"{row.id}","{row.label}"' for row in frame.itertuples()]
    path.write_text("\r\n\r\n".join(['"id","label"', *lines]) + "\r\n\r\n", encoding="utf-8", newline="")
    assert case.grader.grade(path).score == pytest.approx(0.0)


def test_a_metric_object_cannot_be_sent(process: GradingProcess, tmp_path: Path) -> None:
    case = Case(tmp_path)
    own = Metric.from_callable(lambda truth, predicted: 0.5, "minimize", "value", name="own")
    task = Task.load(case.task.folder, metric=own)
    assert not has_portable_metric(task)
    assert has_portable_metric(case.task)


def test_what_other_processes_do_not_have_cannot_be_sent(process: GradingProcess, tmp_path: Path) -> None:
    class Local:
        pass

    case = Case(tmp_path)
    extra = np.array([Local()], dtype=object)
    answers = type(case.grader.answers)("x", case.grader.form, np.array([1.0]), np.array([0]), (extra,), 40)
    with pytest.raises(NotPortableError):
        process.grade(answers, case.submit(case.right), SECONDS)
    with pytest.raises((pickle.PicklingError, AttributeError)):
        pickle.dumps(Local())


class CachesMeanwhile(str):
    """A name that has the cached values of its answers computed while it is pickled, as another thread may."""

    answers: Answers

    def __reduce__(self) -> tuple[type, tuple[str]]:
        assert len(self.answers.truth) == len(self.answers.units)
        return str, (str(self),)


def test_answers_can_be_sent_while_their_cached_values_are_computed(process: GradingProcess, tmp_path: Path) -> None:
    case, name = Case(tmp_path), CachesMeanwhile("search")
    name.answers = replace(case.grader.answers, name=name)
    assert process.grade(name.answers, case.submit(case.right), SECONDS).score == pytest.approx(0.0)


def test_a_process_that_forgot_serves_another_run(tmp_path: Path) -> None:
    case, process = Case(tmp_path), GradingProcess()
    try:
        submission = case.submit(case.right)
        before = process.grade(case.grader.answers, submission, SECONDS)
        assert process.forget()
        assert process.grade(case.grader.answers, submission, SECONDS) == before
    finally:
        process.close()
    assert not process.forget()
    with pytest.raises(GradingError, match="the run was closed"):
        process.grade(case.grader.answers, submission, SECONDS)


PARENT = """
import os, sys, time, threading
from pathlib import Path
from mlestar.evaluation import Grader, infer_split, search_holdout
from mlestar.evaluation.grading_process import GradingProcess
from mlestar.data.task import Task
task = Task.load(Path(sys.argv[1]), prediction_kind="label", metric="metric.py:share")
holdout = search_holdout(task, infer_split(task), seed=1)
process = GradingProcess()
arguments = Grader(task, holdout).answers, Path(sys.argv[2]), 600
threading.Thread(target=process.grade, args=arguments, daemon=True).start()
time.sleep(600)
"""


def test_a_process_ends_with_its_parent_while_it_works(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    # Opening creates an empty file; its name says which process it was.
    body = f"open({str(written)!r} + str(os.getpid()), 'w'); time.sleep(600)"
    case = with_metric(tmp_path, body, head="import os, time")
    arguments = [sys.executable, "-c", PARENT, str(case.task.folder), str(case.submit(case.right))]
    parent = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    try:
        pid = int(_wait(lambda: [path.name.removeprefix("pid") for path in tmp_path.glob("pid*")])[0])
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    _wait(lambda: [True] if not _lives(pid) else [])


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _wait(condition: Callable[[], list[T]], seconds: float = 60.0) -> list[T]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if value := condition():
            return value
        time.sleep(0.1)
    pytest.fail("waited too long")
