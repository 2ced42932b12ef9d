"""A copy of an input folder in plain formats, where the folder holds archives, workbooks and the like.

Scripts and readers then meet CSV, JSON and Parquet in UTF-8 only. Files that need no conversion are links.
"""

import codecs
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from mlestar.data.folder import TaskFolder
from mlestar.data.formats.archives import COMPRESSED, archive_stem, decompress, unpack
from mlestar.data.formats.arrow import ARROW, convert_arrow, join_parquet, parquet_folders
from mlestar.data.formats.parts import csv_folders, join_csv
from mlestar.data.formats.text import (
    TEXTS,
    convert_text,
    excel_marks,
    find_encoding,
    first_records,
    has_header,
    is_utf8,
    lacks_header,
)
from mlestar.data.formats.workbooks import WORKBOOKS, convert_workbook
from mlestar.data.layouts.roles import role_of_name
from mlestar.data.overrides import Overrides
from mlestar.data.tables import SUFFIXES, table_suffix
from mlestar.errors import TaskError

_ROUNDS = 6
"""Conversions after each other, of archives in archives and the text in them. Chosen by judgement; not measured."""
_ROLES = ("train", "labels", "test", "sample_submission")
_VERSION = 2
"""Counts up when the same files are converted to others."""
_SHOWN = 3
_STATISTICS = (".pkl", ".pickle", ".rds", ".rdata", ".sav", ".dta", ".sas7bdat", ".xpt", ".mat")
_OTHERS = (".sqlite", ".db", ".mdb", ".7z", ".rar", ".avro", ".orc", ".numbers", ".zst")
_TEXT_SUFFIXES = (".txt", ".dat", ".data", ".asc", "")
"""Suffixes of text that may be a table."""
_FOREIGN = (*_STATISTICS, *_OTHERS)
"""Suffixes of tables and archives that nothing here reads."""


@dataclass(frozen=True)
class PreparedInput:
    """A task folder with input in plain formats."""

    contents: TaskFolder
    overrides: Overrides
    """Files that were converted have their new names."""
    notes: tuple[str, ...] = ()
    """What was converted, one line each."""
    temporary: Path | None = None
    """A folder to remove when the task is no longer used."""


@dataclass
class _Conversion:
    """A conversion under way."""

    root: Path
    overrides: Overrides
    files: dict[str, Path]
    """Where each file of the new input is now; those that were converted are below `root`."""
    renamed: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    failed: set[str] = field(default_factory=set)
    folders: dict[str, list[str]] = field(default_factory=dict)
    """The folders that are one table in parts, with their parts."""
    width: int = 0
    """Columns of the widest table without a header."""

    def taken(self, folder: str, name: str) -> bool:
        return _join(folder, name) in self.files

    def add(self, source: str, name: str) -> None:
        self.files[name] = self.root / name
        self.renamed[source] = name

    def remove(self, name: str) -> None:
        path = self.files.pop(name)
        if path.is_relative_to(self.root):
            path.unlink()


def prepare_input(contents: TaskFolder, overrides: Overrides, workspace: Path | None = None) -> PreparedInput:
    """Return the task folder as it is, or with an input folder in which files of other formats are converted.

    Args:
        contents: of the task folder.
        overrides: settings of the task, among them `encoding`, `header` and `names`.
        workspace: the folder to convert into, kept for the next time; a temporary one without it.

    Raises:
        TaskError: a file that the task needs cannot be converted.
    """
    paths = {name: contents.input / name for name in contents.files}
    _check_formats(contents, overrides)
    _check_headers(paths, overrides)
    if not any(_convertible(paths, overrides)):
        return PreparedInput(contents, overrides)
    if workspace is not None:
        return _prepare(contents, overrides, workspace)
    temporary = Path(tempfile.mkdtemp(prefix="mlestar-input-"))
    try:
        return replace(_prepare(contents, overrides, temporary), temporary=temporary)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise


