"""Numbers and dates are read as people write them; where two readings are possible, the choice has a reason."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from mlestar.data.statistics import column_statistics
from mlestar.data.tables.dates import find_date_format
from mlestar.data.tables.numbers import PLAIN, NumberStyle, file_decimal, find_style, read_numbers

WRITTEN = {
    "plain": (["1", "-2.5", "1e3"], "", [1, -2.5, 1000]),
    "decimal comma": (["3,14", "-2,5", "1000"], "1234,5", [3.14, -2.5, 1000]),
    "decimal comma and exponent": (["1,5E+3", "2,0"], "1234,5", [1500, 2]),
    "thousands": (["1,234,567", "12"], "1,234.5", [1234567, 12]),
    "thousands and decimals": (["1,234.50", "-7.25"], "1,234.5", [1234.5, -7.25]),
    "points and a comma": (["1.234.567,89", "0,5"], "1.234,5", [1234567.89, 0.5]),
    "blanks": (["1 234", "12 000 111"], "1 234.5", [1234, 12000111]),
    "blanks that do not break": (["1\u00a0234,5", "1\u202f000\u202f000"], "1 234,5", [1234.5, 1000000]),
    "apostrophes": (["1'234.5", "12"], "1'234.5", [1234.5, 12]),
    "dollars": (["$1.50", "-$1,200.00"], "$1,234.5", [1.5, -1200]),
    "euros": (["1,50 \u20ac", "1.200,00 \u20ac"], "1.234,5 \u20ac", [1.5, 1200]),
    "a currency code": (["USD 12", "USD 1.5"], "USD 1234.5", [12, 1.5]),
    "percent": (["45%", "3.5%"], "1234.5%", [45, 3.5]),
    "parentheses": (["(5)", "6", "(1,234,567)"], "(1,234.5)", [-5, 6, -1234567]),
    "minus behind": (["5-", "6"], "1234.5-", [-5, 6]),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_column_is_read_as_it_is_written(name: str) -> None:
    cells, text, expected = WRITTEN[name]
    style = find_style(cells)
    assert style is not None
    assert (style.text, style.guess) == (text, "")
    assert style.read(pd.Series(cells)).tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    "cells",
    [
        ["a", "1"],
        ["1,2,3", "4"],
        ["$1", "\u20ac2"],
        ["1-2", "3"],
        ["12:30"],
        ["(5", "6"],
        ["1.5", "2,5"],
        [],
    ],
)
def test_other_cells_are_no_numbers(cells: list[str]) -> None:
    assert find_style(cells) is None


@pytest.mark.parametrize(
    ("cells", "decimal", "delimiter", "text", "value"),
    [
        (["1,234", "5,678"], "", "", "1,234.5", 1234),
        (["1,234", "5,678"], ",", "", "1234,5", 1.234),
        (["1,234", "5,678"], "", ";", "1234,5", 1.234),
        (["1,234", "5,678"], ".", ";", "1,234.5", 1234),
        (["1.234", "5.678"], ",", ";", "1.234,5", 1234),
    ],
)
def test_an_ambiguous_mark_is_decided_by_the_file_and_called_a_guess(
    cells: list[str], decimal: str, delimiter: str, text: str, value: float
) -> None:
    style = find_style(cells, decimal=decimal, delimiter=delimiter)
    assert style is not None
    assert (style.text, style.read(pd.Series(cells))[0]) == (text, value)
    assert style.guess


@pytest.mark.parametrize(
    ("cells", "text"),
    [
        (["1,234", "0,5"], "1234,5"),
        (["1,234", "12345,1"], "1234,5"),
        (["1,234", "1,234,567"], "1,234.5"),
        (["1.234", "1.2"], ""),
    ],
)
def test_other_cells_of_a_column_decide_what_one_alone_leaves_open(cells: list[str], text: str) -> None:
    for decimal in ("", ",", "."):
        style = find_style(cells, decimal=decimal)
        assert style is not None
        assert (style.text, style.guess) == (text, "")


def test_one_column_shows_the_decimal_mark_of_the_file() -> None:
    frame = pd.DataFrame({"a": ["1,234", "2,345"], "b": ["0,5", "NA"], "c": ["x", "y"]})
    assert file_decimal(frame, ["NA"]) == ","
    assert file_decimal(frame[["a", "c"]]) == ""
    assert file_decimal(frame.assign(d=["1.5", "2.25"]), ["NA"]) == ""


def test_a_cell_with_marks_of_another_file_is_not_read_wrongly() -> None:
    numbers = read_numbers(pd.Series(["0.5", "1.234,5", "x", ""]), "1234,5")
    assert numbers[:2].tolist() == [0.5, 1234.5]
    assert np.isnan(numbers[2:]).all()


STYLES = list(
    itertools.product((".", ","), ("", " ", "'"), ("", "$", "EUR "), ("", "%"), ("-", "()", "5-")),
)


@pytest.mark.parametrize("cents", [0, 5, -5, 123, 123456, -123456789])
def test_the_text_of_a_style_is_enough_to_read_by_it(cents: int) -> None:
    for parts in STYLES:
        style = NumberStyle(*parts)
        assert NumberStyle.of_text(style.text) == style
        whole, decimals = f"{abs(cents) / 100:,.2f}".split(".")
        number = f"{style.before}{whole.replace(',', style.thousands)}{style.decimal}{decimals}{style.after}"
        if cents < 0:
            number = {"()": f"({number})", "5-": f"{number}-"}.get(style.negative, f"-{number}")
        assert read_numbers(pd.Series([number]), style.text)[0] == pytest.approx(cents / 100)


def test_a_text_that_shows_no_number_is_no_style() -> None:
    with pytest.raises(ValueError, match="does not show"):
        NumberStyle.of_text("12")
    assert NumberStyle.of_text("") == PLAIN


@pytest.mark.parametrize(
    ("cells", "text", "is_guess"),
    [
        (["13.02.2021", "01.02.2021"], "%d.%m.%Y", False),
        (["01.02.2021", "03.04.2021"], "%d.%m.%Y", False),
        (["13/02/2021", "01/02/2021"], "%d/%m/%Y", False),
        (["02/13/2021", "01/02/2021"], "%m/%d/%Y", False),
        (["02/03/2021", "01/02/2021"], "%m/%d/%Y", True),
        (["02/02/2021", "01/01/2021"], "%m/%d/%Y", False),
        (["13-02-21 10:30", "01-02-21 11:00"], "%d-%m-%y %H:%M", False),
        (["13.02.2021 10:30:05"], "%d.%m.%Y %H:%M:%S", False),
    ],
)
def test_the_whole_column_decides_whether_the_day_comes_first(cells: list[str], text: str, is_guess: bool) -> None:
    dates = find_date_format(cells)
    assert dates is not None
    assert (dates.text, bool(dates.guess)) == (text, is_guess)
    assert pd.to_datetime(pd.Series(cells), format=dates.text).notna().all()


@pytest.mark.parametrize(
    "cells",
    [["2021-02-13"], ["13/02/2021", "02/13/2021"], ["1/2/2021", "1.2.2021"], ["1.2.2021", "1.2.2021 10:00"], []],
)
def test_dates_of_one_reading_or_of_none_need_no_format(cells: list[str]) -> None:
    assert find_date_format(cells) is None


def test_statistics_say_how_a_column_is_written() -> None:
    fee = column_statistics("fee", pd.Series(["$1,200.50", "$3.00", "NA"]))
    assert (fee.kind, fee.number_format, fee.minimum, fee.maximum) == ("float", "$1,234.5", "3", "1200.5")
    day = column_statistics("day", pd.Series(["01.02.2021", "03.04.2021"]))
    assert (day.kind, day.date_format) == ("date", "%d.%m.%Y")
    many = column_statistics("share", pd.Series([f"{percent}%" for percent in range(100)]))
    assert (many.kind, math.floor(many.quantiles[2])) == ("int", 49)
