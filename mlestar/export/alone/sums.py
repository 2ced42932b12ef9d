"""Checking that the files of an exported folder are unchanged. Standard library only."""

import json
from pathlib import Path

from mlestar.files import sha256_of

SUMS = "SHA256SUMS"
"""The sha256 of every file, in the form of `sha256sum`."""


class ChangedError(ValueError):
    """A file is missing or differs from the exported one; the message names it."""


def read_sums(folder: Path) -> dict[str, str]:
    """Return the recorded sha256 of each file by its path in the folder.

    Raises:
        ChangedError: the record is gone or unreadable.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        msg = f"{folder} is no exported model, or its {SUMS} was changed: export it again"
        raise ChangedError(msg) from error


def check_sums(folder: Path, below: str = "") -> None:
    """Refuse files that differ from the record.

    Args:
        folder: the exported folder.
        below: only files whose path begins so.

    Raises:
        ChangedError: a file is gone or was changed.
    """
    for name, digest in read_sums(folder).items():
        if name.startswith(below):
            check_file(folder, name, digest)


def check_model(predictor: Path) -> None:
    """Refuse saved files that differ from those listed in `predictor.json`.

    Raises:
        ChangedError: a file is gone, was changed, or is not listed.
    """
    try:
        listed = json.loads((predictor / "predictor.json").read_text(encoding="utf-8"))["files"]
        digests = {str(file["name"]): str(file["sha256"]) for file in listed}
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{predictor}/predictor.json cannot be read"
        raise ChangedError(msg) from error
    model = predictor / "model"
    for name, digest in digests.items():
        check_file(model, name, digest)
    present = {path.relative_to(model).as_posix() for path in model.rglob("*") if path.is_file() or path.is_symlink()}
    if unlisted := sorted(present - set(digests)):
        msg = f"predictor/model/{unlisted[0]} is not listed in predictor.json"
        raise ChangedError(msg)


def check_file(folder: Path, name: str, digest: str) -> None:
    """Refuse a file that is missing, is a link, is outside of its folder, or differs from the record.

    Raises:
        ChangedError: it is.
    """
    path = folder / name
    outside = Path(name).is_absolute() or ".." in Path(name).parts
    if outside or path.is_symlink() or not path.is_file():
        msg = f"{name} is gone, or no file of its own"
        raise ChangedError(msg)
    if sha256_of(path) != digest:
        msg = f"{name} was changed: its sha256 is not the recorded one"
        raise ChangedError(msg)
