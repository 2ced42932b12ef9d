"""The model of an exported folder: it checks frames; the predictor executes in a container or another process."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, ValidationError

from mlestar.errors import OperatorError, UserError
from mlestar.evaluation.uncertainty.record import Uncertainty, UncertaintyKind
from mlestar.export.alone.front import Execution
from mlestar.export.alone.places import in_container, in_process
from mlestar.export.alone.process import PredictorProcess
from mlestar.export.alone.sums import check_folder
from mlestar.metrics.labels import canonical
from mlestar.metrics.spec import TaskSpec
from mlestar.metrics.submitted import plain_numbers
from mlestar.predictor.coverage import check_coverage, with_coverage
from mlestar.predictor.frames import RowSpec, check_frame
from mlestar.predictor.predictions import Predictions
from mlestar.predictor.row_files import RowFiles
from mlestar.predictor.sums import ChangedError

DESCRIPTION = "model.json"
FORMAT = 1
PLACES = {"docker": in_container, "process": in_process}


class Description(BaseModel):
    """`model.json`: the targets, the columns that rows must have, and the files of new rows."""

    model_config = ConfigDict(frozen=True)

    format: int = FORMAT
    made_with: str = ""
    spec: TaskSpec
    rows: RowSpec
    files: RowFiles
    labels: tuple[str, ...] = ()
    """The distinct labels of train; empty for values."""
    uncertainty: Uncertainty | None = None
    """From which intervals or sets of classes follow; None in folders of older versions."""
    ranks: bool = False
    """Whether the predictions are ranks among the rows of a call."""


class Model:
    """Predicts the rows of frames."""

    def __init__(self, description: Description, process: PredictorProcess) -> None:
        """Store the predictor; use `load` to make a model."""
        self.description = description
        self._process = process

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that a frame must have, without an id that may be left out."""
        return self.description.rows.names

    @property
    def has_probabilities(self) -> bool:
        """Whether `predict_proba` can be used."""
        return self.description.spec.prediction_kind == "probability" and not self.description.ranks

    def predict(self, frame: Any) -> pd.DataFrame:
        """Return labels or values: the rows of the frame in their order, a column for each target.

        Raises:
            UserError: the frame does not suit the model; the message names the column.
            OperatorError: the predictor fails.
        """
        self._refuse_ranks()
        return self.predictions(frame).labels_or_values()

    def predict_proba(self, frame: Any) -> pd.DataFrame:
        """Return probabilities: the rows of the frame in their order, a column for each class.

        Raises:
            UserError: as `predict`, and where the model predicts no probabilities.
            OperatorError: the predictor fails.
        """
        Predictions.check_probabilities(self.description.spec)
        self._refuse_ranks()
        return self.predictions(frame).probabilities()

    def predict_interval(self, frame: Any, coverage: float = 0.8) -> pd.DataFrame:
        """Return values with the columns `lower` and `upper`, between which this share of rows is to be.

        With several targets the names are those of the target with `_lower` and `_upper`.

        Raises:
            UserError: as `predict`, and where the model has no intervals of this coverage.
            OperatorError: the predictor fails.
        """
        known = self.uncertainty(coverage, "interval")
        return with_coverage(self.predictions(frame), known, coverage)

    def predict_set(self, frame: Any, coverage: float = 0.95) -> pd.DataFrame:
        """Return labels with the column `set`: a tuple of the classes of which one is true for this share of rows.

        With several targets the names are those of the target with `_set`.

        Raises:
            UserError: as `predict`, and where the model has no sets of this coverage.
            OperatorError: the predictor fails.
        """
        known = self.uncertainty(coverage, "set")
        return with_coverage(self.predictions(frame), known, coverage)

    def uncertainty(self, coverage: float, kind: UncertaintyKind | None = None) -> Uncertainty:
        """Return how sure predictions are at a coverage.

        Raises:
            UserError: there are no intervals or sets of this coverage.
        """
        return check_coverage(self.description.uncertainty, coverage, "the model", kind)

    def predict_submission(self, frame: Any) -> pd.DataFrame:
        """Return what the predictor writes, as text: the id if the frame has it, and predictions."""
        return self.predictions(frame).submission

    def predictions(self, frame: Any) -> Predictions:
        """Return the predictions for a frame, from which labels and probabilities can both be read."""
        known = self.description
        cells = check_frame(known.rows, frame)
        rows = known.files.complete(known.rows, cells)
        text = self._process.predict(known.files.write(rows))
        ids = rows[known.spec.id] if known.spec.id in rows.columns else None
        table = _in_order(known.spec, Predictions.table(known.spec, text), ids, len(rows))
        return Predictions.of_table(known.spec, known.labels, table, cells, frame)

    def start(self) -> None:
        """Start the predictor, so that the first prediction is as fast as later ones."""
        self._process.start()

    def close(self) -> None:
        """End the process or container of the predictor."""
        self._process.close()

    def _refuse_ranks(self) -> None:
        if self.description.ranks:
            msg = "the model predicts ranks of rows among each other, which are no labels: use predict_submission"
            raise UserError(msg)