def _prepare(contents: TaskFolder, overrides: Overrides, workspace: Path) -> PreparedInput:
    root, record = workspace / "input", workspace / "input.json"
    key = _key(contents, overrides)
    if not record.is_file() or json.loads(record.read_bytes())["key"] != key or not root.is_dir():
        partial = workspace / f"input.partial-{os.getpid()}"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        try:
            work = _convert(contents, overrides, partial)
            shutil.rmtree(root, ignore_errors=True)
            partial.rename(root)
        except OSError as error:
            msg = f"the input cannot be converted: {error.strerror or error}: {error.filename or contents.input}"
            raise TaskError(msg) from error
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        facts = {"key": key, "files": sorted(work.files), "renamed": work.renamed, "notes": work.notes}
        record.write_text(json.dumps(facts), encoding="utf-8")
    facts = json.loads(record.read_bytes())
    files = replace(contents, input=root, files=tuple(facts["files"]))
    return PreparedInput(files, _rename(overrides, facts["renamed"]), tuple(facts["notes"]))


def _convert(contents: TaskFolder, overrides: Overrides, root: Path) -> _Conversion:
    work = _Conversion(root, overrides, {name: contents.input / name for name in contents.files})
    has_tables = any(table_suffix(Path(name)) in SUFFIXES for name in work.files)
    for _ in range(_ROUNDS):
        work.folders = _table_folders(work.files)
        names = [name for name in _convertible(work.files, overrides) if name not in work.failed]
        texts = [name for name in names if name in work.files and _kind(name, work.files[name], overrides) == "text"]
        work.width = max((len(_header(name, work.files[name], overrides)) for name in texts), default=0)
        # Text comes last, when every file is there: the widest names the columns of the others.
        for name in [name for name in names if name not in texts] or texts:
            try:
                _convert_one(work, name)
            except TaskError as error:
                if _is_needed(name, overrides) or not has_tables:
                    raise
                work.failed.add(name)
                work.notes.append(f"{error}; it is left as it is")
        if not names:
            break
    _check_headers({name: path for name, path in work.files.items() if path.is_relative_to(root)}, overrides)
    _link(contents, work)
    return work


def _convertible(files: dict[str, Path], overrides: Overrides) -> Iterator[str]:
    """Yield the files, and the folders that are one table, that are not in a plain format."""
    folders = _table_folders(files)
    parts = {part for names in folders.values() for part in names}
    yield from folders
    for name, path in files.items():
        if name not in parts and _kind(name, path, overrides):
            yield name


def _table_folders(files: dict[str, Path]) -> dict[str, list[str]]:
    """Return the folders that are one table in parts, with their parts."""
    return {**csv_folders(files), **parquet_folders(tuple(files))}


def _kind(name: str, path: Path, overrides: Overrides) -> str | None:
    """Return how a file is converted, None when it is plain."""
    lower = name.lower()
    if archive_stem(lower) is not None:
        return "archive"
    if lower.endswith(WORKBOOKS):
        return "workbook"
    if lower.endswith(ARROW):
        return "arrow"
    if lower.endswith(COMPRESSED) and table_suffix(Path(lower).with_suffix("")) in SUFFIXES:
        return "compressed"
    if table_suffix(Path(lower)) not in TEXTS:
        return None
    if _encoding(path, overrides) or _header(name, path, overrides) or excel_marks(path):
        return "text"
    return None


def _convert_one(work: _Conversion, name: str) -> None:
    if name not in work.files:
        _join_folder(work, name)
        return
    path, folder = work.files[name], _folder(name)
    (work.root / folder).mkdir(parents=True, exist_ok=True)
    kind = _kind(name, path, work.overrides)
    if kind in ("archive", "workbook"):
        _expand(work, name, kind)
    elif kind == "text":
        _convert_text(work, name)
    else:
        new = str(PurePosixPath(name).with_suffix(".parquet" if kind == "arrow" else ""))
        if new in work.files:
            _leave_out(work, name, [new])
            return
        (convert_arrow if kind == "arrow" else decompress)(path, work.root / new)
        _replace(work, name, [new])


def _expand(work: _Conversion, name: str, kind: str) -> None:
    """Replace an archive or a workbook by the files in it; those that are in the folder already have precedence."""
    folder = _folder(name)
    convert = unpack if kind == "archive" else convert_workbook
    written, skipped = convert(work.files[name], work.root / folder, lambda file: work.taken(folder, file))
    if written:
        _replace(work, name, [_join(folder, file) for file in written])
        work.notes += [f"{name}: {_present([_join(folder, file) for file in skipped])}"] * bool(skipped)
    elif skipped:
        _leave_out(work, name, [_join(folder, file) for file in skipped])


