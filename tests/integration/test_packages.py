"""Packages that scripts declare, from the index of this machine's pip, added to real containers and interpreters."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import pytest

from mlestar.runners import ContainerOptions, DockerRunner, Execution, Installer, Job, LocalRunner, Runner
from mlestar.runners.docker.image import find_image
from mlestar.runners.supply.packages.layers import layer_tag
from mlestar.runners.supply.packages.lock import InstallLimits, Lock, PackageError, PackageRequest
from tests.integration.runner_kinds import containers_of

OWNER = "packages-tests"
SMALL = "humanize==4.13.0"
"""A package of one pure wheel that no image has."""

LARGER = "faker==37.0.0"
"""One that takes a second to install."""

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(params=[pytest.param("docker", marks=pytest.mark.docker), "local"])
async def runner(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[DockerRunner | LocalRunner]:
    work, cache = tmp_path / "work", tmp_path / "packages"
    if request.param == "docker":
        runner: DockerRunner | LocalRunner = DockerRunner(owner=OWNER, work_dir=work, packages_dir=cache)
    else:
        runner = LocalRunner(work_dir=work, bubblewrap=False, packages_dir=cache)
    yield runner
    await runner.aclose()
    assert not work.exists() or not list(work.iterdir())
    assert request.param == "local" or containers_of(OWNER) == []


@pytest.fixture
async def containers(tmp_path: Path) -> AsyncIterator[DockerRunner]:
    runner = DockerRunner(owner=OWNER, work_dir=tmp_path / "work", packages_dir=tmp_path / "packages")
    yield runner
    await runner.aclose()
    assert containers_of(OWNER) == []


@pytest.fixture
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    yield client
    client.close()


def request(*requirements: str, **limits: float) -> PackageRequest:
    return PackageRequest(requirements=requirements, provided={}, limits=InstallLimits(**limits))  # type: ignore[arg-type]  # numbers


async def run(runner: Runner, folder: Path, script: str, base: str = "") -> Execution:
    for name in ("in", "out"):
        (folder / name).mkdir(exist_ok=True)
    return await runner.run(Job(script=script, input=folder / "in", collect=folder / "out", base=base, name="t"))


async def remove_layer(runner: DockerRunner, lock: Lock) -> None:
    """Remove the layer of a lock, so that the next installation builds it."""
    tag = layer_tag((await runner.environment()).image, lock)
    with contextlib.closing(docker.from_env()) as engine:
        if find_image(engine, tag):
            await asyncio.to_thread(engine.images.remove, tag)


async def test_a_script_imports_a_package_that_was_added_and_the_second_time_comes_from_the_cache(
    runner: DockerRunner | LocalRunner, tmp_path: Path
) -> None:
    assert isinstance(runner, Installer)
    lock = await runner.resolve(request(SMALL))
    assert [(package.name, package.version) for package in lock.packages] == [("humanize", "4.13.0")]
    base = await runner.install(lock, InstallLimits())
    started = time.monotonic()
    assert await runner.install(lock, InstallLimits()) == base
    assert time.monotonic() - started < 2
    code = "import humanize, importlib.metadata as m; print(humanize.naturalsize(10**9), m.version('humanize'))"
    execution = await run(runner, tmp_path, code, base)
    assert (execution.status, execution.stdout) == ("ok", "1.0 GB 4.13.0\n")
    without = await run(runner, tmp_path, code)
    assert "No module named 'humanize'" in without.stderr


@pytest.mark.parametrize(
    ("requirement", "limits", "message"),
    [
        ("humanize-that-nobody-has-made", {}, "there is no package humanize-that-nobody-has-made on the index"),
        ("wget", {}, "wget has no wheel for this Python, only source code"),
        ("humanize==4.13.0", {"count": 0}, "at most 0 are added"),
        ("humanize==999", {}, "humanize==999"),
    ],
)
async def test_an_agent_is_told_why_a_package_cannot_be_added(
    runner: DockerRunner | LocalRunner, requirement: str, limits: dict[str, float], message: str
) -> None:
    with pytest.raises(PackageError) as error:
        await runner.resolve(request(requirement, **limits))
    assert message in str(error.value)
    assert "://" not in str(error.value)


async def test_a_package_over_the_limit_of_size_is_refused(runner: DockerRunner | LocalRunner) -> None:
    lock = await runner.resolve(request(LARGER))
    if isinstance(runner, DockerRunner):
        await remove_layer(runner, lock)  # an earlier session of tests may have left it in the engine
    with pytest.raises(PackageError, match="are larger than 1 MB"):
        await runner.install(lock, InstallLimits(mb=1))


LOOK = r"""
cat /proc/self/mountinfo | cut -d' ' -f4,5; tr '\0' '\n' < /proc/1/environ
find / -xdev -name 'labels-of-the-task*' 2>/dev/null; ls /sys/class/net
"""


async def look_inside(engine: docker.DockerClient, work: "asyncio.Future[object]") -> dict[str, str]:
    """Return what a shell in each container of a piece of work finds, by the network of the container."""
    seen: dict[str, str] = {}

    def look() -> None:
        for container in engine.containers.list(filters={"name": "mlestar-packages-"}):
            network = container.attrs["HostConfig"]["NetworkMode"]
            if network not in seen:
                with contextlib.suppress(docker.errors.APIError):  # it ended meanwhile
                    status, output = container.exec_run(["sh", "-c", LOOK])
                    if status == 0 and isinstance(output, bytes):
                        seen[network] = output.decode()

    while not work.done():
        await asyncio.to_thread(look)
        await asyncio.sleep(0.02)
    await work
    return seen


@pytest.mark.docker
async def test_neither_the_resolver_nor_the_builder_has_data_or_secrets(
    tmp_path: Path, engine: docker.DockerClient, containers: DockerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key-of-the-user")
    for folder in ("in", "work", "packages"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "labels-of-the-task.csv").write_text("1\n")
    lock = await containers.resolve(request(LARGER))
    await remove_layer(containers, lock)
    resolver = await look_inside(engine, asyncio.ensure_future(containers.resolve(request(LARGER))))
    both = await look_inside(engine, asyncio.ensure_future(containers.install(lock, InstallLimits())))
    (tmp_path / "work" / "labels-of-the-task.csv").unlink()
    assert set(resolver) == {"bridge"}
    assert set(both) == {"bridge", "none"}
    for text in (*resolver.values(), *both.values()):
        assert "labels-of-the-task" not in text
        assert "key-of-the-user" not in text
        assert "/sandbox" not in text
    assert both["none"].split()[-1] == "lo"


@pytest.mark.docker
async def test_a_package_that_does_not_fit_the_image_is_refused(containers: DockerRunner) -> None:
    with pytest.raises(PackageError, match="does not fit what the sandbox has"):
        await containers.resolve(request("pandas<2"))


@pytest.mark.docker
async def test_a_newer_installer_than_that_of_the_image_may_be_added(containers: DockerRunner) -> None:
    lock = await containers.resolve(request("setuptools>=80"))
    assert [package.name for package in lock.packages] == ["setuptools"]


@pytest.mark.docker
async def test_adding_packages_has_a_time_limit(containers: DockerRunner) -> None:
    with pytest.raises(PackageError, match=r"took longer than 0 s"):
        await containers.resolve(request(SMALL, seconds=0.1))


@pytest.mark.docker
async def test_a_script_with_an_added_package_has_no_network(containers: DockerRunner, tmp_path: Path) -> None:
    base = await containers.install(await containers.resolve(request(SMALL)), InstallLimits())
    code = "import socket\nsocket.create_connection(('192.0.2.1', 80), timeout=3)\n"
    execution = await run(containers, tmp_path, code, base)
    assert "Network is unreachable" in execution.stderr


@pytest.mark.docker
async def test_a_layer_has_only_the_packages_and_keeps_the_environment_of_its_image(
    containers: DockerRunner, engine: docker.DockerClient
) -> None:
    base = await containers.install(await containers.resolve(request(SMALL)), InstallLimits())
    image = engine.images.get((await containers.environment()).image)
    layer = engine.images.get(base)
    for name in ("Env", "User", "WorkingDir"):
        assert layer.attrs["Config"][name] == image.attrs["Config"][name]
    assert len(layer.attrs["RootFS"]["Layers"]) == len(image.attrs["RootFS"]["Layers"]) + 1


@pytest.mark.docker
async def test_two_that_need_the_same_layer_build_it_once(tmp_path: Path, containers: DockerRunner) -> None:
    lines: list[str] = []
    runners = [
        DockerRunner(
            owner=OWNER, work_dir=tmp_path / "work", packages_dir=tmp_path / "packages", on_progress=lines.append
        )
        for _ in range(2)
    ]
    lock = await containers.resolve(request("humanize==4.12.0"))
    await remove_layer(containers, lock)
    try:
        bases = await asyncio.gather(*(runner.install(lock, InstallLimits()) for runner in runners))
    finally:
        for runner in runners:
            await runner.aclose()
    assert len(set(bases)) == 1
    assert len([line for line in lines if line.startswith("adding packages")]) == 1


@pytest.mark.docker
async def test_the_password_of_an_index_is_in_no_image_and_no_file(
    tmp_path: Path, engine: docker.DockerClient, containers: DockerRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing listens there, so that pip takes everything from the other indexes.
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://me:pass-word@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    lock = await containers.resolve(request("humanize==4.11.0"))
    await remove_layer(containers, lock)
    base = await containers.install(lock, InstallLimits())
    image = engine.images.get(base)
    assert "pass-word" not in json.dumps([image.attrs, image.history(), lock.text])
    found = await run(
        containers,
        tmp_path,
        "import subprocess; print(subprocess.run("
        "['grep', '-rl', 'pass-word', '/opt', '/usr/local/lib', '/etc'], capture_output=True, text=True).stdout)",
        base,
    )
    assert (found.status, found.stdout) == ("ok", "\n")
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path for path in files if b"pass-word" in path.read_bytes()] == []


@pytest.mark.docker
async def test_an_image_without_a_library_of_the_catalogue_gets_it(tmp_path: Path, engine: docker.DockerClient) -> None:
    if find_image(engine, "python:3.11-slim") is None:
        pytest.skip("the engine has no python:3.11-slim")
    runner = DockerRunner(
        ContainerOptions(image="python:3.11-slim"), owner=OWNER, work_dir=tmp_path / "work", packages_dir=tmp_path / "p"
    )
    try:
        base = await runner.install(await runner.resolve(request("pillow")), InstallLimits())
        execution = await run(runner, tmp_path, "from PIL import Image; print(Image.new('L', (2, 3)).size)", base)
    finally:
        await runner.aclose()
    assert execution.stdout == "(2, 3)\n"
