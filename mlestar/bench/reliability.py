"""What noise alone gives on a task: scores of a simple model under shuffled labels, and models in a known order.

A model that was trained on shuffled labels has learnt nothing from the features. The best score of such models, or that
of the best constant if it is better, is what chance gives on these test rows. A tool is better than chance if its score
is better than that by two standard deviations of the scores of such models.
"""

import logging
import shutil
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from mlestar.baselines import NoBaselineError
from mlestar.bench.peers.columns import UnhandledDataError
from mlestar.bench.peers.constant import predict_constant
from mlestar.bench.peers.library import LIBRARIES, Prepared, interpreter, load_task, prepare, run_script, save
from mlestar.bench.rows import Bench, BenchRow, Reliability
from mlestar.bench.suite import SuiteTask
from mlestar.data.task import Task
from mlestar.errors import UserError, first_line
from mlestar.evaluation.predictions import SubmissionError
from mlestar.files import read_regular
from mlestar.metrics.spec import sign

logger = logging.getLogger("mlestar.bench")

SHUFFLES = 10
"""How often labels are shuffled. Chosen by judgement; not measured."""
_DEVIATIONS = 2.0
"""Standard deviations of the shuffled scores by which a score must be better than the best of them, to be more than
chance. Chosen by judgement; not measured."""
_RECORD = "reliability.json"
_SKLEARN = next(library for library in LIBRARIES if library.name == "sklearn")


def measure_reliability(
    task: SuiteTask, folder: Path, *, seconds: float, cpus: int, shuffles: int = SHUFFLES
) -> Reliability:
    """Return what noise gives on a task; it is measured once, and read from its folder afterwards.

    Args:
        task: the task with its answers.
        folder: of this task's measurement alone; kept.
        seconds: time limit; where it is short there are fewer shuffles.
        cpus: how many CPUs the models may use.
        shuffles: of the labels.
    """
    record = folder / _RECORD
    if known := read_reliability(folder):
        return known
    folder.mkdir(parents=True, exist_ok=True)
    measured = _measure(task, folder, seconds=seconds, cpus=cpus, shuffles=shuffles)
    draft = record.with_suffix(".new")
    draft.write_text(measured.model_dump_json(indent=1), encoding="utf-8")
    draft.replace(record)
    return measured


def read_reliability(folder: Path) -> Reliability | None:
    """Return what was measured in a folder; None where nothing was, or where it cannot be read."""
    try:
        return Reliability.model_validate_json(read_regular(folder / _RECORD))
    except (OSError, ValidationError):
        return None


def _measure(task: SuiteTask, folder: Path, *, seconds: float, cpus: int, shuffles: int) -> Reliability:
    direction = task.answers.direction
    jobs: list[dict[str, object]] = [{"file": "careful.csv"}, {"file": "naive.csv", "model": "shallow"}]
    jobs += [{"file": f"shuffled{number}.csv", "shuffle": number} for number in range(shuffles)]
    constant = None
    try:
        read = load_task(task, folder / "tables")
        constant = _grade_constant(task, read, folder / "submission.csv")
        prepared = prepare(read, folder / "tables", seed=0, seconds=seconds, cpus=cpus, jobs=jobs)
    except (UserError, UnhandledDataError) as error:
        return Reliability(task=task.id, direction=direction, constant=constant, reason=first_line(str(error)))
    end = run_script(_SKLEARN, interpreter(_SKLEARN), prepared, folder / "log.txt", seconds=seconds, cpus=cpus)
    scores = {str(job["file"]): _grade(task, prepared, str(job["file"])) for job in jobs}
    shutil.rmtree(prepared.folder, ignore_errors=True)
    careful, naive = scores.pop("careful.csv"), scores.pop("naive.csv")
    return Reliability(
        task=task.id,
        direction=direction,
        shuffled=tuple(score for score in scores.values() if score is not None),
        constant=constant,
        naive=naive,
        careful=careful,
        in_order=is_in_order((constant, naive, careful), sign(direction)),
        reason=end.reason,
    )


def _grade_constant(task: SuiteTask, read: Task, submission: Path) -> float | None:
    try:
        predict_constant(read, submission)
    except (UserError, NoBaselineError) as error:
        logger.debug("%s: %s", task.id, error)
        return None
    return task.answers.grade(submission).score


