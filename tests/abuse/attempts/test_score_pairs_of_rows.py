"""A file pairs each row of train with another one of the same class, so that the labels of kept rows reveal the others.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import numpy as np

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, steal


def write(folder: Path, rows: Rows) -> None:
    rng = np.random.default_rng(0)
    pairs = [(row, other) for ids in rows.by_class().values() for row in ids for other in rng.choice(ids, 6)]
    lines = [",".join(pairs[place]) for place in rng.permutation(len(pairs))]
    (folder / "alike.csv").write_text("\n".join(["a,b", *lines, ""]))


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    lines = [line.split(",") for line in (folder / "train.csv").read_text().split("\n")[1:-1]]
    known = {line[0]: line[-1] for line in lines if line[0] not in ids}
    found: dict[str, str] = {}
    for a, b in (line.split(",") for line in (folder / "alike.csv").read_text().split("\n")[1:-1]):
        for row, other in ((a, b), (b, a)):
            if row in ids and other in known:
                found[row] = known[other]
    return found


def test_rows_that_name_each_other_are_looked_at(tmp_path: Path) -> None:
    outcome = steal(tmp_path, write, read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
