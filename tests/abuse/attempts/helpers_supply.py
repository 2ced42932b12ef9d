"""Wheels, source distributions and runners for attempts that concern packages and weights."""

import asyncio
import io
import json
import tarfile
import zipfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from hashlib import sha256
from pathlib import Path

import docker
import pytest

from mlestar.runners import DockerRunner, Execution, Job, LocalRunner, Runner
from mlestar.runners.docker.image import find_image
from mlestar.runners.supply.packages.layers import layer_tag
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, LockedPackage, PackageRequest

NAME = "mlestar-attempt-tool"
"""A package that no index has."""
OTHER = "mlestar-attempt-other"
"""What a package depends on."""


def write_wheel(
    folder: Path, members: Mapping[str, str], *, name: str = NAME, requires: Sequence[str] = (), entries: str = ""
) -> Lock:
    """Write a wheel with these files and return its lock.

    Args:
        folder: where pip finds it.
        members: texts of files by their names.
        name: of the package.
        requires: requirements of its metadata.
        entries: its `entry_points.txt`; empty for none.
    """
    module = name.replace("-", "_")
    info = f"{module}-1.0.dist-info"
    depends = "".join(f"Requires-Dist: {text}\n" for text in requires)
    files = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{depends}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        **({f"{info}/entry_points.txt": entries} if entries else {}),
    }
    path = folder / f"{module}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in files.items():
            archive.writestr(member, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{member},,\n" for member in [*files, f"{info}/RECORD"]))
    return Lock((LockedPackage(name=name, version="1.0", hashes=(sha256(path.read_bytes()).hexdigest(),)),))


def write_source(folder: Path, setup: str, *, name: str = OTHER) -> Path:
    """Write a source distribution with this `setup.py` and return its path."""
    path = folder / f"{name}-1.0.tar.gz"
    build = '[build-system]\nrequires = []\nbuild-backend = "setup"\nbackend-path = ["."]\n'
    info = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    with tarfile.open(path, "w:gz") as archive:
        for member, text in {"setup.py": setup, "pyproject.toml": build, "PKG-INFO": info}.items():
            entry = tarfile.TarInfo(f"{name}-1.0/{member}")
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return path


def write_block(*dependencies: str) -> str:
    """Return the block of a script that declares these packages."""
    return f"# /// script\n# dependencies = {json.dumps(dependencies)}\n# ///\n"


def request(*requirements: str) -> PackageRequest:
    return PackageRequest(requirements=requirements or (NAME,), provided={}, limits=InstallLimits())


async def run_script(runner: Runner, folder: Path, script: str, base: str = "") -> Execution:
    for name in ("in", "out"):
        (folder / name).mkdir(exist_ok=True)
    return await runner.run(Job(script=script, input=folder / "in", collect=folder / "out", base=base, name="t"))


def make_links(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a new folder in which alone pip finds packages."""
    links = folder / "links"
    links.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(links))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return links


@asynccontextmanager
async def docker_runner(folder: Path) -> AsyncIterator[DockerRunner]:
    runner = DockerRunner(owner="supply-attempts", work_dir=folder / "work", packages_dir=folder / "packages")
    try:
        yield runner
    finally:
        await runner.aclose()


def local_runner(folder: Path) -> LocalRunner:
    return LocalRunner(work_dir=folder / "work", bubblewrap=False, packages_dir=folder / "packages")


async def remove_layer(runner: DockerRunner, lock: Lock) -> None:
    """Remove the image with the packages of a lock."""
    tag = layer_tag((await runner.environment()).image, lock)
    with closing(docker.from_env()) as engine:
        if find_image(engine, tag):
            await asyncio.to_thread(engine.images.remove, tag)
