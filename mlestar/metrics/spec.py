"""The spec of a task: what is predicted, from which files, and how it is scored."""

from collections.abc import Collection
from typing import Literal

from pydantic import BaseModel, ConfigDict

Direction = Literal["maximize", "minimize"]
Problem = Literal["binary", "multiclass", "regression", "ordinal", "multilabel", "sequence"]
Modality = Literal["table", "text", "image", "audio", "time series", "sequence", "unknown"]
PredictionKind = Literal["label", "probability", "value", "text"]


def sign(direction: Direction) -> Literal[1, -1]:
    """Return 1 where a higher score is better, else -1: scores times this sign compare as "higher is better"."""
    return 1 if direction == "maximize" else -1


def better(direction: Direction, left: float | None, right: float | None) -> bool:
    """Return whether a score is an improvement; ties are not, and any score is one over none."""
    if left is None or right is None:
        return left is not None
    return sign(direction) * (left - right) > 0


NOT_BLIND = "not blind: the search had these rows and labels"
"""The mark of a fresh score wherever it is shown, unless its rows were kept apart from the search."""


class TaskSpec(BaseModel):
    """What is predicted, from which files, and how it is scored. File names are relative to the input folder."""

    model_config = ConfigDict(frozen=True)

    name: str
    problem: Problem
    modality: Modality = "table"
    metric: str
    """Name in the table of metrics (`mlestar.metrics.METRICS`), or `file.py:function`."""
    direction: Direction
    target: tuple[str, ...]
    """Target columns in the train file; more than one for multi-output tasks."""
    id: str | None = None
    """Column that names a row in train, test and submission; None when the submission follows test order."""
    layout: str = "tables"
    """How the rows are kept in files (`mlestar.data.layouts`)."""
    layout_note: str = ""
    """What is where, in a sentence, where train and test are not plain tables."""
    has_test: bool = True
    """False where there are only labelled rows, so that nothing has to be submitted."""
    train: str
    test: str
    sample_submission: str | None = None
    prediction_columns: tuple[str, ...]
    """Columns of `submission.csv` that hold predictions, in order; one per class for `log_loss`-like metrics."""
    prediction_kind: PredictionKind
    classes: tuple[str, ...] = ()
    """Class labels as text, spelled as in the train file, aligned with one-per-class `prediction_columns`."""
    pos_label: str | None = None
    """Positive class of a binary task, as text."""
    auxiliary: tuple[str, ...] = ()
    """Other files of the input folder: tables to join, word lists, image folders."""
    train_only: tuple[str, ...] = ()
    """Columns of train, besides the target, that the test file does not have."""
    missing_targets: tuple[str, ...] = ()
    """Values of the target that stand for a missing one, where it is a number: rows with one of them in any target
    column have no label."""
    split: str | None = None
    """Overrides the inferred split: `time:COL`, `series:GROUP:TIME`, `group:COL`, `space:X+Y`, `stratified`, `random`.
    `+` joins columns that count together."""
    target_formats: tuple[str, ...] = ()
    """How the number 1234.5 is written in each target column, such as `1.234,5` or `$1,234.5`, empty for a plain one;
    none where all are plain."""
    submission_delimiter: str = ","
    """What separates the cells of `submission.csv`, as in the sample submission."""
    submission_decimal: str = "."
    """The decimal mark in `submission.csv`."""
    train_rows: int = 0
    test_rows: int = 0

    @property
    def number_formats(self) -> dict[str, str]:
        """Return the number format of each target column that is not written plainly."""
        return {name: text for name, text in zip(self.target, self.target_formats, strict=False) if text}

    def split_columns(self, columns: Collection[str]) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """Return the kind that `split` sets, the columns that name series, and those of the time, group or place.

        Args:
            columns: the columns of train, by which names that have a `:` or `+` in them are recognized.
        """
        kind, _, text = (self.split or "").partition(":")
        if kind != "series":
            return kind, (), _split_names(text, columns)
        parts = text.split(":")
        ways = [(":".join(parts[:place]), ":".join(parts[place:])) for place in range(1, len(parts))]
        named = [(_split_names(group, columns), _split_names(time, columns)) for group, time in ways]
        known = [pair for pair in named if set(pair[0] + pair[1]) <= set(columns)]
        series, time = next(iter(known or named), (_split_names(text, columns), ()))
        return kind, series, time


def _split_names(text: str, columns: Collection[str]) -> tuple[str, ...]:
    """Return the columns that a text names."""
    if not text:
        return ()
    return (text,) if text in columns else tuple(name.strip() for name in text.split("+"))
