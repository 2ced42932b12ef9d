"""Excel and OpenDocument workbooks as CSV files, through calamine."""

import csv
import re
import zipfile
import zlib
from collections.abc import Callable, Sequence
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import IO

from mlestar.data.layouts.roles import role_of_name
from mlestar.errors import TaskError, first_line
from mlestar.files import MAX_RATIO, unpacked_limit

WORKBOOKS = (".xlsx", ".xlsm", ".xlsb", ".xls", ".ods")
_MIN_WIDTH = 3
"""Cells of a usual row from which a row of one cell above the header is a title. Chosen by judgement; not measured."""
MAX_CELLS = 50_000_000
"""Cells of a sheet up to the last one that is filled: the reader keeps 32 bytes of each. Chosen by judgement; not
measured."""
_CELL = re.compile(rb'<c r="([A-Z]{1,3})(\d{1,7})"')
_CELL_LENGTH = 20
"""Bytes of the longest match, with some to spare."""
_BLOCK = 2**20
_EXACT = 2**53
"""Whole numbers up to which a workbook, which stores them as floats, is exact."""


def convert_workbook(path: Path, target: Path, taken: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Write each sheet that holds cells as a CSV file: the first under the workbook's name where it is the only one.

    That of a workbook called train or test is too, unless a sheet is called so.

    Titles and empty rows above the header are left out.

    Returns:
        The names of the files, and of those that were there before.

    Raises:
        TaskError: it cannot be read, or calamine is not installed.
    """
    sheets = {name: rows for name, rows in _read(path).items() if rows}
    if not sheets:
        msg = f"{path.name} holds no cells"
        raise TaskError(msg)
    written, skipped = [], []
    has_main = len(sheets) == 1 or (role_of_name(path.name) and not any(map(role_of_name, sheets)))
    for number, (sheet, rows) in enumerate(sheets.items()):
        name = f"{path.stem}.csv" if has_main and number == 0 else f"{_plain(sheet)}.csv"
        if taken(name) or name in written:
            skipped.append(name)
            continue
        _write(rows[_header_row(rows) :], target / name)
        written.append(name)
    return written, skipped


def _read(path: Path) -> dict[str, Sequence[Sequence[object]]]:
    try:
        import python_calamine
    except ModuleNotFoundError as error:
        msg = f"{path.name} is a workbook: pip install 'mlestar[excel]' to read it, or save it as CSV"
        raise TaskError(msg) from error
    _check_size(path)
    try:
        with python_calamine.CalamineWorkbook.from_path(path) as workbook:
            return {name: workbook.get_sheet_by_name(name).to_python() for name in workbook.sheet_names}
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        msg = f"{path.name} cannot be read as a workbook: {first_line(str(error))}"
        raise TaskError(msg) from error


def _check_size(path: Path) -> None:
    """Check a workbook, which is a zip file in all formats but one, before all of it is in memory."""
    if not zipfile.is_zipfile(path):
        return
    limit = unpacked_limit(path)
    try:
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                with archive.open(info) as member:
                    limit = _check_member(path, info.filename, member, limit)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError) as error:
        msg = f"{path.name} cannot be read as a workbook: {first_line(str(error))}"
        raise TaskError(msg) from error


def _check_member(path: Path, name: str, member: IO[bytes], limit: int) -> int:
    """Read a part of a workbook and return the bytes that the others may have.

    Raises:
        TaskError: it unpacks to too much, or its last cell is too far away for the memory.
    """
    rows = columns = 0
    tail = b""
    while block := member.read(_BLOCK):
        limit -= len(block)
        if limit < 0:
            msg = f"{path.name} unpacks to more than {MAX_RATIO} times its size: save it as CSV if that is right"
            raise TaskError(msg)
        for letters, digits in _CELL.findall(tail + block) if name.startswith("xl/worksheets/") else ():
            rows, columns = max(rows, int(digits)), max(columns, _column(letters))
        tail = block[-_CELL_LENGTH:]
    if rows * columns > MAX_CELLS:
        msg = f"{path.name} has a sheet of {rows:,} rows and {columns:,} columns, empty cells included: save it as CSV"
        raise TaskError(msg)
    return limit


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - 64
    return number


def _header_row(rows: Sequence[Sequence[object]]) -> int:
    """Return the number of the header's row: the first that has more than the one cell of a title."""
    widths = [sum(cell not in (None, "") for cell in row) for row in rows]
    if sorted(widths)[len(widths) // 2] < _MIN_WIDTH:
        return 0
    return next(row for row, width in enumerate(widths) if width > 1)


def _write(rows: Sequence[Sequence[object]], target: Path) -> None:
    with target.open("w", encoding="utf-8", newline="") as file:
        # The writer quotes a carriage return in a text only when it is part of what ends a line.
        csv.writer(file, lineterminator="\r\n").writerows([_text(cell) for cell in row] for row in rows)


def _text(cell: object) -> str:
    """Return a cell as a CSV file would have it: whole numbers without a fraction, dates as ISO 8601."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) <= _EXACT:
        return str(int(cell))
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return "" if cell is None else str(cell)


def _plain(sheet: str) -> str:
    """Return the name of a sheet as a file name."""
    return "".join("_" if mark in '/\\:*?"<>|' else mark for mark in sheet).strip(". ") or "sheet"
