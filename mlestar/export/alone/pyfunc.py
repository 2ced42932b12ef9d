"""The model as MLflow loads it: `mlflow.pyfunc.load_model(FOLDER)`."""

from typing import Any

import pandas as pd

from mlestar.errors import UserError
from mlestar.export.alone.front import load
from mlestar.export.alone.model import Model

METHODS = ("predict", "predict_proba", "predict_interval", "predict_set", "predict_submission")
COVERAGE = 0.9
"""Of intervals and sets for which none is asked."""


class PyfuncModel:
    """What `mlflow.pyfunc` calls."""

    def __init__(self, model: Model) -> None:
        """Keep the model."""
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return labels or values; with `params={"method": "predict_proba"}` probabilities.

        `{"method": "predict_interval", "coverage": 0.9}` adds intervals, and `predict_set` sets of classes.

        Raises:
            UserError: the frame does not suit the model, or there is no such method.
        """
        given = params or {}
        method = given.get("method", "predict")
        if method not in METHODS:
            msg = f"method={method!r}: choose one of {', '.join(METHODS)}"
            raise UserError(msg)
        further = (given.get("coverage", COVERAGE),) if method in ("predict_interval", "predict_set") else ()
        table: pd.DataFrame = getattr(self.model, method)(model_input, *further)
        return table


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PyfuncModel:
    """Return the model of a folder; `model_config={"execution": "process"}` executes the predictor in a process."""
    config = model_config or {}
    return PyfuncModel(load(path, execution=config.get("execution", "docker")))
