"""Numbers as people write them: the style of a column is decided from all its cells, then each cell is read by it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

SPACES = " \u00a0\u2009\u202f"
"""Blank, no-break space, thin space, narrow no-break space: all separate thousands."""
_CODES = (
    "USD|EUR|GBP|JPY|CHF|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|ISK|PLN|CZK|HUF|RON|BGN|BRL|MXN|ARS|CLP|COP|KRW|RUB|TRY|ZAR"
    "|SGD|HKD|TWD|THB|IDR|MYR|PHP|VND|ILS|AED|SAR|EGP|NGN|UAH|kr|z\u0142|K\u010d|Ft|Fr|lei|Rs\\.?"
)
_CURRENCY = rf"(?:(?:US|R|A|C|NZ|HK|S)?\$|[\u20a0-\u20cf\u00a2-\u00a5]|{_CODES})"
_CELL = re.compile(
    rf"(?P<open>\()?[+-]?[{SPACES}]*(?P<before>{_CURRENCY})?[{SPACES}]*[+-]?(?P<body>[\d.,'\u2019{SPACES}]*\d[.,]?(?:[eE][+-]?\d+)?)"
    rf"[{SPACES}]*(?P<after>%|{_CURRENCY})?[{SPACES}]*(?P<minus>-)?(?P<close>\))?"
)
_FORMAT = re.compile(
    r"(?P<open>\(?)(?P<before>\D*)1(?P<thousands>\D?)234(?P<decimal>[.,])5(?P<after>[^\d)-]*)(?P<end>[)-]?)"
)
_MARKS = ((".", ""), (",", ""), (".", ","), (",", "."), (".", " "), (",", " "), (".", "'"))
"""Decimal and thousands marks that are tried, in this order."""
_HEAD = 50
"""Cells that are looked at before all of a column are. Chosen by judgement; not measured."""
_MAX_CELLS = 20_000
"""Cells of a column that decide between the styles. Chosen by judgement; not measured."""
_MAX_ROWS, _MAX_COLUMNS = 2000, 100
"""Rows and columns of a table that show its decimal mark. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class NumberStyle:
    """How the numbers of a column are written."""

    decimal: str = "."
    thousands: str = ""
    before: str = ""
    """A currency before the number, with the blank between them."""
    after: str = ""
    """A currency or a percent sign after the number, with the blank between them."""
    negative: str = "-"
    """`-`; `()` for parentheses around a negative number, `5-` for a minus sign behind it."""
    guess: str = ""
    """Why another style is possible too; empty when it is not."""

    @property
    def text(self) -> str:
        """The number 1234.5 in this style; empty for the plain style, which Python itself reads."""
        number = f"{self.before}1{self.thousands}234{self.decimal}5{self.after}"
        number = {"()": f"({number})", "5-": f"{number}-"}.get(self.negative, number)
        return "" if number == "1234.5" else number

    @classmethod
    def of_text(cls, text: str) -> "NumberStyle":
        """Return the style whose `text` this is.

        Raises:
            ValueError: it is that of no style.
        """
        match = _FORMAT.fullmatch(text or "1234.5")
        if match is None:
            msg = f"{text!r} does not show how 1234.5 is written"
            raise ValueError(msg)
        negative = {")": "()", "-": "5-"}.get(match["end"], "-")
        return cls(match["decimal"], match["thousands"], match["before"], match["after"], negative)

    @cached_property
    def dropped(self) -> tuple[str, ...]:
        """Texts that are removed from a cell, besides marks between thousands, parentheses and a minus sign behind."""
        affixes = [affix.strip(SPACES) for affix in (self.before, self.after)]
        return (*(affix for affix in affixes if affix), *SPACES)

    @property
    def grouping(self) -> str:
        """A pattern of the marks between thousands; another file may have them where this one has no large numbers."""
        return rf"[{'.' if self.decimal == ',' else ','}'\u2019](?=\d{{3}}(?!\d))"

    def read(self, cells: pd.Series) -> np.ndarray:
        """Return floats, NaN for cells that are no number."""
        texts = cells.astype(str).str.strip()
        if self.text:
            texts = texts.str.replace(r"^\((.*)\)$|^(.*\d.*)-$", r"-\1\2", regex=True)
            for mark in self.dropped:
                texts = texts.str.replace(mark, "", regex=False)
            texts = texts.str.replace(self.grouping, "", regex=True).str.replace(self.decimal, ".", regex=False)
            texts = texts.str.replace(r"^-\+", "-", regex=True)
        return pd.to_numeric(texts, errors="coerce").to_numpy(dtype=float)


PLAIN = NumberStyle()


