"""Content-addressed files: scripts, output, prompts and submissions by sha256."""

import hashlib
import os
import shutil
import tempfile
from pathlib import Path


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
            self._install(data, self.path(sha))
        return sha

    def put_file(self, source: Path) -> str:
        """Move a file in and return its sha256."""
        with source.open("rb") as file:
            sha = hashlib.file_digest(file, "sha256").hexdigest()
        target = self.path(sha)
        if not target.exists():
            target.parent.mkdir(exist_ok=True)
            shutil.move(source, target)
        return sha

    def path(self, sha: str) -> Path:
        return self.folder / sha[:2] / sha[2:]

    def text(self, sha: str) -> str:
        return self.path(sha).read_text(encoding="utf-8")

    def _install(self, data: bytes, target: Path) -> None:
        target.parent.mkdir(exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
