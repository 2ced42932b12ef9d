"""Run a benchmark: every tool on every task with every seed; what has a row is not repeated."""

import fcntl
import json
import logging
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from pydantic import ValidationError

from mlestar.bench.find import Suite
from mlestar.bench.honesty import honesty_lines
from mlestar.bench.made_with import FILE as MADE_WITH
from mlestar.bench.made_with import check_begun, check_row, check_shared, describe_job
from mlestar.bench.mlebench import medal_lines, metric_name, statements, write_reports
from mlestar.bench.own import LOG, is_winner_exported, stage_rows
from mlestar.bench.reliability import measure_reliability, read_reliability, reliability_lines
from mlestar.bench.rows import OWN, Bench, BenchRow, Conditions, Graded, Reliability
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tables import write_tables
from mlestar.bench.tools import Outcome, Tool
from mlestar.bench.within_noise import no_information_lines
from mlestar.bench.writing import replace_text
from mlestar.errors import OperatorError, UserError, clean_text, first_line
from mlestar.files import MACHINE_FAULTS, read_regular

logger = logging.getLogger("mlestar.bench")

_NOISE_SECONDS = 300.0
"""Time limit for measuring what noise gives on a task, unless that of the tools is shorter. Chosen by judgement; not
measured."""
_MAX_BENCH = 2**30
"""Bytes of a `bench.json` that is read; a row has about 8,000. Chosen by judgement; not measured."""
_POLL = 0.25
"""Seconds between updates of what is shown as running. Chosen by judgement; not measured."""


@dataclass(frozen=True, eq=False)
class Job:
    """One tool on one task with one seed."""

    task: SuiteTask
    tool: Tool
    seed: int

    @property
    def name(self) -> str:
        return f"{self.tool.name}-{self.seed}"

    def made_with(self, conditions: Conditions) -> dict[str, str]:
        """Return what its row is made with."""
        return describe_job(conditions, self.tool.settings, self.task)


@dataclass
class Progress:
    """What a benchmark is doing, for whoever shows it."""

    total: int
    rows: list[BenchRow]
    running: dict[Job, float]
    """When each began, on the monotonic clock."""
    step: str = ""
    """What is done after all rows, in a line."""


Show = Callable[[Progress, BenchRow | None], None]
"""Called with each new row, and with None in between."""


