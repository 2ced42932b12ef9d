"""Whether the files of a packaged predictor are those that were accepted. Standard library only.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from mlestar.files import sha256_of

INFO = "predictor.json"
"""The record of a packaged predictor, in its folder."""


class ChangedError(ValueError):
    """A file is not the one that was recorded; the message names it."""


def sums_of(folder: Path) -> dict[str, str]:
    """Return the sha256 of every file of a predictor by its path in the folder, without the record.

    Raises:
        ChangedError: something in the folder is no regular file.
    """
    return {name: _sha256(folder / name, name) for name in sorted(_files(folder) - {INFO})}


def check_files(folder: Path, sums: Mapping[str, str]) -> None:
    """Refuse files that differ from a record.

    Raises:
        ChangedError: one is gone, is outside of its folder, is a link, or was changed.
    """
    for name, digest in sums.items():
        parts = Path(name).parts
        if Path(name).is_absolute() or ".." in parts or not (folder / name).is_file():
            msg = f"{name} is gone since it was recorded"
            raise ChangedError(msg)
        if _sha256(folder / name, name) != digest:
            msg = f"{name} was changed since it was recorded"
            raise ChangedError(msg)


def check_nothing_added(folder: Path, names: Collection[str]) -> None:
    """Refuse a predictor with more files than these.

    Raises:
        ChangedError: it has more.
    """
    if added := sorted(_files(folder) - {*names, INFO}):
        msg = f"{added[0]} was added since it was recorded"
        raise ChangedError(msg)


def _files(folder: Path) -> set[str]:
    """Return whatever is in a folder, links to folders too, but for its compiled code, which nothing reads."""
    found = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {path.relative_to(folder).as_posix() for path in found if path.parent != folder / "__pycache__"}


def _sha256(path: Path, name: str) -> str:
    if path.is_symlink() or any(parent.is_symlink() for parent in list(path.parents)[: name.count("/")]):
        msg = f"{name} is a link, which is never recorded"
        raise ChangedError(msg)
    try:
        return sha256_of(path)
    except OSError as error:
        msg = f"{name} cannot be read: {error.strerror}"
        raise ChangedError(msg) from error
