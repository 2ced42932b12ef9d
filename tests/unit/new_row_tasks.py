"""Tasks whose new rows need more than their cells."""

from pathlib import Path

import numpy as np
import pandas as pd


def sales(folder: Path) -> tuple[Path, pd.DataFrame]:
    """Return a task whose ids are made of two columns and whose rows are numbered, and new rows."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    days = [f"2024-01-{day:02d}" for day in range(1, 29)]
    frame = pd.DataFrame([(shop, day) for shop in ("north", "south") for day in days], columns=["shop", "day"])
    frame = frame.assign(visits=rng.integers(1, 90, len(frame)), sold=rng.normal(9, 2, len(frame)).round(2))
    train, test = frame[:40], frame[40:].drop(columns="sold").reset_index(drop=True)
    train.to_csv(folder / "train.csv", index_label="row")
    test.to_csv(folder / "test.csv", index_label="row")
    sample = pd.DataFrame({"key": test["shop"] + "_" + test["day"], "sold": 0.0})
    sample.to_csv(folder / "sample_submission.csv", index=False)
    return folder, pd.DataFrame({"visits": [5, 6], "day": ["2024-02-01", "2024-02-02"], "shop": "east"})
