"""What is in a task folder: the description, the data files, and what must not be read."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlestar.data.outputs import find_outputs, is_run_folder
from mlestar.errors import TaskError
from mlestar.files import is_mostly_holes, read_regular

DESCRIPTIONS = tuple(
    f"{stem}{suffix}"
    for stem in ("task", "description", "task_description", "overview", "instructions", "readme")
    for suffix in (".md", ".txt", ".markdown", ".rst", "")
    if suffix or stem == "readme"
)
"""File names in lower case, the likeliest first."""
OVERRIDES = "task.toml"
MAX_DESCRIPTION = 2**20
"""Bytes of a description. The longest descriptions of competitions have 0.1 MiB, and a metric is searched in each for
seconds per MiB. Chosen by judgement; not measured."""
MAX_PATH = 1000
"""Bytes of a path in a task folder; systems refuse one of 4,096, and the run adds its own folder to it."""
_HIDDEN = ("__pycache__", "__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini")
"""What Python, macOS and Windows leave in folders, in lower case."""


@dataclass(frozen=True)
class TaskFolder:
    """The contents of a task folder."""

    path: Path
    input: Path
    """The folder of the data files: `path/input` or `path` itself."""
    description: str
    """Empty when there is none."""
    files: tuple[str, ...]
    """Every data file below `input`, sorted, as relative POSIX paths."""
    description_path: Path | None = None

    @property
    def entries(self) -> tuple[str, ...]:
        """Files and folders directly in `input`."""
        return tuple(dict.fromkeys(file.split("/")[0] for file in self.files))


def read_task_folder(path: Path) -> TaskFolder:
    """List the contents of a task folder and read its description.

    Raises:
        TaskError: there is no such folder, it holds no data, a link leaves it or its description is not UTF-8.
    """
    if not path.is_dir():
        msg = f"no such folder: {path}"
        raise TaskError(msg)
    data = path / "input" if (path / "input").is_dir() else path
    description = _find_description(path)
    check_links(path, [file for file in (data, description, path / OVERRIDES) if file and file != path])
    no_data = (description, path / OVERRIDES)
    files = tuple(file for file in _list_files(path, data) if data / file not in no_data)
    if not files:
        msg = f"{path} holds no data files: put train, test and sample submission into it or into {path / 'input'}"
        raise TaskError(msg)
    return TaskFolder(path, data, _read_description(description), files, description)


def list_files(folder: Path, called: str) -> tuple[str, ...]:
    """List the data files of a folder that is no task, as a task folder's are listed; relative POSIX paths.

    Args:
        folder: to list.
        called: what messages call it.

    Raises:
        TaskError: a link leaves it, or a file has a name that is not UTF-8 or is a sparse file.
    """
    return tuple(_list_files(folder, folder, called))


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether a path, links followed, is below the folder."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links that lead to each other
        return False


def check_name(name: str, key: str, folder: TaskFolder) -> str:
    """Return a path that a person set for `key`, relative to the input folder.

    Raises:
        TaskError: it is outside the folder or does not exist.
    """
    path = folder.input / name
    if Path(name).is_absolute() or os.path.normpath(name).startswith(".."):
        msg = f"{key} = {name!r} is outside {folder.input}"
        raise TaskError(msg)
    try:
        exists = path.is_file() or path.is_dir()
    except (OSError, ValueError):  # it is too long, or holds NUL
        exists = False
    if not exists:
        msg = f"{key} = {name[:MAX_PATH]!r}: no such file in {folder.input}"
        raise TaskError(msg)
    if not is_inside(path, folder.path) and not is_inside(path, folder.input):
        msg = f"{key} = {name!r} is a link to something outside the task folder: copy it in"
        raise TaskError(msg)
    return PurePosixPath(name).as_posix()


def _find_description(path: Path) -> Path | None:
    for folder in (path, path / "input"):
        paths = {file.name.lower(): file for file in sorted(folder.iterdir())} if folder.is_dir() else {}
        for name in DESCRIPTIONS:
            if name in paths and not paths[name].is_dir():
                return paths[name]
    return None


def _read_description(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return read_regular(path, MAX_DESCRIPTION).decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        msg = f"{path.name} is not UTF-8 text (byte {error.start + 1}): save it as UTF-8"
        raise TaskError(msg) from error
    except OSError as error:
        msg = f"{path.name} cannot be read: {error.strerror}"
        raise TaskError(msg) from error


def _list_files(path: Path, data: Path, called: str = "the task folder") -> list[str]:
    files: list[str] = []
    for root, directories, names in os.walk(data):
        _check_names(path, root, (*directories, *names))
        directories[:] = sorted(name for name in directories if _is_data(Path(root) / name))
        check_links(path, [Path(root) / name for name in (*directories, *names)], called)
        files += _regular_files(Path(root), data, names)
    return sorted(files)


def _check_names(path: Path, root: str, names: Iterable[str]) -> None:
    """Check that files and folders have names that can be written in a record, at most as long as the system allows.

    Raises:
        TaskError: a name or a path is not like that.
    """
    folder = os.path.relpath(root, path)
    for name in names:
        below = name if folder == "." else f"{folder}/{name}"
        if not is_utf8(name):
            msg = f"{below!r} has a name that is not UTF-8: rename it"
        elif len(os.fsencode(below)) > MAX_PATH:
            msg = f"{below[:80]}... has a path of more than {MAX_PATH:,} bytes: move it to a shorter path"
        else:
            continue
        raise TaskError(msg)


def is_utf8(name: str) -> bool:
    """Return whether a name can be written as UTF-8: one of other bytes has lone surrogates in Python."""
    return name.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in name)


def check_links(folder: Path, paths: list[Path], called: str = "the task folder") -> None:
    """Check that none of these paths is a link out of a folder.

    Args:
        folder: to stay in.
        paths: in it.
        called: what the message calls the folder.

    Raises:
        TaskError: one is.
    """
    for path in paths:
        if path.is_symlink() and not (is_inside(path, folder) and path.exists()):
            msg = f"{path.relative_to(folder)} is a link to something outside {called}: copy it in"
            raise TaskError(msg)


def _regular_files(root: Path, data: Path, names: list[str]) -> Iterator[str]:
    """Yield the files of one folder that no run wrote; sockets and pipes are left out, since opening one may block."""
    outputs = find_outputs(root, names)
    for name in names:
        path = root / name
        if not _is_hidden(name) and name not in outputs and path.is_file():
            if is_mostly_holes(path):
                msg = f"{path.relative_to(data)} has {path.stat().st_size:,} bytes, nearly all of which were never "
                msg += "written: it is a sparse file"
                raise TaskError(msg)
            yield path.relative_to(data).as_posix()


def _is_data(folder: Path) -> bool:
    return not _is_hidden(folder.name) and not is_run_folder(folder)


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name.lower() in _HIDDEN
