"""Addresses of weights: a repository of a hub, or a file with its hash.

hf:OWNER/NAME@REVISION
https://host/path/file.pth#sha256=HASH
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit

from mlestar.errors import clean_text, mask_secrets

REPOSITORY = re.compile(
    r"hf:(?P<owner>[A-Za-z0-9][\w.-]{0,95})/(?P<name>[A-Za-z0-9_][\w.-]{0,95})(?:@(?P<revision>.+))?", re.ASCII
)
REVISION = re.compile(r"[A-Za-z0-9_][\w./-]{0,199}", re.ASCII)
COMMIT = re.compile(r"[0-9a-f]{40}", re.ASCII)
FILE_NAME = re.compile(r"[A-Za-z0-9_][\w.+-]{0,199}", re.ASCII)
HASH = re.compile(r"sha256=(?P<sha256>[0-9a-fA-F]{64})", re.ASCII)
FORMS = "`hf:OWNER/NAME@REVISION` or `https://...#sha256=HASH`"
MAX_ADDRESS = 2000
"""Characters of an address. Chosen by judgement; not measured."""


class WeightsError(ValueError):
    """Weights cannot be supplied; the message tells an agent why."""


@dataclass(frozen=True)
class HubAddress:
    """A repository of models on a hub."""

    owner: str
    name: str
    revision: str = ""
    """Branch, tag or commit; empty: the newest of the main branch when it is fetched first."""

    def __str__(self) -> str:
        return f"hf:{self.repository}" + (f"@{self.revision}" if self.revision else "")

    @property
    def repository(self) -> str:
        return f"{self.owner}/{self.name}"

    @property
    def is_pinned(self) -> bool:
        """Whether the revision is a commit, which never changes."""
        return bool(COMMIT.fullmatch(self.revision))

    def at(self, revision: str) -> "HubAddress":
        """Return the address of another revision."""
        return HubAddress(self.owner, self.name, revision)


@dataclass(frozen=True)
class FileAddress:
    """A file on the web, with its hash."""

    url: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.url}#sha256={self.sha256}"

    @property
    def host(self) -> str:
        return urlsplit(self.url).hostname or ""

    @property
    def file_name(self) -> str:
        """The last part of the path, by which scripts read the file."""
        return unquote(urlsplit(self.url).path.rsplit("/", 1)[-1])


Address = HubAddress | FileAddress


def read_address(text: str) -> Address:
    """Return the address in a text.

    Raises:
        WeightsError: it contains no address; the message says which forms are possible.
    """
    shown = clean_text(mask_secrets(text[:MAX_ADDRESS]))
    if len(text) > MAX_ADDRESS:
        msg = f"an address of weights has {len(text)} characters: at most {MAX_ADDRESS} are possible"
        raise WeightsError(msg)
    if text.startswith("hf:"):
        return _read_repository(text, shown)
    if text.startswith(("https://", "http://")):
        return _read_file(text, shown)
    msg = f"{shown!r} is not an address of weights: write {FORMS}"
    raise WeightsError(msg)


def _read_repository(text: str, shown: str) -> HubAddress:
    match = REPOSITORY.fullmatch(text)
    if match is None:
        msg = f"{shown!r} is not an address of weights: write `hf:OWNER/NAME@REVISION`"
        raise WeightsError(msg)
    revision = match["revision"] or ""
    parts = revision.split("/")
    if revision and (not REVISION.fullmatch(revision) or any(part in ("", ".", "..") for part in parts)):
        msg = f"{shown!r} names no revision: write a branch, a tag or a commit after `@`"
        raise WeightsError(msg)
    if ".." in match["owner"] + match["name"] or "--" in match["owner"] + match["name"]:
        msg = f"{shown!r} is not an address of weights: names have no `..` and no `--`"
        raise WeightsError(msg)
    return HubAddress(match["owner"], match["name"], revision)


def _read_file(text: str, shown: str) -> FileAddress:
    url, _, fragment = text.partition("#")
    match = HASH.fullmatch(fragment)
    if match is None:
        msg = f"{shown!r} has no hash: write `#sha256=` and the sha256 of the file after the address"
        raise WeightsError(msg)
    try:
        parts = urlsplit(url)
        has_user = parts.username is not None or parts.password is not None
        port = parts.port
    except ValueError as error:
        msg = f"{shown!r} is not an address: {error}"
        raise WeightsError(msg) from error
    if not parts.hostname or has_user or port == 0 or not url.isascii() or not url.isprintable():
        msg = f"{shown!r} is not an address of weights: it needs a host, and must not contain a user or a password"
        raise WeightsError(msg)
    check_scheme(url, first=url)
    address = FileAddress(url, match["sha256"].lower())
    if not FILE_NAME.fullmatch(address.file_name):
        msg = f"{shown!r} does not end with the name of a file of letters, digits, `.`, `_`, `+` and `-`"
        raise WeightsError(msg)
    return address


def check_scheme(url: str, *, first: str) -> None:
    """Refuse an address that is not encrypted, and a redirect from the internet into the user's network.

    This machine itself may be asked without encryption.

    Args:
        url: the address, perhaps of a redirect.
        first: the address that was asked for: only if it is this machine may a redirect lead to this machine.

    Raises:
        WeightsError: it is refused.
    """
    parts = urlsplit(url)
    if is_private(url) and not is_private(first):
        msg = f"{clean_text(mask_secrets(url))!r} is an address of this machine or of a private network"
        raise WeightsError(msg)
    if parts.scheme == "https":
        return
    if parts.scheme == "http" and is_loopback(url) and is_loopback(first):
        return
    msg = f"{clean_text(mask_secrets(url))!r} is not encrypted: only https addresses are fetched"
    raise WeightsError(msg)


def is_private(url: str) -> bool:
    """Return whether an address is one of this machine or of a private network; names are not resolved."""
    try:
        return not ip_address(urlsplit(url).hostname or "").is_global
    except ValueError:
        return is_loopback(url)


def is_loopback(url: str) -> bool:
    """Return whether an address is one of this machine."""
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
