"""The packaged predictor in a run folder: `predictor/` with its script, the fitted model, and side files."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mlestar.errors import UserError
from mlestar.files import sha256_of
from mlestar.metrics.spec import TaskSpec
from mlestar.predictor.frames import RowSpec
from mlestar.predictor.sums import INFO as INFO
from mlestar.predictor.sums import ChangedError, check_files, check_nothing_added

PACKAGE_FORMAT = 1
"""Number of the format; it is increased when older versions cannot read the new one."""
FOLDER = "predictor"
SCRIPT = "predictor.py"
MODEL = "model"
DATA = "data"
UNSAFE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".dill")
"""Suffixes of files that may execute code when they are loaded."""
SAFE_SUFFIXES = {
    ".json": "json",
    ".txt": "text",
    ".csv": "csv",
    ".npy": "npy",
    ".npz": "npz",
    ".parquet": "parquet",
    ".skops": "skops",
    ".ubj": "xgboost",
    ".cbm": "catboost",
    ".safetensors": "safetensors",
    ".onnx": "onnx",
}
"""Formats that contain only values and no code, by the suffix of a file."""
ASSET = "train file"
"""The format of files of train rows, which are read as the script reads them in the run."""
_AGAIN = "run `mlestar package` again"


class ModelFile(BaseModel):
    """A file that `fit` wrote."""

    model_config = ConfigDict(frozen=True)

    name: str
    """Relative to `model/`."""
    format: str
    sha256: str
    size: int
    safe: bool
    """Whether loading it cannot execute code from the file."""


class Check(BaseModel):
    """A comparison of predictions."""

    model_config = ConfigDict(frozen=True)

    name: str
    rows: int
    difference: float
    """The largest difference of numbers, relative for numbers larger than 1; of labels, the share that differs."""
    tolerance: float
    passed: bool
    depends: bool = False
    """The script itself predicts these rows differently without the others."""
    detail: str = ""
    """Why it failed, or how far the script itself is from the submission when it has these rows."""


class PackageInfo(BaseModel):
    """The contents of `predictor.json`."""

    model_config = ConfigDict(frozen=True)

    format: int = PACKAGE_FORMAT
    accepted: bool
    reason: str = ""
    """Why it was not accepted; then the folder has no other file."""
    run: str
    solution: str
    """Id of the winner."""
    solution_sha256: str
    """Of `solution.py`."""
    made_by: str = ""
    """The model that wrote `predictor.py`."""
    spec: TaskSpec
    rows: RowSpec
    test_file: str
    """The file of `data/` that the new rows are written to; it exists only while new rows are predicted."""
    data_files: tuple[str, ...] = ()
    """The other files of `data/`."""
    delimiter: str = ","
    """Of the test file."""
    python: str = ""
    packages: dict[str, str] = {}
    """Everything that was installed where it was fitted: distributions and versions."""
    lock: str = ""
    """Lock of the packages that were added for the script's declaration: a blob of the run that made it."""
    image: str = ""
    runner: str = ""
    files: tuple[ModelFile, ...] = ()
    sums: dict[str, str] = {}
    """The sha256 of every file by its path in the folder, without this one; older versions recorded none."""
    safe: bool = True
    """No file of `model/` can execute code when it is loaded."""
    train_files: tuple[str, ...] = ()
    """Files of `model/` that are files of train rows or their labels, and folders of such files."""
    checks: tuple[Check, ...] = ()
    refusals: int = 0
    """Times the packager's answers were not accepted; a model is asked anew each time."""
    fit_seconds: float = 0.0
    predict_seconds: float = 0.0
    """For the rows of the test file."""

    @property
    def depends(self) -> bool:
        """Whether the prediction of a row depends on the other rows of the call."""
        return any(check.depends for check in self.checks)


def package_folder(run: Path) -> Path:
    return run / FOLDER


def read_package(run: Path) -> PackageInfo | None:
    """Return the record of the packaged predictor in a run folder; None where there is none.

    Raises:
        UserError: it was written by a newer version, or is damaged.
    """
    path = package_folder(run) / INFO
    if not path.is_file():
        return None
    try:
        info = PackageInfo.model_validate_json(path.read_text(encoding="utf-8"))
    except (ValidationError, OSError, UnicodeDecodeError) as error:
        msg = f"{path} cannot be read: delete {path.parent} and run `mlestar package` again"
        raise UserError(msg) from error
    if info.format > PACKAGE_FORMAT:
        msg = f"{path} was written by a newer version of mlestar: update it, or delete {path.parent}"
        raise UserError(msg)
    return info


def check_package(run: Path, info: PackageInfo) -> None:
    """Refuse a packaged predictor whose files are not those that were accepted.

    Raises:
        UserError: names a file.
    """
    check_has_sums(run, info)
    folder = package_folder(run)
    try:
        check_files(folder, info.sums)
        check_nothing_added(folder, info.sums)
    except ChangedError as error:
        msg = f"{folder}: {error}: {_AGAIN}"
        raise UserError(msg) from error


def check_has_sums(run: Path, info: PackageInfo) -> None:
    """Refuse a packaged predictor of a version that recorded the files of `model` only.

    Raises:
        UserError: it is one.
    """
    if not info.sums:
        msg = f"{package_folder(run)} was made by an older version, without the sha256 of {SCRIPT}: {_AGAIN}"
        raise UserError(msg)


def describe_file(path: Path, name: str) -> ModelFile:
    """Return the description of a file of `model/`; the file is not loaded."""
    suffix = path.suffix.lower()
    form = SAFE_SUFFIXES.get(suffix, "pickle" if suffix in UNSAFE_SUFFIXES else "unknown")
    return ModelFile(
        name=name, format=form, sha256=sha256_of(path), size=path.stat().st_size, safe=suffix in SAFE_SUFFIXES
    )


def as_asset(file: ModelFile) -> ModelFile:
    """Return the description of a file of a train row, which is data unless its format may hold code."""
    return file.model_copy(update={"format": ASSET, "safe": not file.name.lower().endswith(UNSAFE_SUFFIXES)})