def find_style(values: Iterable[str], *, decimal: str = "", delimiter: str = "") -> NumberStyle | None:
    """Return the style in which every value is a number; None when there is none.

    Args:
        values: the cells of a column that are not missing, or its different values; of many, an even sample decides
            between the styles.
        decimal: the decimal mark that the rest of the file shows; it decides where the values allow two readings.
        delimiter: of the file; a semicolon suggests decimal commas, because commas are then free for them.
    """
    values = list(values)
    head = [str(value).strip() for value in values[:_HEAD]]
    if not head or not all(_CELL.fullmatch(cell) or _is_plain([cell]) for cell in head):
        return None
    cells = [str(value).strip() for value in values]
    if _is_plain(cells):
        return _plain_or_thousands(cells, decimal)
    return _written_style(cells[:: -(-len(cells) // _MAX_CELLS)], decimal or ("," if delimiter == ";" else ""))


def read_numbers(cells: pd.Series, style: NumberStyle | str | None) -> np.ndarray:
    """Return floats, NaN for cells that are no number; a style may be the text of one."""
    style = NumberStyle.of_text(style) if isinstance(style, str) else style
    return (style or PLAIN).read(cells)


def file_decimal(frame: pd.DataFrame, missing: Iterable[str] = ()) -> str:
    """Return the decimal mark that the columns of a table show beyond doubt; empty when they show none, or both.

    Args:
        frame: the cells.
        missing: cells that are not values.
    """
    marks = {style.decimal for style in _certain_styles(frame.iloc[:_MAX_ROWS, :_MAX_COLUMNS], {"", *missing})}
    return marks.pop() if len(marks) == 1 else ""


def _certain_styles(frame: pd.DataFrame, missing: set[str]) -> Iterator[NumberStyle]:
    """Yield the style of each column of numbers that has a decimal or thousands mark and allows one reading only."""
    for position in range(frame.shape[1]):
        values = [value for value in frame.iloc[:, position].unique() if value.strip() not in missing]
        if not any(mark in value for value in values[:_HEAD] for mark in ".,"):
            continue
        style = find_style(values)
        if style is not None and not style.guess and not _could_be_thousands(values, "."):
            yield style


def _is_plain(cells: Sequence[str]) -> bool:
    """Return whether Python reads every cell as a number."""
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    return all(number == number for number in numbers) and all(cell.isascii() and "_" not in cell for cell in cells)


def _plain_or_thousands(cells: Sequence[str], decimal: str) -> NumberStyle:
    """Return the plain style; in a file with decimal commas, points that all divide groups of three are no decimals."""
    if decimal == "," and _could_be_thousands(cells, "."):
        guess = "its points are taken for thousands separators, because the file has decimal commas"
        return NumberStyle(",", ".", guess=guess)
    return PLAIN


def _could_be_thousands(cells: Sequence[str], mark: str) -> bool:
    """Return whether every cell with this mark has it between groups of three, and no cell of four digits lacks it."""
    grouped = re.compile(rf"[+-]?[1-9]\d{{0,2}}(?:{re.escape(mark)}\d{{3}})+|[+-]?\d{{1,3}}")
    return all(grouped.fullmatch(cell) for cell in cells) and any(mark in cell for cell in cells)


def _written_style(cells: Sequence[str], decimal: str) -> NumberStyle | None:
    matches = [_CELL.fullmatch(cell) for cell in cells]
    parts = [match for match in matches if match]
    if len(parts) < len(cells) or any(bool(match["open"]) != bool(match["close"]) for match in parts):
        return None
    before, after = _affix(parts, "before"), _affix(parts, "after")
    if before is None or after is None or (before and after):
        return None
    marks = _find_marks([_plain_marks(match["body"]) for match in parts], decimal)
    if marks is None:
        return None
    negative = "()" if any(match["open"] for match in parts) else "-"
    negative = "5-" if any(match["minus"] for match in parts) else negative
    guess = marks[2]
    if after.strip() == "%" and not all(match["after"] for match in parts):
        guess = guess or "some cells have no percent sign and are read as if they had one"
    return NumberStyle(marks[0], marks[1], before, after, negative, guess)


def _plain_marks(body: str) -> str:
    """Return digits and marks with one kind of blank and of apostrophe."""
    return re.sub(f"[{SPACES}]", " ", body.strip(SPACES)).replace("\u2019", "'")


def _affix(parts: Sequence[re.Match[str]], name: str) -> str | None:
    """Return the one currency or sign of a column with its blank; None where several make the cells incomparable."""
    signs = {match[name] for match in parts} - {None}
    if len(signs) > 1:
        return None
    if not signs:
        return ""
    sign = str(signs.pop())
    example = next(match for match in parts if match[name])
    start, end = example.span(name)
    near = example.string[end : end + 1] if name == "before" else example.string[max(start - 1, 0) : start]
    blank = " " if near and near in SPACES else ""
    return f"{sign}{blank}" if name == "before" else f"{blank}{sign}"


def _find_marks(bodies: Sequence[str], decimal: str) -> tuple[str, str, str] | None:
    """Return decimal mark, thousands mark and the doubt about them, for bodies without sign and currency."""
    fits = [marks for marks in _MARKS if _all_fit(bodies, *marks)]
    if not fits:
        return None
    if not _is_ambiguous(bodies):
        return *next((marks for marks in fits if _shows(bodies, marks[1])), fits[0]), ""
    wanted = [marks for marks in fits if marks[0] == decimal]
    chosen = (wanted or [marks for marks in fits if marks[1]] or fits)[0]
    mark = "," if any("," in body for body in bodies) else "."
    meaning = "decimal mark" if chosen[0] == mark else "thousands separator"
    why = "as in the rest of the file" if wanted else "which nothing else in the file decides"
    return *chosen, f"its {mark!r} is taken for a {meaning}, {why}"


def _shows(bodies: Sequence[str], thousands: str) -> bool:
    """Return whether some body has this thousands mark, where there is one."""
    return not thousands or any(thousands in body for body in bodies)


def _is_ambiguous(bodies: Sequence[str]) -> bool:
    """Return whether one mark occurs, at most once in a body, and always before three digits."""
    marks = {character for body in bodies for character in body if not character.isdigit()}
    if marks not in ({","}, {"."}):
        return False
    mark = marks.pop()
    return all(body.count(mark) <= 1 for body in bodies) and _could_be_thousands(bodies, mark)


def _all_fit(bodies: Sequence[str], decimal: str, thousands: str) -> bool:
    point = re.escape(decimal)
    whole = r"\d+"
    if thousands:
        whole = rf"(?:[1-9]\d{{0,2}}(?:{re.escape(thousands)}\d{{3}})+|\d+)"
    pattern = re.compile(rf"(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?")
    return all(pattern.fullmatch(body) for body in bodies)
