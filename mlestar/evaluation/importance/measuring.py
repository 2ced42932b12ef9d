"""The loss of score when a column of withheld rows is permuted, on the same resamples as the score itself.

This is permutation importance (Breiman, 2001, "Random Forests", section 10; Fisher, Rudin and Dominici, 2019, "All
Models are Wrong, but Many are Useful") with rows that the model has not been fitted to.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlestar.evaluation.answers import Answers, read_submission, resampled_error, resamples
from mlestar.evaluation.predictions import SubmissionError
from mlestar.evaluation.submission import SubmissionForm
from mlestar.metrics.finite import Finite
from mlestar.metrics.spec import sign


class NotMeasuredError(Exception):
    """The importance of columns cannot be measured; the message says why."""


@dataclass(frozen=True)
class PermutedAnswers(Answers):
    """What a submission for withheld rows and permuted copies of them is measured against.

    The fields of `Answers` are those of the holdout that the rows are from.
    """

    tiled: SubmissionForm
    """Of the submission: the chosen rows unchanged, then once for each permuted column."""
    chosen: np.ndarray
    """Positions of the chosen rows among the withheld ones."""
    columns: int
    """Permuted columns."""


class Loss(BaseModel):
    """By how much one set of predictions is worse than another one for the same rows."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    difference: Finite = None
    """Positive where it is worse, whatever the metric's direction; None where the metric is undefined on it."""
    standard_error: float = 0.0
    """Of the paired difference."""


class Losses(BaseModel):
    """What a submission for permuted copies of rows shows."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    score: float
    """Of the chosen rows as they are."""
    standard_error: Finite
    moved: Loss
    """Of the chosen rows as they are, against what the script predicted for them without the copies beside them."""
    columns: tuple[Loss, ...]
    """In the order of the permuted columns."""


def measure_losses(answers: PermutedAnswers, submission: Path, earlier: Path) -> Losses:
    """Return what a submission for permuted copies shows.

    Args:
        answers: of the holdout and the copies.
        submission: predictions for the chosen rows and their copies.
        earlier: predictions of the same script for all withheld rows, without copies beside them.

    Raises:
        NotMeasuredError: a submission is not valid, or has no score.
    """
    try:
        predicted = read_submission(answers.tiled, submission)
        before = read_submission(answers.form, earlier)[answers.chosen]
    except SubmissionError as error:
        raise NotMeasuredError(str(error)) from None
    count = len(answers.chosen)
    plain, *permuted = [predicted[first : first + count] for first in range(0, len(predicted), count)]
    drawn = list(resamples(answers.units[answers.chosen], answers.resamples))
    score, resampled = _scores(answers, plain, drawn)
    if not np.isfinite(score):
        msg = "the metric is undefined on the chosen rows"
        raise NotMeasuredError(msg)
    factor = sign(answers.form.metric.direction)

    def loss(other: np.ndarray, reference: tuple[float, np.ndarray]) -> Loss:
        value, values = _scores(answers, other, drawn)
        difference = factor * (reference[0] - value)
        if not np.isfinite(difference):
            return Loss()
        return Loss(difference=difference, standard_error=resampled_error(reference[1] - values) or 0.0)

    return Losses(
        score=score,
        standard_error=resampled_error(resampled),
        moved=loss(plain, _scores(answers, before, drawn)),
        columns=tuple(loss(block, (score, resampled)) for block in permuted),
    )


def _scores(answers: PermutedAnswers, predicted: np.ndarray, drawn: list[np.ndarray]) -> tuple[float, np.ndarray]:
    """Return the score of predictions for the chosen rows, and those on resamples of them."""
    chosen = answers.chosen
    resampled = [answers.score_rows(predicted[rows], chosen[rows]) for rows in drawn]
    return float(answers.score_rows(predicted, chosen)), np.array(resampled)
