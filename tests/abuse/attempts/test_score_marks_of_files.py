"""The label is in the mode, the time, an extended attribute or the number of links of a file.

Outcome: prevented.
"""

import os
from pathlib import Path

from tests.abuse.attempts.helpers_score import Rows, steal


def write(folder: Path, rows: Rows) -> None:
    (folder / "pictures").mkdir()
    for number, (row, label) in enumerate([*rows.pairs, *((row, "dog") for row in rows.tests)]):
        path = folder / f"pictures/{row}.png"
        path.write_bytes(b"\x89PNG\0" + row.encode())
        path.chmod(0o755 if label == "cat" else 0o644)
        os.utime(path, (10**9, 10**9 + (number if label == "cat" else 10**6)))
        if label == "cat":
            (folder / f".{row}").hardlink_to(path)


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    modes = {path.stem: path.stat().st_mode & 0o100 for path in (folder / "pictures").iterdir()}
    return {row: "cat" if modes[row] else "dog" for row in ids}


def test_copies_are_alike(tmp_path: Path) -> None:
    outcome = steal(tmp_path, write, read)
    assert outcome.before == 1.0
    marks = set()
    for path in (outcome.staged / "pictures").iterdir():
        status = path.stat()
        marks.add((status.st_mode, status.st_mtime_ns, status.st_nlink, status.st_uid, tuple(os.listxattr(path))))
    assert len(marks) == 1
