"""Printing to the terminal, with foreign text cleaned."""

import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import typer
from rich.console import Console as RichConsole
from rich.segment import Segment
from rich.text import Text

from mlestar.errors import clean_text, escape_hidden


class Console(RichConsole):
    """Rich's console without the control characters of foreign text, whatever it is printed in."""

    def render(self, *arguments: Any, **keywords: Any) -> Iterable[Segment]:
        for segment in super().render(*arguments, **keywords):
            yield segment if segment.control else segment._replace(text=clean_text(segment.text))


@contextmanager
def starting(*, quiet: bool) -> Iterator[None]:
    """Show that a command starts, which takes seconds where its modules are not in memory; on a terminal only."""
    console = Console(stderr=True)
    if quiet or not console.file.isatty() or console.is_dumb_terminal:
        yield
        return
    with console.status("starting"):
        yield


def echo(text: str, *, err: bool = False) -> None:
    """Print a line of text."""
    typer.echo(clean_text(text), err=err)


def echo_error(text: str) -> None:
    """Print a line of text on standard error; on a terminal it is broken between words."""
    console = Console(stderr=True)
    if console.file.isatty():
        console.print(Text(clean_text(text)), highlight=False)
    else:
        echo(text, err=True)


def echo_json(text: str) -> None:
    """Print JSON, with characters that a terminal would act on as escapes."""
    typer.echo(escape_hidden(text))


def print_defect(error: BaseException) -> None:
    """Print the traceback of an error that nothing expected; its message may quote foreign text."""
    sys.stderr.write(clean_text("".join(traceback.format_exception(error))))
