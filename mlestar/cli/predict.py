"""`mlestar predict` and `mlestar package`: a run's winner predicts the rows of a file, and is packaged for that."""

import time
from pathlib import Path

import pandas as pd

from mlestar.cli.terminal import echo
from mlestar.data.tables.quoting import choose_quoting
from mlestar.errors import UserError, first_line
from mlestar.evaluation.blending.scales import RANKED
from mlestar.metrics.spec import TaskSpec
from mlestar.predictor import PackagedPredictor, open_predictor, package, read_package
from mlestar.predictor.outputs import check_place
from mlestar.predictor.package import package_folder
from mlestar.predictor.packaged import How
from mlestar.store import RunFolder


def predict_file(
    runs_dir: Path,
    run_id: str,
    rows: Path,
    output: Path,
    runner: str | None,
    coverage: float | None = None,
    *,
    replay: bool = False,
    files: Path | None = None,
) -> None:
    """Write what the winner of a run submits for new rows, with intervals or sets of a coverage.

    Raises:
        UserError: there is no such run or file, or the rows do not suit the task.
        OperatorError: scripts cannot be executed here.
    """
    if not rows.exists():
        msg = f"no such file: {rows}"
        raise UserError(msg)
    if not output.absolute().parent.is_dir():
        msg = f"no folder for the predictions: {output.absolute().parent}"
        raise UserError(msg)
    folder = RunFolder(runs_dir, run_id)
    if output.exists() and output.samefile(rows):
        msg = f"{output} is the file of the new rows: choose another one for the predictions"
        raise UserError(msg)
    for folder_of_rows in [path for path in (rows, files) if path is not None and path.is_dir()]:
        if output.resolve().is_relative_to(folder_of_rows.resolve()):
            msg = f"{output} would be among the new rows in {folder_of_rows}: choose another place"
            raise UserError(msg)
    how: How = "replay" if replay else "auto"
    predictor = open_predictor(folder.path, how=how, runner=runner, on_note=lambda line: echo(line, err=True))
    check_place(output, folder.path, predictor.task)
    started = time.monotonic()
    predictions = predictor.predict_submission(rows, coverage, files)
    _write(predictions, output)
    way = "with the packaged predictor" if isinstance(predictor, PackagedPredictor) else "by replay"
    echo(f"{output}: {len(predictions)} rows predicted {way} in {time.monotonic() - started:.0f} s")
    if meaning := describe_predictions(predictor.task.spec):
        echo(meaning)


def describe_predictions(spec: TaskSpec) -> str:
    """Return what the only column of predictions holds where its name does not say so: which class it is about."""
    if spec.prediction_kind != "probability" or spec.pos_label is None or len(spec.prediction_columns) != 1:
        return ""
    column = spec.prediction_columns[0]
    if spec.metric.partition("@")[0] in RANKED:
        return f"{column} is higher where {spec.pos_label!r} is more probable; {spec.metric} uses only this order"
    return f"{column} is the probability of {spec.pos_label!r}"


def _write(predictions: pd.DataFrame, output: Path) -> None:
    """Write predictions into a file, which gets its name when it is complete.

    Raises:
        UserError: it cannot be written.
    """
    quoting = choose_quoting(predictions)
    try:
        if output.exists() and not output.is_file():  # such as /dev/stdout
            predictions.to_csv(output, index=False, lineterminator="\n", quoting=quoting)
            return
        target = output.resolve()
        part = target.with_name(f".{target.name}.part")
        try:
            predictions.to_csv(part, index=False, lineterminator="\n", quoting=quoting)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        msg = f"cannot write {output}: {error.strerror or first_line(str(error))}"
        raise UserError(msg) from error


def package_run(runs_dir: Path, run_id: str, model: str | None, max_usd: float | None, runner: str | None) -> bool:
    """Package the winner of a run and show the checks; return whether it was accepted.

    Raises:
        UserError: there is no such run, or its rows are no rows of one table.
        OperatorError: scripts cannot be executed here, or a model cannot be reached.
    """
    path = RunFolder(runs_dir, run_id).path
    former = read_package(path)
    if former is not None and former.accepted:
        echo("the run has a packaged predictor, which is made again", err=True)
    info = package(path, model=model, max_usd=max_usd, runner=runner, on_note=lambda line: echo(line, err=True))
    for check in info.checks:
        mark = "DIFFERS" if not check.passed else check.detail or "equal"
        echo(f"{check.name}: {check.rows} rows, largest difference {check.difference:.3g}: {mark}")
    if not info.accepted:
        echo(f"not packaged: {info.reason}; `mlestar predict` replays the winner's script")
        return False
    safe = "no file can execute code" if info.safe else "some files can execute code when loaded: only in the sandbox"
    size = sum(file.size for file in info.files) / 1e6
    echo(f"{package_folder(path)}: {len(info.files)} files of the model, {size:.1f} MB; {safe}")
    if info.train_files:
        echo(f"the predictor has the train rows: {', '.join(info.train_files)}")
    if info.depends:
        echo("the prediction of a row depends on the other rows of the call, as in the script itself")
    echo(f"fit {info.fit_seconds:.0f} s, predict {info.predict_seconds:.1f} s for the test rows")
    return True
