"""A miniature of what `mlebench prepare` makes, and answers beside thresholds of medals."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

ANSWERS = (1, 2, 3, 4)
LEADERBOARD = (0.5, 1.0, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 2.75, 3.0)
"""Of ten teams, the lowest score being best."""
DESCRIPTION = "# Houses\n\nPredict `price`. Submissions are scored by the root mean squared error (RMSE).\n"


def write_csv(path: Path, columns: Mapping[str, Sequence[object]]) -> Path:
    pd.DataFrame(columns).to_csv(path, index=False)
    return path


def prepare(suite: Path, name: str = "houses") -> Path:
    """Write a prepared competition with its leaderboard; return the suite."""
    public, private = suite / name / "prepared" / "public", suite / name / "prepared" / "private"
    public.mkdir(parents=True)
    private.mkdir()
    rooms = [number % 7 + 1 for number in range(60)]
    prices = [round(room * 1.5 + 0.25, 2) for room in rooms]
    write_csv(public / "train.csv", {"id": list(range(100, 160)), "rooms": rooms, "price": prices})
    write_csv(public / "test.csv", {"id": [11, 12, 13, 14], "rooms": [1, 2, 3, 4]})
    write_csv(public / "sample_submission.csv", {"id": [11, 12, 13, 14], "price": [0.0, 0.0, 0.0, 0.0]})
    (public / "description.md").write_text(DESCRIPTION)
    write_csv(private / "test.csv", {"id": [11, 12, 13, 14], "rooms": [1, 2, 3, 4], "price": ANSWERS})
    write_csv(suite / name / "leaderboard.csv", {"score": LEADERBOARD})
    return suite


def answers_folder(
    folder: Path,
    metric: str,
    *,
    target: str | list[str],
    direction: str = "minimize",
    classes: Sequence[str] = (),
) -> Path:
    """Write `grade.json` and `medals.json`; return their folder, which has no answers yet."""
    answers = folder / "answers"
    answers.mkdir()
    grade = {"metric": metric, "direction": direction, "id_column": "id", "target": target, "classes": list(classes)}
    (answers / "grade.json").write_text(json.dumps(grade))
    scores = {"gold": 0.1, "silver": 0.2, "bronze": 0.3, "median": 0.4}
    (answers / "medals.json").write_text(json.dumps({**scores, "direction": direction, "teams": 200}))
    return answers


def rmse(submission: pd.DataFrame, answers: pd.DataFrame) -> float:
    """Grade as a competition of MLE-bench does."""
    return float(((submission["price"] - answers["price"]) ** 2).mean() ** 0.5)
