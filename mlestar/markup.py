"""Small pieces of HTML for notebooks: cleaned and escaped text, no script, and no address of another machine."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import quote

from markupsafe import Markup, escape

from mlestar.errors import clean_text

Text = str | Markup
"""A text, which is cleaned and escaped, or HTML that was made here."""
_CELL = "text-align:left;vertical-align:top;white-space:pre-wrap"


def safe(text: Text) -> Markup:
    """Return a text without control characters, escaped; HTML that was made here as it is."""
    return text if isinstance(text, Markup) else escape(clean_text(text))


def title(text: Text) -> Markup:
    return Markup("<p><b>{}</b></p>").format(safe(text))


def line(text: Text) -> Markup:
    return Markup("<p>{}</p>").format(safe(text))


def table(rows: Iterable[Sequence[Text]], header: Sequence[Text] = ()) -> Markup:
    """Return a table of texts; an empty one as nothing."""
    body = Markup("").join(_row(row, "td") for row in rows)
    if not body:
        return body
    return Markup("<table>{}{}</table>").format(_row(header, "th") if header else Markup(""), body)


def _row(cells: Sequence[Text], tag: str) -> Markup:
    filled = Markup("").join(Markup('<{0} style="{1}">{2}</{0}>').format(tag, _CELL, safe(cell)) for cell in cells)
    return Markup("<tr>{}</tr>").format(filled)


def link(path: str | Path, label: str) -> Markup:
    """Return a link to a file of this machine, relative to the current folder: browsers refuse any other."""
    address = quote(Path(os.path.relpath(path)).as_posix())
    return Markup('<a href="{}" target="_blank" rel="noopener">{}</a>').format(address, safe(label))


def block(*parts: Markup) -> str:
    """Return parts as one piece."""
    return str(Markup("<div>{}</div>").format(Markup("").join(parts)))
