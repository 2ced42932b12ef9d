"""The exact versions of what an exported folder needs, and their licences."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from mlestar.errors import UserError

SERVICE = Path(__file__).with_name("service.txt")
_EXACT = re.compile(r"([A-Za-z0-9][\w.-]*)==([\w.!+-]+)")
_MAX_LICENCE = 60
"""Characters; some packages have the whole text there."""


@dataclass(frozen=True)
class Package:
    """A package with its exact version."""

    name: str
    version: str
    licence: str = ""
    """As its metadata states it; empty where that is unknown."""


def lock(packages: Mapping[str, str]) -> list[Package]:
    """Return the packages of a predictor and of the service; where both have one, the version of the predictor counts.

    Raises:
        UserError: a version is none that can be pinned.
    """
    lines = [line for line in SERVICE.read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    pinned = {canonicalize_name(match[1]): match[2] for line in lines if (match := _EXACT.fullmatch(line))}
    for name, version in packages.items():
        if not _EXACT.fullmatch(f"{name}=={version}"):
            msg = f"the version {version!r} of {name!r} cannot be pinned: package the run again"
            raise UserError(msg)
        pinned[canonicalize_name(name)] = version
    return [Package(name, version, licence_of(name)) for name, version in sorted(pinned.items())]


def licence_of(name: str) -> str:
    """Return the licence that the installed distribution of this name states, empty without one."""
    try:
        stated = metadata(name)
    except PackageNotFoundError:
        return ""
    classifiers = [
        text.split(" :: ")[-1] for text in stated.get_all("Classifier") or [] if text.startswith("License ::")
    ]
    fields = [str(stated[name]) for name in ("License-Expression", "License") if name in stated]
    expression = fields[:1] if "License-Expression" in stated else []
    text = next(iter([*expression, *classifiers, *fields]), "")
    first = text.strip().splitlines()[0] if text.strip() else ""
    return first[:_MAX_LICENCE]


def requirements(packages: list[Package]) -> str:
    """Return the lock as a file for pip."""
    return "".join(f"{package.name}=={package.version}\n" for package in packages)
