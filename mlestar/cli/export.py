"""`mlestar export`: the packaged winner of a run as a folder that stands alone."""

from pathlib import Path

from mlestar.cli.terminal import echo
from mlestar.export import export_run
from mlestar.store import RunFolder


def export_folder(runs_dir: Path, run_id: str, target: Path, runner: str | None) -> None:
    """Write the packaged winner of a run as a folder that stands alone; package it first, if it is not.

    Raises:
        UserError: there is no such run, it cannot be packaged, or the folder cannot be written.
        OperatorError: scripts cannot be executed here.
    """
    run = RunFolder(runs_dir, run_id).path
    written = export_run(run, target, runner=runner, on_note=lambda line: echo(line, err=True))
    echo(f"{target}: {sum(path.is_file() for path in written.rglob('*'))} files; README.md has the commands")
