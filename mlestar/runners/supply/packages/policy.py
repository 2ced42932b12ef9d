"""Which of the packages that a script declares are missing, and which of those may be added."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from packaging.markers import UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from mlestar.errors import SettingsError
from mlestar.files import read_regular
from mlestar.runners.supply.packages.lock import PackageError

PolicyKind = Literal["image", "ask", "auto", "file"]
MAX_FILE_BYTES = 2**20
"""Size of a file of allowed packages. Chosen by judgement; not measured."""


@dataclass(frozen=True, kw_only=True)
class PackagePolicy:
    """Which packages may be added.

    `image`: none. `ask`: those that a person allows. `auto`: those of the catalogue. `file`: those of a file.
    """

    kind: PolicyKind
    allowed: Mapping[str, SpecifierSet]
    """Names in their canonical form, with the versions that are allowed. What they depend on is allowed, too."""

    def missing(
        self, dependencies: Iterable[str], installed: Mapping[str, str], markers: Mapping[str, str] | None = None
    ) -> tuple[str, ...]:
        """Return the dependencies that must be added, as requirements within the allowed versions.

        Args:
            dependencies: what a script declares.
            installed: versions by canonical names; empty when they are not known, and nothing counts as missing then.
            markers: what requirements may be conditional on, where the scripts' interpreter differs from this one.

        Raises:
            PackageError: one of them is not allowed, or does not fit what is installed.
        """
        requirements = [Requirement(text) for text in dependencies]
        values = {**(markers or {}), "extra": ""}
        applying = [one for one in requirements if _applies(one, values)]
        return tuple(self._check(one, installed) for one in applying if not self._has(one, installed))

    def _has(self, requirement: Requirement, installed: Mapping[str, str]) -> bool:
        """Return whether a requirement is installed.

        Raises:
            PackageError: another version is.
        """
        version = installed.get(canonicalize_name(requirement.name))
        if version is None:
            return not installed
        if not _contains(requirement.specifier, version):
            msg = f"{requirement.name}{requirement.specifier} does not fit: the sandbox has {requirement.name} "
            msg += f"{version}, which is not replaced; write for that version"
            raise PackageError(msg)
        return not requirement.extras or self.kind == "image"

    def _check(self, requirement: Requirement, installed: Mapping[str, str]) -> str:
        """Return a missing requirement within the allowed versions.

        Raises:
            PackageError: it is not allowed.
        """
        # Its condition holds, and pip would put variables in place of their names in it.
        requirement.marker = None
        name = canonicalize_name(requirement.name)
        known = {*self.allowed, *installed}
        if name not in known and (likely := _neighbour(name, known)):
            msg = f"package {requirement.name!r} is not known: did you mean {likely!r}?"
            raise PackageError(msg)
        if self.kind == "image":
            msg = f"{requirement.name} is not in the sandbox, and this run adds no packages (`--packages image`; "
            msg += "`ask`, `auto` or a file of allowed packages would): use what is installed"
            raise PackageError(msg)
        if self.kind == "ask" or name in installed:
            return str(requirement)
        if name not in self.allowed:
            where = "the catalogue (`--packages auto`)" if self.kind == "auto" else "the file of allowed packages"
            msg = f"{requirement.name} may not be added: it is not in {where}; use what is installed"
            raise PackageError(msg)
        requirement.specifier &= self.allowed[name]
        return str(requirement)


def make_policy(setting: str, catalogue: Iterable[str]) -> PackagePolicy:
    """Return the policy of a setting.

    Args:
        setting: `image`, `ask`, `auto`, or the path of a file with a requirement on each line.
        catalogue: names of its libraries.

    Raises:
        SettingsError: the file cannot be read, or a line is not a requirement.
    """
    libraries: dict[str, SpecifierSet] = {canonicalize_name(name): SpecifierSet() for name in catalogue}
    match setting:
        case "image" | "ask" | "auto":
            return PackagePolicy(kind=setting, allowed=libraries)
        case _:
            return PackagePolicy(kind="file", allowed=_read_file(Path(setting)))


def _read_file(path: Path) -> dict[str, SpecifierSet]:
    try:
        lines = read_regular(path.expanduser(), MAX_FILE_BYTES).decode().splitlines()
    except (OSError, ValueError) as error:
        msg = f"setting `packages`: {path} is neither image, ask, auto nor a file that can be read: {error}"
        raise SettingsError(msg) from error
    allowed: dict[str, SpecifierSet] = {}
    for number, line in enumerate(lines, 1):
        text = line.partition("#")[0].strip()
        if not text:
            continue
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            msg = f"setting `packages`: line {number} of {path} is not a requirement such as 'name>=1.2'"
            raise SettingsError(msg) from error
        if requirement.url:
            msg = f"setting `packages`: line {number} of {path} names an address: name a package and its versions"
            raise SettingsError(msg)
        name = canonicalize_name(requirement.name)
        allowed[name] = allowed.get(name, SpecifierSet()) & requirement.specifier
    return allowed


def _applies(requirement: Requirement, values: Mapping[str, str]) -> bool:
    """Return whether the condition of a requirement holds.

    Raises:
        PackageError: it compares what cannot be compared.
    """
    try:
        return requirement.marker is None or requirement.marker.evaluate(values)
    except (ValueError, UndefinedEnvironmentName, RecursionError) as error:
        msg = f"the condition of {str(requirement)!r} cannot be evaluated: {str(error)[:100]}"
        raise PackageError(msg) from error


def _contains(specifier: SpecifierSet, version: str) -> bool:
    try:
        return specifier.contains(Version(version), prereleases=True)
    except InvalidVersion:
        return not specifier


def _neighbour(name: str, known: Iterable[str]) -> str:
    """Return a known name that is one edit away; empty when there is none."""
    return next((other for other in sorted(known) if one_edit(name, other)), "")


def one_edit(left: str, right: str) -> bool:
    """Return whether adding, removing or changing one letter, or exchanging two neighbours, makes the names equal."""
    short, long = sorted((left, right), key=len)
    if left == right or len(long) - len(short) > 1:
        return False
    start = next((at for at, letter in enumerate(short) if letter != long[at]), len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1 :]
    exchanged = short[start : start + 2] == long[start : start + 2][::-1] and short[start + 2 :] == long[start + 2 :]
    return exchanged or short[start + 1 :] == long[start + 1 :]
