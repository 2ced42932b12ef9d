"""`mlestar lessons`: what runs have left in the folder of lessons."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlestar.errors import SettingsError, UserError

if TYPE_CHECKING:
    from mlestar.lessons import Content

lessons = typer.Typer(
    help="What earlier runs tried and what came of it: list, show or forget it.", no_args_is_help=True
)

Folder = Annotated[Path | None, typer.Option("--lessons", help="Folder of lessons.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]


@lessons.command("list")
def list_lessons(folder: Folder = None, as_json: AsJson = False) -> None:
    """Print the runs that left lessons: their kind of data, metric and number of records."""
    from mlestar.cli.lessons_table import print_runs

    print_runs(_read(folder), as_json=as_json)


@lessons.command()
def show(
    what: Annotated[str, typer.Argument(metavar="[RUN or TEXT]", help="A run, or a text that its facts contain.")] = "",
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Print the records of a run, of the runs with a text such as `rmse` or `image` in their facts, or of all."""
    from mlestar.cli.lessons_table import choose, print_records

    content = _read(folder)
    chosen = choose(content, what)
    if not chosen:
        msg = f"no lessons match {what!r}; `mlestar lessons list` shows the runs"
        raise UserError(msg)
    print_records(chosen, as_json=as_json)


@lessons.command()
def forget(
    run: Annotated[str, typer.Argument(help="Run whose lessons are removed.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Remove the lessons of all runs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    folder: Folder = None,
) -> None:
    """Remove the lessons of a run, or of all runs; runs themselves are not touched."""
    from mlestar.cli.editor import is_terminal
    from mlestar.cli.terminal import echo
    from mlestar.lessons import forget

    if bool(run) == all_:
        msg = "name a run, or give --all"
        raise SettingsError(msg)
    path, what = _folder(folder), f"the lessons of {run or 'all runs'}"
    if not yes:
        if not is_terminal():
            msg = f"this removes {what} in {path}: add --yes"
            raise SettingsError(msg)
        typer.confirm(f"Remove {what} in {path}?", abort=True)
    for removed in forget(path, run or None):
        echo(f"removed {removed.name}")


def _folder(folder: Path | None) -> Path:
    """Return the folder that an option or a setting names.

    Raises:
        SettingsError: none does.
    """
    from mlestar.cli.values import resolve_settings
    from mlestar.lessons import check_folder

    chosen = resolve_settings({"lessons": folder}).lessons
    if chosen is None:
        msg = "name the folder of lessons with --lessons, or with the setting lessons in mlestar.toml"
        raise SettingsError(msg)
    return check_folder(chosen)


def _read(folder: Path | None) -> "Content":
    from mlestar.cli.terminal import echo
    from mlestar.lessons import read_folder

    content = read_folder(_folder(folder))
    for line in content.skipped:
        echo(f"skipped {line}", err=True)
    return content
