"""`MLmodel`, the file by which MLflow loads a folder as a model."""

import json
from typing import Any

from mlestar.export.alone.pyfunc import COVERAGE
from mlestar.export.sources import PACKAGE
from mlestar.metrics.spec import TaskSpec
from mlestar.predictor.cells import RowColumn
from mlestar.predictor.frames import RowSpec

_TYPES = {"text": "string"}
"""MLflow refuses whole numbers in a column of type `double`, and missing ones in one of type `long`. Both suit here, so
that all other columns have the type `any`: the exported package checks their values."""


def mlmodel(spec: TaskSpec, rows: RowSpec, python: str) -> str:
    """Return the file; JSON is YAML."""
    flavour = {
        "loader_module": f"{PACKAGE}.pyfunc",
        "code": ".",
        "data": ".",
        "config": {"execution": "docker"},
        "env": {"virtualenv": "python_env.yaml"},
        "python_version": python,
    }
    return json.dumps({"flavors": {"python_function": flavour}, "signature": _signature(spec, rows)}, indent=2) + "\n"


def _signature(spec: TaskSpec, rows: RowSpec) -> dict[str, str]:
    inputs = [_column(column, required=True) for column in rows.columns]
    if rows.id is not None:
        inputs.insert(0, _column(rows.id, required=not rows.free_id))
    kind = "double" if spec.prediction_kind == "value" else "any"
    outputs = [{"type": kind, "name": name, "required": True} for name in spec.target]
    params = [
        {"name": "method", "type": "string", "default": "predict", "shape": None},
        {"name": "coverage", "type": "double", "default": COVERAGE, "shape": None},
    ]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": json.dumps(params)}


def _column(column: RowColumn, *, required: bool) -> dict[str, Any]:
    return {"type": _TYPES.get(column.kind, "any"), "name": column.name, "required": required}
