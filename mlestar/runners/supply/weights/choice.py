"""Which files of a repository are fetched, and which names of files are refused."""

from collections.abc import Iterable
from pathlib import PurePosixPath

from mlestar.errors import clean_text
from mlestar.runners.supply.weights.address import WeightsError

SAFE = frozenset({".safetensors"})
"""Weights that contain nothing but numbers."""
PICKLES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib"})
"""Weights that may contain code. Only scripts in the sandbox load them."""
OTHER_WEIGHTS = frozenset(
    {".h5", ".hdf5", ".keras", ".msgpack", ".onnx", ".ot", ".tflite", ".gguf", ".ggml", ".mlmodel", ".pb", ".npz"}
)
"""Weights of other libraries, which are fetched only where a repository has neither of the above."""
SKIPPED = frozenset(
    {".md", ".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".mp4", ".wav", ".mp3", ".pdf", ".ipynb"}
    | {".csv", ".tsv", ".parquet", ".arrow", ".feather", ".jsonl", ".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"}
)
"""Descriptions, examples and data: data sets are never fetched."""
SMALL_BYTES = 2**20
"""Archives of text up to this size are vocabularies, not data. Chosen by judgement; not measured."""
VOCABULARIES = frozenset({".gz", ".tsv", ".jsonl"})
MAX_FILES = 500
"""Files of a repository. Chosen by judgement; not measured."""
MAX_PATH = 500
"""Characters of the name of a file in a repository. Chosen by judgement; not measured."""
MAX_PART = 200
"""Characters of a part of such a name; most file systems allow 255 bytes."""


def check_names(names: Iterable[str]) -> None:
    """Refuse files that would be written outside of their folder, or in place of one another.

    Raises:
        WeightsError: names the first such file.
    """
    files: set[str] = set()
    folders: set[str] = set()
    for name in names:
        if not _is_plain(name):
            msg = f"the repository has a file whose name is refused: {clean_text(name[:MAX_PATH])!r}"
            raise WeightsError(msg)
        files.add(name)
        folders |= {str(parent) for parent in PurePosixPath(name).parents}
    if both := sorted(files & folders):
        msg = f"the repository has a file and a folder named {both[0]!r}"
        raise WeightsError(msg)


def _is_plain(name: str) -> bool:
    parts = name.split("/")
    is_relative = not any(part in ("", ".", "..") or len(part.encode()) > MAX_PART for part in parts)
    has_odd_marks = not name.isprintable() or "\\" in name or ":" in name or clean_text(name) != name
    return is_relative and not has_odd_marks and len(name) <= MAX_PATH


def choose_files(sizes: dict[str, int]) -> list[str]:
    """Return the files of a repository that are fetched: safetensors rather than pickles of the same folder.

    Args:
        sizes: bytes of each file by its name.

    Raises:
        WeightsError: a name is refused, or there are no weights or too many files.
    """
    check_names(sizes)
    names = [name for name, size in sizes.items() if _is_wanted(name, size)]
    safe_folders = {_folder(name) for name in names if _suffix(name) in SAFE}
    has_torch = any(_suffix(name) in SAFE | PICKLES for name in names)
    chosen = []
    for name in sorted(names):
        suffix = _suffix(name)
        if suffix in PICKLES and _folder(name) in safe_folders:
            continue
        if suffix in OTHER_WEIGHTS and has_torch:
            continue
        chosen.append(name)
    if not any(_suffix(name) in SAFE | PICKLES | OTHER_WEIGHTS for name in chosen):
        msg = "the repository has no weights"
        raise WeightsError(msg)
    if len(chosen) > MAX_FILES:
        msg = f"the repository has {len(chosen)} files: at most {MAX_FILES} are fetched"
        raise WeightsError(msg)
    return chosen


def _is_wanted(name: str, size: int) -> bool:
    if any(part.startswith(".") for part in name.split("/")):
        return False
    suffix = _suffix(name)
    return suffix not in SKIPPED or (suffix in VOCABULARIES and size <= SMALL_BYTES)


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _folder(name: str) -> str:
    return str(PurePosixPath(name).parent)
