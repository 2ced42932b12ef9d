"""Reading a submission as hostile input: its form, its ids and its predictions, each fault one message."""

import csv
import io
import os
import stat
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.task import TaskSpec
from mlestar.evaluation.predictions import Rejected, check_sample, parse_column, show
from mlestar.metrics import Metric, canonical_labels

MAX_BYTES = 512 * 2**20
_MAX_HEADER = 2**20


@dataclass(frozen=True)
class Form:
    """What a submission must look like."""

    spec: TaskSpec
    metric: Metric
    rows: int
    ids: pd.Series | None
    """Expected ids as text, in order, each once, also in the sample; None when rows go by order."""
    sample: pd.DataFrame | None
    """The sample submission that was shown with these rows."""
    delimiter: str
    labels: frozenset[str]
    """Canonical labels that may be predicted; empty when they are not known."""
    longest: int
    """Characters a prediction may have; scoring time grows with them."""

    @property
    def required(self) -> tuple[str, ...]:
        named = (self.spec.id,) if self.ids is not None and self.spec.id is not None else ()
        return (*named, *self.spec.prediction_columns)

    @property
    def allowed(self) -> tuple[str, ...]:
        return self.required if self.sample is None else (*self.required, *self.sample.columns)


def read_predictions(form: Form, path: Path) -> np.ndarray:
    """Return the predictions in the order of the expected rows, (n,) or (n, columns): floats, or canonical or raw text.

    Raises:
        Rejected: the submission is not valid; the message says where and what to do.
    """
    frame, sample = _parse(_read(path), form), form.sample
    if form.ids is not None and form.spec.id is not None:
        frame = frame.iloc[_places(form.ids, frame[form.spec.id], form.spec.id)]
        if sample is not None:
            wanted, shown = _spell(form.ids, sample[form.spec.id])
            sample = sample.iloc[pd.Index(shown).get_indexer(wanted)]
    columns = [
        parse_column(form.spec, form.metric, column, frame[column], form.labels)
        for column in form.spec.prediction_columns
    ]
    check_sample(form.spec, frame, sample)
    return np.column_stack(columns) if len(columns) > 1 else columns[0]


def _read(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        msg = "no submission was written: write ./submission.csv"
        raise Rejected(msg) from None
    except OSError as error:
        msg = f"the submission cannot be opened ({error.strerror}): write an ordinary file"
        raise Rejected(msg) from None
    with os.fdopen(handle, "rb") as file:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            msg = "the submission is not an ordinary file"
            raise Rejected(msg)
        if found.st_size > MAX_BYTES:
            msg = (
                f"the submission has {found.st_size:,} bytes, more than {MAX_BYTES:,}: write one short row per test row"
            )
            raise Rejected(msg)
        return file.read(MAX_BYTES)


def _parse(data: bytes, form: Form) -> pd.DataFrame:
    data = data.removeprefix(b"\xef\xbb\xbf")
    columns = _columns(data, form)
    try:
        frame = pd.read_csv(
            io.BytesIO(data),
            sep=form.delimiter,
            header=None,
            names=range(len(columns)),
            index_col=False,
            dtype=str,
            na_filter=False,
            skip_blank_lines=True,
            compression=None,
            # One row more than wanted tells that there are too many.
            nrows=form.rows + 2,
            low_memory=False,
        )
    except (ValueError, OverflowError, MemoryError) as error:
        detail = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        msg = f"the submission cannot be read as CSV: {detail}"
        raise Rejected(msg) from None
    frame = frame.iloc[1:].reset_index(drop=True).fillna("")
    frame.columns = pd.Index(columns)
    if len(frame) != form.rows:
        found = f"{len(frame)}" if len(frame) < form.rows else f"more than {form.rows}"
        msg = f"the submission has {found} rows, but {form.rows} are wanted: one for every row of {form.spec.test}"
        raise Rejected(msg)
    for column in form.spec.prediction_columns:
        lengths = frame[column].str.len()
        if len(lengths) and lengths.max() > form.longest:
            row = int(lengths.argmax()) + 1
            msg = f"column {column!r}, row {row}: {lengths.max():,} characters, more than any answer needs"
            raise Rejected(msg)
    return frame


def _columns(data: bytes, form: Form) -> list[str]:
    """Check the header before anything is built from it."""
    line = data[:_MAX_HEADER].lstrip(b"\r\n").splitlines()[:1]
    if not line:
        msg = f"the submission is empty: write the columns {', '.join(form.required)}"
        raise Rejected(msg)
    try:
        columns = next(csv.reader([line[0].decode()], delimiter=form.delimiter), [])
        data.decode()
    except UnicodeDecodeError as error:
        msg = f"the submission is not UTF-8 text (byte {error.start}): write it with pandas to_csv"
        raise Rejected(msg) from None
    except csv.Error as error:
        msg = f"the header of the submission cannot be read: {error}"
        raise Rejected(msg) from None
    _check_columns(columns, form)
    return columns


def _check_columns(columns: list[str], form: Form) -> None:
    wanted = f"write exactly the columns {', '.join(form.required)}"
    for column in form.required:
        if column not in columns:
            msg = f"the submission has no column {column!r} (its columns: {show(', '.join(columns), 200)}): {wanted}"
            raise Rejected(msg)
    for column in columns:
        if column not in form.allowed:
            hint = ", with index=False" if column in ("", "Unnamed: 0", "index") else ""
            msg = f"the submission has the extra column {show(column)}: {wanted}{hint}"
            raise Rejected(msg)
        if columns.count(column) > 1:
            msg = f"the submission has the column {show(column)} twice: {wanted}"
            raise Rejected(msg)


def _places(expected: pd.Series, found: pd.Series, name: str) -> np.ndarray:
    """Return for each expected row the submission's row with its id."""
    wanted, given = _spell(expected, found)
    repeated = pd.Series(given).duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        msg = f"column {name!r}, row {row + 1}: the id {show(found.iloc[row])} stands twice; write every id once"
        raise Rejected(msg)
    unknown = pd.Index(wanted).get_indexer(given) < 0
    if unknown.any():
        row = int(unknown.argmax())
        what = f"{show(found.iloc[row])} is no id of the test file" if found.iloc[row] else "the id is empty"
        msg = (
            f"column {name!r}, row {row + 1}: {what} ({int(unknown.sum())} such rows); copy the ids from the test file"
        )
        raise Rejected(msg)
    return np.asarray(pd.Index(given).get_indexer(wanted))


def _spell(expected: pd.Series, found: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return ids in the spelling that they are compared by: 1.0 is 1, unless that would make two ids one."""
    wanted = canonical_labels(expected)
    if len(pd.unique(wanted)) == len(wanted):
        return wanted, canonical_labels(found)
    return expected.to_numpy(dtype=object), found.to_numpy(dtype=object)
