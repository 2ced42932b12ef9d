"""Warm starts: same results as cold ones, a limited number of containers, and nothing left behind."""

import asyncio
import gc
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import docker
import pytest

from mlestar.runners import ContainerOptions, DockerRunner, Execution, Job, Limits
from mlestar.runners.docker.engine import remove_stale_containers
from tests.integration.runner_kinds import containers_of

OWNER = "pool-tests"
LIMITS = Limits(seconds=60, memory_mb=700)

pytestmark = [pytest.mark.docker, pytest.mark.timeout(120)]


class Harness:
    """A Docker runner with an input folder, and a new output folder for every script."""

    def __init__(self, runner: DockerRunner, input_folder: Path, tmp_path: Path) -> None:
        self.runner, self.input, self.tmp_path = runner, input_folder, tmp_path

    async def run(self, script: str, *, limits: Limits = LIMITS, seed: int = 0) -> Execution:
        collect = self.tmp_path / f"collect-{len(list(self.tmp_path.iterdir()))}"
        collect.mkdir()
        job = Job(script=script, input=self.input, collect=collect, limits=limits, seed=seed)
        return await self.runner.run(job)

    async def wait_for_pool(self, count: int = 1) -> None:
        """Wait until the pool has this number of waiting containers."""
        for _ in range(600):
            if self.runner.waiting == count:
                return
            await asyncio.sleep(0.05)
        pytest.fail(f"{self.runner.waiting} containers wait, not {count}")


@pytest.fixture
async def harness(input_folder: Path, tmp_path: Path) -> AsyncIterator[Harness]:
    runner = DockerRunner(ContainerOptions(warm=1), owner=OWNER, work_dir=tmp_path / "work")
    yield Harness(runner, input_folder, tmp_path)
    await runner.aclose()
    assert containers_of(OWNER) == []
    assert list((tmp_path / "work").iterdir()) == []


