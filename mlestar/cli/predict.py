"""`mlestar predict` and `mlestar export`: a run's winner for the rows of a file, and as a folder that stands alone."""

import time
from pathlib import Path

from mlestar.cli.terminal import echo
from mlestar.data.tables import read_table
from mlestar.errors import UserError
from mlestar.export import export_run
from mlestar.predictor import open_replay
from mlestar.store import RunFolder


def predict_file(runs_dir: Path, run_id: str, rows: Path, output: Path, runner: str | None) -> None:
    """Write what the winner of a run submits for the rows of a file.

    Raises:
        UserError: there is no such run or file, or the rows do not suit the task.
        OperatorError: scripts cannot be executed here.
    """
    if rows.is_dir():
        msg = f"{rows} is a folder: give the file of a table with the new rows"
        raise UserError(msg)
    if not rows.is_file():
        msg = f"no such file: {rows}"
        raise UserError(msg)
    if not output.absolute().parent.is_dir():
        msg = f"no folder for the predictions: {output.absolute().parent}"
        raise UserError(msg)
    folder = RunFolder(runs_dir, run_id)
    if output.absolute().is_relative_to(folder.path):
        msg = f"{output} is in the folder of the run, where nothing changes: choose another place"
        raise UserError(msg)
    frame = read_table(rows).frame
    predictor = open_replay(folder.path, runner=runner, on_note=lambda line: echo(line, err=True))
    started = time.monotonic()
    predictions = predictor.predict_submission(frame)
    try:
        predictions.to_csv(output, index=False, lineterminator="\n")
    except OSError as error:
        msg = f"cannot write {output}: {error.strerror}"
        raise UserError(msg) from error
    echo(f"{output}: {len(predictions)} rows predicted in {time.monotonic() - started:.0f} s")


def export_folder(runs_dir: Path, run_id: str, target: Path) -> None:
    """Write the packaged winner of a run as a folder that stands alone.

    Raises:
        UserError: there is no such run, it cannot be packaged, or the folder cannot be written.
    """
    written = export_run(RunFolder(runs_dir, run_id).path, target)
    echo(f"{target}: {sum(path.is_file() for path in written.rglob('*'))} files; README.md has the commands")
