"""Scripts that hold different labels exchange nothing by files of their inputs, and see no name of a kind of input."""

import asyncio
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import infer_split
from mlestar.runners import Job, Limits, Runner
from mlestar.runtime.inputs import StagedInput, StagedInputs
from mlestar.runtime.page_cache import drop_page_cache, dropping_problem
from mlestar.state import Brief
from mlestar.store import RunFolder
from tests.integration.runner_kinds import MARKS, make_runner
from tests.unit.scenario import make_task

BITS = 500
SHARED = "places.csv"
"""A file that belongs to no row, so that every input has all of it."""
STEP = 16_384
"""Bytes of it for each bit: the kernel reads some pages ahead."""
LIMITS = Limits(seconds=60, memory_mb=512, disk_mb=40)
OPEN = f"import fcntl, os, struct, time\nfile = os.open('input/{SHARED}', os.O_RDONLY)\n"
LOCK_BYTES = OPEN + (
    "for bit, value in enumerate([*map(int, '@MESSAGE@'), 1]):\n"
    "    if value:\n"
    "        fcntl.lockf(file, fcntl.LOCK_SH, 1, bit)\n"
    "time.sleep(12)\n"
)
READ_LOCKS = OPEN + (
    "def locked(bit):\n"
    "    query = struct.pack('hhqqi4x', fcntl.F_WRLCK, 0, bit, 1, 0)\n"
    "    return struct.unpack('hhqqi4x', fcntl.fcntl(file, fcntl.F_GETLK, query))[0] != fcntl.F_UNLCK\n"
    "end = time.monotonic() + 10\n"
    f"while not locked({BITS}) and time.monotonic() < end:\n"
    "    time.sleep(0.05)\n"
    f"print('received', ''.join(str(int(locked(bit))) for bit in range({BITS})))\n"
)
FILL_CACHE = OPEN + (
    "os.fsync(file)\n"
    "os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)\n"
    "os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)\n"
    "for bit, value in enumerate('@MESSAGE@'):\n"
    "    if value == '1':\n"
    f"        os.pread(file, 1, bit * {STEP})\n"
)
READ_CACHE = OPEN + (
    "os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)\n"
    "def cached(bit):\n"
    "    try:\n"
    f"        return os.preadv(file, [bytearray(1)], bit * {STEP}, os.RWF_NOWAIT)\n"
    "    except BlockingIOError:\n"
    "        return 0\n"
    f"print('received', ''.join(str(cached(bit)) for bit in range({BITS})))\n"
)
OPEN_LIBRARY = f"""import os, time
names = [os.path.join(folder, name) for folder, _, names in os.walk('/usr') for name in names]
library = max((name for name in names if not os.path.islink(name)), key=os.path.getsize)
file, step = os.open(library, os.O_RDONLY), os.path.getsize(library) // {BITS} // 4096 * 4096
os.posix_fadvise(file, 0, 0, os.POSIX_FADV_RANDOM)
"""
"""Opens the largest file of the image, which all containers have in common."""
FILL_LIBRARY = OPEN_LIBRARY + (
    "os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)\n"
    "for bit, value in enumerate('@MESSAGE@'):\n"
    "    if value == '1':\n"
    "        os.pread(file, 1, bit * step)\n"
)
TIME_LIBRARY = OPEN_LIBRARY + (
    "def read(bit):\n"
    "    start = time.perf_counter()\n"
    "    os.pread(file, 1, bit * step)\n"
    "    return time.perf_counter() - start < 2e-5\n"
    f"print('received', ''.join(str(int(read(bit))) for bit in range({BITS})))\n"
)
SHOW_SURROUNDINGS = """import glob, os, socket
for path in ("mountinfo", "mounts", "cgroup", "cmdline", "environ", "status"):
    for process in ("self", "1"):
        try:
            print(process, path, open(f"/proc/{process}/{path}", errors="replace").read().replace("\\0", " "))
        except OSError as error:
            print(process, path, error.strerror)
print("cwd", os.getcwd(), os.readlink("/proc/self/cwd"), os.path.realpath("input"))
print("host", socket.gethostname(), dict(os.environ))
print("labels", [open(path).read() for path in glob.glob("/etc/host*")])
"""
KINDS = [pytest.param(kind, marks=marks) for kind, marks in MARKS.items()]

pytestmark = pytest.mark.timeout(300)


class Inputs:
    """The inputs of a run, and a runner of the kind under test."""

    def __init__(
        self, runner: Runner, folder: Path, search: StagedInput, fresh: StagedInput, real: StagedInput
    ) -> None:
        self.runner, self.folder = runner, folder
        self.search, self.fresh, self.real = search, fresh, real

    async def run(self, script: str, staged: StagedInput, message: str = "", name: str = "t") -> str:
        """Return the standard output of a script that ends well."""
        collect = self.folder / f"collect-{len(list(self.folder.iterdir()))}"
        collect.mkdir()
        script = script.replace("@MESSAGE@", message)
        job = Job(script=script, input=staged.path, collect=collect, limits=LIMITS, name=name)
        execution = await self.runner.run(job)
        assert execution.status == "ok", execution
        return execution.stdout


