"""Reading an untrusted submission with several lines for each row, such as one for each pixel, in pieces."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from mlestar.data.layouts import SubmissionLines
from mlestar.evaluation.predictions import SubmissionError, parse_column, show
from mlestar.evaluation.submission import SubmissionForm, read_file, read_header, readable_as_csv

_PIECE = 500_000
"""Lines that are looked at together. Chosen by judgement; not measured."""


def read_lines(form: SubmissionForm, lines: SubmissionLines, path: Path) -> np.ndarray:
    """Return the predictions in the order of the expected lines.

    Raises:
        SubmissionError: the submission is not valid; the message says where and what to do.
    """
    data = read_file(path, form).removeprefix(b"\xef\xbb\xbf")
    columns, delimiter = read_header(data, form)
    values, seen = np.zeros(form.rows), np.zeros(form.rows, dtype=bool)
    expected = _expected_ids(lines)
    start = 0
    for frame in _pieces(data, form, columns, delimiter):
        ids = frame[lines.id]
        positions = np.arange(start, start + len(frame))
        if not np.array_equal(ids.to_numpy(dtype=object), next(expected, np.array([]))):
            positions = _locate(lines, ids, seen)
        seen[positions] = True
        values[positions] = parse_column(form.spec, form.metric, lines.value, frame[lines.value], form.labels)
        start += len(frame)
    if start != form.rows:
        count = f"{start}" if start < form.rows else f"more than {form.rows}"
        msg = f"the submission has {count} lines instead of {form.rows}: write every line of the sample submission"
        raise SubmissionError(msg)
    if not seen.all():
        missing = int((~seen).sum())
        msg = f"column {lines.id!r}: {missing} ids of the sample submission are missing, others are there twice"
        raise SubmissionError(msg)
    return values


def _pieces(data: bytes, form: SubmissionForm, columns: list[str], delimiter: str) -> Iterator[pd.DataFrame]:
    """Yield the lines in pieces, at most one piece more than there should be."""
    with readable_as_csv():
        reader = pd.read_csv(
            io.BytesIO(data),
            sep=delimiter,
            header=0,
            names=columns,
            index_col=False,
            dtype=str,
            na_filter=False,
            skip_blank_lines=True,
            compression=None,
            nrows=form.rows + 1,
            chunksize=_PIECE,
        )
        for frame in reader:
            if int(frame.index[-1]) >= form.rows:
                msg = f"the submission has more than {form.rows} lines: write every line of the sample submission once"
                raise SubmissionError(msg)
            yield frame.fillna("")


def _expected_ids(lines: SubmissionLines) -> Iterator[np.ndarray]:
    """Yield the ids of consecutive pieces, in the order of the sample submission."""
    left = np.array([], dtype=object)
    for row in range(len(lines.counts)):
        left = np.concatenate([left, lines.ids(row).to_numpy(dtype=object)])
        while len(left) >= _PIECE:
            yield left[:_PIECE]
            left = left[_PIECE:]
    yield left


def _locate(lines: SubmissionLines, ids: pd.Series, seen: np.ndarray) -> np.ndarray:
    positions = lines.locate(ids.str.strip())
    unknown = positions < 0
    if unknown.any():
        row = int(unknown.argmax())
        msg = f"column {lines.id!r}, row {ids.index[row] + 1}: {show(ids.iloc[row])} is no id of the sample submission"
        raise SubmissionError(msg)
    repeated = seen[positions] | pd.Series(positions).duplicated().to_numpy()
    if repeated.any():
        row = int(repeated.argmax())
        msg = f"column {lines.id!r}, row {ids.index[row] + 1}: duplicate id {show(ids.iloc[row])}; write every id once"
        raise SubmissionError(msg)
    return positions
