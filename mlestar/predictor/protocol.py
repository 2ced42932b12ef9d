"""What every predictor can do."""

from typing import Any, Protocol, runtime_checkable

import pandas as pd


@runtime_checkable
class Predictor(Protocol):
    """Predicts new rows as the winner of a run does."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a frame must have, without an id that may be left out."""
        ...

    def predict(self, frame: Any) -> pd.DataFrame:
        """Return labels or values: the rows of the frame in their order, a column for each target.

        Raises:
            UserError: the frame does not suit the task, or the predictor cannot be used.
            OperatorError: scripts cannot be executed here.
        """
        ...

    def predict_proba(self, frame: Any) -> pd.DataFrame:
        """Return probabilities: the rows of the frame in their order, a column for each class.

        Raises:
            UserError: as `predict`, and where the predictions are no probabilities.
            OperatorError: scripts cannot be executed here.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """Return what predicts, and for which task, as values of JSON."""
        ...
