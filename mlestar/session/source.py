"""What a run is started with: a task folder, a loaded task, a file or frames."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlestar.data.frames import TableInput, write_table_task
from mlestar.data.task import Task
from mlestar.errors import TaskError
from mlestar.session.same_run import check_same_data, check_same_settings, read_task_contents
from mlestar.settings import Settings
from mlestar.store import RunFolder
from mlestar.store.content import Contents


@dataclass(frozen=True)
class Source:
    """One of a folder, a loaded task, and tables."""

    folder: Path | None = None
    task: Task | None = None
    tables: TableInput | None = None

    @property
    def name(self) -> str:
        """Return the name of the task, from which a run is named."""
        if self.tables is not None:
            return self.tables.name
        return self.folder.name if self.folder else ""


@dataclass(frozen=True)
class OpenedSource:
    """The task folder of a run, and what is in it."""

    folder: Path
    contents: Contents


def find_source(
    task: str | Path | Task | None,
    *,
    train: Any = None,
    test: Any = None,
    sample: Any = None,
    description: str | None = None,
) -> Source:
    """Return what a call starts with.

    Raises:
        TaskError: it is not exactly one thing.
    """
    if (task is None) == (train is None):
        msg = "give either a task (a folder or a file) or train=, with test= and sample= if there are any"
        raise TaskError(msg)
    if isinstance(task, Task):
        source = Source(folder=task.folder, task=task)
    elif task is None or Path(task).expanduser().is_file():
        table = train if task is None else Path(task).expanduser().absolute()
        return Source(tables=TableInput(table, test, sample, description))
    else:
        source = Source(folder=Path(task).expanduser().absolute())
    if test is not None or sample is not None or description is not None:
        msg = "test, sample and description belong to train=; a task folder has its own"
        raise TaskError(msg)
    return source


def open_source(source: Source, run: RunFolder, settings: Settings) -> OpenedSource:
    """Return the task folder of a run, written into the run folder when there is none.

    Raises:
        TaskError: the tables cannot be used.
        UserError: the run exists, and was started with another task, other data or other settings.
    """
    if not run.settings.is_file():
        return _open_new(source, run, settings)
    if source.tables is not None:
        opened = _open_again(source.tables, run, settings)
    else:
        opened = _open_folder(source, run, settings)
        check_same_data(run, opened.contents)
    check_same_settings(run, settings)
    if run.contents.is_file() and Path(run.read_settings().task) != opened.folder:
        run.move_task(opened.folder)
    return opened


def _open_new(source: Source, run: RunFolder, settings: Settings) -> OpenedSource:
    if source.tables is None:
        return _open_folder(source, run, settings)
    run.create()
    shutil.rmtree(run.task, ignore_errors=True)
    folder = write_table_task(run.task / source.tables.name, source.tables, settings.target)
    return OpenedSource(folder, read_task_contents(run, folder, settings))


def _open_folder(source: Source, run: RunFolder, settings: Settings) -> OpenedSource:
    folder = source.folder or Path()
    return OpenedSource(folder, read_task_contents(run, folder, settings))


def _open_again(tables: TableInput, run: RunFolder, settings: Settings) -> OpenedSource:
    """Return the task folder that an earlier session wrote from the same tables."""
    with tempfile.TemporaryDirectory(dir=run.path) as scratch:
        folder = write_table_task(Path(scratch) / tables.name, tables, settings.target)
        contents = read_task_contents(run, folder, settings)
    check_same_data(run, contents)
    return OpenedSource(Path(run.read_settings().task), contents)
