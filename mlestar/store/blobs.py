"""Content-addressed files: scripts, output, prompts and submissions by sha256."""

import hashlib
import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO


class Blobs:
    """A folder of immutable files named by the sha256 of their content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
        with source.open("rb") as file:
            sha = hashlib.file_digest(file, "sha256").hexdigest()
        if not self.path(sha).exists():
            with source.open("rb") as content:
                self._install(sha, content)
        source.unlink()
        return sha

    def path(self, sha: str) -> Path:
        return self.folder / sha[:2] / sha[2:]

    def text(self, sha: str) -> str:
        return self.path(sha).read_text(encoding="utf-8")

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
