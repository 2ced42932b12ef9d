"""Numbers in the cells of a submission."""

import numpy as np
import pandas as pd

from mlestar.metrics.spec import TaskSpec


def plain_numbers(spec: TaskSpec, cells: pd.Series) -> np.ndarray:
    """Return floats, NaN for other cells; decimal commas are read where the sample submission has them."""
    texts = cells.str.strip()
    if spec.submission_decimal == ",":
        texts = texts.str.replace(",", ".", regex=False)
    return pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float)
