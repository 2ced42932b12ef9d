"""The folder of weights that a script reads, in the layout of the caches that libraries look into.

hub/models--OWNER--NAME/{blobs,refs,snapshots}     what huggingface_hub finds with HF_HOME
torch/hub/checkpoints/FILE                         what torch.hub finds with TORCH_HOME
files/FILE                                         what a script opens itself
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mlestar.runners.supply.weights.address import Address, HubAddress, WeightsError
from mlestar.runners.supply.weights.choice import check_names
from mlestar.runners.supply.weights.records import Entry

FOLDERS = ("hub", "torch/hub/checkpoints", "files")
"""Folders that every view has."""

BlobPath = Callable[[str], Path]


@dataclass(frozen=True, order=True)
class ViewFile:
    """A file of a view: a blob, a link inside the view, or a short text."""

    path: str
    blob: str = ""
    """The sha256 of its content."""
    link: str = ""
    """Where it leads, relative to its folder."""
    text: str = ""


def view_files(weights: Mapping[Address, Entry]) -> list[ViewFile]:
    """Return the files of a view.

    Args:
        weights: entries by the addresses that a script declares.

    Raises:
        WeightsError: two entries would have files of the same name, or a name is refused.
    """
    files = [file for address, entry in weights.items() for file in _files_of(address, entry)]
    by_path = {file.path: file for file in files}
    for file in files:
        if by_path[file.path] != file:
            msg = f"two weights of the script would both be {file.path!r}: declare one revision of a repository, and "
            msg += "files of different names"
            raise WeightsError(msg)
    check_names(by_path)
    return sorted(by_path.values())


def _files_of(address: Address, entry: Entry) -> Iterator[ViewFile]:
    check_names(file.name for file in entry.files)
    if not entry.repository:
        for file in entry.files:
            yield ViewFile(f"files/{file.name}", blob=file.sha256)
            yield ViewFile(f"torch/hub/checkpoints/{file.name}", blob=file.sha256)
        return
    folder = f"hub/models--{entry.repository.replace('/', '--')}"
    # Libraries ask for the main branch where a script names no revision.
    named = address.revision if isinstance(address, HubAddress) else ""
    for revision in sorted({"main", named or "main"}):
        yield ViewFile(f"{folder}/refs/{revision}", text=entry.revision)
    for file in entry.files:
        yield ViewFile(f"{folder}/blobs/{file.sha256}", blob=file.sha256)
        up = "../" * (file.name.count("/") + 2)
        yield ViewFile(f"{folder}/snapshots/{entry.revision}/{file.name}", link=f"{up}blobs/{file.sha256}")


def view_name(files: Sequence[ViewFile]) -> str:
    """Return the name of the view of these files: the same files are the same folder."""
    rows = [[file.path, file.blob, file.link, file.text] for file in files]
    return hashlib.sha256(json.dumps(rows).encode()).hexdigest()


def build_view(folder: Path, files: Sequence[ViewFile], blob: BlobPath) -> None:
    """Make a view, which nobody writes into afterwards."""
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.blob:
            _link_or_copy(blob(file.blob), path)
        elif file.link:
            path.symlink_to(file.link)
        else:
            path.write_text(file.text, encoding="utf-8")
            path.chmod(0o444)
    for parent, _, _ in os.walk(folder, topdown=False):
        Path(parent).chmod(0o555)


def is_view_of(folder: Path, files: Sequence[ViewFile], blob: BlobPath) -> bool:
    """Whether a folder is the view of these files, unchanged; contents are compared by size."""
    if not folder.is_dir() or folder.is_symlink():
        return False
    present = {
        (Path(parent) / name).relative_to(folder).as_posix() for parent, _, names in os.walk(folder) for name in names
    }
    try:
        return present == {file.path for file in files} and all(_is_same(folder, file, blob) for file in files)
    except OSError:  # a file is gone, or cannot be read
        return False


def _is_same(folder: Path, file: ViewFile, blob: BlobPath) -> bool:
    path = folder / file.path
    if file.link:
        return path.is_symlink() and str(path.readlink()) == file.link
    if path.is_symlink():
        return False
    if file.blob:
        status, original = path.stat(), blob(file.blob).stat()
        return (status.st_size, status.st_mtime_ns) == (original.st_size, original.st_mtime_ns)
    return path.read_text(encoding="utf-8") == file.text


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copy2(source, target)
