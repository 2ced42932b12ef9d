"""Where things lie in a task folder: the description, the data, and what must not be read."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mlestar.errors import TaskError

DESCRIPTIONS = ("task.md", "description.md", "task_description.txt", "readme.md")
OVERRIDES = "task.toml"
_HIDDEN = ("__pycache__",)


@dataclass(frozen=True)
class TaskFolder:
    """A task folder's parts."""

    folder: Path
    input: Path
    """Where the data lie: `folder/input` or the folder itself."""
    description: str
    """Empty when there is none."""
    files: tuple[str, ...]
    """Every data file below `input`, sorted, as relative POSIX paths."""

    @property
    def entries(self) -> tuple[str, ...]:
        """Files and folders that lie directly in `input`."""
        return tuple(dict.fromkeys(file.split("/")[0] for file in self.files))


def read_task_folder(folder: Path) -> TaskFolder:
    """Find the parts of a task folder.

    Raises:
        TaskError: there is no such folder, it holds no data, a link leaves it or its description is not UTF-8.
    """
    if not folder.is_dir():
        msg = f"no such folder: {folder}"
        raise TaskError(msg)
    data = folder / "input" if (folder / "input").is_dir() else folder
    description = _find_description(folder)
    files = tuple(file for file in _walk(folder, data) if data / file not in (description, folder / OVERRIDES))
    if not files:
        msg = f"{folder} holds no data files: put train, test and sample submission into it or into {folder / 'input'}"
        raise TaskError(msg)
    return TaskFolder(folder, data, _read_description(description), files)


def inside(path: Path, folder: Path) -> bool:
    """Tell whether a path, links followed, lies below the folder."""
    return path.resolve().is_relative_to(folder.resolve())


def checked_name(name: str, key: str, layout: TaskFolder) -> str:
    """Return a path that a person gave for `key`, relative to the input folder.

    Raises:
        TaskError: it lies outside the folder or does not exist.
    """
    path = layout.input / name
    if Path(name).is_absolute() or not inside(path, layout.input):
        msg = f"{key} = {name!r} lies outside {layout.input}"
        raise TaskError(msg)
    if not path.exists():
        msg = f"{key} = {name!r}: no such file in {layout.input}"
        raise TaskError(msg)
    return PurePosixPath(name).as_posix()


def _find_description(folder: Path) -> Path | None:
    for place in (folder, folder / "input"):
        names = {path.name.lower(): path for path in sorted(place.iterdir())} if place.is_dir() else {}
        for name in DESCRIPTIONS:
            if name in names and names[name].is_file():
                return names[name]
    return None


def _read_description(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_bytes().decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        msg = f"{path.name} is not UTF-8 text (byte {error.start + 1}): save it as UTF-8"
        raise TaskError(msg) from error
    except OSError as error:
        msg = f"{path.name} cannot be read: {error.strerror}"
        raise TaskError(msg) from error


def _walk(folder: Path, data: Path) -> list[str]:
    found = []
    for root, directories, names in os.walk(data):
        directories[:] = sorted(name for name in directories if not _hidden(name))
        for name in (*directories, *names):
            path = Path(root) / name
            if path.is_symlink() and not (inside(path, folder) and path.exists()):
                msg = f"{path.relative_to(folder)} is a link to something outside the task folder: copy it in"
                raise TaskError(msg)
        paths = (Path(root) / name for name in names if not _hidden(name))
        # Sockets and pipes are left out: opening one may wait for ever.
        found += [path.relative_to(data).as_posix() for path in paths if path.is_file()]
    return sorted(found)


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in _HIDDEN
