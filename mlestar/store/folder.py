"""The run folder: its paths, its format, and the lock that keeps a second process out."""

import json
import os
import re
import shutil
import time
import uuid
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import IO, Any

from pydantic import BaseModel, ValidationError

from mlestar import __version__
from mlestar.data.folder import is_inside
from mlestar.data.outputs import mark_runs_folder
from mlestar.errors import PlatformError, SettingsError, StoreError, UserError
from mlestar.files import read_regular
from mlestar.store.damage import arguments, damaged, has_tables
from mlestar.store.text import to_json

try:
    import fcntl
except ModuleNotFoundError as error:  # Windows
    raise PlatformError from error

_TRIES, _BETWEEN_TRIES = 3, 0.02
"""Times and seconds at which a run is tried to be held."""
RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


EVENTS = "events.jsonl"
FORMAT = 3
"""Version of the run folder: of the ledger's keys, the graphs' nodes and the state's types."""
OLD_FORMATS = {1: "0.1.0", 2: "0.1.0"}
"""The last version of mlestar that reads a former format."""


def maker(version: int) -> str:
    """Return the version of mlestar that reads a format."""
    known = OLD_FORMATS.get(version)
    return f"mlestar {known}" if known else "a later version of mlestar"


class RunLock:
    """Holds a run for this process."""

    def __init__(self, file: IO[str]) -> None:
        """Keep a locked file."""
        self._file = file

    def __enter__(self) -> "RunLock":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the run.

        Closing the file is not enough: a process that is just being started has a copy of it until it executes its
        program, and the lock would last as long.
        """
        if not self._file.closed:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._file.close()


class RunSettings(BaseModel):
    """`settings.json`: the task and the settings of a run."""

    version: int = FORMAT
    task: str
    """Absolute path of the task folder; in the file relative to the run folder when it is inside."""
    settings: dict[str, Any]
    thread: str = ""
    """Name of the run among checkpoints that several runs share."""
    forked_from: str = ""
    """The run whose finished work this one began with."""
    model: str = ""
    """The model that was found by its key or for want of one, where no setting names it; the run keeps it."""
    made_by: str = ""
    """Version of mlestar that made the run."""


class RunFolder:
    """Paths of one run below the runs folder."""

    def __init__(self, runs_dir: Path, run_id: str) -> None:
        if not RUN_ID.fullmatch(run_id):
            msg = f"run id {run_id!r}: use letters, digits, '.', '_' and '-' only"
            raise SettingsError(msg)
        self.run_id = run_id
        self.path = (runs_dir / run_id).absolute()
        self.blobs = self.path / "blobs"
        self.ledger = self.path / "ledger.sqlite"
        self.checkpoints = self.path / "checkpoints.sqlite"
        self.settings = self.path / "settings.json"
        self.solution = self.path / "solution.py"
        self.submission = self.path / "submission.csv"
        self.result = self.path / "result.json"
        self.report = self.path / "report.html"
        self.questions = self.path / "questions.json"
        self.events = self.path / EVENTS
        """What has happened in the run so far, an event per line."""
        self.contents = self.path / "contents.json"
        """The content of the task's files, by which other data under this run's id is recognised."""
        self.task = self.path / "task"
        """Holds the task folder of a run that was started from tables."""
        self.inputs = self.path / "inputs"
        self.prepared = self.path / "prepared"
        self.work = self.path / "work"

    @classmethod
    def at(cls, path: Path | str) -> "RunFolder":
        """Return the run whose folder this is."""
        return cls(Path(path).parent, Path(path).name)

    @property
    def arguments(self) -> str:
        """What follows a command that continues the run: its name, and the runs folder when that is not the default."""
        return arguments(self.path)

    def read_own_text(self, path: Path) -> str:
        """Return the text of a file of this run.

        Raises:
            UserError: there is none, or it is a link or outside of the run folder.
        """
        if not path.is_file() or path.is_symlink() or not is_inside(path, self.path):
            msg = f"run {self.run_id} has no file {path.name} of its own"
            raise UserError(msg)
        return path.read_text(encoding="utf-8")

    def create(self) -> None:
        """Make the folder.

        Raises:
            UserError: the runs folder cannot be written.
        """
        try:
            mark_runs_folder(self.path.parent)
            self.path.mkdir(exist_ok=True)
            self.work.mkdir(exist_ok=True)
            (self.path / ".lock").touch()
        except OSError as error:
            msg = f"cannot write to {self.path}: {error.strerror}; choose another folder with --runs-dir"
            raise UserError(msg) from error

    def read_settings(self) -> "RunSettings":
        """Return the task and the settings of the run.

        Raises:
            UserError: there is no such run, or a version of this package made it whose format this one cannot read.
        """
        if not self.settings.is_file():
            msg = f"no run {self.run_id} in {self.path.parent}; `mlestar runs` lists them"
            raise UserError(msg)
        self.refuse_foreign_format()
        try:
            recorded = RunSettings.model_validate_json(self.settings.read_bytes())
            return recorded.model_copy(update={"task": str(self.path / recorded.task)})
        except (ValidationError, OSError, ValueError) as error:
            msg = f"{self.settings} cannot be read: it was changed by hand or cut off; put it back from a copy, or "
            msg += "start a new run"
            raise UserError(msg) from error

    def refuse_foreign_format(self) -> None:
        """Refuse a run whose format another version of this package made.

        Raises:
            UserError: it did.
        """
        version = self._format()
        if version != FORMAT:
            msg = f"run {self.run_id} has format {version}, which {maker(version)} can resume; "
            msg += f"this version reads format {FORMAT}: use that version, or start a new run"
            raise UserError(msg)

    def has_lost_ledger(self) -> bool:
        """Return whether the ledger is empty or gone although the run has done work.

        A run that has only just started has no ledger yet, and one that was pruned keeps its result and some blobs.
        """
        if has_tables(self.ledger):
            return False
        if self.checkpoints.is_file():
            return True
        is_pruned = not self.ledger.exists() and self.result.is_file()
        return not is_pruned and any(self.blobs.glob("??/*"))

    def check_ledger(self) -> None:
        """Refuse to pay for everything again because the ledger was lost.

        Raises:
            StoreError: it was.
        """
        if self.has_lost_ledger():
            what = "is empty or gone, so that all that the run has done would be paid again"
            raise damaged(self.path, self.ledger.name, what)

    def check_forkable(self) -> None:
        """Refuse to fork a run without a ledger.

        Raises:
            UserError: it was pruned.
            StoreError: the ledger was lost.
        """
        self.check_ledger()
        if not self.ledger.is_file():
            msg = f"run {self.run_id} has no ledger: a run that was pruned, or has not begun, cannot be forked"
            raise UserError(msg)

    def foreign_format(self) -> int | None:
        """Return the format of a run that another version of this package made, None when this one can read it."""
        version = self._format()
        return None if version == FORMAT else version

    def _format(self) -> int:
        """Return the format in `settings.json`; this version's for a damaged file, which `read_settings` refuses."""
        try:
            content = json.loads(read_regular(self.settings))
            return int(content["version"])
        except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
            return FORMAT

    def record_settings(self, task: Path, settings: dict[str, Any], *, forked_from: str = "") -> None:
        """Write `settings.json`, unless an earlier session did.

        Raises:
            UserError: the run was made for another task.
        """
        if self.settings.is_file():
            own_task = self.read_settings().task
            if own_task != str(task):
                msg = f"run {self.run_id} solves {own_task}, not {task}: choose another --run-id"
                raise UserError(msg)
            return
        thread = f"{self.run_id}-{uuid.uuid4().hex}"
        record = RunSettings(
            task=self._relative(task), settings=settings, thread=thread, forked_from=forked_from, made_by=__version__
        )
        self.write_json(self.settings, record.model_dump())

    def move_task(self, task: Path) -> None:
        """Record where the task folder is now."""
        recorded = self.read_settings().model_copy(update={"task": self._relative(task)})
        self.write_json(self.settings, recorded.model_dump())

    def record_model(self, name: str) -> None:
        """Keep the model that was chosen without a setting, so that another environment changes nothing."""
        recorded = self.read_settings()
        if not recorded.model:
            update = {"model": name, "task": self._relative(Path(recorded.task))}
            self.write_json(self.settings, recorded.model_copy(update=update).model_dump())

    def _relative(self, task: Path) -> str:
        """Return the path of a task folder relative to this one when it is inside, so that a run can be moved."""
        return str(task.relative_to(self.path) if task.is_relative_to(self.path) else task)

    def lock(self) -> RunLock:
        """Hold the run for this process until the returned lock is closed or the process ends.

        Raises:
            StoreError: another process holds it.
        """
        file = self._open_lock()
        if not _lock(file):
            owner = file.read().strip() or "unknown"
            file.close()
            msg = f"run {self.run_id} is in use by process {owner}; wait for it or stop it"
            raise StoreError(msg)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        return RunLock(file)

    def is_in_use(self) -> bool:
        """Return whether a process holds the run; nothing is changed."""
        try:
            handle = os.open(self.path / ".lock", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError:
            return False
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(handle)
        return False

    def _open_lock(self) -> IO[str]:
        """Open the lock, which must not be a link: the number of this process is written into it."""
        try:
            handle = os.open(self.path / ".lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        except OSError as error:
            raise damaged(self.path, ".lock", f"cannot be opened ({error.strerror}): remove it") from error
        return os.fdopen(handle, "r+", encoding="utf-8")

    def share_blobs(self, source: "RunFolder") -> None:
        """Link to the blobs of another run; they never change, so that both can share them on disk."""
        for path in source.blobs.glob("??/*"):
            target = self.blobs / path.relative_to(source.blobs)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(path)
            except OSError:
                shutil.copyfile(path, target)

    def prune(self, kept: set[Path]) -> int:
        """Delete all that only a resume or a fork needs, except for some files; return the bytes that are freed."""
        before = _size(self.path)
        for folder in (self.inputs, self.work):
            shutil.rmtree(folder, ignore_errors=True)
        for path in (*self.blobs.glob("??/*"), *self.path.glob("*.sqlite*")):
            if path not in kept:
                path.unlink()
        return before - _size(self.path)

    def write_json(self, path: Path, value: Any) -> None:
        self.write_text(path, to_json(value, indent=2) + "\n")

    def write_text(self, path: Path, text: str) -> None:
        """Replace a file in one step, so that a reader never sees half of it."""
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)  # a link would lead elsewhere
        part.write_text(text, encoding="utf-8", errors="replace")
        part.replace(path)

    def copy_file(self, source: Path, path: Path) -> None:
        """Replace a file of the run by a copy of another in one step."""
        part = path.with_name(path.name + ".part")
        part.unlink(missing_ok=True)  # a link would lead elsewhere
        shutil.copyfile(source, part)
        part.replace(path)


def _lock(file: IO[str]) -> bool:
    """Hold a file; return False where another process does. `is_in_use` holds it for a moment too."""
    for _ in range(_TRIES):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            time.sleep(_BETWEEN_TRIES)
        else:
            return True
    return False


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def make_run_id(task_name: str) -> str:
    """Return a run id from the task's name and the time, e.g. `titanic-20260131-142501`."""
    slug = re.sub(r"[^A-Za-z0-9]+", "-", task_name).strip("-").lower()[:40] or "run"
    return f"{slug}-{datetime.now(UTC):%Y%m%d-%H%M%S}"


def claim_run_id(runs_dir: Path, task_name: str) -> str:
    """Return a run id that no other run has, and make its folder; two runs may start in the same second.

    Raises:
        UserError: the runs folder cannot be written.
    """
    name = make_run_id(task_name)
    for number in count(1):
        run_id = name if number == 1 else f"{name}-{number}"
        try:
            mark_runs_folder(runs_dir)
            (runs_dir / run_id).mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            msg = f"cannot write to {runs_dir}: {error.strerror}; choose another folder with --runs-dir"
            raise UserError(msg) from error
        return run_id
    raise AssertionError


def list_runs(runs_dir: Path) -> list[Path]:
    """Return the run folders below `runs_dir`, oldest first."""
    if not runs_dir.is_dir():
        return []
    folders = [path for path in runs_dir.iterdir() if (path / "settings.json").is_file()]
    return sorted(folders, key=lambda path: (path / "settings.json").stat().st_mtime)
