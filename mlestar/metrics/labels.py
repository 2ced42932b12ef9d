"""One spelling for labels that are equal."""

import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def canonical(text: str) -> str:
    """Return one spelling for equal labels: 3.0 is 3, TRUE is True, surrounding blanks are removed."""
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.capitalize()
    if _NUMBER.fullmatch(text) and math.isfinite(value := float(text)) and value == int(value):
        return str(int(value))
    return text


def canonical_labels(texts: Sequence[str] | np.ndarray | pd.Series) -> np.ndarray:
    """Return `canonical` of each text as an object array."""
    codes, unique = pd.factorize(np.asarray(texts, dtype=object))
    return np.array([canonical(str(text)) for text in unique], dtype=object)[codes]
