"""Hostile scripts: each must end as expected and change nothing on the host."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from mlestar.runners import DockerRunner, Execution, Job, Limits, Runner
from tests.abuse.case import SHORT, Case, read_cases
from tests.abuse.host import KEY, Host
from tests.integration.runner_kinds import MARKS, RunnerKind, containers_of, make_runner

OWNER = "abuse-tests"
CASES = {case.name: case for case in read_cases()}

pytestmark = pytest.mark.timeout(120)


@dataclass
class Harness:
    """A runner of one kind on a host with secrets."""

    kind: RunnerKind
    runner: Runner
    host: Host

    async def run(self, script: str, limits: Limits, outputs: tuple[str, ...]) -> tuple[Execution, Path]:
        parent = self.host.folder / "collect"
        collect = parent / str(len(list(parent.iterdir())))
        collect.mkdir()
        job = Job(script=script, input=self.host.folder / "input", collect=collect, limits=limits, outputs=outputs)
        return await self.runner.run(job), collect

    async def warm_up(self, limits: Limits) -> None:
        """Fill the pool with a container for a script with these limits."""
        if isinstance(self.runner, DockerRunner) and self.kind == "warm":
            await self.run("", limits, ())
            for _ in range(400):
                if self.runner.waiting:
                    return
                await asyncio.sleep(0.05)
            pytest.fail("no container waits")


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Host]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    (tmp_path / "collect").mkdir()
    (tmp_path / "work").mkdir()
    host = Host(tmp_path)
    yield host
    host.close()


@pytest.fixture
async def harness(request: pytest.FixtureRequest, host: Host) -> AsyncIterator[Harness]:
    kind: RunnerKind = request.param
    work = host.folder / "work"
    runner = make_runner(kind, OWNER, work)
    yield Harness(kind, runner, host)
    await runner.aclose()
    assert not list(work.iterdir())
    assert processes_of(work) == []
    assert kind not in ("docker", "warm") or containers_of(OWNER) == []


def processes_of(folder: Path) -> list[str]:
    """Return the processes with a folder of the test in their arguments, environment or mounts."""
    processes = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            text = b"".join((process / name).read_bytes() for name in ("cmdline", "environ", "mountinfo"))
        except OSError:  # ended meanwhile
            continue
        if str(folder).encode() in text and int(process.name) != os.getpid():
            processes.append(process.name)
    return processes


@pytest.mark.parametrize(
    ("case", "harness"),
    [
        pytest.param(case, kind, marks=MARKS[kind], id=f"{kind}-{case.name}")
        for case in CASES.values()
        for kind in case.runners
    ],
    indirect=["harness"],
)
async def test_a_hostile_script_ends_as_expected_and_harms_nothing(case: Case, harness: Harness) -> None:
    await harness.warm_up(case.limits)
    execution, collect = await harness.run(harness.host.fill_in(case), case.limits, case.outputs)
    assert execution.status in case.statuses, execution
    assert case.prints in execution.stdout
    assert "BREACH " not in execution.stdout
    assert case.files is None or sorted(execution.files) == sorted(case.files)
    assert case.detail in execution.detail
    if harness.kind != "warm":
        assert processes_of(harness.host.folder / "work") == []
    harness.host.check(execution, collect)


@pytest.mark.parametrize("harness", [pytest.param("docker", marks=MARKS["docker"])], indirect=True)
async def test_the_next_run_starts_in_an_empty_folder(harness: Harness) -> None:
    await harness.run(CASES["traps for the next run"].script, SHORT, ())
    execution, _ = await harness.run("import pandas, os; print(sorted(os.listdir('.')))", SHORT, ())
    assert execution.stdout == "['input', 'main.py']\n"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=200m", "none", disk], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("only root can mount a small disk")
    yield disk
    subprocess.run(["umount", disk], check=True)


@pytest.mark.docker
async def test_files_deleted_while_open_do_not_fill_the_disk(small_disk: Path, tmp_path: Path) -> None:
    for name in ("input", "collect"):
        (tmp_path / name).mkdir()
    script = (
        "import os, time\nfiles = []\nwhile True:\n"
        " files.append(open('x', 'wb')); os.unlink('x'); files[-1].write(bytes(2 << 20)); files[-1].flush()\n"
        " time.sleep(0.08)"
    )
    runner = DockerRunner(owner=OWNER, work_dir=small_disk)
    job = Job(script=script, input=tmp_path / "input", collect=tmp_path / "collect", limits=SHORT)
    execution = await runner.run(job)
    await runner.aclose()
    assert execution.status == "disk_full"
    await asyncio.sleep(1)  # the kernel removes the script's disk meanwhile
    assert os.statvfs(small_disk).f_bavail * os.statvfs(small_disk).f_frsize > 190 << 20
