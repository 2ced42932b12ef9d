"""Repositories of a hub, asked through its own client, which knows its address and the user's token."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlestar.errors import clean_text, first_line
from mlestar.files import open_regular, sha256_of
from mlestar.runners.supply.weights.address import COMMIT, HASH, HubAddress, WeightsError
from mlestar.runners.supply.weights.choice import choose_files

INSTALL = "pip install 'mlestar[weights]'"
CHUNK = 2**20
MAX_LICENCE = 60
"""Characters of a licence's name. Chosen by judgement; not measured."""


@dataclass(frozen=True, kw_only=True)
class RemoteFile:
    """A file of a repository, and what its content must be."""

    name: str
    size: int
    url: str
    sha256: str = ""
    git_hash: str = ""
    """Of a small file, of which a hub states no sha256: the hash that git gives its content."""

    def is_content(self, path: Path) -> bool:
        """Whether a file has the content that the hub states."""
        return sha256_of(path) == self.sha256 if self.sha256 else _git_hash(path) == self.git_hash


@dataclass(frozen=True, kw_only=True)
class Repository:
    """A repository at one commit."""

    address: HubAddress
    """With the commit."""
    files: tuple[RemoteFile, ...]
    """Those that are fetched."""
    licence: str
    headers: Mapping[str, str]
    """What a request for its files must send."""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


def describe_repository(address: HubAddress, endpoint: str | None = None) -> Repository:
    """Ask a hub what a repository has.

    Args:
        address: of the repository.
        endpoint: address of the hub; None: that of the client, which `HF_ENDPOINT` changes.

    Raises:
        WeightsError: the client is not installed, the hub does not answer, or the repository cannot be used.
    """
    try:
        from huggingface_hub import HfApi, hf_hub_url
        from huggingface_hub.utils import build_hf_headers  # type: ignore[attr-defined]  # documented, but not listed
    except ImportError as error:
        msg = f"weights of a hub need the package huggingface_hub on the host: {INSTALL}"
        raise WeightsError(msg) from error
    try:
        info = HfApi(endpoint=endpoint).model_info(
            address.repository, revision=address.revision or None, files_metadata=True, timeout=30
        )
    except Exception as error:  # the client's own errors, those of its network library, and of a mirror's JSON
        raise WeightsError(_explain(address, error)) from error
    commit = str(info.sha)
    if not COMMIT.fullmatch(commit) or (address.is_pinned and commit != address.revision):
        msg = f"{address}: the hub states another commit or none ({clean_text(commit[:50])!r})"
        raise WeightsError(msg)
    siblings = {sibling.rfilename: sibling for sibling in info.siblings or ()}
    sizes = {name: sibling.size if sibling.size is not None else -1 for name, sibling in siblings.items()}
    try:
        names = choose_files(sizes)
    except WeightsError as error:
        msg = f"{address} cannot be used: {error}"
        raise WeightsError(msg) from error
    files = []
    for name in names:
        url = hf_hub_url(address.repository, name, revision=commit, endpoint=endpoint)
        files.append(_read_file(address, siblings[name], url))
    headers = build_hf_headers()
    pinned = address.at(commit)
    return Repository(address=pinned, files=tuple(files), licence=_licence(info), headers=headers)


def _read_file(address: HubAddress, sibling: Any, url: str) -> RemoteFile:
    lfs = sibling.lfs
    sha256 = str(lfs.sha256).lower() if lfs is not None else ""
    git_hash = "" if sha256 else str(sibling.blob_id or "")
    is_known = HASH.fullmatch(f"sha256={sha256}") or COMMIT.fullmatch(git_hash)
    if sibling.size is None or sibling.size < 0 or not is_known:
        msg = f"{address}: the hub states no size or no hash of {clean_text(sibling.rfilename)!r}"
        raise WeightsError(msg)
    return RemoteFile(name=sibling.rfilename, size=int(sibling.size), url=url, sha256=sha256, git_hash=git_hash)


def _licence(info: Any) -> str:
    """Return the licence as the author states it, in the repository's card or its tags."""
    card = info.card_data.to_dict() if info.card_data is not None else {}
    licence = card.get("license")
    tags = [str(tag).removeprefix("license:") for tag in info.tags or () if str(tag).startswith("license:")]
    named = card.get("license_name") if licence in (None, "other") else None
    text = str(named or licence or next(iter(tags), ""))
    return " ".join(clean_text(text).split())[:MAX_LICENCE]


def _explain(address: HubAddress, error: Exception) -> str:
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return f"{address} needs the consent of its authors: accept their terms on its page, and log in on the host"
    if isinstance(error, errors.RepositoryNotFoundError):
        return f"the hub has no repository {address.repository!r} for models, or it is private: check the name"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"{address.repository} has no revision {address.revision!r}: name a branch, a tag or a commit"
    if isinstance(error, errors.OfflineModeIsEnabled):
        return f"{address} is not in the store, and HF_HUB_OFFLINE is set on the host"
    return f"the hub does not describe {address}: {first_line(str(error)) or type(error).__name__}"


def _git_hash(path: Path) -> str:
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with open_regular(path) as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()
