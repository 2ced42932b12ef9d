"""The folder of lessons: one file per run, replaced atomically, so that several processes can write concurrently."""

import hashlib
import json
import os
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from mlestar.data.outputs import mark_runs_folder
from mlestar.errors import SettingsError, UserError
from mlestar.files import read_regular
from mlestar.lessons.cleaning import one_line
from mlestar.lessons.records import RunLessons

MAX_BYTES = 64 * 2**10
"""Most bytes of a file, enough for 60 trials and 20 failures of full length. Chosen by judgement; not measured."""
MAX_FILES = 1000
"""Files that are read, the newest: about a second. Chosen by judgement; not measured."""
SHOWN = 80
"""Characters of a name that cannot be used that a message repeats. Chosen by judgement."""
_OWN = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]{0,99})-[0-9a-f]{8}\.json")

_PART = re.compile(rf"\.({_OWN.pattern})\.[0-9a-f]{{32}}\.part")


@dataclass(frozen=True)
class Stored:
    """A lessons file and its content."""

    path: Path
    lessons: RunLessons


@dataclass(frozen=True)
class Content:
    """The content of a folder: its lessons, the newest first, and the reasons why other files were skipped."""

    stored: tuple[Stored, ...]
    skipped: tuple[str, ...] = ()


def check_folder(folder: Path) -> Path:
    """Return the absolute path of a folder; refuse one that cannot hold lessons, before a run has any costs.

    Raises:
        SettingsError: it is a file, or its name cannot be used.
    """
    try:
        path = folder.expanduser().absolute()
        is_other = path.exists() and not path.is_dir()
    except (OSError, RuntimeError) as error:  # a name that is too long, a folder that may not be read, no such user
        reason = error.strerror if isinstance(error, OSError) else str(error)
        msg = f"lessons {str(folder)[:SHOWN]}: {reason}; name another folder with --lessons"
        raise SettingsError(msg) from error
    if is_other:
        msg = f"lessons {folder}: this is a file; name a folder with --lessons"
        raise SettingsError(msg)
    return path


def file_name(run: str, thread: str) -> str:
    """Return the name of a run's file: the same each time it finishes, and another for other runs of the same name."""
    return f"{run}-{hashlib.sha256(thread.encode()).hexdigest()[:8]}.json"


def write_lessons(folder: Path, name: str, lessons: RunLessons) -> Path:
    """Write the lessons of a run, replacing its earlier ones.

    The content is complete under another name before it replaces the file, so that no reader sees half of it.

    Raises:
        OSError: the folder cannot be written.
    """
    mark_runs_folder(folder)
    path = folder / name
    part = folder / f".{name}.{uuid.uuid4().hex}.part"
    try:
        part.write_text(_fitting(lessons), encoding="utf-8")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _fitting(lessons: RunLessons) -> str:
    """Return the text of a file; the last trials are left out where it would be too large."""
    while True:
        text = lessons.model_dump_json(indent=1) + "\n"
        if len(text.encode()) <= MAX_BYTES or not (lessons.trials or lessons.failures):
            return text
        cut = {"trials": lessons.trials[:-5], "failures": lessons.failures[:-2]}
        lessons = lessons.model_copy(update=cut)


def read_folder(folder: Path, most: int | None = MAX_FILES) -> Content:
    """Return the lessons in a folder; files that cannot be used are listed with the reason and raise no error.

    Args:
        folder: of lessons.
        most: files that are read, the newest; None for all.
    """
    stored, skipped = list[Stored](), list[str]()
    try:
        paths = sorted(_json_files(folder), key=lambda entry: -entry[0])
    except OSError as error:
        return Content((), (f"{folder}: {error.strerror}",))
    for _, path in paths[:most]:
        try:
            stored.append(Stored(path, RunLessons.model_validate_json(read_regular(path, MAX_BYTES))))
        except ValidationError as error:
            skipped.append(f"{one_line(path.name)}: {_describe(error)}")
        except (OSError, ValueError, RecursionError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it cannot be read"
            skipped.append(f"{one_line(path.name)}: {reason}")
    if most is not None and len(paths) > most:
        skipped.append(f"{len(paths) - most} older files: only the newest {most} are read")
    return Content(tuple(stored), tuple(skipped))


def _json_files(folder: Path) -> Iterator[tuple[float, Path]]:
    """Yield the JSON files of a folder with their times; one that another process removes meanwhile is left out."""
    if not folder.is_dir():
        return
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".json") and not entry.name.startswith("."):
                try:
                    yield entry.stat(follow_symlinks=False).st_mtime, Path(entry.path)
                except FileNotFoundError:
                    continue


def _describe(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    if first["loc"] == ("version",):
        return "another version of mlestar wrote it"
    where = ".".join(str(part) for part in first["loc"])
    return f"no lessons ({where or 'JSON'}: {first['msg'][:80]})"


def find_run(content: Content, run: str) -> list[Stored]:
    """Return the files of a run, by its name or by the name of its file."""
    return [one for one in content.stored if run in (one.lessons.run, one.path.name, one.path.stem)]


def forget(folder: Path, run: str | None) -> list[Path]:
    """Remove the lessons of a run, or of all runs when it is None; files of others stay.

    Files that cannot be read as lessons, such as damaged ones and those of another version, belong to the run that
    their name begins with, unless they are JSON of another kind. What a killed process left of a file goes with it.

    Raises:
        UserError: there are none, or one cannot be removed.
    """
    content = read_folder(folder, most=None)
    chosen = [one.path for one in (content.stored if run is None else find_run(content, run))]
    read = {one.path for one in content.stored}
    for _, path in _json_files(folder):
        own = _OWN.fullmatch(path.name)
        if own and path not in read and run in (None, own[1], path.name, path.stem) and _may_be_lessons(path):
            chosen.append(path)
    chosen += _find_parts(folder, run)
    if not chosen:
        what = f"no lessons of run {run}" if run else "no lessons"
        msg = f"{what} in {folder}; `mlestar lessons list` shows what is there"
        raise UserError(msg)
    for path in chosen:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            msg = f"{path} cannot be removed: {error.strerror}"
            raise UserError(msg) from error
    return chosen


def _may_be_lessons(path: Path) -> bool:
    """Return whether a file with the name of lessons is no JSON of another kind; a damaged one may be lessons."""
    try:
        found = json.loads(read_regular(path))
    except (ValueError, RecursionError):
        return True
    except OSError:
        return False
    return isinstance(found, dict) and {"version", "run", "facts"} <= found.keys()


def _find_parts(folder: Path, run: str | None) -> list[Path]:
    """Return what processes that were killed while they wrote the file of a run, or of any run, have left of it."""
    paths = folder.iterdir() if folder.is_dir() else ()
    found = [(path, own) for path in paths if (own := _PART.fullmatch(path.name))]
    return sorted(path for path, own in found if run in (None, own[2], own[1], own[1].removesuffix(".json")))
