"""Checking that the files of an exported folder are unchanged. Standard library only."""

from pathlib import Path

from mlestar.predictor.sums import ChangedError, check_files, check_nothing_added

SUMS = "SHA256SUMS"
"""The sha256 of every file, in the form of `sha256sum`."""
PREDICTOR = "predictor"
"""The folder of the predictor in an exported folder."""


def check_folder(folder: Path, below: str = "") -> None:
    """Refuse an exported folder whose files differ from the record.

    Args:
        folder: the exported folder.
        below: only files whose path begins so.

    Raises:
        ChangedError: a file is gone or was changed, or one was added to the predictor.
    """
    sums = read_sums(folder)
    check_files(folder, {name: digest for name, digest in sums.items() if name.startswith(below)})
    own = f"{PREDICTOR}/"
    check_nothing_added(folder / PREDICTOR, {name.removeprefix(own) for name in sums if name.startswith(own)})


def read_sums(folder: Path) -> dict[str, str]:
    """Return the recorded sha256 of each file by its path in the folder.

    Raises:
        ChangedError: the record is gone or unreadable.
    """
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
        return {name: digest for digest, name in (line.split("  ", 1) for line in lines)}
    except (OSError, ValueError) as error:
        msg = f"{folder} is no exported model, or its {SUMS} was changed"
        raise ChangedError(msg) from error
