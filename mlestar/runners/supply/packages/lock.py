"""The exact packages that are added for a declaration, and the limits within which they are fetched."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

LOCK_LINE = re.compile(
    r"(?P<name>[a-z0-9]+(?:-[a-z0-9]+)*)==(?P<version>\S+)(?P<hashes>(?: --hash=sha256:[0-9a-f]{64})+)"
)


class PackageError(Exception):
    """Declared packages cannot be supplied; the message tells an agent what it can do."""


@dataclass(frozen=True, kw_only=True)
class InstallLimits:
    """What adding the packages of one declaration may take."""

    mb: int = 1000
    """Size of all downloaded files."""
    seconds: float = 600
    """Wall-clock time of resolving, fetching and installing together."""
    count: int = 50
    """Packages with their dependencies that the runner lacks."""
    source_builds: bool = False
    """Whether packages without a wheel may be built, which executes their code with the network."""


@dataclass(frozen=True, kw_only=True)
class PackageRequest:
    """Packages that are not installed, within their limits."""

    requirements: tuple[str, ...]
    """In pip's form."""
    provided: Mapping[str, str]
    """Names and versions of distributions that others of the same modules stand for, as `xgboost` for `xgboost-cpu`."""
    limits: InstallLimits = InstallLimits()


@dataclass(frozen=True, kw_only=True)
class LockedPackage:
    """One version of a package, and the hashes of its files."""

    name: str
    version: str
    hashes: tuple[str, ...]
    """sha256 of each file that may be used, in hexadecimal."""

    @property
    def line(self) -> str:
        """The package as a line of a requirements file."""
        return " ".join([f"{self.name}=={self.version}", *(f"--hash=sha256:{digest}" for digest in self.hashes)])


@dataclass(frozen=True)
class Lock:
    """The packages that are added, with their dependencies; those that the runner has are not among them."""

    packages: tuple[LockedPackage, ...]

    @property
    def text(self) -> str:
        """The lock as a requirements file, the same for the same packages."""
        return "".join(f"{package.line}\n" for package in sorted(self.packages, key=lambda package: package.name))

    def key(self, base: str) -> str:
        """Return the name of these packages on top of a base: a hash of both."""
        return hashlib.sha256(f"{base}\n{self.text}".encode()).hexdigest()[:24]


def read_lock(text: str) -> Lock:
    """Return the lock in a text.

    Raises:
        ValueError: a line does not belong to a lock.
    """
    packages = []
    for line in text.splitlines():
        match = LOCK_LINE.fullmatch(line)
        if match is None:
            msg = f"not a line of a lock: {line[:100]!r}"
            raise ValueError(msg)
        hashes = tuple(part.rpartition(":")[2] for part in match["hashes"].split())
        packages.append(LockedPackage(name=match["name"], version=match["version"], hashes=hashes))
    return Lock(tuple(packages))


def locked(name: object, version: object, digests: object) -> LockedPackage:
    """Return a package as an installer has reported it.

    Raises:
        PackageError: it has no hash, or its name or version has another form.
    """
    hashes = tuple(digests) if isinstance(digests, list) else ()
    try:
        package = LockedPackage(name=canonicalize_name(str(name)), version=str(Version(str(version))), hashes=hashes)
    except InvalidVersion as error:
        msg = f"package {str(name)[:100]!r} has the version {str(version)[:100]!r}, which is not a version"
        raise PackageError(msg) from error
    if not LOCK_LINE.fullmatch(package.line):
        msg = f"the index has no hash for {package.name[:100]!r} {package.version}: it cannot be checked"
        raise PackageError(msg)
    return package
