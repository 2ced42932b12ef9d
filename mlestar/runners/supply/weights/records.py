"""What a store knows of the weights in it."""

import hashlib
import json

from pydantic import BaseModel, ConfigDict, Field

from mlestar.errors import mask_secrets


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class StoredFile(_Frozen):
    """A file of weights."""

    name: str
    """Path in the repository, or the name of a single file."""
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    """Names the file in the store."""
    size: int
    """Bytes."""


class Entry(_Frozen):
    """Weights that a store has: a repository at a commit, or a file."""

    address: str
    """With the commit or the hash."""
    kind: str
    """`hub` or `file`."""
    repository: str = ""
    """`OWNER/NAME`; empty for a file."""
    revision: str = ""
    """The commit; empty for a file."""
    files: tuple[StoredFile, ...]
    licence: str = ""
    """As its author states it; empty when that is unknown."""
    fetched: str
    """UTC date and time."""

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def sha256(self) -> str:
        """The hash of a single file; else of the names and hashes of all."""
        if len(self.files) == 1:
            return self.files[0].sha256
        rows = [[file.name, file.sha256] for file in sorted(self.files, key=lambda file: file.name)]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()

    @property
    def shown_address(self) -> str:
        """The address as people and agents may see it."""
        return mask_secrets(self.address)

    @property
    def line(self) -> str:
        """What results state: address, hash and licence."""
        return weight_line(self.address, self.sha256, self.licence)


def weight_line(address: str, sha256: str, licence: str) -> str:
    """Return what results state of weights."""
    return f"{mask_secrets(address)} sha256 {sha256} licence {licence or 'unknown'}"


class Index(_Frozen):
    """All that a store has."""

    entries: dict[str, Entry] = {}
    """By their addresses."""
    pins: dict[str, str] = {}
    """Addresses without a commit, and the addresses with the commit that they had when they were fetched."""
