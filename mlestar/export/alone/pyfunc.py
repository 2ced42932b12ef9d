"""The model as MLflow loads it: `mlflow.pyfunc.load_model(FOLDER)`."""

from typing import Any

import pandas as pd

from mlestar.errors import UserError
from mlestar.export.alone.front import load
from mlestar.export.alone.model import Model


class PyfuncModel:
    """What `mlflow.pyfunc` calls."""

    def __init__(self, model: Model) -> None:
        """Keep the model."""
        self.model = model

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Return labels or values; with `params={"method": "predict_proba"}` probabilities.

        Raises:
            UserError: the frame does not suit the model, or there is no such method.
        """
        method = (params or {}).get("method", "predict")
        if method not in ("predict", "predict_proba", "predict_submission"):
            msg = f"method={method!r}: choose predict, predict_proba or predict_submission"
            raise UserError(msg)
        table: pd.DataFrame = getattr(self.model, method)(model_input)
        return table


def _load_pyfunc(path: str, model_config: dict[str, Any] | None = None) -> PyfuncModel:
    """Return the model of a folder; `model_config={"execution": "process"}` executes the predictor in a process."""
    config = model_config or {}
    return PyfuncModel(load(path, execution=config.get("execution", "docker")))
