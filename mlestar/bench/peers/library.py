"""Other libraries as tools: each in an environment of its own, on plain tables that the host writes."""

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.bench.peers.columns import UnhandledDataError
from mlestar.bench.peers.environment import Environment, EnvironmentFault, own_variables
from mlestar.bench.peers.plain import (
    PlainTarget,
    check_handled,
    read_predictions,
    read_targets,
    save_submission,
    write_tables,
)
from mlestar.bench.peers.process import SCRIPTS, End, run_command
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tools import Outcome
from mlestar.data.task import Task
from mlestar.errors import UserError, first_line
from mlestar.evaluation.holdout.holdout import labelled_rows
from mlestar.evaluation.predictions import SubmissionError

_LOG = "log.txt"


@dataclass(frozen=True)
class Library:
    """A library that can take part."""

    name: str
    module: str
    """Of `scripts/peer_models`."""
    arguments: tuple[str, ...] = ()
    environment: Environment | None = None
    """None: it is installed with this package."""


FLAML = Environment("flaml", ("flaml[automl]",))
AUTOGLUON = Environment("autogluon", ("autogluon.tabular[lightgbm,catboost,xgboost]",))
LIBRARIES = (
    Library("sklearn", "sklearn_model"),
    Library("flaml", "flaml_model", environment=FLAML),
    Library("autogluon-medium", "autogluon_model", ("medium_quality",), AUTOGLUON),
    Library("autogluon-best", "autogluon_model", ("best_quality",), AUTOGLUON),
)


@dataclass(frozen=True)
class Prepared:
    """A task as plain tables in a folder."""

    task: Task
    targets: Sequence[PlainTarget]
    folder: Path


@dataclass
class LibraryPeer:
    """A library as a tool."""

    library: Library
    seconds: float
    """Time limit of a task."""
    cpus: int
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.library.name

    @property
    def settings(self) -> dict[str, str]:
        """The library and its time limit."""
        return {"tool": f"library {self.name}", "tool seconds": f"{self.seconds:g}"}

    def run(self, task: SuiteTask, seed: int, folder: Path) -> Outcome:
        """Solve a task; after a kill it starts again. Making the environment does not count as time."""
        try:
            python = interpreter(self.library)
        except EnvironmentFault as error:
            return Outcome("unavailable", 0.0, first_line(str(error)))
        start = time.monotonic()
        tables = folder / "tables"
        try:
            prepared = prepare(load_task(task, tables), tables, seed=seed, seconds=self.seconds, cpus=self.cpus)
        except (UserError, UnhandledDataError) as error:
            reason = f"{self.name} does not handle such data: {first_line(str(error))}"
            return Outcome("unavailable", time.monotonic() - start, reason)
        end = run_script(self.library, python, prepared, folder / _LOG, seconds=self.seconds, cpus=self.cpus)
        return _finish(prepared, end, folder / "submission.csv", start)


def _finish(prepared: Prepared, end: End, submission: Path, start: float) -> Outcome:
    try:
        if end.exit_status is None:
            return Outcome("timeout", time.monotonic() - start, end.reason)
        if end.exit_status:
            return Outcome("failed", time.monotonic() - start, end.reason)
        save(prepared, prepared.folder / "predictions.csv", submission)
    except (FileNotFoundError, ValueError, SubmissionError, UnhandledDataError) as error:
        reason = f"its predictions are not valid: {first_line(str(error))}"
        return Outcome("failed", time.monotonic() - start, reason)
    finally:
        shutil.rmtree(prepared.folder, ignore_errors=True)
    return Outcome("graded", time.monotonic() - start, submission=submission)


def interpreter(library: Library) -> Path:
    """Return the interpreter that has a library.

    Raises:
        EnvironmentFault: its environment cannot be made.
    """
    return Path(sys.executable) if library.environment is None else library.environment.python()


def load_task(task: SuiteTask, folder: Path) -> Task:
    """Load a task that is written as plain tables into a folder, which is emptied first.

    Raises:
        UserError: the task cannot be read.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return Task.load(task.folder.absolute(), workspace=folder / "converted")


def prepare(
    task: Task, folder: Path, *, seed: int, seconds: float, cpus: int, jobs: Sequence[dict[str, object]] = ()
) -> Prepared:
    """Write a task as plain tables into a folder.

    Raises:
        UnhandledDataError: plain tables cannot hold it.
    """
    check_handled(task)
    rows = labelled_rows(task)
    targets = read_targets(task, rows)
    write_tables(task, targets, rows, folder, seed=seed, seconds=seconds, cpus=cpus, jobs=list(jobs))
    return Prepared(task, targets, folder)


def run_script(library: Library, python: Path, prepared: Prepared, log: Path, *, seconds: float, cpus: int) -> End:
    """Run the script of a library on plain tables."""
    code = f"import runpy, sys; sys.path.append({str(SCRIPTS)!r}); sys.argv[0] = 'peer_models.{library.module}'; "
    code += f"runpy.run_module('peer_models.{library.module}', run_name='__main__')"
    command = [str(python), "-c", code, str(prepared.folder.absolute()), *library.arguments]
    variables = {**own_variables(), "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}
    return run_command(command, log.absolute(), seconds=seconds, cpus=cpus, variables=variables, folder=prepared.folder)


def save(prepared: Prepared, predictions: Path, submission: Path) -> None:
    """Write the submission of a script's predictions.

    Raises:
        SubmissionError: the predictions are not valid.
        UnhandledDataError: they are not in the form of the submission.
    """
    save_submission(prepared.task, read_predictions(prepared.task, prepared.targets, predictions), submission)
