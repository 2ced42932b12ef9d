"""The packaged predictor of a run, and checks whether it can be exported."""

import shutil
from pathlib import Path

from mlestar.errors import UserError
from mlestar.predictor.package import DATA, MODEL, SCRIPT, PackageInfo, check_package, package_folder, read_package
from mlestar.report import Result
from mlestar.runners.supply.needs import NeedsError, read_needs


def is_missing(run: Path, result: Result) -> bool:
    """Return whether a run was never packaged, with another winner, or by a version that recorded too little."""
    info = read_package(run)
    if info is None or info.solution_sha256 != (result.solution_sha256 or ""):
        return True
    return info.accepted and not info.sums


def read_saved(run: Path) -> PackageInfo:
    """Return the record of the packaged predictor in a run folder.

    Raises:
        UserError: there is none that was accepted, or its files are not those that were.
    """
    info = read_package(run)
    if info is None or not info.accepted:
        why = f": {info.reason}" if info is not None and info.reason else ""
        msg = f"run {run.name} has no packaged predictor that was accepted{why}; `mlestar predict` still works"
        raise UserError(msg)
    folder = package_folder(run)
    check_package(run, info)
    if unprintable := [name for name in info.sums if not name.isprintable()]:
        msg = f"the predictor of run {run.name} has a file with a name that cannot be recorded: {unprintable[0]!r}"
        raise UserError(msg)
    if not (folder / SCRIPT).is_file():
        msg = f"{folder} has no {SCRIPT}: package the run again"
        raise UserError(msg)
    if weights := _declared_weights((folder / SCRIPT).read_text(encoding="utf-8")):
        msg = f"the predictor of run {run.name} declares pretrained weights ({weights[0]}), which are not exported: "
        msg += "use `mlestar predict`"
        raise UserError(msg)
    return info


def _declared_weights(code: str) -> tuple[str, ...]:
    try:
        return read_needs(code).weights
    except NeedsError as error:
        msg = f"what {SCRIPT} declares cannot be read: {error}"
        raise UserError(msg) from error


def copy_predictor(source: Path, target: Path, left_out: set[str]) -> None:
    """Copy the files of a predictor, without its record.

    Args:
        source: the folder of the predictor.
        target: a folder that does not exist.
        left_out: names of files in `data/` that are written for each request.

    Raises:
        UserError: it contains a link, which may lead anywhere.
    """
    for path in source.rglob("*"):
        if path.is_symlink():
            msg = f"{path} is a link, which a packaged predictor never has: package the run again"
            raise UserError(msg)
    target.mkdir()
    shutil.copyfile(source / SCRIPT, target / SCRIPT)
    for name in (MODEL, DATA):
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name, copy_function=shutil.copyfile)
    for name in left_out:
        (target / DATA / name).unlink(missing_ok=True)