def open_model(folder: Path, execution: Execution = "docker", seconds: float = 600.0, *, log: bool = False) -> Model:
    """Return the model of an exported folder; see `load`. What the predictor prints appears only if it is logged."""
    folder = folder.resolve()
    if execution not in PLACES:
        msg = f"execution={execution!r}: choose one of {', '.join(PLACES)}"
        raise UserError(msg)
    description = read_description(folder)
    return Model(description, PLACES[execution](folder, seconds, log=log))


def read_description(folder: Path) -> Description:
    """Return the description of an exported folder whose files are those that were exported.

    Raises:
        UserError: a file is gone or was changed, or the folder was made by a later version.
    """
    try:
        check_folder(folder)
        values = json.loads((folder / DESCRIPTION).read_text(encoding="utf-8"))
        if values["format"] != FORMAT:
            msg = f"{folder} has format {values['format']}, and this code reads {FORMAT}"
            raise UserError(msg)
        return Description.model_validate(values)
    except ChangedError as error:
        msg = f"{error}: export the model again"
        raise UserError(msg) from error
    except (OSError, KeyError, TypeError, ValidationError) as error:
        msg = f"{folder / DESCRIPTION} cannot be read: export the model again"
        raise UserError(msg) from error


def _in_order(spec: TaskSpec, table: pd.DataFrame, ids: "pd.Series[str] | None", rows: int) -> pd.DataFrame:
    """Return what the predictor wrote in the order of the rows.

    Raises:
        OperatorError: a column, a row or a number is missing.
    """
    lacking = [name for name in spec.prediction_columns if name not in table.columns]
    if lacking or len(table) != rows:
        what = f"no column {lacking[0]!r}" if lacking else f"{len(table)} rows for {rows}"
        msg = f"the predictor wrote {what}"
        raise OperatorError(msg)
    if ids is not None and spec.id in table.columns:
        places = _places(table[spec.id], ids)
        table = table.iloc[places].reset_index(drop=True)
    if spec.prediction_kind in ("value", "probability"):
        for name in spec.prediction_columns:
            wrong = ~np.isfinite(plain_numbers(spec, table[name]))
            if wrong.any():
                msg = f"the predictor wrote no finite number in column {name!r}, row {int(wrong.argmax()) + 1}"
                raise OperatorError(msg)
    return table


def _places(written: "pd.Series[str]", ids: "pd.Series[str]") -> np.ndarray:
    """Return the position of each id among the written ones."""
    places = pd.Index(written.map(canonical)).get_indexer_for(pd.Index(ids.map(canonical)))
    if len(places) != len(ids) or (places < 0).any():
        places = pd.Index(written.str.strip()).get_indexer_for(pd.Index(ids.str.strip()))
    if len(places) != len(ids) or (places < 0).any():
        msg = "the ids that the predictor wrote are not those of the rows"
        raise OperatorError(msg)
    return np.asarray(places)