SCRIPTS = {
    "its folder": "import numpy, os, sys\nprint(os.getcwd(), sys.argv, sys.path, __name__, __file__, os.listdir())",
    "its process": "import numpy, os, signal, sys\n"
    "print(os.getuid() != 0, os.environ, sys.stdin.read(), sys.orig_argv)\n"
    "print([signal.getsignal(n) for n in range(1, 32) if n not in (9, 19)], sorted(os.listdir('/proc/self/fd'))[:3])",
    "its modules": "import numpy, sys\nprint(sorted(sys.modules))",
    "its threads": "import numpy, os, threading\nprint(threading.active_count(), len(os.listdir('/proc/self/task')))\n",
    "an error": "import numpy\ndef f(): raise ValueError('no')\nf()",
    "an error in syntax": "import numpy\nx = = 1",
    "an exit": "import numpy, sys, atexit\natexit.register(print, 'bye')\nsys.exit('out')",
    "a signal": "import numpy, os\nos.kill(os.getpid(), 15)",
    "an interrupt": "import numpy, os\nos.kill(os.getpid(), 2)",
    "children": "import numpy, multiprocessing\nif __name__ == '__main__':\n"
    "    print(multiprocessing.get_context('spawn').Pool(1).map(abs, [-1]))",
    "numbers": "import numpy\nprint(hash('a'), numpy.random.default_rng(0).random(), numpy.float32(1) / 3)",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
async def test_a_script_cannot_detect_that_its_container_waited(harness: Harness, script: str) -> None:
    cold = await harness.run(script)
    await harness.wait_for_pool()
    warm = await harness.run(script)

    def facts(execution: Execution) -> tuple[object, ...]:
        texts = (re.sub(r"0x[0-9a-f]+|HOSTNAME': '\w+", "", text) for text in (execution.stdout, execution.stderr))
        return (execution.status, execution.exit_code, *texts, execution.files)

    assert facts(cold) == facts(warm)


async def test_a_waiting_container_has_imported_what_the_script_will_import(harness: Harness) -> None:
    script = (
        "import pandas, os\n"
        "with open('/proc/self/stat') as file: started = int(file.read().rpartition(')')[2].split()[19])\n"
        "print(started / os.sysconf('SC_CLK_TCK'))"
    )
    await harness.run(script)
    await harness.wait_for_pool()
    await asyncio.sleep(3)
    before = time.clock_gettime(time.CLOCK_BOOTTIME)
    assert float((await harness.run(script)).stdout) < before


@pytest.mark.parametrize("change", ["limits", "seed", "imports"])
async def test_a_script_with_other_needs_gets_a_new_container(harness: Harness, change: str) -> None:
    script = "import numpy, os, sys\nprint('pandas' in sys.modules, os.environ['PYTHONHASHSEED'])"
    await harness.run("import pandas\n")
    await harness.wait_for_pool()
    limits = Limits(seconds=60, memory_mb=600) if change == "limits" else LIMITS
    execution = await harness.run(script, limits=limits, seed=1 if change == "seed" else 0)
    assert execution.stdout == f"False {1 if change == 'seed' else 0}\n"


async def test_the_pool_keeps_its_size(harness: Harness) -> None:
    for seed in range(3):
        await harness.run("", seed=seed)
        await harness.wait_for_pool()
    await asyncio.sleep(0.5)
    assert len(containers_of(OWNER)) == 1


async def test_an_input_folder_of_the_same_name_is_another_one(harness: Harness) -> None:
    await harness.run("")
    await harness.wait_for_pool()
    harness.input.rename(harness.tmp_path / "old")
    harness.input.mkdir()
    assert (await harness.run("import os; print(os.listdir('input'))")).stdout == "[]\n"


KILLED = r"""
import asyncio, sys
from pathlib import Path
from mlestar.runners import ContainerOptions, DockerRunner, Job

async def main():
    folder = Path(sys.argv[1])
    runner = DockerRunner(ContainerOptions(warm=1), owner="killed-pool", work_dir=folder / "work")
    job = Job(script="", input=folder / "input", collect=folder / "collect")
    await runner.run(job)
    while not runner.waiting:
        await asyncio.sleep(0.05)
    # It tries to keep the pipe open whose closing tells the supervisor that the owner is gone.
    holder = "import os, signal\ntry: kept = os.open('/proc/1/fd/0', os.O_WRONLY)\nexcept OSError: pass\n"
    holder += "while True: os.kill(1, signal.SIGCHLD)"
    sleeper = Job(script=holder, input=job.input, collect=job.collect)
    task = asyncio.create_task(runner.run(sleeper))
    await asyncio.sleep(1)
    print("running", flush=True)
    await task

asyncio.run(main())
"""


def test_containers_end_with_a_killed_process(input_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "collect").mkdir()
    with subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        assert containers_of("killed-pool", running=True)
        os.kill(process.pid, signal.SIGKILL)
    for _ in range(100):
        if not containers_of("killed-pool", running=True):
            break
        time.sleep(0.1)
    assert containers_of("killed-pool", running=True) == []
    client = docker.from_env()
    remove_stale_containers(client)
    client.close()
    assert containers_of("killed-pool") == []
    assert list((tmp_path / "work").iterdir()) == []


def open_files() -> int:
    gc.collect()  # the client's responses refer to each other
    return len(list(Path("/dev/fd").iterdir()))


@pytest.mark.parametrize("warm", [0, 1])
async def test_many_executions_leave_no_growth(input_folder: Path, tmp_path: Path, warm: int) -> None:
    runner = DockerRunner(ContainerOptions(warm=warm), owner=OWNER, work_dir=tmp_path / "work")
    harness = Harness(runner, input_folder, tmp_path)
    for _ in range(10):
        await harness.run("print(1)")
    before = open_files()
    for _ in range(15):
        assert (await harness.run("print(1)")).status == "ok"
    after = open_files()
    await runner.aclose()
    assert after <= before + 4
    assert containers_of(OWNER) == []
    assert list((tmp_path / "work").iterdir()) == []
