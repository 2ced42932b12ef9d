"""A file repeats the rows of train under other ids, with their features in another unit.

Outcome: succeeds; stated in docs/security.md. Rows that only resemble those of train are usual further data.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.abuse.attempts.helpers_score import ALL, Rows, steal


def write(folder: Path, rows: Rows) -> None:
    order = np.random.default_rng(0).permutation(len(rows.train))
    copies = pd.DataFrame({"length": (rows.train["size"] * 2.54 + 7).round(3), "kind": rows.train["label"]})
    copies.iloc[order].to_csv(folder / "others.csv", index=False)


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    others = pd.read_csv(folder / "others.csv")
    rows = pd.concat([pd.read_csv(folder / "train.csv"), pd.read_csv(folder / "test.csv")]).set_index("id")
    sizes = rows["size"].loc[ids] * 2.54 + 7
    return {row: others["kind"][(others["length"] - size).abs().idxmin()] for row, size in zip(ids, sizes, strict=True)}


def test_a_script_can_find_changed_copies_of_rows(tmp_path: Path) -> None:
    assert steal(tmp_path, write, read).after > ALL - 0.05