class BenchFolder:
    """The folder of a benchmark."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def row_path(self, job: Job) -> Path:
        return self.path / "rows" / job.task.id / f"{job.name}.json"

    def work_path(self, job: Job) -> Path:
        """Return the folder that a tool works in."""
        return self.path / "work" / job.task.id / job.name

    def noise_path(self, task: SuiteTask) -> Path:
        """Return the folder in which it is measured what noise gives."""
        return self.path / "noise" / task.id

    def begin(self, job: Job, made_with: dict[str, str]) -> None:
        """Make the folder that a tool works in, and write what its row is made with."""
        folder = self.work_path(job)
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / MADE_WITH, json.dumps(made_with, indent=1) + "\n")

    def read_row(self, job: Job) -> BenchRow | None:
        """Return the row of a job; None where it has none.

        Raises:
            UserError: its file cannot be read.
        """
        path = self.row_path(job)
        if not path.is_file():
            return None
        try:
            row = BenchRow.model_validate_json(read_regular(path))
        except (OSError, ValidationError) as error:
            msg = f"{path} cannot be read ({first_line(str(error))}); remove it to run this again"
            raise UserError(msg) from error
        if (row.task, row.tool, row.seed) != (job.task.id, job.tool.name, job.seed):
            msg = f"{path} is the row of {row.tool} on {row.task} with seed {row.seed}; remove it to run this again"
            raise UserError(msg)
        return row

    def other_rows(self, jobs: Iterable[Job]) -> Iterator[BenchRow]:
        """Yield the rows of other jobs, as far as they can be read."""
        known = {self.row_path(job) for job in jobs}
        for path in sorted((self.path / "rows").glob("*/*.json")):
            if path not in known:
                with suppress(OSError, ValidationError):
                    yield BenchRow.model_validate_json(read_regular(path))

    def write_row(self, job: Job, row: BenchRow) -> None:
        path = self.row_path(job)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, row.model_dump_json(indent=2) + "\n")

    def relative(self, path: Path | str | None) -> str | None:
        """Return a path as it is written in a row."""
        if path is None:
            return None
        absolute = Path(path).resolve()
        return str(absolute.relative_to(self.path)) if absolute.is_relative_to(self.path) else str(absolute)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other benchmarks out of the folder.

        Raises:
            UserError: another one is running in it, or it cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            with (self.path / "lock").open("w") as file:
                self._take(file)
                yield
        except OSError as error:
            msg = f"cannot write to {self.path}: {error.strerror}"
            raise UserError(msg) from error

    def _take(self, file: IO[str]) -> None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            msg = f"another benchmark is running in {self.path}: wait for it, or choose another folder with --out"
            raise UserError(msg) from None


def read_bench(path: Path) -> Bench:
    """Return a benchmark from its folder or its `bench.json`.

    Raises:
        UserError: it cannot be read.
    """
    file = path / "bench.json" if path.is_dir() else path
    try:
        return Bench.model_validate_json(read_regular(file, _MAX_BENCH))
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror}; name a folder that `mlestar bench` has written"
        raise UserError(msg) from error
    except ValidationError as error:
        msg = f"{file} is no benchmark of this version of mlestar, or was changed by hand"
        raise UserError(msg) from error


def run_bench(suite: Suite, tools: Sequence[Tool], conditions: Conditions, folder: BenchFolder, *, show: Show) -> Bench:
    """Run what has no row yet, write the tables after each row, and return the whole benchmark.

    Args:
        suite: the tasks.
        tools: all tools; every one runs on every task.
        conditions: under which they run, several at once if they say so.
        folder: of the benchmark.
        show: shows what happens.

    Raises:
        UserError: the folder has rows that were made under other conditions, or is inside a task folder.
    """
    _check_place(folder, suite)
    with folder.locked():
        jobs = [Job(task, tool, seed) for task in suite.tasks for seed in conditions.seeds for tool in tools]
        found = _check_conditions(folder, conditions, jobs)
        write = _Writer(suite, conditions, folder, jobs)
        known = _known_noise(suite, folder)
        write(found, known)
        progress = Progress(len(jobs), list(found.values()), {})
        show(progress, None)
        for job, row in _run_jobs([job for job in jobs if job not in found], folder, conditions, progress, show):
            found[job] = row
            write(found, known)
        bench = write(found, measure_noise(suite, conditions, folder, progress, show))
        write_reports(bench, suite.tasks, folder.path)
        return bench


def _check_place(folder: BenchFolder, suite: Suite) -> None:
    """Refuse a folder that tools would be given.

    Raises:
        UserError: it is inside a task folder.
    """
    for task in suite.tasks:
        if folder.path.is_relative_to(task.folder.resolve()):
            msg = f"{folder.path} is inside the task folder {task.folder}: choose another --out"
            raise UserError(msg)


def _check_conditions(folder: BenchFolder, conditions: Conditions, jobs: Sequence[Job]) -> dict[Job, BenchRow]:
    """Return the rows that exist of some jobs.

    Raises:
        UserError: a row cannot be read, or was made under other conditions; or a run was begun under others.
    """
    found = {job: row for job in jobs if (row := folder.read_row(job)) is not None}
    check_shared((*found.values(), *folder.other_rows(found)), conditions, folder.path)
    for job in jobs:
        now = job.made_with(conditions)
        if job in found:
            check_row(found[job], now, folder.row_path(job))
        elif job.tool.name == OWN:  # all others start again
            check_begun(folder.work_path(job), now)
    return found


class _Writer:
    """Writes the tables of the rows that exist."""

    def __init__(self, suite: Suite, conditions: Conditions, folder: BenchFolder, jobs: Sequence[Job]) -> None:
        self._suite, self._conditions, self._folder, self._jobs = suite, conditions, folder, jobs

    def __call__(self, rows: dict[Job, BenchRow], reliability: tuple[Reliability, ...]) -> Bench:
        bench = Bench(
            suite=self._suite.name,
            conditions=self._conditions,
            tasks=self._suite.rows,
            rows=tuple(rows[job] for job in self._jobs if job in rows),
            reliability=reliability,
        )
        bench = bench.model_copy(update={"statements": make_statements(bench, self._suite)})
        for name, text in write_tables(bench).items():
            replace_text(self._folder.path / name, text)
        return bench


def measure_noise(
    suite: Suite, conditions: Conditions, folder: BenchFolder, progress: Progress, show: Show
) -> tuple[Reliability, ...]:
    """Return what noise alone gives on each task."""
    limit = _NOISE_SECONDS if conditions.minutes is None else min(_NOISE_SECONDS, 60 * conditions.minutes)
    measured: list[Reliability] = []
    for number, task in enumerate(suite.tasks, 1):
        progress.step = f"measuring what noise gives on {task.id}, task {number} of {len(suite.tasks)}"
        show(progress, None)
        measured.append(_measure_noise(task, folder.noise_path(task), limit, conditions.cpus))
    return tuple(measured)


def _measure_noise(task: SuiteTask, folder: Path, seconds: float, cpus: int) -> Reliability:
    """Return what noise gives on a task, or why that is not known."""
    try:
        return measure_reliability(task, folder, seconds=seconds, cpus=cpus)
    except Exception as error:  # it works on data of others, and the table can do without it
        if _is_of_machine(error):
            raise
        logger.debug("%s: what noise gives cannot be measured", task.id, exc_info=True)
        reason = first_line(f"{type(error).__name__}: {error}")
        return Reliability(task=task.id, direction=task.answers.direction, reason=reason)


def _known_noise(suite: Suite, folder: BenchFolder) -> tuple[Reliability, ...]:
    """Return what was measured before."""
    return tuple(known for task in suite.tasks if (known := read_reliability(folder.noise_path(task))) is not None)


def make_statements(bench: Bench, suite: Suite) -> tuple[str, ...]:
    """Return the lines that stand under every table. Each kind of check is a line here."""
    return (
        *reliability_lines(bench),
        *no_information_lines(bench),
        *honesty_lines(bench),
        *medal_lines(bench, suite.tasks),
        *statements(bench, suite.tasks),
    )


def _run_jobs(
    jobs: Sequence[Job], folder: BenchFolder, conditions: Conditions, progress: Progress, show: Show
) -> Iterator[tuple[Job, BenchRow]]:
    """Yield each job with its row as it ends.

    Threads are daemons, so that they do not keep this process alive; when it ends, the commands that they run end too.
    """
    waiting: SimpleQueue[Job] = SimpleQueue()
    ended: SimpleQueue[tuple[Job, BenchRow | BaseException]] = SimpleQueue()
    for job in jobs:
        waiting.put(job)
    for _ in range(min(conditions.parallel, len(jobs))):
        threading.Thread(target=_work, args=(waiting, ended, folder, conditions, progress), daemon=True).start()
    for _ in jobs:
        job, row = _next(ended, progress, show)
        if isinstance(row, BaseException):
            raise row
        progress.rows.append(row)
        progress.running.pop(job, None)
        show(progress, row)
        yield job, row


def _next(
    ended: "SimpleQueue[tuple[Job, BenchRow | BaseException]]", progress: Progress, show: Show
) -> tuple[Job, BenchRow | BaseException]:
    while True:
        try:
            return ended.get(timeout=_POLL)
        except Empty:
            show(progress, None)


def _work(
    waiting: "SimpleQueue[Job]",
    ended: "SimpleQueue[tuple[Job, BenchRow | BaseException]]",
    folder: BenchFolder,
    conditions: Conditions,
    progress: Progress,
) -> None:
    while True:
        try:
            job = waiting.get_nowait()
        except Empty:
            return
        progress.running[job] = time.monotonic()
        try:
            made_with = job.made_with(conditions)
            folder.begin(job, made_with)
            row = run_job(job, folder).model_copy(update={"made_with": made_with})
            folder.write_row(job, row)
        except BaseException as error:  # raised again where all rows are collected
            ended.put((job, error))
            return
        ended.put((job, row))


def run_job(job: Job, folder: BenchFolder) -> BenchRow:
    """Run a tool on a task, grade its submission and return the row."""
    outcome = _solve(job, folder.work_path(job))
    graded, answers = Graded(), job.task.answers
    if outcome.submission is not None:
        graded = _grade(job.task, outcome.submission)
    standing = None if graded.score is None else answers.standing(graded.score)
    row = BenchRow(
        task=job.task.id,
        tool=job.tool.name,
        seed=job.seed,
        status=outcome.status,
        reason=clean_text(outcome.reason),
        metric=answers.metric,
        direction=answers.direction,
        graded=graded,
        standing=standing,
        seconds=round(outcome.seconds, 3),
        submission=folder.relative(outcome.submission),
    )
    if outcome.submission is not None and graded.score is None:
        row = row.model_copy(update={"status": "invalid", "reason": first_line(graded.problem)})
    return _with_result(row, outcome, folder)


def _solve(job: Job, work: Path) -> Outcome:
    """Run a tool; what it cannot cope with is an outcome, what this machine cannot do ends the benchmark."""
    start = time.monotonic()
    try:
        return job.tool.run(job.task, job.seed, work)
    except Exception as error:  # a tool is code of others, and works on data of others
        if _is_of_machine(error):
            raise
        with (work / LOG).open("a", encoding="utf-8", errors="replace") as log:
            log.write(traceback.format_exc())
        return Outcome("failed", time.monotonic() - start, f"{type(error).__name__}: {first_line(str(error))}")


def _grade(task: SuiteTask, submission: Path) -> Graded:
    """Grade a submission; what the grader cannot cope with is a problem of the submission."""
    try:
        return task.answers.grade(submission)
    except (Exception, SystemExit) as error:  # a submission is data, and a metric perhaps code, of others
        if _is_of_machine(error):
            raise
        logger.debug("%s: %s cannot be graded", task.id, submission, exc_info=True)
        return Graded(problem=f"it cannot be graded: {type(error).__name__}: {first_line(str(error))}")


def _is_of_machine(error: BaseException) -> bool:
    """Return whether the machine failed, so that the same would happen to every other row."""
    return isinstance(error, OperatorError) or (isinstance(error, OSError) and error.errno in MACHINE_FAULTS)


def _with_result(row: BenchRow, outcome: Outcome, folder: BenchFolder) -> BenchRow:
    """Add what only a run of this package has."""
    result = outcome.result
    if result is None:
        return row
    failures = Counter(solution.status for solution in result.solutions if solution.status != "ok")
    return row.model_copy(
        update={
            **{
                name: getattr(result.score, name) for name in ("holdout", "holdout_se", "fresh", "fresh_se", "reported")
            },
            "model_calls": result.spend.model_calls,
            "tokens": result.spend.tokens,
            "usd": result.spend.usd,
            "executions": result.spend.executions,
            "failures": dict(failures),
            "is_winner_exported": is_winner_exported(result),
            "stages": stage_rows(result),
            "run": folder.relative(result.folder),
            "run_metric": result.metric if metric_name(result.metric) != metric_name(row.metric) else "",
        }
    )
