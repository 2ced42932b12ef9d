"""Small pictures and short clips of files of a task, which may be hostile: they are decoded in a bounded process."""

import json
import logging
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from mlestar.data.folder import is_inside
from mlestar.data.task import Task
from mlestar.files import read_regular
from mlestar.runners.variables import common_variables

logger = logging.getLogger("mlestar.report")

MediaKind = Literal["image", "audio"]
SUFFIXES: dict[MediaKind, tuple[str, ...]] = {
    "image": (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    "audio": (".wav",),
}
MOST_BYTES = 20_000_000
"""Bytes of a file that is decoded. Chosen by judgement."""
MOST_MADE = 100_000
"""Bytes of what is made of it."""
SECONDS = 20.0
"""Time for one file. Chosen by judgement: it takes half a second."""
_CHILD = Path(__file__).with_name("media_child.py")


def can_make(kind: MediaKind) -> bool:
    """Return whether the libraries for it are installed."""
    return kind == "audio" or find_spec("PIL") is not None


def make_media(task: Task, name: str, kind: MediaKind) -> bytes | None:
    """Return what shows a file of a task's input; None where that is not possible, whatever the file is."""
    if not name.lower().endswith(SUFFIXES[kind]):
        return None
    data = read_own(task, name, MOST_BYTES)
    if data is None:
        return None
    command = [sys.executable, "-I", "-B", "-W", "ignore", str(_CHILD), json.dumps(sys.path), kind]
    try:
        done = subprocess.run(
            command,
            input=data,
            capture_output=True,
            timeout=SECONDS,
            env=common_variables(0, 1, "/"),
            start_new_session=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.info("a file is not shown: %s", type(error).__name__)
        return None
    if done.returncode != 0 or not done.stdout or len(done.stdout) > MOST_MADE or not _is_made(done.stdout):
        logger.info("a file is not shown: exit status %s, %d bytes", done.returncode, len(done.stdout))
        return None
    return done.stdout


def read_own(task: Task, name: str, limit: int) -> bytes | None:
    """Return the content of a regular file of a task's input; None where it leads outside, is too large or gone."""
    path = task.input / name
    if not (is_inside(path, task.folder) or is_inside(path, task.input)):
        return None
    try:
        return read_regular(path.resolve(), limit)
    except OSError as error:
        logger.info("a file is not shown: %s", error.strerror)
        return None


def media_type(made: bytes) -> str:
    """Return the type of what was made."""
    if made.startswith(b"\x89PNG"):
        return "image/png"
    return "image/jpeg" if made.startswith(b"\xff\xd8") else "audio/wav"


def _is_made(made: bytes) -> bool:
    return made.startswith((b"\x89PNG\r\n", b"\xff\xd8\xff", b"RIFF"))
