"""The exact versions of the packages that an exported folder needs, and their licences."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution, metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from mlestar.errors import UserError
from mlestar.runners.docker.image import image_folder
from mlestar.runners.supply.names import DISTRIBUTION_OF, VARIANTS
from mlestar.runners.supply.needs import NeedsError, read_needs

SERVICE = Path(__file__).with_name("service.txt")
CONSTRAINTS = "constraints.txt"
_EXACT = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!+-]+)")
_IMPORT = re.compile(r"^\W?[ \t]*(?:from|import)[ \t]+(\w+)", re.MULTILINE)
_MAX_LICENCE = 60
"""Most characters of a licence; some packages have its whole text in their metadata. Chosen by judgement; not
measured."""


@dataclass(frozen=True)
class Package:
    """A package with its exact version."""

    name: str
    version: str
    licence: str = ""
    """Licence in its metadata; empty where it is unknown."""


@dataclass(frozen=True)
class Lock:
    """The packages of an exported folder."""

    needed: tuple[Package, ...]
    """Packages that the predictor and the service import."""
    others: tuple[Package, ...]
    """Versions of the packages that these may need, as installed where the predictor was fitted."""

    @property
    def versions(self) -> dict[str, str]:
        """The version of each package."""
        return {
            package.name: package.version for package in sorted((*self.needed, *self.others), key=lambda one: one.name)
        }

    @property
    def requirements(self) -> str:
        """The needed packages as a file for pip, which takes the other versions from `constraints.txt`."""
        return f"-c {CONSTRAINTS}\n" + _lines(self.needed)

    @property
    def constraints(self) -> str:
        """The versions of the other packages as a file for pip."""
        return _lines(self.others)


def lock(code: str, installed: Mapping[str, str], added: tuple[str, ...] = (), *, also: tuple[str, ...] = ()) -> Lock:
    """Return the packages of a predictor and of the service; the versions of the predictor take precedence.

    Args:
        code: of the predictor.
        installed: versions of all that was installed where it was fitted. Packages that neither the sandbox image nor
            the predictor needs are left out: they could tell what else the machine is used for.
        added: the lock of the packages that were added for its declaration, a line for each.
        also: names of further packages that reading new rows needs.

    Raises:
        UserError: it declares a package that was not installed, or a version cannot be pinned.
    """
    versions: dict[str, str] = {canonicalize_name(name): version for name, version in installed.items()}
    direct = {name: versions[name] for name in [*_direct(code, versions), *also] if name in versions}
    service = _pins(SERVICE.read_text(encoding="utf-8"))
    pinned = {**service, **{name: versions[name] for name in service if name in versions}, **direct}
    known = set(_pins("\n".join(added))) | set(_of_image()) | set(_needed_by(pinned))
    others = {name: version for name, version in versions.items() if name in known and name not in pinned}
    return Lock(_packages(pinned), _packages(others))


def licence_of(name: str) -> str:
    """Return the licence that the installed distribution of this name states, empty without one."""
    try:
        stated = metadata(name)
    except PackageNotFoundError:
        return ""
    classifiers = [
        text.split(" :: ")[-1]
        for text in stated.get_all("Classifier") or []
        if text.startswith("License ::") and not text.endswith(":: OSI Approved")
    ]
    fields = [str(stated[name]) for name in ("License-Expression", "License") if name in stated]
    expression = fields[:1] if "License-Expression" in stated else []
    text = next(iter([*expression, *classifiers, *fields]), "")
    first = text.strip().splitlines()[0] if text.strip() else ""
    return first[:_MAX_LICENCE]


def _direct(code: str, versions: Mapping[str, str]) -> list[str]:
    """Return the distributions that code declares and imports.

    Raises:
        UserError: one that it declares was not installed.
    """
    names = [found for module in _imported(code) if (found := _find(DISTRIBUTION_OF.get(module, module), versions))]
    try:
        declared = [Requirement(text).name for text in read_needs(code).dependencies]
    except (NeedsError, InvalidRequirement) as error:
        msg = f"what predictor.py declares cannot be read: {error}"
        raise UserError(msg) from error
    for name in declared:
        found = _find(name, versions)
        if found is None:
            msg = f"predictor.py declares {name!r}, which was not installed where it was fitted: package the run again"
            raise UserError(msg)
        names.append(found)
    return names


def _find(name: str, versions: Mapping[str, str]) -> str | None:
    name = canonicalize_name(name)
    return next((one for one in (name, *VARIANTS.get(name, ())) if one in versions), None)


def _imported(code: str) -> set[str]:
    """Return the modules that code imports, including those of scripts that it contains as text."""
    return set(_IMPORT.findall(code))


def _of_image() -> Iterator[str]:
    """Yield the files from which the sandbox images are built."""
    for path in image_folder().glob("*.txt"):
        yield from _pins(path.read_text(encoding="utf-8"))


def _needed_by(names: Mapping[str, str]) -> set[str]:
    """Return the dependencies of distributions that are installed on this machine."""
    waiting, seen = list(names), set[str]()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        found = map(Requirement, lines)
        waiting += [
            canonicalize_name(one.name) for one in found if not one.marker or one.marker.evaluate({"extra": ""})
        ]
    return seen


def _pins(text: str) -> dict[str, str]:
    """Return the exact versions in lines of requirements, which may have hashes."""
    matches = (_EXACT.match(line.strip()) for line in text.splitlines())
    return {canonicalize_name(match[1]): match[2] for match in matches if match}


def _packages(versions: Mapping[str, str]) -> tuple[Package, ...]:
    for name, version in versions.items():
        if not _EXACT.fullmatch(f"{name}=={version}"):
            msg = f"the version {version!r} of {name!r} cannot be pinned: package the run again"
            raise UserError(msg)
    return tuple(Package(name, version, licence_of(name)) for name, version in sorted(versions.items()))


def _lines(packages: tuple[Package, ...]) -> str:
    return "".join(f"{package.name}=={package.version}\n" for package in packages)