def _convert_text(work: _Conversion, name: str) -> None:
    path = work.files[name]
    encoding, header = _encoding(path, work.overrides), _header(name, path, work.overrides)
    marks = excel_marks(path)
    new = name[:-3] if name.lower().endswith(".gz") else name
    names = _names(work, name, len(header)) if header else None
    partial = work.root / f"{new}.partial"
    convert_text(path, partial, encoding, names)
    work.remove(name)
    partial.rename(work.root / new)
    work.add(name, new)
    changes = [f"{encoding} to utf-8"] * bool(encoding) + [f"columns named {', '.join(names or ())}"] * bool(names)
    work.notes.append(f"{name}: {'; '.join([*changes, *marks])}")


def _names(work: _Conversion, name: str, width: int) -> Sequence[str]:
    """Return the names of the columns of a file without a header; one that is narrower than train lacks the target.

    Raises:
        TaskError: there are fewer names than columns.
    """
    names = work.overrides.names or tuple(f"c{number}" for number in range(max(width, work.width)))
    if len(names) < width:
        msg = f"{name} has {width} columns and names in task.toml has {len(names)}: name each of them"
        raise TaskError(msg)
    features = [column for column in names if column not in (work.overrides.target or ())]
    return features if len(features) == width else names[:width]


def _join_folder(work: _Conversion, folder: str) -> None:
    parts = work.folders[folder]
    paths = [work.files[part] for part in parts]
    suffix = PurePosixPath(parts[0]).suffix.lower().replace(".pq", ".parquet")
    new = folder if folder.lower().endswith(suffix) else f"{folder.removesuffix('.pq')}{suffix}"
    if new in work.files:
        _leave_out(work, folder, [new])
        work.failed.add(folder)
        return
    partial = work.root / f"{new}.partial"
    partial.parent.mkdir(parents=True, exist_ok=True)
    if suffix == ".parquet":
        top = paths[0]
        for _ in PurePosixPath(parts[0]).relative_to(folder).parts:
            top = top.parent
        join_parquet(top, paths, partial)
    else:
        join_csv(paths, partial)
    for name in [name for name in work.files if name.startswith(f"{folder}/")]:
        work.remove(name)
    shutil.rmtree(work.root / folder, ignore_errors=True)
    partial.rename(work.root / new)
    work.add(folder, new)
    work.notes.append(f"{folder}: {len(parts)} files joined as {new}")


def _replace(work: _Conversion, name: str, new: list[str]) -> None:
    work.remove(name)
    for file in new:
        work.add(name, file)
    more = f" and {len(new) - _SHOWN} more" if len(new) > _SHOWN else ""
    work.notes.append(f"{name}: read as {', '.join(new[:_SHOWN])}{more}")


def _leave_out(work: _Conversion, name: str, present: list[str]) -> None:
    """Leave out an archive or the like of which everything is in the folder already.

    Raises:
        TaskError: it has a role by the settings.
    """
    if any(getattr(work.overrides, role) == name for role in _ROLES):
        msg = f"{name} is set in task.toml, but {present[0]} in the folder would take its place: remove one of them"
        raise TaskError(msg)
    work.failed.add(name)
    for file in [file for file in work.files if file == name or file.startswith(f"{name}/")]:
        work.remove(file)
    work.notes.append(f"{name}: {_present(present)}")


def _present(names: Sequence[str]) -> str:
    return f"{', '.join(names[:_SHOWN])} in the folder is used instead of what is in it"


def _link(contents: TaskFolder, work: _Conversion) -> None:
    """Link what was not converted: whole folders where nothing in them was."""
    changed = {name for name in contents.files if name not in work.files}
    changed |= {name for name, path in work.files.items() if path.is_relative_to(work.root)}
    mixed = {folder for name in changed for folder in _folders(name)}
    for name in work.files.keys() - changed:
        whole = next((folder for folder in _folders(name) if folder not in mixed), name)
        target = work.root / whole
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.is_symlink():
            target.symlink_to((contents.input / whole).absolute())


