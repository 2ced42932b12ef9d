"""The cross-fitted predictions of a blend: for each half of the withheld rows with the weights of the other half."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.evaluation.blending.combine import blend_tables
from mlestar.evaluation.blending.scales import NotBlendedError
from mlestar.evaluation.blending.weights import Mixture, first_half
from mlestar.evaluation.predictions import SubmissionError
from mlestar.evaluation.submission import SubmissionForm, read_cells


def cross_fitted(
    form: SubmissionForm, units: np.ndarray, submissions: Sequence[Path], halves: tuple[Mixture, Mixture]
) -> str:
    """Return the text of a submission whose rows of one half come from the weights of the other half.

    Args:
        form: of the submissions.
        units: the resampling unit of each row.
        submissions: the candidates, in the order of the weights.
        halves: the weights from each half of the rows.

    Raises:
        NotBlendedError: a submission cannot be read.
    """
    try:
        tables = [read_cells(form, path).reset_index(drop=True) for path in submissions]
    except SubmissionError as error:
        raise NotBlendedError(str(error)) from None
    from_first, from_second = (blend_with(form, tables, mixture) for mixture in halves)
    second = ~first_half(units)
    columns = list(form.spec.prediction_columns)
    blended = from_second[list(form.required)].copy()
    blended.loc[second, columns] = from_first.loc[second, columns]
    text: str = blended.to_csv(index=False, sep=form.spec.submission_delimiter)
    return text


def blend_with(form: SubmissionForm, tables: Sequence[pd.DataFrame], mixture: Mixture) -> pd.DataFrame:
    """Return the blend of submissions that have the expected rows in order, cells as text."""
    used = [(table, weight) for table, weight in zip(tables, mixture.weights, strict=True) if weight > 0]
    return blend_tables(
        [table for table, _ in used],
        [weight for _, weight in used],
        columns=form.spec.prediction_columns,
        scale=mixture.scale,
        decimal=form.spec.submission_decimal,
    )
