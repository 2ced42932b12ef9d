"""The importance of columns for the winner."""

from collections.abc import Sequence
from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict

from mlestar.metrics.finite import Finite

BEYOND_NOISE = 2.0
"""Standard errors of a loss from which a column is said to matter; as for other differences."""


class ColumnImportance(BaseModel):
    """What permuting one column changes."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    column: str
    loss: Finite = None
    """By how much the score gets worse on the same rows, whatever the metric's direction; None where it has none."""
    loss_se: float = 0.0
    """Of the paired difference."""

    @property
    def matters(self) -> bool:
        """Whether the score gets worse by more than two standard errors."""
        return self.loss is not None and self.loss > BEYOND_NOISE * self.loss_se


class Importance(BaseModel):
    """How much worse the winner predicts withheld rows when one of their columns is permuted."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    solution: str
    columns: tuple[ColumnImportance, ...] = ()
    """The most important first; empty where nothing was measured."""
    reason: str = ""
    """Why nothing was measured; empty where it was."""
    rows_of: Literal["fresh", "holdout"] = "fresh"
    rows: int = 0
    """Withheld rows that were permuted."""
    blind: bool = False
    """The search had none of these rows."""
    score: Finite = None
    """Of these rows as they are."""
    score_se: Finite = None
    seconds: float = 0.0
    """What the execution took."""
    left_out: tuple[str, ...] = ()
    """Columns that were not permuted because there are too many: those that tell least about the target alone."""
    constant: tuple[str, ...] = ()
    """Columns with one value in these rows."""

    @property
    def mattering(self) -> tuple[ColumnImportance, ...]:
        """The columns whose loss exceeds two standard errors, the most important first."""
        return tuple(row for row in self.columns if row.matters)

    def frame(self) -> pd.DataFrame:
        """Return the columns by name with `loss`, `loss_se` and `matters`, the most important first."""
        rows = [
            {"column": row.column, "loss": row.loss, "loss_se": row.loss_se, "matters": row.matters}
            for row in self.columns
        ]
        return pd.DataFrame(rows, columns=["column", "loss", "loss_se", "matters"]).set_index("column")


def most_important_first(columns: Sequence[ColumnImportance]) -> tuple[ColumnImportance, ...]:
    """Return columns by their loss, those without one last."""
    return tuple(sorted(columns, key=lambda row: (row.loss is None, -(row.loss or 0.0))))
