"""The dialect of a submission: its delimiter and its decimal mark, as the sample submission has them."""

from dataclasses import dataclass

import pandas as pd

from mlestar.data.layouts import TaskFile
from mlestar.data.statistics import MISSING
from mlestar.data.tables.delimited import DELIMITERS
from mlestar.data.tables.numbers import file_decimal, find_style
from mlestar.data.task.inference.prediction import PredictionForm


@dataclass(frozen=True)
class Dialect:
    """How the cells of a submission are separated, and how its numbers are written."""

    delimiter: str = ","
    decimal: str = "."


def find_dialect(sample: TaskFile | None, form: PredictionForm, train: pd.DataFrame | None) -> Dialect:
    """Return the dialect of the sample submission; where its numbers have no decimals, those of train decide."""
    if sample is None or sample.frame is None or sample.delimiter not in DELIMITERS:
        return Dialect()
    if form.kind not in ("value", "probability"):
        return Dialect(sample.delimiter)
    cells = sample.frame[[column for column in form.columns if column in sample.columns]]
    mark = file_decimal(cells, MISSING) or _integers_of(cells, sample.delimiter, train)
    return Dialect(sample.delimiter, mark)


def _integers_of(cells: pd.DataFrame, delimiter: str, train: pd.DataFrame | None) -> str:
    """Return the decimal mark that a sample with none in sight has; a comma only where it is free for it."""
    styles = [find_style(cells[name].unique(), delimiter=delimiter) for name in cells]
    if any(style is not None and style.decimal == "," for style in styles):
        return ","
    if delimiter == ";" and train is not None and file_decimal(train, MISSING) == ",":
        return ","
    return "."
