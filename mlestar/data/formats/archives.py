"""Unpacking zip and tar archives without leaving the folder."""

import bz2
import gzip
import lzma
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, cast

from mlestar.errors import TaskError, first_line
from mlestar.files import MAX_RATIO, SMALL, unpacked_limit

ARCHIVES = (".zip", ".tar", ".tgz", ".tar.gz", ".tbz2", ".tar.bz2", ".txz", ".tar.xz")
COMPRESSED = (".bz2", ".xz", ".parquet.gz")
"""Endings of single files that are unpacked. Libraries read other tables in gzip as they are, but not Parquet."""

# The limits below were chosen by judgement; none was measured.
MAX_FILES = 1_000_000
_KEEP_FREE = 2**28
"""Bytes of the disk that stay free."""
_FEW = 10
"""Files at the top of an archive up to which they are unpacked beside it, more into a folder of its name."""
_BLOCK = 2**20
_IGNORED = ("__MACOSX", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Member:
    """One file of an archive."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


def archive_stem(name: str) -> str | None:
    """Return the name of an archive without its suffix; None when it is not an archive by its name."""
    suffix = max((suffix for suffix in ARCHIVES if name.lower().endswith(suffix)), key=len, default=None)
    return None if suffix is None else name[: -len(suffix)]


def unpack(path: Path, target: Path, taken: Callable[[str], bool]) -> tuple[list[str], list[str]]:
    """Unpack an archive into a folder; return the names of its files, and of those that were there before.

    Raises:
        TaskError: it is broken, encrypted or too large, or a member is a link or leaves the folder.
    """
    with open_members(path) as members:
        _check_size(path, members, target)
        stem = archive_stem(path.name) or path.name
        names = _place(stem, [_safe_name(path, member.name) for member in members])
        written: dict[str, None] = {}
        skipped = []
        for name, member in zip(names, members, strict=True):
            if name in written:
                msg = f"{path.name} holds {name} twice"
                raise TaskError(msg)
            if taken(name):
                skipped.append(name)
                continue
            _write(path, member, target / name)
            written[name] = None
    return list(written), skipped


_OPENERS: dict[str, Callable[[Path], IO[bytes]]] = {
    ".bz2": bz2.open,
    ".gz": cast(Callable[[Path], IO[bytes]], gzip.open),
    ".xz": lzma.open,
}
"""By the suffix of a single file; each opens its content as bytes."""


def decompress(path: Path, target: Path) -> None:
    """Write the content of a file that is compressed with bzip2, gzip or xz.

    Raises:
        TaskError: it is broken, or too large.
    """
    limit = unpacked_limit(path)
    try:
        with _OPENERS[path.suffix.lower()](path) as file, target.open("wb") as output:
            _copy(path, file, output, limit)
    except (OSError, EOFError, lzma.LZMAError, zlib.error, ValueError) as error:
        if isinstance(error, TaskError):
            raise
        msg = f"{path.name} cannot be unpacked: {first_line(str(error))}"
        raise TaskError(msg) from error


@contextmanager
def open_members(path: Path) -> Iterator[list[Member]]:
    """Yield the files of a zip or tar archive; those of the system's own are left out.

    Raises:
        TaskError: it is broken or encrypted, or a member is a link.
    """
    try:
        if path.name.lower().endswith(".zip"):
            with zipfile.ZipFile(path) as archive:
                yield [member for member in _zip_members(path, archive) if not _is_ignored(member.name)]
        else:
            with tarfile.open(path) as tar:
                yield [member for member in _tar_members(path, tar) if not _is_ignored(member.name)]
    except TaskError:
        raise
    except (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, OSError) as error:
        msg = f"{path.name} cannot be unpacked: {first_line(str(error))}"
        raise TaskError(msg) from error
    except (RuntimeError, NotImplementedError) as error:  # an encrypted member, or an unknown compression
        msg = f"{path.name} cannot be unpacked: {first_line(str(error))}"
        raise TaskError(msg) from error


def _zip_members(path: Path, archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        if stat.S_ISLNK(info.external_attr >> 16):
            msg = f"{path.name}: {info.filename!r} is a link; archives with links are not unpacked"
            raise TaskError(msg)
        if info.flag_bits & 1:
            msg = f"{path.name} is encrypted: unpack it and give the files"
            raise TaskError(msg)
        if not info.is_dir():
            yield Member(info.filename, info.file_size, partial(archive.open, info))


def _tar_members(path: Path, archive: tarfile.TarFile) -> Iterator[Member]:
    for info in archive:
        if info.isdir():
            continue
        if not info.isreg():
            msg = f"{path.name}: {info.name!r} is a link or a device; archives with these are not unpacked"
            raise TaskError(msg)
        yield Member(info.name, info.size, partial(_open_in_tar, path, archive, info))


def _open_in_tar(path: Path, archive: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    file = archive.extractfile(info)
    if file is None:
        msg = f"{path.name}: {info.name!r} is no file"
        raise TaskError(msg)
    return file


def _check_size(path: Path, members: list[Member], target: Path) -> None:
    size, packed = sum(member.size for member in members), path.stat().st_size
    if not members:
        msg = f"{path.name} holds no files"
    elif len(members) > MAX_FILES:
        msg = f"{path.name} holds {len(members):,} files, more than {MAX_FILES:,}: unpack it and give the files"
    elif size > SMALL and size > MAX_RATIO * packed:
        msg = f"{path.name} unpacks to {size:,} bytes, {size // max(1, packed)} times its size: unpack it and give "
        msg += "the files if that is right"
    elif size > shutil.disk_usage(target).free - _KEEP_FREE:
        msg = f"{path.name} unpacks to {size:,} bytes, for which there is no room in {target}"
    else:
        return
    raise TaskError(msg)


def _safe_name(archive: Path, name: str) -> str:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    if not parts or parts[0] == "/" or ".." in parts or ":" in parts[0] or "\0" in name:
        msg = f"{archive.name}: {name!r} leaves the folder it is unpacked into; such archives are not unpacked"
        raise TaskError(msg)
    return "/".join(parts)


def _is_ignored(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return any((part.startswith(".") and part not in (".", "..")) or part in _IGNORED for part in parts)


def _place(stem: str, names: list[str]) -> list[str]:
    """Return where each file goes: beside the archive, or into a folder of its name where it would fill the other."""
    at_top = sum("/" not in name for name in names)
    return names if at_top <= _FEW else [f"{stem}/{name}" for name in names]


def _write(archive: Path, member: Member, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as source, target.open("wb") as output:
        _copy(archive, source, output, member.size)


def _copy(archive: Path, source: IO[bytes], target: IO[bytes], limit: int) -> None:
    while block := source.read(_BLOCK):
        limit -= len(block)
        if limit < 0:
            msg = f"{archive.name} unpacks to more than it says: unpack it and give the files if that is right"
            raise TaskError(msg)
        target.write(block)
