"""Checking downloaded wheels before anything of them is installed."""

import re
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from mlestar.files import open_regular, sha256_of
from mlestar.runners.limits import MIB
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageError

UNPACKED = 5
"""MB that the wheels may unpack to, per MB that they may have. Chosen by judgement; not measured."""
MAX_ENTRIES = 100_000
"""Files of all wheels together; torch has 20,000. Chosen by judgement; not measured."""
DRIVE = re.compile(r"[A-Za-z]:")
SCHEMES = {"purelib", "platlib", "scripts", "data", "headers"}
"""Folders of `NAME.data` in a wheel."""
MAX_SCRIPTS = 2**20
"""Bytes of the list of a wheel's scripts. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class Wheel:
    """A file that may be installed."""

    path: Path
    sha256: str


def check_wheels(folder: Path, lock: Lock, limits: InstallLimits) -> list[Wheel]:
    """Return the wheels of a lock.

    Raises:
        PackageError: a file is missing, too large, not the one that the lock means, or would be written elsewhere.
    """
    wanted = {package.name: package for package in lock.packages}
    wheels: list[Wheel] = []
    size = entries = unpacked = 0
    for path in sorted(folder.iterdir()):
        name = _distribution(path)
        if name not in wanted:
            msg = f"the index gave {path.name[:100]!r}, which was not asked for"
            raise PackageError(msg)
        package = wanted.pop(name)
        wheel = Wheel(path, sha256_of(path))
        if wheel.sha256 not in package.hashes and not limits.source_builds:
            msg = f"{name} {package.version} is not the file that was resolved (its hash differs): it is refused"
            raise PackageError(msg)
        wheels.append(wheel)
        size += path.stat().st_size
        members = _members(path)
        entries += len(members)
        unpacked += sum(member.file_size for member in members)
    if wanted:
        msg = f"the index gave no wheel for {', '.join(sorted(wanted))}"
        raise PackageError(msg)
    if size > limits.mb * MIB or unpacked > limits.mb * UNPACKED * MIB or entries > MAX_ENTRIES:
        raise too_large(limits, f"{size / MIB:,.0f} MB, {unpacked / MIB:,.0f} MB unpacked, in {entries:,} files")
    return wheels


def too_large(limits: InstallLimits, reason: str = "") -> PackageError:
    """Return the error of packages that are larger than they may be."""
    detail = f" ({reason})" if reason else ""
    msg = f"the declared packages, with what they depend on, are larger than {limits.mb} MB{detail}: use a smaller "
    return PackageError(msg + "package or what is installed")


def _distribution(path: Path) -> str:
    try:
        name, _, _, _ = parse_wheel_filename(path.name)
    except InvalidWheelFilename as error:
        msg = f"{path.name[:100]!r} is not a wheel"
        raise PackageError(msg) from error
    return canonicalize_name(name)


def _members(path: Path) -> list[zipfile.ZipInfo]:
    """Return the files of a wheel.

    Raises:
        PackageError: it is damaged, or one of them would be written outside the folder of the packages.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            _check_scripts(path, archive)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        msg = f"{path.name} is damaged: {error}"
        raise PackageError(msg) from error
    for member in members:
        if problem := _problem(member):
            msg = f"{path.name} is refused: its file {member.filename[:100]!r} {problem}"
            raise PackageError(msg)
    return members


def _check_scripts(path: Path, archive: zipfile.ZipFile) -> None:
    """Refuse a wheel with a script, made of a line of its metadata, that would be written elsewhere.

    Installers differ in what they do with such a name.

    Raises:
        PackageError: names the line.
    """
    lists = [one for one in archive.infolist() if one.filename.lower().endswith(".dist-info/entry_points.txt")]
    for member in lists:
        with archive.open(member) as file:
            content = file.read(MAX_SCRIPTS + 1)
        makes_scripts = False
        for line in content.decode(errors="replace").splitlines():
            text = line.strip()
            if text.startswith("["):
                makes_scripts = "scripts" in text
            name = text.partition("=")[0]
            if len(content) > MAX_SCRIPTS or (makes_scripts and ("/" in name or "\\" in name)):
                msg = f"{path.name} is refused: it has a script {name.strip()[:100]!r} outside its folder"
                raise PackageError(msg)


def _problem(member: zipfile.ZipInfo) -> str:
    """Return what is wrong with the path of a file in a wheel, empty when nothing is."""
    name = member.orig_filename
    parts = name.split("/")
    if name.startswith("/") or DRIVE.match(name) or "\\" in name or "\0" in name or ".." in parts:
        return "would be written outside the folder of the packages"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device"
    if parts[0].endswith(".data") and len(parts) > 2 and parts[1] not in SCHEMES:
        return "belongs to no part of a wheel"
    return ""
