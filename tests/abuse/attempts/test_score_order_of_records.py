"""A table of features, whose values reveal nothing, has the records of train sorted by label.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from tests.abuse.attempts.helpers_score import ALL, CHANCE, Rows, steal


def write(folder: Path, rows: Rows) -> None:
    ids = [*rows.train.sort_values("label")["id"], *rows.tests]
    noise = np.random.default_rng(0).random(len(ids)).round(4)
    pd.DataFrame({"id": ids, "x": noise}).to_csv(folder / "features.csv", index=False)


def read(folder: Path, ids: list[str]) -> dict[str, str]:
    """Return the label of the row of train that is nearest in the file."""
    train = pd.read_csv(folder / "train.csv", dtype=str)
    known = dict(zip(train["id"], train["label"], strict=True))
    listed = pd.read_csv(folder / "features.csv", dtype=str)["id"].tolist()
    # In the folder of the task, train has the rows that are asked for too.
    places = {row: place for place, row in enumerate(listed)}
    kept = sorted((places[row], label) for row, label in known.items() if row in places and row not in ids)
    numbers = np.array([place for place, _ in kept])
    nearest = {row: int(np.abs(numbers - places[row]).argmin()) for row in ids if row in places}
    return {row: kept[place][1] for row, place in nearest.items()}


def test_the_order_of_records_is_changed_and_the_features_stay(tmp_path: Path) -> None:
    outcome = steal(tmp_path, write, read)
    assert outcome.before > ALL
    assert outcome.after < CHANCE
    whole, staged = (pd.read_csv(folder / "features.csv") for folder in (tmp_path / "task", outcome.staged))
    assert staged.sort_values("id").to_numpy().tolist() == whole.sort_values("id").to_numpy().tolist()
