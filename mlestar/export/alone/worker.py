"""The process that imports a predictor once and answers requests over a pipe. Standard library only.

A line of JSON in, a line of JSON out: `{"files": {name: base64}}`, then `{"submission": base64}` or `{"error": text}`.
The first line out is `{"ready": true}`. The predictor has other standard streams: nothing it prints is an answer.
"""

import base64
import functools
import importlib.machinery
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlestar.export.alone.sums import PREDICTOR, check_folder
from mlestar.predictor.sums import ChangedError

_MAX_ERROR = 300
"""Most characters of an error in an answer. Chosen by judgement; not measured."""


def main(folder: str) -> None:
    """Answer requests until the pipe is closed."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    os.dup2(2, 1)
    root = Path(folder).resolve()

    def answer(values: dict[str, Any]) -> None:
        answers.write(json.dumps(values).encode() + b"\n")
        answers.flush()

    try:
        check_folder(root, f"{PREDICTOR}/")
        predict = load_predictor(root / PREDICTOR / "predictor.py")
    except ChangedError as error:
        answer({"error": str(error)})
        return
    except BaseException as error:
        answer({"error": describe(error)})
        raise
    answer({"ready": True})
    for line in requests:
        answer(_predict(root / PREDICTOR, predict, line))


def load_predictor(path: Path) -> Callable[[Path, Path, Path], Any]:
    """Import a predictor and return its function `predict`; the result of its function `load` is kept.

    It was fitted as the main module, by whose name saved files call what it defines. Compiled code that lies beside it
    is not used: nothing compared it.
    """
    loader = importlib.machinery.SourceFileLoader("predictor", str(path))
    spec = importlib.util.spec_from_loader("predictor", loader, origin=str(path))
    if spec is None:
        msg = f"{path.name} cannot be imported"
        raise ImportError(msg)
    spec.has_location = True
    module = importlib.util.module_from_spec(spec)
    sys.modules["predictor"] = sys.modules["__main__"] = module
    exec(loader.source_to_code(path.read_bytes(), str(path)), module.__dict__)
    if callable(getattr(module, "load", None)):
        module.__dict__["load"] = functools.cache(module.load)
    predict: Callable[[Path, Path, Path], Any] = module.predict
    return predict


def _predict(predictor: Path, predict: Callable[[Path, Path, Path], Any], line: bytes) -> dict[str, Any]:
    scratch = Path(tempfile.mkdtemp(prefix="predict-"))
    try:
        data, submission = scratch / "data", scratch / "submission.csv"
        data.mkdir()
        _link_files(predictor / "data", data)
        for name, content in json.loads(line)["files"].items():
            target = data / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.write_bytes(base64.b64decode(content))
        os.chdir(scratch)
        predict(predictor / "model", data, submission)
        return {"submission": base64.b64encode(submission.read_bytes()).decode()}
    except (Exception, SystemExit) as error:
        traceback.print_exc()  # for the log of a service; other callers discard it
        return {"error": describe(error)}
    finally:
        os.chdir("/")
        shutil.rmtree(scratch, ignore_errors=True)


def _link_files(source: Path, target: Path) -> None:
    """Copy the folder tree of a source with links to its files, so that new files are not written into the source."""
    for path in source.rglob("*"):
        if path.is_file():
            link = target / path.relative_to(source)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(path)


def describe(error: BaseException) -> str:
    """Return an error in one line."""
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0]}"[:_MAX_ERROR]
