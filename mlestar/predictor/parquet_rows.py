"""Rows of text cells as a Parquet file, with the types of another file.

This module is part of every exported folder (`mlestar/export/sources.py`).
"""

import base64
import io
import json
from typing import Any

import pandas as pd

from mlestar.errors import UserError, first_line
from mlestar.predictor.cells import ROLE


def parquet_bytes(cells: pd.DataFrame, schema: Any) -> bytes:
    """Return a Parquet file with the columns and types of a schema.

    Raises:
        UserError: a column has cells that cannot be converted to its type.
    """
    import pyarrow.parquet

    arrays = [_as_type(cells[field.name], field.type) for field in schema]
    buffer = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, schema=schema), buffer)
    return buffer.getvalue()


def schema_text(schema: Any) -> str:
    """Return a schema as text."""
    return base64.b64encode(schema.serialize().to_pybytes()).decode()


def read_schema(text: str) -> Any:
    """Return the schema of a text."""
    import pyarrow.ipc

    return pyarrow.ipc.read_schema(pyarrow.py_buffer(base64.b64decode(text)))


def _as_type(cells: pd.Series, kind: Any) -> Any:
    import pyarrow.types

    values = [cell or None for cell in cells]
    texts = pyarrow.array(values, pyarrow.string())
    try:
        if pyarrow.types.is_dictionary(kind):
            return texts.cast(kind.value_type).dictionary_encode().cast(kind)
        if pyarrow.types.is_nested(kind):
            return pyarrow.array([value and json.loads(value) for value in values], kind)
        if pyarrow.types.is_duration(kind):
            return pyarrow.array(pd.to_timedelta(pd.Series(values, dtype=object)), kind)
        if pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
            msg = "bytes are not supported"
            raise ValueError(msg)
        return texts.cast(kind)
    except (ValueError, TypeError, pyarrow.ArrowException) as error:
        msg = f"{ROLE}: column {str(cells.name)!r} cannot be written as {kind}: {first_line(str(error))}"
        raise UserError(msg) from error
