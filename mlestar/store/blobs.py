"""Content-addressed files: scripts, output, prompts and submissions by sha256."""

import hashlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from mlestar.errors import StoreError
from mlestar.files import sha256_of
from mlestar.store.damage import damaged


class Blobs:
    """A folder of immutable files named by the sha256 of their content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._verified: dict[str, tuple[int, ...]] = {}
        """Inode, size and times of the files whose content was compared with their names."""
        folder.mkdir(parents=True, exist_ok=True)

    def put(self, content: str | bytes) -> str:
        """Keep content and return its sha256; lone surrogates in text become `?`."""
        data = content.encode("utf-8", errors="replace") if isinstance(content, str) else content
        sha = hashlib.sha256(data).hexdigest()
        if not self.path(sha).exists():
            self._install(sha, io.BytesIO(data))
        return sha

    def put_file(self, source: Path) -> str:
        """Move a file in and return its sha256."""
        sha = sha256_of(source)
        if not self.path(sha).exists():
            with source.open("rb") as content:
                self._install(sha, content)
        source.unlink()
        return sha

    def path(self, sha: str) -> Path:
        return self.folder / sha[:2] / sha[2:]

    def verified(self, sha: str) -> Path:
        """Return the path of a blob after comparing its content with its name, once while the file stays as it is.

        Raises:
            StoreError: it is gone, or was changed.
        """
        path = self.path(sha)
        try:
            status = path.stat()
            stamp = status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
            if self._verified.get(sha) != stamp:
                if sha256_of(path) != sha:
                    raise self._damaged(sha, "was changed")
                self._verified[sha] = stamp
        except OSError as error:
            raise self._unreadable(sha, error) from error
        return path

    def text(self, sha: str) -> str:
        """Return the text of a blob after comparing it with its name.

        Raises:
            StoreError: it is gone, or was changed.
        """
        try:
            content = self.path(sha).read_bytes()
        except OSError as error:
            raise self._unreadable(sha, error) from error
        if hashlib.sha256(content).hexdigest() != sha:
            raise self._damaged(sha, "was changed")
        return content.decode()

    def _unreadable(self, sha: str, error: OSError) -> StoreError:
        is_gone = isinstance(error, FileNotFoundError)
        return self._damaged(sha, "is gone" if is_gone else f"cannot be read ({error.strerror})")

    def _damaged(self, sha: str, what: str) -> StoreError:
        run = self.folder.parent
        return damaged(run, self.path(sha).relative_to(run).as_posix(), what)

    def _install(self, sha: str, content: IO[bytes]) -> None:
        """Write content in one step, on the disk before anything refers to it; a full disk keeps no part of it.

        The name of the file reaches the disk with the ledger's own write, which follows.
        """
        handle, name = tempfile.mkstemp(dir=self.folder)
        part, target = Path(name), self.path(sha)
        try:
            with os.fdopen(handle, "wb") as file:
                shutil.copyfileobj(content, file)
                file.flush()
                os.fsync(file.fileno())
            target.parent.mkdir(exist_ok=True)
            part.replace(target)
        except OSError:
            part.unlink(missing_ok=True)
            raise
