"""Tables of a terminal's width: ids stay whole, other columns are left out, cut or folded."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.table import Table
from rich.text import Text

from mlestar.cli.terminal import Console
from mlestar.errors import one_line

PIPED_WIDTH = 200
"""Columns of a table that no terminal shows: enough for a row of names as long as they may be."""
GAP = 2
NARROWEST = 10
"""Characters that a column that is folded keeps at least. Chosen by judgement."""


@dataclass(frozen=True)
class Column:
    """A column of a table."""

    name: str
    rank: int = 0
    """Columns of the highest rank are left out first where the terminal is too narrow; those of rank 0 never."""
    fold: bool = False
    """Its texts may continue on the next line; others are never broken."""
    width: int = 0
    """It has at least so many characters."""


def make_console() -> Console:
    """Return the console for tables."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(width=PIPED_WIDTH, highlight=False)


def print_table(
    console: Console, columns: Sequence[Column], rows: Sequence[Sequence[str]], *, header: bool = True
) -> None:
    """Print rows of foreign text."""
    texts = [[_clean(cell, column) for cell, column in zip(row, columns, strict=True)] for row in rows]
    widths = [
        max(column.width, *(cell_len(text) for text in (column.name, *cells)))
        for column, *cells in zip(columns, *texts, strict=True)
    ]
    shown = _fitting(columns, widths, console.width)
    table = Table(box=None, show_header=header, header_style="dim", pad_edge=False, padding=(0, GAP, 0, 0))
    for place in shown:
        column = columns[place]
        smallest = min(widths[place], NARROWEST) if column.fold else widths[place]
        table.add_column(
            column.name, no_wrap=not column.fold, min_width=smallest, overflow="fold" if column.fold else "ignore"
        )
    for row in texts:
        table.add_row(*(Text(row[place]) for place in shown))
    # A name that is wider than the terminal is continued by it: so it can be copied.
    console.print(table, crop=False)


def _clean(cell: str, column: Column) -> str:
    """Return a cell in one line; the lines of a tree keep their spaces."""
    stripped = cell.lstrip(" │├└")
    return cell[: len(cell) - len(stripped)] + one_line(stripped, 500 if column.fold else 120)


def _fitting(columns: Sequence[Column], widths: Sequence[int], width: int) -> list[int]:
    """Return the places of the columns that are shown; those without any text are not."""
    shown = list(range(len(columns)))

    def needed() -> int:
        smallest = [min(widths[i], NARROWEST) if columns[i].fold else widths[i] for i in shown]
        return sum(smallest) + GAP * len(shown)

    while needed() > width and (optional := [i for i in shown if columns[i].rank]):
        shown.remove(max(optional, key=lambda i: columns[i].rank))
    return shown
