"""Reading an untrusted submission: its form, its ids and its predictions; one message for each fault."""

import csv
import io
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.layouts import SubmissionLines
from mlestar.data.tables.delimited import DELIMITERS, column_names
from mlestar.data.task import TaskSpec
from mlestar.evaluation.predictions import SubmissionError, check_sample, parse_column, show
from mlestar.metrics import KnownLabels, Metric, canonical_labels

MAX_BYTES = 512 * 2**20
_MAX_HEADER = 2**20
"""Bytes of any submission and of its header line that are read. Chosen by judgement; not measured."""
_MIN_BYTES = 2**20
"""Bytes that every submission may have: so few cost nothing. Chosen by judgement; not measured."""
_SLACK = 2
"""Factor on the bytes of a submission whose cells are all as long as the longest one, and on its lines: for blanks,
quotes and blank lines. Chosen by judgement; not measured."""
_FREE_LINES = 10_000
"""Line ends that every submission may have besides. Chosen by judgement; not measured."""
_NUMBER_BYTES = 64
"""Of a cell with a number. Python writes at most 24 characters of a float; 64 leaves room for forms with many zeros."""
_LABEL_BYTES = 200
"""Of a cell with a label where no label is known. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class RowIds:
    """The ids by which the rows of a submission are matched."""

    name: str
    """Name of the column."""
    cells: pd.Series
    """Expected ids as text, in order, each once."""

    @cached_property
    def expected(self) -> np.ndarray:
        """Expected ids in the spelling that is compared."""
        return self.comparable(self.cells)

    def comparable(self, ids: pd.Series) -> np.ndarray:
        """Return ids in the spelling that is compared: 1.0 is 1, unless that makes two expected ids equal."""
        return self._known.match(ids) if self._canonical_is_unique else ids.to_numpy(dtype=object)

    @cached_property
    def _known(self) -> KnownLabels:
        return KnownLabels(self.cells)

    @cached_property
    def _canonical_is_unique(self) -> bool:
        canonical_ids = canonical_labels(self.cells)
        return len(pd.unique(canonical_ids)) == len(canonical_ids)


@dataclass(frozen=True)
class SubmissionForm:
    """What a submission must look like."""

    spec: TaskSpec
    metric: Metric
    rows: int
    ids: RowIds | None
    """Also those of the sample; None when rows are matched by order."""
    sample: pd.DataFrame | None
    """The sample submission that was staged with these rows."""
    labels: KnownLabels
    """Labels that may be predicted; none when they are unknown."""
    max_characters: int
    """Length that a prediction may have; scoring time grows with it."""
    lines: SubmissionLines | None = None
    """The lines, where there are several for each row; `ids` then has only the name of their column."""
    may_equal_sample: bool = False
    """Predictions that are those of the sample are graded; otherwise they are refused, as nothing was predicted."""

    @cached_property
    def ordered_sample(self) -> pd.DataFrame | None:
        """The sample in the order of the expected ids."""
        if self.sample is None or self.ids is None:
            return self.sample
        sample_ids = pd.Index(self.ids.comparable(self.sample[self.ids.name]))
        ordered: pd.DataFrame = self.sample.iloc[sample_ids.get_indexer(self.ids.expected)]
        return ordered

    @cached_property
    def max_bytes(self) -> int:
        """Bytes that a submission may have: what its rows and the longest cell of each column need, twice."""
        columns = dict.fromkeys(self.allowed)
        header = sum(2 * len(name.encode()) + 3 for name in columns)
        line = sum(self._cell_bytes(name) + 3 for name in columns)
        return min(MAX_BYTES, max(_MIN_BYTES, _SLACK * (header + self.rows * line)))

    def _cell_bytes(self, column: str) -> int:
        """Return how long a cell of a column can be."""
        if column in self.spec.prediction_columns:
            return self._prediction_bytes()
        if self.ids is not None and column == self.ids.name:
            return _longest(self._some_ids())
        return _NUMBER_BYTES if self.sample is None else _longest(self.sample[column])

    def _prediction_bytes(self) -> int:
        kind = self.spec.prediction_kind
        if kind == "text":
            # A character has at most four bytes.
            return 4 * self.max_characters
        if kind == "label":
            known = max((len(label.encode()) for label in self.labels.labels), default=_LABEL_BYTES)
            return max(_NUMBER_BYTES, known)
        return _NUMBER_BYTES

    def _some_ids(self) -> pd.Series:
        """Return the expected ids; of lines those of the first and last row."""
        if self.lines is not None and len(self.lines.counts):
            ids: pd.Series = pd.concat([self.lines.ids(0), self.lines.ids(len(self.lines.counts) - 1)])
            return ids
        return pd.Series([], dtype=str) if self.ids is None else self.ids.cells

    @property
    def required(self) -> tuple[str, ...]:
        identifier = () if self.ids is None else (self.ids.name,)
        return (*identifier, *self.spec.prediction_columns)

    @property
    def allowed(self) -> tuple[str, ...]:
        return self.required if self.sample is None else (*self.required, *self.sample.columns)


def _longest(cells: pd.Series) -> int:
    """Return the bytes of the longest cell, at least those of a number."""
    return max(_NUMBER_BYTES, max((len(str(cell).encode()) for cell in cells), default=0))


def describe_excess(size: int, allowed: int, rows: int) -> str:
    """Return why a submission is refused by its size alone."""
    limit = f"more than the {allowed:,} that {rows:,} rows can need"
    return f"the submission has {size:,} bytes, {limit}: write one short row per test row"


def read_predictions(form: SubmissionForm, path: Path) -> np.ndarray:
    """Return the predictions in the order of the expected rows, (n,) or (n, columns): floats, or canonical or raw text.

    Raises:
        SubmissionError: the submission is not valid; the message says where and what to do.
    """
    frame = read_cells(form, path)
    columns = [
        parse_column(form.spec, form.metric, column, frame[column], form.labels)
        for column in form.spec.prediction_columns
    ]
    if not form.may_equal_sample:
        check_sample(form.spec, frame, form.ordered_sample)
    return np.column_stack(columns) if len(columns) > 1 else columns[0]


def read_cells(form: SubmissionForm, path: Path) -> pd.DataFrame:
    """Return the cells of a submission in the order of the expected rows; the index counts the submission's own rows.

    Raises:
        SubmissionError: the rows or columns are not those that are expected.
    """
    frame = _parse(read_file(path, form), form)
    return frame if form.ids is None else frame.iloc[_match_ids(form.ids, frame[form.ids.name])]


def read_file(path: Path, form: SubmissionForm) -> bytes:
    """Read an ordinary file; a link or a pipe in its place is rejected without being followed or waited for."""
    allowed = form.max_bytes
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        msg = "no submission was written: write ./submission.csv"
        raise SubmissionError(msg) from None
    except OSError as error:
        msg = f"the submission cannot be opened ({error.strerror}): write an ordinary file"
        raise SubmissionError(msg) from None
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode):
            msg = "the submission is not an ordinary file"
            raise SubmissionError(msg)
        if status.st_size > allowed:
            raise SubmissionError(describe_excess(status.st_size, allowed, form.rows))
        data = file.read(allowed)
    _check_lines(data, form)
    return data


def _check_lines(data: bytes, form: SubmissionForm) -> None:
    """Reject a file with many more lines than rows, which are slow to read; a text may hold several lines."""
    lines = data.count(b"\n") + data.count(b"\r")
    # A line may end with both characters, so that each counts as two.
    if form.spec.prediction_kind != "text" and lines > 2 * _SLACK * (form.rows + 1) + _FREE_LINES:
        msg = f"the submission has far more lines than {form.rows:,} rows: write one line per row and no blank ones"
        raise SubmissionError(msg)


def _parse(data: bytes, form: SubmissionForm) -> pd.DataFrame:
    data = data.removeprefix(b"\xef\xbb\xbf")
    columns, delimiter = read_header(data, form)
    frame = _read_rows(data, form, len(columns), delimiter)
    frame.columns = pd.Index(columns)
    if len(frame) != form.rows:
        count = f"{len(frame)}" if len(frame) < form.rows else f"more than {form.rows}"
        msg = f"the submission has {count} rows instead of {form.rows}: write one for every row of {form.spec.test}"
        raise SubmissionError(msg)
    for column in form.spec.prediction_columns:
        lengths = frame[column].str.len()
        if len(lengths) and lengths.max() > form.max_characters:
            row = int(lengths.argmax()) + 1
            msg = f"column {column!r}, row {row}: {lengths.max():,} characters, more than any answer needs"
            raise SubmissionError(msg)
    return frame


def _read_rows(data: bytes, form: SubmissionForm, width: int, delimiter: str) -> pd.DataFrame:
    with readable_as_csv():
        frame = pd.read_csv(
            io.BytesIO(data),
            sep=delimiter,
            header=None,
            names=range(width),
            index_col=False,
            dtype=str,
            na_filter=False,
            skip_blank_lines=True,
            compression=None,
            # The header and one row too many, which shows that there are too many.
            nrows=form.rows + 2,
            low_memory=False,
        )
    return frame.iloc[1:].reset_index(drop=True).fillna("")


@contextmanager
def readable_as_csv() -> Iterator[None]:
    """Turn errors of reading a submission into one message.

    Raises:
        SubmissionError: what is inside cannot read it.
    """
    try:
        yield
    except (ValueError, OverflowError, MemoryError) as error:
        detail = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        msg = f"the submission cannot be read as CSV: {detail}"
        raise SubmissionError(msg) from None


def read_header(data: bytes, form: SubmissionForm) -> tuple[list[str], str]:
    """Check the header before any cell is read; return the columns and the delimiter."""
    line = data[:_MAX_HEADER].lstrip(b"\r\n").splitlines()[:1]
    if not line:
        msg = f"the submission is empty: write the columns {', '.join(form.required)}"
        raise SubmissionError(msg)
    try:
        columns, delimiter = _split_header(line[0].decode(), form)
        data.decode()
    except UnicodeDecodeError as error:
        msg = f"the submission is not UTF-8 text (byte {error.start}): write it with pandas to_csv"
        raise SubmissionError(msg) from None
    except csv.Error as error:
        msg = f"the header of the submission cannot be read: {error}"
        raise SubmissionError(msg) from None
    _check_columns(columns, form)
    return columns, delimiter


def _split_header(line: str, form: SubmissionForm) -> tuple[list[str], str]:
    """Return the columns and the delimiter: the sample's, or a comma where it gives all columns and no other.

    Raises:
        SubmissionError: another delimiter gives the columns.
    """
    headers = {mark: list(column_names(line, mark)) for mark in DELIMITERS}
    wanted = form.spec.submission_delimiter
    whole = [mark for mark in DELIMITERS if set(form.required) <= set(headers[mark])]
    if wanted not in whole and "," in whole:
        return headers[","], ","
    if wanted not in whole and whole:
        like = "as the sample submission has" if form.sample is not None else "as CSV has"
        msg = f"the submission is written with the delimiter {whole[0]!r}: write {wanted!r} between cells, {like}"
        raise SubmissionError(msg)
    return headers[wanted], wanted


def _check_columns(columns: list[str], form: SubmissionForm) -> None:
    advice = f"write exactly the columns {', '.join(form.required)}"
    for column in form.required:
        if column not in columns:
            msg = f"the submission has no column {column!r} (its columns: {show(', '.join(columns), 200)}): {advice}"
            raise SubmissionError(msg)
    for column in columns:
        if column not in form.allowed:
            hint = ", with index=False" if column in ("", "Unnamed: 0", "index") else ""
            msg = f"the submission has the extra column {show(column)}: {advice}{hint}"
            raise SubmissionError(msg)
        if columns.count(column) > 1:
            msg = f"the submission has the column {show(column)} twice: {advice}"
            raise SubmissionError(msg)


def _match_ids(row_ids: RowIds, submitted: pd.Series) -> np.ndarray:
    """Return for each expected row the submission's row with its id."""
    ids = row_ids.comparable(submitted)
    repeated = pd.Series(ids).duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        msg = f"column {row_ids.name!r}, row {row + 1}: duplicate id {show(submitted.iloc[row])}; write every id once"
        raise SubmissionError(msg)
    unknown = pd.Index(row_ids.expected).get_indexer(ids) < 0
    if unknown.any():
        row = int(unknown.argmax())
        cell = submitted.iloc[row]
        what = f"{show(cell)} is no id of the test file" if cell else "the id is empty"
        count = f"{int(unknown.sum())} such rows"
        msg = f"column {row_ids.name!r}, row {row + 1}: {what} ({count}); copy the ids from the test file"
        raise SubmissionError(msg)
    return np.asarray(pd.Index(ids).get_indexer(row_ids.expected))
