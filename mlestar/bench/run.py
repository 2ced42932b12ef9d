"""Run a benchmark: every tool on every task with every seed; what has a row is not repeated."""

import fcntl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import IO

from pydantic import ValidationError

from mlestar.bench.find import Suite
from mlestar.bench.honesty import honesty_lines
from mlestar.bench.mlebench import medal_lines, statements, write_reports
from mlestar.bench.own import is_winner_exported, stage_rows
from mlestar.bench.reliability import describe_reliability, measure_reliability
from mlestar.bench.rows import Bench, BenchRow, Conditions, Graded, Reliability
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tables import write_tables
from mlestar.bench.tools import Outcome, Tool
from mlestar.errors import UserError, clean_text, first_line
from mlestar.files import read_regular

_COMPARABLE = ("profile", "model", "minutes", "runner", "cpus")
"""Conditions that all rows of a benchmark share."""
_NOISE_SECONDS = 300.0
"""Time limit for measuring what noise gives on a task, unless that of the tools is shorter. Chosen by judgement; not
measured."""
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

    def work(self, job: Job) -> Path:
        """Return the folder that a tool works in."""
        folder = self.path / "work" / job.task.id / job.name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def read_row(self, job: Job) -> BenchRow | None:
        """Return the row of a job; None where it has none.

        Raises:
            UserError: its file cannot be read.
        """
        path = self.row_path(job)
        if not path.is_file():
            return None
        try:
            return BenchRow.model_validate_json(read_regular(path))
        except (OSError, ValidationError) as error:
            msg = f"{path} cannot be read ({first_line(str(error))}); remove it to run this again"
            raise UserError(msg) from error

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


def replace_text(path: Path, text: str) -> None:
    """Replace a file in one step, so that a reader never sees half of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8", errors="replace")
    part.replace(path)


def read_bench(path: Path) -> Bench:
    """Return a benchmark from its folder or its `bench.json`.

    Raises:
        UserError: it cannot be read.
    """
    file = path / "bench.json" if path.is_dir() else path
    try:
        return Bench.model_validate_json(read_regular(file))
    except OSError as error:
        msg = f"{file} cannot be read: {error.strerror}; name a folder that `mlestar bench` has written"
        raise UserError(msg) from error
    except ValidationError as error:
        msg = f"{file} is no benchmark of this version of mlestar, or was changed by hand"
        raise UserError(msg) from error


def run_bench(
    suite: Suite, tools: Sequence[Tool], conditions: Conditions, folder: BenchFolder, *, parallel: int, show: Show
) -> Bench:
    """Run what has no row yet, write the tables after each row, and return the whole benchmark.

    Args:
        suite: the tasks.
        tools: all tools; every one runs on every task.
        conditions: under which they run.
        folder: of the benchmark.
        parallel: how many run at once.
        show: shows what happens.

    Raises:
        UserError: the folder has rows that were made under other conditions.
    """
    with folder.locked():
        check_conditions(folder, conditions)
        jobs = [Job(task, tool, seed) for task in suite.tasks for seed in conditions.seeds for tool in tools]
        found = {job: row for job in jobs if (row := folder.read_row(job)) is not None}
        write = _Writer(suite, conditions, folder, jobs)
        write(found, ())
        progress = Progress(len(jobs), list(found.values()), {})
        show(progress, None)
        for job, row in _run_jobs([job for job in jobs if job not in found], folder, parallel, progress, show):
            found[job] = row
            write(found, ())
        bench = write(found, measure_noise(suite, conditions, folder, progress, show))
        write_reports(bench, suite.tasks, folder.path)
        return bench


def check_conditions(folder: BenchFolder, conditions: Conditions) -> None:
    """Refuse to add rows to those of other conditions.

    Raises:
        UserError: with what differs.
    """
    if not (folder.path / "bench.json").is_file():
        return
    before = read_bench(folder.path)
    if not before.rows:
        return
    pairs = [(name, getattr(before.conditions, name), getattr(conditions, name)) for name in _COMPARABLE]
    changed = [f"{name} was {old}, now {new}" for name, old, new in pairs if old != new]
    if changed:
        msg = f"{folder.path} has rows made under other conditions ({'; '.join(changed)}): choose another --out"
        raise UserError(msg)


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
        place = folder.path / "noise" / task.id
        measured.append(measure_reliability(task, place, seconds=limit, cpus=conditions.cpus))
    return tuple(measured)


def make_statements(bench: Bench, suite: Suite) -> tuple[str, ...]:
    """Return the lines that stand under every table. Each kind of check is a line here."""
    return (
        *describe_reliability(bench.reliability, bench.rows),
        *honesty_lines(bench),
        *medal_lines(bench, suite.tasks),
        *statements(bench, suite.tasks),
    )


def _run_jobs(
    jobs: Sequence[Job], folder: BenchFolder, parallel: int, progress: Progress, show: Show
) -> Iterator[tuple[Job, BenchRow]]:
    """Yield each job with its row as it ends.

    Threads are daemons, so that they do not keep this process alive; when it ends, the commands that they run end too.
    """
    waiting: SimpleQueue[Job] = SimpleQueue()
    ended: SimpleQueue[tuple[Job, BenchRow | BaseException]] = SimpleQueue()
    for job in jobs:
        waiting.put(job)
    for _ in range(min(parallel, len(jobs))):
        threading.Thread(target=_work, args=(waiting, ended, folder, progress), daemon=True).start()
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
    progress: Progress,
) -> None:
    while True:
        try:
            job = waiting.get_nowait()
        except Empty:
            return
        progress.running[job] = time.monotonic()
        try:
            row = run_job(job, folder)
            folder.write_row(job, row)
        except BaseException as error:  # raised again where all rows are collected
            ended.put((job, error))
            return
        ended.put((job, row))


def run_job(job: Job, folder: BenchFolder) -> BenchRow:
    """Run a tool on a task, grade its submission and return the row."""
    outcome = job.tool.run(job.task, job.seed, folder.work(job))
    graded, answers = Graded(), job.task.answers
    if outcome.submission is not None:
        graded = answers.grade(outcome.submission)
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
        }
    )