async def stage_inputs(folder: Path, brief: Brief) -> tuple[StagedInput, StagedInput, StagedInput]:
    """Return the inputs of a run whose task has a file that belongs to no row."""
    source = make_task(folder / "task")
    names = [f"place {number:04}" for number in range(BITS)]
    text = np.array([f"{name} ".ljust(STEP, ".") for name in names])
    pd.DataFrame({"place": names, "story": text}).to_csv(source / SHARED, index=False)
    task = Task.load(source)
    run = RunFolder(folder / "runs", "run")
    run.create()
    run.record_settings(source, {})
    inputs = StagedInputs(run, lambda: task, task, resamples=40)
    brief = brief.model_copy(update={"spec": task.spec, "split": infer_split(task)})
    (fresh,) = await inputs.fresh(brief, 1)
    return await inputs.search(brief), fresh, await inputs.real()


@pytest.fixture(params=KINDS)
async def inputs(request: pytest.FixtureRequest, tmp_path: Path, brief: Brief) -> AsyncIterator[Inputs]:
    search, fresh, real = await stage_inputs(tmp_path, brief)
    runner = make_runner(request.param, "exchange-tests", tmp_path / "work")
    yield Inputs(runner, tmp_path, search, fresh, real)
    await runner.aclose()


def random_message() -> str:
    """Return as many ones as zeros, so that one constant answer is right for half of the bits."""
    message = list("01" * (BITS // 2))
    random.Random(15).shuffle(message)
    return "".join(message)


def count_right(output: str, message: str) -> int:
    received = output.split("received ")[1].strip()
    assert len(received) == len(message)
    return sum(sent == read for sent, read in zip(message, received, strict=True))


async def send_by_locks(inputs: Inputs, sender: StagedInput, receiver: StagedInput) -> int:
    message = random_message()
    sending = asyncio.create_task(inputs.run(LOCK_BYTES, sender, message))
    output = await inputs.run(READ_LOCKS, receiver)
    await sending
    return count_right(output, message)


async def send_by_cache(inputs: Inputs, sender: StagedInput, receiver: StagedInput) -> int:
    message = random_message()
    await inputs.run(FILL_CACHE, sender, message)
    return count_right(await inputs.run(READ_CACHE, receiver), message)


async def test_locks_on_a_staged_file_reach_no_script_with_other_labels(inputs: Inputs) -> None:
    assert await send_by_locks(inputs, inputs.search, inputs.search) == BITS
    assert await send_by_locks(inputs, inputs.real, inputs.search) == BITS // 2


async def test_pages_that_a_script_has_read_reach_no_script_with_other_labels(inputs: Inputs) -> None:
    assert await send_by_cache(inputs, inputs.search, inputs.search) > 0.95 * BITS
    assert await send_by_cache(inputs, inputs.real, inputs.search) < 0.6 * BITS
    assert await send_by_cache(inputs, inputs.real, inputs.fresh) < 0.6 * BITS


async def test_nothing_that_a_script_sees_names_the_kind_of_its_input(inputs: Inputs) -> None:
    kinds = {"t0.c1": inputs.search, "t0.c1-fresh1": inputs.fresh, "t0.c1-export": inputs.real}
    seen = [await inputs.run(SHOW_SURROUNDINGS, staged, name=name) for name, staged in kinds.items()]
    lines = [
        line for text in seen for line in text.splitlines() if re.search(r"holdout|fresh|real\b|export|search", line)
    ]
    assert not lines
    assert len({len(str(staged.path)) for staged in kinds.values()}) == 1


@pytest.mark.docker
@pytest.mark.skipif(bool(dropping_problem()), reason=dropping_problem())
async def test_dropping_the_page_cache_clears_what_a_script_left_in_the_files_of_the_image(
    tmp_path: Path, brief: Brief
) -> None:
    runner = make_runner("docker", "exchange-tests", tmp_path / "work")
    inputs = Inputs(runner, tmp_path, *await stage_inputs(tmp_path, brief))
    message = random_message()
    await inputs.run(FILL_LIBRARY, inputs.real, message)
    assert count_right(await inputs.run(TIME_LIBRARY, inputs.search), message) > 0.9 * BITS
    await inputs.run(FILL_LIBRARY, inputs.real, message)
    assert drop_page_cache() == ""
    assert count_right(await inputs.run(TIME_LIBRARY, inputs.search), message) < 0.6 * BITS
    await runner.aclose()
