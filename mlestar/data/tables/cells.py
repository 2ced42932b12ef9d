"""Text cells in Arrow columns, and the data frames made of them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow

TEXT = pyarrow.large_string()


def text_frame(names: Sequence[str], columns: list[pyarrow.ChunkedArray], rows: int) -> pd.DataFrame:
    """Return a frame of text columns; the list is emptied on the way, so that one column is copied at a time."""
    dtype: Any = pd.StringDtype("pyarrow", na_value=np.nan)
    columns.reverse()
    arrays = {name: dtype.__from_arrow__(_whole(columns.pop())) for name in names}
    return pd.DataFrame(arrays, index=pd.RangeIndex(rows), columns=pd.Index(names, dtype=str))


def _whole(column: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    """Return a column in one piece, since rows are looked up slowly in many."""
    return column if column.num_chunks == 1 else pyarrow.chunked_array([column.combine_chunks()], type=TEXT)
