"""A few withheld rows with their prediction and their truth: right and wrong ones, drawn at random."""

from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlestar.evaluation.answers import Answers, read_submission
from mlestar.evaluation.outcome import NotShownError
from mlestar.evaluation.predictions import SubmissionError
from mlestar.metrics import canonical

EACH = 4
"""Rows of each group. Chosen by judgement."""
CHARACTERS = 200
"""Characters of a true or predicted text. Chosen by judgement."""

Group = Literal["right", "wrong", "close", "far", "drawn"]
"""`close` and `far`: among the half of the rows whose values are predicted best, and the fifth that is predicted
worst. `drawn`: among all rows, where nothing says what is right."""


class Example(BaseModel):
    """A withheld row."""

    model_config = ConfigDict(frozen=True)

    row: int
    """Its position among the withheld rows."""
    group: Group
    true: str
    predicted: str


class Examples(BaseModel):
    """Withheld rows that were chosen."""

    model_config = ConfigDict(frozen=True)

    examples: tuple[Example, ...] = ()


def choose_examples(answers: Answers, submission: Path) -> Examples:
    """Return rows of a submission, the same each time.

    Raises:
        NotShownError: a prediction is more than one cell of one target.
    """
    form, spec = answers.form, answers.form.spec
    if form.lines is not None or form.metric.several_labels or len(spec.target) > 1:
        msg = "a prediction is more than one cell"
        raise NotShownError(msg)
    try:
        predicted = read_submission(form, submission)
    except SubmissionError as error:
        raise NotShownError(str(error)) from None
    truth = answers.truth.reshape(len(answers.truth), -1)[:, 0]
    if spec.prediction_kind == "value":
        values = predicted.reshape(len(predicted), -1)[:, 0].astype(float)
        errors = np.abs(values - truth.astype(float))
        groups: dict[Group, np.ndarray] = {"close": errors <= np.nanmedian(errors)}
        groups["far"] = (errors >= np.nanquantile(errors, 0.8)) & ~groups["close"]
        texts = [f"{value:.4g}" for value in truth.astype(float)], [f"{value:.4g}" for value in values]
        return _draw(groups, *texts)
    labels = [canonical(str(cell)) for cell in truth] if spec.prediction_kind != "text" else list(map(str, truth))
    if spec.prediction_kind == "probability":
        shown, right = _read_probabilities(answers, labels, predicted.astype(float))
    else:
        first = predicted.reshape(len(predicted), -1)[:, 0]
        shown = [canonical(str(cell)) if spec.prediction_kind == "label" else str(cell) for cell in first]
        right = np.array([one == other for one, other in zip(labels, shown, strict=True)])
    if spec.prediction_kind == "text" and not right.any():
        return _draw({"drawn": np.ones(len(right), dtype=bool)}, labels, shown)
    return _draw({"right": right, "wrong": ~right}, labels, shown)


def _read_probabilities(answers: Answers, labels: list[str], predicted: np.ndarray) -> tuple[list[str], np.ndarray]:
    """Return the most probable class of each row with its probability, and whether it is the true one."""
    spec = answers.form.spec
    if predicted.ndim == 2 and predicted.shape[1] == len(spec.classes):
        classes = [canonical(label) for label in spec.classes]
        best = predicted.argmax(axis=1)
        shares = predicted[np.arange(len(best)), best] / np.maximum(predicted.sum(axis=1), 1e-300)
        shown = [f"{classes[place]} ({share:.2f})" for place, share in zip(best, shares, strict=True)]
        return shown, np.array([classes[place] for place in best]) == np.array(labels)
    shares = predicted.reshape(len(predicted), -1)[:, 0]
    positive = canonical(spec.pos_label) if spec.pos_label is not None else "1"
    came_true = np.array(labels) == positive
    return [f"{share:.2f} for {positive}" for share in shares], (shares >= 0.5) == came_true


def _draw(groups: dict[Group, np.ndarray], truth: list[str], predicted: list[str]) -> Examples:
    generator = np.random.default_rng(0)
    chosen = [
        (int(row), group)
        for group, mask in groups.items()
        for row in np.sort(generator.permutation(np.flatnonzero(mask))[:EACH])
    ]
    rows = [
        Example(row=row, group=group, true=truth[row][:CHARACTERS], predicted=predicted[row][:CHARACTERS])
        for row, group in chosen
    ]
    return Examples(examples=tuple(rows))