def _grade(task: SuiteTask, prepared: Prepared, file: str) -> float | None:
    predictions, submission = prepared.folder / file, prepared.folder / f"submission-{file}"
    if not predictions.exists():
        return None
    try:
        save(prepared, predictions, submission)
    except (FileNotFoundError, ValueError, SubmissionError, UnhandledDataError) as error:
        logger.debug("%s: %s", task.id, error)
        return None
    return task.answers.grade(submission).score


def is_in_order(scores: Sequence[float | None], factor: int) -> bool | None:
    """Return whether each score is better than the one before; None where one is missing."""
    known = [factor * score for score in scores if score is not None]
    if len(known) < len(scores):
        return None
    return all(left < right for left, right in pairwise(known))


def noise_range(entry: Reliability, error: float | None = None) -> tuple[float, float] | None:
    """Return the lowest and the highest score that chance gives; None where they are unknown.

    Args:
        entry: what was measured.
        error: standard error of a score's difference from those on the test rows, where it is on other rows; the
            standard deviation of the shuffled scores where it is on the same rows.
    """
    if len(entry.shuffled) < 2:
        return None
    scores = [*entry.shuffled, *([] if entry.constant is None else [entry.constant])]
    margin = _DEVIATIONS * (float(np.std(entry.shuffled, ddof=1)) if error is None else error)
    return min(scores) - margin, max(scores) + margin


def noise_limit(reliability: Reliability) -> float | None:
    """Return the score beyond which a tool is better than chance; None where it is unknown."""
    limits = noise_range(reliability)
    if limits is None:
        return None
    low, high = limits
    return high if reliability.direction == "maximize" else low


def is_beyond_noise(score: float | None, reliability: Reliability) -> bool | None:
    """Return whether a score is better than chance gives; None where one of them is unknown."""
    limit = noise_limit(reliability)
    if score is None or limit is None:
        return None
    return sign(reliability.direction) * (score - limit) > 0


def reliability_lines(bench: Bench) -> tuple[str, ...]:
    """Return the lines on what noise gives that stand under every table of a benchmark."""
    informative = [entry for entry in bench.reliability if entry.task not in bench.no_information]
    return describe_reliability(informative, bench.rows)


def describe_reliability(measured: Iterable[Reliability], rows: Iterable[BenchRow]) -> tuple[str, ...]:
    """Return the lines under a table: a summary, then one line for each task."""
    measured, rows = list(measured), list(rows)
    if not measured:
        return ()
    return (_summary(measured, rows), *(_describe(entry, rows) for entry in measured))


def _summary(measured: Sequence[Reliability], rows: Sequence[BenchRow]) -> str:
    ordered = [entry for entry in measured if entry.in_order is not None]
    by_task = {entry.task: entry for entry in measured}
    beyond = [is_beyond_noise(row.graded.score, by_task[row.task]) for row in rows if row.task in by_task]
    known = [answer for answer in beyond if answer is not None]
    return (
        f"Reliability: scikit-learn is better than a shallow tree, and that than a constant, as expected, on "
        f"{sum(map(_in_order, ordered))} of {len(ordered)} tasks; {sum(known)} of {len(known)} scores are better than "
        "chance."
    )


def _in_order(entry: Reliability) -> bool:
    return bool(entry.in_order)


def _describe(entry: Reliability, rows: Sequence[BenchRow]) -> str:
    limit = noise_limit(entry)
    if limit is None:
        return f"{entry.task}: unknown what chance gives: {entry.reason or 'too few shuffles were graded'}."
    low, high = min(entry.shuffled), max(entry.shuffled)
    constant = "" if entry.constant is None else f", the best constant {entry.constant:.5g}"
    order = {True: "in their known order", False: "NOT in their known order", None: "of unknown order"}[entry.in_order]
    text = (
        f"{entry.task}: shuffled labels give {low:.5g} to {high:.5g} ({len(entry.shuffled)} shuffles){constant}; "
        f"a score better than {limit:.5g} is more than chance; the three models are {order}"
    )
    within = sorted(
        {row.tool for row in rows if row.task == entry.task and is_beyond_noise(row.graded.score, entry) is False}
    )
    return f"{text}; no better than chance: {', '.join(within)}." if within else f"{text}."
