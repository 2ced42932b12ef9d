"""What is in the folders of tasks and answers: whether a task can reach its answers, and whether either has changed."""

import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

from mlestar.data.folder import is_inside
from mlestar.errors import UserError
from mlestar.files import open_regular, sha256_of

_TABLES = (".csv", ".tsv", ".jsonl", ".parquet", ".npy", ".npz")
"""Files that can hold answers. Pictures of the test rows may stand beside the answers too."""
_SAMPLE = "sample"
"""Part of the names of tables that task and answers may both have."""
_MAX_READ = 2**28
"""Bytes of a folder that its fingerprint covers; of what is beyond it has names and sizes. Chosen by judgement; not
measured."""
_CHARACTERS = 16
"""Of a fingerprint."""


def check_separate(task: Path, answers: Path) -> None:
    """Check that a tool that is given a task folder is not given its answers.

    Raises:
        UserError: the answers are inside the task folder, or a file of theirs is; or a link leads out of it.
    """
    if is_inside(answers, task):
        msg = f"the answers are inside the task folder: {answers}; move them out of {task}"
        raise UserError(msg)
    files = list(_entries(task))
    for path in files:
        if path.is_symlink() and not is_inside(path, task):
            msg = f"{path.relative_to(task)} is a link to something outside the task folder: copy it in"
            raise UserError(msg)
    known = {(path.stat().st_size, sha256_of(path)) for path in _entries(answers) if _has_labels(path)}
    sizes = {size for size, _ in known}
    for path in files:
        if path.is_file() and (size := path.stat().st_size) in sizes and (size, sha256_of(path)) in known:
            msg = f"{path.relative_to(task)} is a file of the answers: remove it from {task}"
            raise UserError(msg)


def fingerprint(*folders: Path, text: str = "") -> str:
    """Return a text that differs where the files of some folders differ in name, size or content.

    Args:
        folders: folders or files; those that are missing count as empty.
        text: that counts too.
    """
    digest, left = sha256(text.encode("utf-8", errors="surrogateescape")), _MAX_READ
    for folder in folders:
        paths = _entries(folder) if folder.is_dir() else [folder]
        for path in sorted(path for path in paths if path.is_file()):
            size = path.stat().st_size
            digest.update(b"\0" + os.fsencode(path.relative_to(folder)) + b"\0" + str(size).encode())
            if left > 0:
                with open_regular(path) as file:
                    content = file.read(left)
                digest.update(content)
                left -= len(content)
    return digest.hexdigest()[:_CHARACTERS]


def _entries(folder: Path) -> Iterator[Path]:
    """Yield files and links below a folder; links to folders are not followed."""
    for root, folders, files in os.walk(folder):
        place = Path(root)
        yield from (place / name for name in files)
        yield from (place / name for name in folders if (place / name).is_symlink())


def _has_labels(path: Path) -> bool:
    name = path.name.lower()
    return path.is_file() and path.stat().st_size > 0 and name.endswith(_TABLES) and _SAMPLE not in name
