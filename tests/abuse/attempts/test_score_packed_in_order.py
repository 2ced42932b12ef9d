"""A file has the labels in the order of the rows as bits of bytes or as lengths of runs.

Outcome: succeeds; stated in docs/security.md. Such a file looks like any array or list of numbers.
"""

from itertools import groupby
from pathlib import Path

import numpy as np
import pytest

from tests.abuse.attempts.helpers_score import ALL, Rows, Write, steal


def write_bits(folder: Path, rows: Rows) -> None:
    np.save(folder / "bits.npy", np.packbits([label == "cat" for _, label in rows.pairs]))


def write_runs(folder: Path, rows: Rows) -> None:
    runs = [str(len(list(group))) for _, group in groupby(label for _, label in rows.pairs)]
    (folder / "runs.txt").write_text(" ".join([rows.pairs[0][1], *runs]))


FORMS: dict[str, Write] = {"bits": write_bits, "runs": write_runs}


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    """Return the labels in order; a script knows which rows of the file it lacks from the gaps of ordered ids."""
    rows = [line.split(",")[0] for line in (folder.parent / "task/train.csv").read_text().split("\n")[1:-1]]
    if (folder / "bits.npy").exists():
        marks = ["cat" if bit else "dog" for bit in np.unpackbits(np.load(folder / "bits.npy"))]
        return dict(zip(rows, marks[: len(rows)], strict=True))
    first, *runs = (folder / "runs.txt").read_text().split()
    names = [first, "dog" if first == "cat" else "cat"]
    marks = [names[place % 2] for place, run in enumerate(runs) for _ in range(int(run))]
    return dict(zip(rows, marks, strict=True))


@pytest.mark.parametrize("name", FORMS)
def test_a_script_can_read_packed_labels(tmp_path: Path, name: str) -> None:
    assert steal(tmp_path, FORMS[name], read).after > ALL
