"""Hostile packages: nothing of them is executed while they are added, and nothing is written outside their folder."""

import io
import os
import subprocess
import tarfile
import zipfile
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path

import docker
import pytest

from mlestar.errors import RunnerError
from mlestar.runners import DockerRunner, Execution, Job
from mlestar.runners.supply.packages.layers import layer_tag
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, LockedPackage, PackageError, PackageRequest
from tests.integration.runner_kinds import containers_of

OWNER = "supply-abuse-tests"
NAME = "mlestar-abuse-tool"
MARK = "/opt/mlestar-packages/executed"
"""What the code of a package would write into the layer."""
WRITE = f"import os; os.path.isdir('/opt/mlestar-packages') and open({MARK!r}, 'w')"

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]


@pytest.fixture
def links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which pip finds packages."""
    folder = tmp_path / "links"
    folder.mkdir()
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture
async def runner(tmp_path: Path) -> AsyncIterator[DockerRunner]:
    runner = DockerRunner(owner=OWNER, work_dir=tmp_path / "work", packages_dir=tmp_path / "packages")
    yield runner
    await runner.aclose()
    assert not list((tmp_path / "work").iterdir())
    assert containers_of(OWNER) == []


@pytest.fixture
def remove_layers() -> Iterator[list[str]]:
    """Tags of layers to remove."""
    tags: list[str] = []
    yield tags
    client = docker.from_env()
    for tag in tags:
        client.images.remove(tag)
    client.close()


def add_wheel(links: Path, members: dict[str, str]) -> Lock:
    """Write a wheel with these files and return its lock."""
    info = f"{NAME.replace('-', '_')}-1.0.dist-info"
    files = {
        **members,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = links / f"{NAME.replace('-', '_')}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]))
    return Lock((LockedPackage(name=NAME, version="1.0", hashes=(sha256(path.read_bytes()).hexdigest(),)),))


def add_source(links: Path, setup: str) -> None:
    """Write a source distribution with this `setup.py`."""
    with tarfile.open(links / f"{NAME}-1.0.tar.gz", "w:gz") as archive:
        for name, text in {
            "setup.py": setup,
            "PKG-INFO": f"Metadata-Version: 2.1\nName: {NAME}\nVersion: 1.0\n",
        }.items():
            member = tarfile.TarInfo(f"{NAME}-1.0/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))


def request(*, source_builds: bool = False) -> PackageRequest:
    return PackageRequest(requirements=(NAME,), provided={}, limits=InstallLimits(source_builds=source_builds))


def command(*words: str) -> str:
    """Run a command of this machine and return its output."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


async def run(runner: DockerRunner, folder: Path, script: str, base: str) -> Execution:
    for name in ("in", "out"):
        (folder / name).mkdir(exist_ok=True)
    return await runner.run(Job(script=script, input=folder / "in", collect=folder / "out", base=base, name="t"))


async def test_no_file_of_a_package_is_executed_while_it_is_added(
    links: Path, runner: DockerRunner, tmp_path: Path, remove_layers: list[str]
) -> None:
    modules = ("sitecustomize.py", "usercustomize.py", "pip.py", "setup.py", "site.py", "encodings/__init__.py")
    lock = add_wheel(links, {"tool.pth": f"{WRITE}\n", **dict.fromkeys(modules, WRITE), "tool/__init__.py": WRITE})
    assert await runner.resolve(request()) == lock
    remove_layers.append(layer_tag((await runner.environment()).image, lock))
    base = await runner.install(lock, InstallLimits())
    execution = await run(runner, tmp_path, f"import os, tool; print(os.path.exists({MARK!r}), tool.__file__)", base)
    assert execution.stdout == "", "the script cannot write there either, so that its import fails"
    assert "Read-only file system" in execution.stderr
    code = f"import os; print(os.path.exists({MARK!r}), os.path.exists('/opt/mlestar-packages/tool.pth'))"
    container = ("docker", "run", "--rm", "--network", "none", "--entrypoint", "python", base, "-I", "-S", "-c", code)
    assert command(*container) == "False True\n"


async def test_an_added_package_replaces_no_module_of_the_image(
    links: Path, runner: DockerRunner, tmp_path: Path, remove_layers: list[str]
) -> None:
    lock = add_wheel(links, {"numpy/__init__.py": "x = 1", "json/__init__.py": "x = 1", "tool.py": ""})
    remove_layers.append(layer_tag((await runner.environment()).image, lock))
    base = await runner.install(lock, InstallLimits())
    execution = await run(
        runner, tmp_path, "import tool, numpy, json; print(numpy.arange(2).sum(), json.dumps(1))", base
    )
    assert (execution.status, execution.stdout) == ("ok", "1 1\n")


async def test_an_install_script_is_never_run(links: Path, runner: DockerRunner) -> None:
    add_source(links, "raise SystemExit('the install script was executed')")
    with pytest.raises(PackageError, match="only source code, which is not built"):
        await runner.resolve(request())
    with pytest.raises(PackageError, match="cannot be added"):  # the same file, where a user allows it
        await runner.resolve(request(source_builds=True))


@pytest.mark.parametrize("path", ["../../usr/local/lib/python3.11/site-packages/numpy/__init__.py", "/opt/x", "..\\x"])
async def test_a_wheel_that_would_write_elsewhere_is_refused(links: Path, runner: DockerRunner, path: str) -> None:
    lock = add_wheel(links, {path: WRITE})
    with pytest.raises(PackageError, match=r"would be written outside the folder|cannot be added"):
        await runner.install(lock, InstallLimits())


async def test_a_file_that_changes_after_it_was_resolved_is_refused(links: Path, runner: DockerRunner) -> None:
    lock = add_wheel(links, {"tool/__init__.py": ""})
    add_wheel(links, {"tool/__init__.py": "other = 1"})
    with pytest.raises(PackageError, match="its hash differs"):
        await runner.install(lock, InstallLimits())


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small file system")
async def test_a_full_disk_is_no_fault_of_the_script(links: Path, tmp_path: Path) -> None:
    work = tmp_path / "small"
    work.mkdir()
    lock = add_wheel(links, {"tool/data.txt": os.urandom(2**21).hex()})
    command("mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(work))
    runner = DockerRunner(owner=OWNER, work_dir=work, packages_dir=tmp_path / "packages")
    try:
        with pytest.raises(RunnerError, match=r"no space is left on the disk|disk .*full"):
            await runner.install(lock, InstallLimits())
    finally:
        await runner.aclose()
        command("umount", str(work))
    assert containers_of(OWNER) == []
