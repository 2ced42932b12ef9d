"""A command line as a tool: it turns a task folder into a submission."""

import os
import re
import shlex
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlestar.bench.peers.process import run_command
from mlestar.bench.suite import SuiteTask
from mlestar.bench.tools import Outcome
from mlestar.errors import SettingsError, StoreError
from mlestar.files import MACHINE_FAULTS
from mlestar.runners.work_folder import delete_folder

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_NEEDED = ("{input}", "{output}")


@dataclass
class CommandPeer:
    """Runs a command for each task, without a shell, in the current folder."""

    name: str
    words: tuple[str, ...]
    """In which `{input}`, `{output}`, `{seconds}`, `{seed}` and `{cpus}` are replaced."""
    seconds: float
    cpus: int

    @classmethod
    def parse(cls, text: str, *, seconds: float, cpus: int) -> "CommandPeer":
        """Read `NAME=command`.

        Raises:
            SettingsError: it has no name, or the command does not say where input and output go.
        """
        name, mark, command = text.partition("=")
        if not mark or not _NAME.fullmatch(name):
            msg = f"--peer {text!r}: write NAME='command {{input}} {{output}} {{seconds}}', NAME of letters and digits"
            raise SettingsError(msg)
        try:
            words = tuple(shlex.split(command))
        except ValueError as error:
            msg = f"--peer {name}: the command cannot be read: {error}"
            raise SettingsError(msg) from error
        for placeholder in _NEEDED:
            if not any(placeholder in word for word in words):
                msg = f"--peer {name}: the command has no {placeholder}"
                raise SettingsError(msg)
        return cls(name, words, seconds, cpus)

    @property
    def settings(self) -> dict[str, str]:
        """The command and its time limit."""
        return {"tool": shlex.join(self.words), "tool seconds": f"{self.seconds:g}"}

    def run(self, task: SuiteTask, seed: int, folder: Path) -> Outcome:
        """Solve a task on a copy of its folder; after a kill it starts again."""
        copy, submission = folder.absolute() / "input", folder.absolute() / "submission.csv"
        delete_folder(copy)
        delete_folder(submission)  # of an earlier attempt, whatever it is
        try:
            copy_task(task.folder, copy)
            start = time.monotonic()
            end = run_command(
                self._fill(copy, submission, seed),
                folder.absolute() / "log.txt",
                seconds=self.seconds,
                cpus=self.cpus,
                variables=dict(os.environ),
                folder=Path.cwd(),
            )
        finally:
            delete_folder(copy)
        seconds = time.monotonic() - start
        if end.exit_status is None:
            return Outcome("timeout", seconds, end.reason)
        if end.exit_status:
            return Outcome("failed", seconds, end.reason)
        if not submission.is_file():
            return Outcome("no_solution", seconds, "it ended without writing {output}")
        return Outcome("graded", seconds, submission=submission)

    def _fill(self, copy: Path, submission: Path, seed: int) -> list[str]:
        values = {
            "input": copy,
            "output": submission,
            "seconds": max(1, int(self.seconds)),
            "seed": seed,
            "cpus": self.cpus,
        }
        pattern = re.compile(r"\{(" + "|".join(values) + r")\}")
        return [pattern.sub(lambda match: str(values[match[1]]), word) for word in self.words]


def copy_task(task: Path, copy: Path) -> None:
    """Copy the files and folders of a task; pipes and devices, which cannot be copied, are left out.

    Raises:
        OSError: a file cannot be read.
        StoreError: the copy cannot be written.
    """
    shutil.copytree(task, copy, ignore=_irregular, copy_function=_copy_file)


def _irregular(folder: str, names: Sequence[str]) -> list[str]:
    paths = [Path(folder, name) for name in names]
    return [path.name for path in paths if not (path.is_file() or path.is_dir())]


def _copy_file(source: str, target: str) -> None:
    try:
        shutil.copy2(source, target)
    except OSError as error:
        if error.errno not in MACHINE_FAULTS:
            raise
        # An OSError would be one of many in the list that `copytree` raises at its end.
        msg = f"cannot write to {target}: {error.strerror}"
        raise StoreError(msg) from error