def _check_formats(contents: TaskFolder, overrides: Overrides) -> None:
    """Check that train and test are not only in formats that cannot be read, or under names that hide a table.

    Raises:
        TaskError: the only file of a role is.
    """
    for role in ("train", "test"):
        # A name that is set may lead out of the folder, and is checked later: only listed files are read here.
        chosen = getattr(overrides, role)
        names = [name for name in contents.files if (name == chosen if chosen else role_of_name(name) == role)]
        if names and all(name.lower().endswith(_FOREIGN) for name in names):
            msg = f"{names[0]} cannot be read: {PurePosixPath(names[0]).suffix} files are not supported; "
            raise TaskError(msg + "save it as CSV or Parquet")
        if names and overrides.layout is None and all(_is_renamed_table(contents.input / name) for name in names):
            msg = f"{names[0]} looks like a table: name it {PurePosixPath(names[0]).stem}.csv"
            raise TaskError(msg)


def _is_renamed_table(path: Path) -> bool:
    """Return whether a text file without the suffix of a table has the same columns in every line."""
    if path.suffix.lower() not in _TEXT_SUFFIXES:
        return False
    records = first_records(path, find_encoding(path))
    return len(records) > 1 and len(records[0]) > 1 and len({len(record) for record in records}) == 1


def _check_headers(files: dict[str, Path], overrides: Overrides) -> None:
    """Check that train and test have a header.

    Raises:
        TaskError: the first line of one is data.
    """
    if overrides.header is not None or overrides.names:
        return
    for name, path in files.items():
        if table_suffix(Path(name)) not in (".csv", ".tsv") or not _is_needed(name, overrides):
            continue
        records = first_records(path, _encoding(path, overrides))
        if lacks_header(records):
            cells = ", ".join(records[0][:_SHOWN])
            msg = f"{name} has no header: its first line ({cells[:60]}, ...) is data like the others; set "
            msg += 'header = false in task.toml, with names = ["...", ...] if the columns have names; '
            raise TaskError(msg + "header = true if it is a header")


def _header(name: str, path: Path, overrides: Overrides) -> list[str]:
    """Return the first record of a file that needs a header line; empty when it needs none."""
    is_set = overrides.header is False or (overrides.names and overrides.header is None)
    if not is_set or table_suffix(Path(name)) not in (".csv", ".tsv"):
        return []
    records = first_records(path, _encoding(path, overrides))
    names = {*(overrides.names or ()), *(f"c{number}" for number in range(len(records[0]) if records else 0))}
    if not records or has_header(records) or set(records[0]) <= names:
        return []
    return records[0]


def _encoding(path: Path, overrides: Overrides) -> str | None:
    """Return the encoding of a text file that is not UTF-8, as far as that is certain or set."""
    if encoding := find_encoding(path):
        return encoding
    if overrides.encoding is None or is_utf8(path):
        return None
    try:
        return codecs.lookup(overrides.encoding).name
    except LookupError as error:
        msg = f"encoding = {overrides.encoding!r} in task.toml is not known; utf-8, utf-16, cp1252 and cp1251 are some"
        raise TaskError(msg) from error


def _is_needed(name: str, overrides: Overrides) -> bool:
    """Return whether the task cannot do without a file: it is set, or its name suggests train or test."""
    return name in [getattr(overrides, role) for role in _ROLES] or role_of_name(name) in ("train", "test")


def _rename(overrides: Overrides, renamed: dict[str, str]) -> Overrides:
    changes: dict[str, object] = {
        role: renamed[name] for role in _ROLES if (name := getattr(overrides, role)) in renamed
    }
    if overrides.auxiliary:
        changes["auxiliary"] = tuple(renamed.get(name, name) for name in overrides.auxiliary)
    return overrides.model_copy(update=changes)


def _key(contents: TaskFolder, overrides: Overrides) -> str:
    """Return what the result depends on."""
    digest = hashlib.sha256(f"{_VERSION}\0{contents.input.absolute()}\0{overrides.model_dump_json()}".encode())
    for name in contents.files:
        status = (contents.input / name).stat()
        digest.update(f"\0{name}\0{status.st_size}\0{status.st_mtime_ns}".encode())
    return digest.hexdigest()


def _folder(name: str) -> str:
    return name.rpartition("/")[0]


def _join(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _folders(name: str) -> list[str]:
    """Return the folders that a file is in, outermost first."""
    return [str(folder) for folder in reversed(PurePosixPath(name).parents)][1:]
