"""Reading answers and submissions, and matching their rows."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.layouts.pixels import read_pixels
from mlestar.errors import TaskError, first_line
from mlestar.evaluation.predictions import SubmissionError, show
from mlestar.evaluation.submission import describe_excess
from mlestar.files import open_regular
from mlestar.metrics import canonical_labels


def read_submission(path: Path, most: int, rows: int) -> pd.DataFrame:
    """Return the cells of a submission as text; its name must end in `.csv`, as MLE-bench requires.

    Args:
        path: of the file.
        most: bytes that it may have.
        rows: that it should have.

    Raises:
        SubmissionError: there is no such file, it is too large, or it cannot be read.
    """
    if not is_submission(path):
        msg = f"there is no CSV file {path.name}"
        raise SubmissionError(msg)
    if (size := path.stat().st_size) > most:
        raise SubmissionError(describe_excess(size, most, rows))
    try:
        return read_cells(path)
    except (OSError, ValueError) as error:
        msg = f"the submission cannot be read as CSV: {first_line(str(error))}"
        raise SubmissionError(msg) from error


def is_submission(path: Path) -> bool:
    """Return whether a file counts as a submission, valid or not."""
    return path.suffix.lower() == ".csv" and path.is_file()


def read_cells(path: Path, rows: int | None = None) -> pd.DataFrame:
    """Return the cells of a CSV file as text.

    Args:
        path: of the file.
        rows: how many; all by default.

    Raises:
        OSError: it cannot be opened.
        ValueError: it cannot be read.
    """
    with open_regular(path) as file:
        return pd.read_csv(file, dtype=str, na_filter=False, nrows=rows)


def read_pictures(folder: Path, id_column: str, target: str) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the pixels of all pictures of a folder, from 0 (black) to 1, and the number of the picture of each.

    The id of a pixel is `NAME_ROW_COLUMN`, both counted from 1.

    Raises:
        TaskError: there is none, one cannot be read, or Pillow is not installed.
    """
    paths = sorted(folder.glob("*.png"))
    if not paths:
        msg = f"{folder} has no pictures"
        raise TaskError(msg)
    pictures = [read_pixels(path) for path in paths]
    frames = [
        pd.DataFrame({id_column: list(_pixel_ids(path.stem, *picture.shape)), target: picture.ravel()})
        for path, picture in zip(paths, pictures, strict=True)
    ]
    numbers = np.repeat(np.arange(len(paths)), [picture.size for picture in pictures])
    return pd.concat(frames, ignore_index=True), numbers


def _pixel_ids(name: str, height: int, width: int) -> Iterator[str]:
    return (f"{name}_{row}_{column}" for row in range(1, height + 1) for column in range(1, width + 1))


def match_rows(submission: pd.DataFrame, ids: pd.Series, column: str) -> pd.DataFrame:
    """Return the rows of a submission in the order of the ids.

    Ids are compared as they are written, then by `canonical`, then as numbers.

    Raises:
        SubmissionError: they are not the same ids.
    """
    if column not in submission.columns:
        msg = f"the submission has no column {show(column)}"
        raise SubmissionError(msg)
    if len(submission) != len(ids):
        msg = f"the submission has {len(submission)} rows instead of {len(ids)}"
        raise SubmissionError(msg)
    given, expected = submission[column], ids
    for spelling in (_written, canonical_labels, _numbers):
        order = _order(spelling(given), spelling(expected))
        if order is not None:
            return submission.iloc[order]
    unknown = sorted(set(canonical_labels(given)) - set(canonical_labels(expected)))
    what = f"{len(unknown)} unknown, such as {show(str(unknown[0]))}" if unknown else "some are there twice"
    msg = f"the values of {show(column)} are not those of the test rows: {what}"
    raise SubmissionError(msg)


Spelling = Callable[[pd.Series], np.ndarray]


def _written(cells: pd.Series) -> np.ndarray:
    return cells.to_numpy(dtype=object)


def _numbers(cells: pd.Series) -> np.ndarray:
    return pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)


def _order(given: np.ndarray, expected: np.ndarray) -> np.ndarray | None:
    """Return the row of `given` for each row of `expected`; None where they are not the same values."""
    if (given == expected).all():
        return np.arange(len(given))
    given_order, expected_order = np.argsort(given, kind="stable"), np.argsort(expected, kind="stable")
    if (given[given_order] != expected[expected_order]).any():
        return None
    order = np.empty(len(given), dtype=np.intp)
    order[expected_order] = given_order
    return order


def require_columns(frame: pd.DataFrame, columns: Sequence[str]) -> None:
    """Check that a submission has columns.

    Raises:
        SubmissionError: one is missing.
    """
    missing = [column for column in columns if column not in frame.columns]
    if missing:
        msg = f"the submission has no column {show(missing[0])} ({len(missing)} missing)"
        raise SubmissionError(msg)


def as_numbers(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return columns as floats, (n, columns).

    Raises:
        SubmissionError: a cell is no finite number.
    """
    values = np.column_stack([_floats(frame[column]) for column in columns])
    wrong = ~np.isfinite(values)
    if wrong.any():
        row, place = map(int, np.argwhere(wrong)[0])
        cell = show(str(frame[columns[place]].iloc[row]))
        msg = f"column {show(columns[place])}: {cell} is no finite number ({int(wrong.sum())} such cells)"
        raise SubmissionError(msg)
    return values


def _floats(cells: pd.Series) -> np.ndarray:
    """Return cells as floats, NaN for what is none."""
    texts = not pd.api.types.is_numeric_dtype(cells)
    if (
        texts and cells.str.contains("_", regex=False).any()
    ):  # Python takes 1_000 for a number, readers of tables do not
        return pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)
    try:
        # Reads the nearest float of every number, which `to_numeric` does not.
        return cells.to_numpy(dtype=object).astype(float)
    except ValueError:
        return pd.to_numeric(cells, errors="coerce").to_numpy(dtype=float)


def as_labels(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return columns as canonical text, (n, columns).

    Raises:
        SubmissionError: a cell is empty.
    """
    labels = np.column_stack([canonical_labels(frame[column]) for column in columns])
    empty = labels == ""
    if empty.any():
        place = int(np.argwhere(empty)[0][1])
        msg = f"column {show(columns[place])} has empty cells ({int(empty.sum())} in all)"
        raise SubmissionError(msg)
    return labels


def as_texts(frame: pd.DataFrame, columns: Sequence[str]) -> np.ndarray:
    """Return columns as they are, (n, columns)."""
    return np.column_stack([frame[column].to_numpy(dtype=object) for column in columns])
