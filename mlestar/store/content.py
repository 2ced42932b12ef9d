"""The content of a task folder by file, so that a run recognises other data under its own id."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from mlestar.data.folder import is_inside, read_task_folder
from mlestar.errors import UserError
from mlestar.files import sha256_of

START = "start"
"""Name of a person's own script among the contents of a run."""
NAMED = 3
"""Files that a message names at most. Chosen by judgement."""


class FileContent(BaseModel):
    """The content of one file; size and time tell whether the hash has to be computed again."""

    model_config = ConfigDict(frozen=True)

    size: int
    modified: int
    """Nanoseconds; not compared, since a copy may have another time."""
    sha256: str


Contents = dict[str, FileContent]
_CONTENTS = TypeAdapter(Contents)


def read_contents(
    folder: Path, others: Iterable[Path] = (), earlier: Mapping[str, FileContent] | None = None
) -> Contents:
    """Return the contents of the files of a task folder by their names in it, wherever the folder lies.

    Args:
        folder: the task folder: its data, description and settings.
        others: files or folders outside of it that a run reads too, by their own names.
        earlier: contents that were read before; a file of the same size and time is not read again.

    Raises:
        UserError: a file cannot be read.
    """
    earlier = earlier or {}
    paths = _task_files(folder) | _other_files(others)
    try:
        return {name: _read(path, earlier.get(name)) for name, path in sorted(paths.items())}
    except OSError as error:
        msg = f"{error.filename} cannot be read: {error.strerror}"
        raise UserError(msg) from error


def of_task(contents: Mapping[str, FileContent], others: Iterable[Path]) -> Contents:
    """Return the contents of a task's own files: without the start of a run, and without what else its settings name.

    Args:
        contents: of what a run was started with.
        others: files and folders outside of the task that the run reads too.
    """
    prefixes = tuple(f"{other.name}/" for other in others)
    return {name: file for name, file in contents.items() if name != START and not name.startswith(prefixes)}


def describe_changes(before: Mapping[str, FileContent], after: Mapping[str, FileContent]) -> str:
    """Return which files differ, empty when none does."""
    both = before.keys() & after.keys()
    changes = [f"{name} has changed" for name in sorted(both) if before[name].sha256 != after[name].sha256]
    changes += [f"{name} is new" for name in sorted(after.keys() - both)]
    changes += [f"{name} is gone" for name in sorted(before.keys() - both)]
    rest = len(changes) - NAMED
    return ", ".join(changes[:NAMED]) + (f" and {rest} more" if rest > 0 else "")


def write_contents(path: Path, contents: Contents) -> None:
    """Keep contents in a file."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)  # a link would lead elsewhere
    part.write_bytes(_CONTENTS.dump_json(contents))
    part.replace(path)


def load_contents(path: Path) -> Contents | None:
    """Return the contents in a file, None when there is none that can be read."""
    try:
        return _CONTENTS.validate_python(json.loads(path.read_bytes()))
    except (OSError, ValueError, ValidationError):
        return None


def _task_files(folder: Path) -> dict[str, Path]:
    """Return the data files of a task, and the files beside them: description, `task.toml`, a metric's code."""
    task = read_task_folder(folder)
    paths = [task.input / name for name in task.files]
    if task.input != folder:
        beside = (path for path in folder.iterdir() if not path.name.startswith(".") and is_inside(path, folder))
        paths += [path for path in beside if path.is_file()]
    else:
        paths += [path for path in (task.description_path, folder / "task.toml") if path and path.is_file()]
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _other_files(others: Iterable[Path]) -> dict[str, Path]:
    files: dict[str, Path] = {}
    for other in others:
        paths = [path for path in other.rglob("*") if path.is_file()] if other.is_dir() else [other]
        files |= {f"{other.name}/{path.relative_to(other).as_posix()}": path for path in paths}
    return files


def read_content(path: Path) -> FileContent:
    """Return the content of one file.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return _read(path, None)
    except OSError as error:
        msg = f"{error.filename or path} cannot be read: {error.strerror}"
        raise UserError(msg) from error


def _read(path: Path, earlier: FileContent | None) -> FileContent:
    status = path.stat()
    if earlier and (earlier.size, earlier.modified) == (status.st_size, status.st_mtime_ns):
        return earlier
    return FileContent(size=status.st_size, modified=status.st_mtime_ns, sha256=sha256_of(path))
