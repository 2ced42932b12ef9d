"""Other ways to read the records of a file: with its header as a record, transposed, with divided cells."""

from collections.abc import Iterator

import pandas as pd

# The limits below were chosen by judgement; none was measured.
_FEW_RECORDS = 50
"""Records up to which a wide table may have a column for each row."""
_MANY_COLUMNS = 20
_MAX_PARTS = 8
_SAMPLE = 100
"""Cells that show whether all cells have the same number of parts."""
_BETWEEN = r"[^\w.+-]+|_"
"""What separates the parts of a cell."""


def variants(cells: pd.DataFrame, counts: tuple[int, ...]) -> Iterator[pd.DataFrame]:
    """Yield the other ways to read records that may belong to rows.

    Args:
        cells: the records.
        counts: of the rows of train, and of train and test.
    """
    if len(cells) + 1 in counts:
        header = pd.DataFrame([list(map(str, cells.columns))], columns=cells.columns, dtype=str)
        yield _numbered(pd.concat([header, cells], ignore_index=True))
    if len(cells) <= _FEW_RECORDS and cells.shape[1] >= _MANY_COLUMNS:
        turned = cells.T.reset_index()
        yield _numbered(turned.astype(str))
    if cells.shape[1] > 1 and cells.size in counts:
        yield _numbered(pd.DataFrame({"cell": cells.to_numpy(dtype=object).ravel()}, dtype=str))
    if len(cells) < min(counts) and cells.shape[1] == 1:
        characters = "".join(cells.iloc[:, 0].str.strip()) if int(cells.iloc[0].str.len().max()) > 1 else ""
        if len(characters) in counts:
            yield pd.DataFrame({"column 0": list(characters)}, dtype=str)
    parts = {str(column): _parts(cells[column]) for column in cells.columns[:_MAX_PARTS]}
    if any(part is not None for part in parts.values()):
        columns = [cells[[name]] if part is None else part for name, part in parts.items()]
        yield _numbered(pd.concat(columns, axis=1))


def _numbered(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis([f"column {number}" for number in range(frame.shape[1])], axis=1)


def _parts(cells: pd.Series) -> pd.DataFrame | None:
    """Return the parts of the cells as columns; None where they differ in number, or have one."""
    sample = cells.iloc[:: max(1, len(cells) // _SAMPLE)]
    numbers = sample.str.count(_BETWEEN) + 1
    if not len(numbers) or numbers.nunique() != 1 or not 1 < numbers.iloc[0] <= _MAX_PARTS:
        return None
    return cells.str.split(_BETWEEN, regex=True, expand=True, n=int(numbers.iloc[0]) - 1).fillna("")
