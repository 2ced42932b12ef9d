"""The store of weights: files by their sha256 and an index of entries, shared by all runs of a user.

blobs/ab/cdef...     files, read-only
index.json           entries and pins
views/HASH/          folders that scripts read, made of hard links to blobs
partial/             downloads that were interrupted
locks/               one lock for each address, for the index, and for what is in use
"""

import errno
import hashlib
import os
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from mlestar.errors import RunnerError, UserError
from mlestar.files import read_regular, sha256_of
from mlestar.runners.supply.weights.address import Address, HubAddress
from mlestar.runners.supply.weights.records import Entry, Index
from mlestar.runners.supply.weights.view import ViewFile, build_view, is_view_of, view_files, view_name

POLL_SECONDS = 0.2
"""Time between two attempts to get a lock. Chosen by judgement; not measured."""
RESERVE_BYTES = 2**30
"""Bytes of a disk that downloads leave free, at most a twentieth of it. Chosen by judgement; not measured."""
MAX_INDEX = 2**26
"""Bytes of the index that are read: about 100,000 files. Chosen by judgement; not measured."""


class WeightStore:
    """Keeps weights on this machine. Several processes may use one store at once; all methods block."""

    def __init__(self, folder: Path) -> None:
        """Describe a store; it is made when something is written to it."""
        self.folder = folder.expanduser().absolute()
        self._verified: dict[str, tuple[int, ...]] = {}
        """Inode, size and time of the blobs whose content was compared with their names."""

    def blob(self, sha256: str) -> Path:
        return self.folder / "blobs" / sha256[:2] / sha256[2:]

    def partial(self, key: str) -> Path:
        """Return the path of a download that is not complete; only who has the lock of its address may use it."""
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._make_folder("partial") / name

    def index(self) -> Index:
        """Return what the store has.

        Raises:
            UserError: the index cannot be read.
        """
        path = self.folder / "index.json"
        try:
            return Index.model_validate_json(read_regular(path, MAX_INDEX))
        except FileNotFoundError:
            return Index()
        except (OSError, ValidationError) as error:
            msg = f"{path} cannot be read: move it away, and add the weights again with `mlestar weights add`"
            raise UserError(msg) from error

    def find(self, address: Address) -> Entry | None:
        """Return the entry of an address; None when the store lacks it or any of its files.

        A repository without a revision is the newest entry of it, where it was never fetched without one.
        """
        index = self.index()
        name = str(address)
        entry = index.entries.get(index.pins.get(name, name))
        if entry is None and isinstance(address, HubAddress) and not address.revision:
            entries = [one for one in index.entries.values() if one.repository == address.repository]
            entry = max(entries, key=lambda one: one.fetched, default=None)
        return entry if entry and all(self.has_blob(file.sha256, file.size) for file in entry.files) else None

    def has_blob(self, sha256: str, size: int) -> bool:
        """Whether the store has a file, whose content is compared with its name once; a damaged one is removed."""
        path = self.blob(sha256)
        try:
            status = path.lstat()
            stamp = status.st_ino, status.st_size, status.st_mtime_ns
            if stat.S_ISREG(status.st_mode) and self._verified.get(sha256) == stamp:
                return True
            if stat.S_ISREG(status.st_mode) and status.st_size == size and sha256_of(path) == sha256:
                self._verified[sha256] = stamp
                return True
            path.unlink()
        except OSError:
            pass
        return False

    def install(self, part: Path, sha256: str) -> None:
        """Move a complete file, whose hash was checked, into the store in one step."""
        with self._writing():
            target = self.blob(sha256)
            target.parent.mkdir(parents=True, exist_ok=True)
            part.chmod(0o444)
            with part.open("rb") as file:
                os.fsync(file.fileno())
            part.replace(target)

    def record(self, entry: Entry, declared: Address) -> None:
        """Add an entry to the index, also under the address by which it was asked for."""
        with self._lock("index"):
            index = self.index()
            pins = {**index.pins, str(declared): entry.address} if str(declared) != entry.address else index.pins
            self._write_index(Index(entries={**index.entries, entry.address: entry}, pins=pins))

    def pins_of(self, entry: Entry) -> list[str]:
        """Return the addresses without a commit that lead to an entry."""
        return [name for name, address in self.index().pins.items() if address == entry.address]

    def make_view(self, weights: Mapping[Address, Entry]) -> Path:
        """Return a folder with these weights alone, in the layout that libraries expect.

        Args:
            weights: entries by the addresses that a script declares.

        Raises:
            WeightsError: two entries have the same name.
            RunnerError: the folder cannot be written.
        """
        files = view_files(weights)
        view = self.folder / "views" / view_name(files)
        if is_view_of(view, files, self.blob):
            return view
        with self._writing(), self._lock("views"):
            if not is_view_of(view, files, self.blob):
                self._replace_view(view, files)
        return view

    def _replace_view(self, view: Path, files: Sequence[ViewFile]) -> None:
        part = self._make_folder("views") / f".{uuid.uuid4().hex}"
        try:
            build_view(part, files, self.blob)
            if view.exists():
                _delete(view)
            part.rename(view)
        except BaseException:
            _delete(part)
            raise

    def remove(self, address: Address) -> int:
        """Remove an entry and what no other entry needs; return the bytes that are freed.

        Raises:
            UserError: the store lacks it, or a run uses the store.
        """
        with self._exclusive(), self._lock("index"):
            index = self.index()
            name = index.pins.get(str(address), str(address))
            if name not in index.entries:
                msg = f"no weights {address} in {self.folder}: `mlestar weights list` shows what is there"
                raise UserError(msg)
            entries = {key: entry for key, entry in index.entries.items() if key != name}
            pins = {key: pinned for key, pinned in index.pins.items() if pinned != name}
            self._write_index(Index(entries=entries, pins=pins))
            needed = {file.sha256 for entry in entries.values() for file in entry.files}
            sizes = {file.sha256: file.size for file in index.entries[name].files if file.sha256 not in needed}
            for folder in ("views", "partial"):
                _delete(self.folder / folder)
            for sha256 in sizes:
                self.blob(sha256).unlink(missing_ok=True)
            return sum(sizes.values())

    def hold(self) -> IO[bytes]:
        """Keep what is in the store there until the returned file is closed or the process ends."""
        file = self._open_lock("use")
        _lock_file(file, shared=True)
        return file

    @contextmanager
    def fetching(self, address: Address, stopped: threading.Event, on_wait: Callable[[], None]) -> Iterator[None]:
        """Let one process at a time fetch an address.

        Args:
            address: what is fetched.
            stopped: set when nobody waits for it any more.
            on_wait: is called once when another process fetches it.
        """
        with ExitStack() as stack, self._writing():
            stack.enter_context(self.hold())
            file = stack.enter_context(self._open_lock(hashlib.sha256(str(address).encode()).hexdigest()))
            waits = False
            while not _try_lock(file):
                if stopped.is_set():
                    msg = "fetching weights was stopped"
                    raise RunnerError(msg)
                if not waits:
                    on_wait()
                waits = True
                time.sleep(POLL_SECONDS)
            yield

    def check_space(self, size: int) -> None:
        """Refuse to begin what does not fit on the disk.

        Raises:
            RunnerError: it does not; says what to do.
        """
        disk = os.statvfs(self._make_folder("partial"))
        total = disk.f_blocks * disk.f_frsize
        free = disk.f_bavail * disk.f_frsize - min(RESERVE_BYTES, total // 20)
        if size > free:
            msg = f"the disk of {self.folder} has no space for {size / 1e6:,.0f} MB of weights: free some, or choose "
            msg += "another folder with --weights-dir"
            raise RunnerError(msg)

    def _write_index(self, index: Index) -> None:
        part = self.folder / f".index-{uuid.uuid4().hex}"
        with self._writing():
            try:
                with part.open("wb") as file:
                    file.write(index.model_dump_json(indent=1).encode())
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(self.folder / "index.json")
            finally:
                part.unlink(missing_ok=True)

    def _make_folder(self, name: str) -> Path:
        with self._writing():
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.folder / name).mkdir(exist_ok=True)
        return self.folder / name

    def _open_lock(self, name: str) -> IO[bytes]:
        path = self._make_folder("locks") / name
        with self._writing():
            return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), "r+b")

    @contextmanager
    def _lock(self, name: str) -> Iterator[None]:
        with self._open_lock(name) as file:
            _lock_file(file)
            yield

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        with self._open_lock("use") as file:
            if not _try_lock(file):
                msg = f"a run uses the weights in {self.folder}: wait until it has ended"
                raise UserError(msg)
            yield

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Report a store that cannot be written in one line."""
        try:
            yield
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            why = "the disk is full: free some space" if full else str(error.strerror or error)
            msg = f"cannot write to the store of weights {self.folder} ({why}), or choose another with --weights-dir"
            raise RunnerError(msg) from error


def _lock_file(file: IO[bytes], *, shared: bool = False, wait: bool = True) -> None:
    import fcntl  # other systems lack it, and this module is imported before they are refused

    kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
    fcntl.flock(file, kind if wait else kind | fcntl.LOCK_NB)


def _try_lock(file: IO[bytes]) -> bool:
    try:
        _lock_file(file, wait=False)
    except BlockingIOError:
        return False
    return True


def _delete(folder: Path) -> None:
    """Delete a folder of the store, whose folders are read-only."""
    for parent, _, _ in os.walk(folder):
        Path(parent).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
