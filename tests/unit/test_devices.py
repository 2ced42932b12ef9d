"""Which script gets which GPU, within a run and among the runs of a machine, and how many scripts that allows."""

import asyncio
import hashlib
import socket
import sqlite3
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack, closing
from pathlib import Path

import pytest

from mlestar.errors import SettingsError
from mlestar.runners import Environment, Execution, Gpu, Job, Runner, ScriptedRunner
from mlestar.runtime.devices import RETRY_SECONDS, Devices, _claim_device, gpus_per_script
from mlestar.runtime.executor import scripts_at_once
from mlestar.settings import MAX_GPU_SHARE, Settings
from tests.unit.scenario import Scenario, solve
from tests.unit.smi import LARGE, SMALL

SOON = 0.05
"""Time within which a device that is free is leased. Chosen by judgement; not measured."""


def make_gpus(test: str, count: int) -> list[Gpu]:
    """Return devices that no other test leases: claims hold for the whole machine."""
    return [Gpu(index=n, uuid=f"{test}-{n}", name="NVIDIA T4", memory_mb=15_360) for n in range(count)]


def make_machine(gpus: list[Gpu], runner: str = "docker", gpu: str = "") -> Environment:
    return Environment(
        runner=runner,
        image="i",
        python="3.11",
        packages={},
        cpus=16.0,
        memory_mb=64_000,
        network=False,
        gpus=tuple(gpus),
        gpu=gpu,
    )


async def leased(stack: AsyncExitStack, devices: Devices) -> list[str] | None:
    """Return the devices of a lease that is held until the stack is closed, None when there is none soon."""
    task = asyncio.create_task(stack.enter_async_context(devices.lease()))
    done, _ = await asyncio.wait({task}, timeout=SOON)
    if not done:
        task.cancel()
        await asyncio.wait({task})
        return None
    return [gpu.uuid for gpu in task.result()]


async def test_two_scripts_never_share_a_device() -> None:
    devices = Devices(make_gpus("apart", 2), count=1)
    async with AsyncExitStack() as stack:
        assert await leased(stack, devices) == ["apart-0"]
        assert await leased(stack, devices) == ["apart-1"]
        assert await leased(stack, devices) is None
    async with AsyncExitStack() as stack:
        assert await leased(stack, devices) == ["apart-0"]


async def test_a_device_is_shared_by_as_many_scripts_as_allowed() -> None:
    devices = Devices(make_gpus("shared", 2), count=1, share=2)
    async with AsyncExitStack() as stack:
        names = [await leased(stack, devices) for _ in range(5)]
    assert names == [["shared-0"], ["shared-1"], ["shared-0"], ["shared-1"], None]


@pytest.mark.parametrize("share", range(1, MAX_GPU_SHARE + 1))
async def test_runs_together_have_no_more_scripts_on_a_device_than_one_may(share: int) -> None:
    gpus = make_gpus(f"together-{share}", 1)
    async with AsyncExitStack() as stack:
        leases = [await leased(stack, Devices(gpus, 1, share)) for _ in range(share + 1)]
    assert leases == [[gpus[0].uuid]] * share + [None]


async def test_a_script_gets_several_devices_or_none() -> None:
    devices = Devices(make_gpus("several", 3), count=2)
    async with AsyncExitStack() as stack:
        assert await leased(stack, devices) == ["several-0", "several-1"]
        assert await leased(stack, devices) is None
        async with AsyncExitStack() as other:
            assert await leased(other, Devices(make_gpus("several", 3)[2:], count=1)) == ["several-2"]


async def test_a_script_that_waits_gets_the_device_that_becomes_free() -> None:
    devices = Devices(make_gpus("freed", 1), count=1)
    async with AsyncExitStack() as waiting:
        async with devices.lease():
            task = asyncio.create_task(waiting.enter_async_context(devices.lease()))
            await asyncio.sleep(SOON)
            assert not task.done()
        (gpu,) = await asyncio.wait_for(task, RETRY_SECONDS / 2)
    assert gpu.uuid == "freed-0"


async def test_without_devices_no_script_waits() -> None:
    async with Devices().lease() as first, Devices().lease() as second:
        assert (first, second) == ((), ())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux frees names with their process")
@pytest.mark.parametrize(
    ("share", "other_share", "together"),
    [(1, 1, False), (1, 2, False), (2, 1, False), (2, 2, True), (4, 2, True), (4, 1, False)],
)
async def test_runs_of_one_machine_share_a_device_only_if_both_allow_it(
    share: int, other_share: int, together: bool
) -> None:
    lines: list[str] = []
    gpus = make_gpus(f"runs-{share}-{other_share}", 1)
    async with AsyncExitStack() as stack:
        assert await leased(stack, Devices(gpus, 1, share)) == [gpus[0].uuid]
        other = Devices(gpus, 1, other_share, lines.append)
        assert (await leased(stack, other) is not None) == together
    assert lines == ([] if together else ["a script waits for a GPU that another run on this machine uses"])


HOLD = """
import asyncio, os, signal
from mlestar.runners import Gpu
from mlestar.runtime.devices import Devices
async def main():
    async with Devices([Gpu(index=0, uuid="killed-0", name="T4", memory_mb=1)], 1).lease():
        print("leased", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux frees names with their process")
async def test_a_killed_run_keeps_no_device() -> None:
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", HOLD, stdout=pipe)
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"leased\n"
        async with AsyncExitStack() as stack:
            assert await leased(stack, Devices(make_gpus("killed", 1), 1)) is None
    finally:
        process.kill()
        await process.wait()
    async with AsyncExitStack() as stack:
        assert await leased(stack, Devices(make_gpus("killed", 1), 1)) == ["killed-0"]


@pytest.mark.parametrize(
    ("settings", "devices", "expected"),
    [
        ({}, 4, 16),
        ({"gpus": 1}, 4, 4),
        ({"gpus": 2}, 5, 2),
        ({"gpus": -1}, 4, 1),
        ({"gpus": "auto"}, 3, 3),
        ({"gpus": "auto"}, 0, 16),
        ({"gpus": 1, "gpu_share": 3}, 2, 6),
        ({"gpus": -1, "gpu_share": 2}, 4, 2),
        ({"gpus": 1, "cpus": 8}, 4, 2),
        ({"gpus": 1, "parallel": 2}, 4, 2),
        ({"gpus": 1, "parallel": 8}, 4, 4),
        ({"parallel": 8}, 4, 8),
    ],
)
def test_as_many_scripts_execute_at_once_as_there_are_devices_for(
    settings: dict[str, object], devices: int, expected: int
) -> None:
    assert scripts_at_once(Settings.resolve(settings), make_machine(make_gpus("x", devices))) == expected


@pytest.mark.parametrize(
    ("gpus", "gpu", "expected"), [(1, "", 1), ("auto", "", 16), ("auto", "A100", 1), (0, "A100", 16)]
)
def test_scripts_of_a_runner_that_lists_no_devices_take_turns(gpus: object, gpu: str, expected: int) -> None:
    machine = make_machine([], "cluster", gpu)
    assert scripts_at_once(Settings.resolve({"gpus": gpus}), machine) == expected
    assert gpus_per_script(Settings.resolve({"gpus": gpus}), machine) == 0


class WithGpus(Scenario):
    """A scenario whose runner has GPUs; keeps how many scripts used each at once."""

    def __init__(self, gpus: list[Gpu]) -> None:
        super().__init__()
        self.machine = make_machine(gpus, "scripted")
        self.using: Counter[str] = Counter()
        self.most: Counter[str] = Counter()

    def runner(self) -> Runner:
        return ScriptedRunner(self.run_with_gpus, self.machine)

    def run_with_gpus(self, job: Job) -> Execution:
        names = [gpu.uuid for gpu in job.gpus]
        self.using.update(names)
        self.most |= self.using
        time.sleep(0.02)
        execution = self.run(job)
        self.using.subtract(names)
        return execution


def execution_keys(folder: Path) -> set[str]:
    with closing(sqlite3.connect(folder / "runs" / "run" / "ledger.sqlite")) as connection:
        # Which of two candidates is exported first depends on their speed.
        return {key for (key,) in connection.execute("SELECT key FROM entries WHERE kind = 'execution'")}


async def test_each_script_of_a_run_has_a_device_of_its_own(tmp_path: Path) -> None:
    scenario = WithGpus(make_gpus("run", 2))
    result = await solve(tmp_path, scenario, gpus="auto")
    assert result.status == "solved"
    assert scenario.most == {"run-0": 1, "run-1": 1}


async def test_the_key_of_an_execution_does_not_depend_on_its_device(tmp_path: Path) -> None:
    await solve(tmp_path / "one", WithGpus(make_gpus("first", 1)), gpus="auto")
    await solve(tmp_path / "other", WithGpus(make_gpus("second", 3)[1:]), gpus="auto", gpu_share=2, parallel=1)
    assert execution_keys(tmp_path / "one") == execution_keys(tmp_path / "other") != set()


async def test_more_devices_than_there_are_is_one_line_before_a_model_is_called(tmp_path: Path) -> None:
    scenario = WithGpus([LARGE, SMALL])
    expected = r"gpus=3, but a script can get 2 at most \(0: NVIDIA A100-SXM4-40GB, 40960 MB; 1: Tesla T4, 15360 MB\): "
    with pytest.raises(SettingsError, match=expected + "set gpus to 2 or less, or to auto"):
        await solve(tmp_path, scenario, gpus=3)
    assert not scenario.asked


FULL = Execution(
    status="gpu_oom",
    exit_code=1,
    stdout="",
    stderr="torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.",
    seconds=9.0,
    peak_memory_mb=900.0,
    peak_gpu_memory_mb=15_021.0,
    files=(),
    detail="the script ran out of memory on the GPU: it has 15360 MB",
)


class FillsGpu(WithGpus):
    """Its first candidate fills its GPU until it is repaired."""

    def run(self, job: Job) -> Execution:
        execution = super().run(job)
        return FULL if self.ran.count("t0.c1") == 1 and job.name == "t0.c1" else execution


async def test_the_debugger_gets_the_figures_of_a_full_device_and_repairs_the_script(tmp_path: Path) -> None:
    scenario = FillsGpu(make_gpus("full", 1))
    result = await solve(tmp_path, scenario, gpus=1)
    assert result.status == "solved"
    described, repaired = scenario.prompts["bug_summarizer"][0], scenario.prompts["debugger"][0]
    assert FULL.detail in described
    for prompt in (described, repaired):
        assert '<measured>{"seconds": 9.0, "peak_memory_mb": 900.0, "peak_gpu_memory_mb": 15000.0}</measured>' in prompt
    assert "If the memory of the GPU was not enough, use smaller batches" in repaired
    assert "and the GPU NVIDIA T4, 15360 MB; aim" in repaired


async def test_prompts_of_a_run_without_devices_do_not_mention_any(tmp_path: Path) -> None:
    scenario = WithGpus([])
    await solve(tmp_path, scenario, gpus="auto")
    prompts = [prompt for prompts in scenario.prompts.values() for prompt in prompts]
    assert prompts
    assert not any("GPU" in prompt or "gpu_memory" in prompt for prompt in prompts)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux frees names with their process")
def test_a_process_that_cannot_get_a_device_takes_no_part_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    bound: list[object] = []

    class Counted(socket.socket):
        def bind(self, address: object) -> None:
            super().bind(address)  # type: ignore[arg-type]  # what the module passes
            bound.append(address)

    first = f"\0mlestar-gpu-{hashlib.sha256(b'GPU-taken').hexdigest()[:32]}-0"
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(first)
        monkeypatch.setattr(socket, "socket", Counted)
        assert _claim_device("GPU-taken", 1) is None
        assert not bound
        half = _claim_device("GPU-taken", 2)
    assert half is not None
    assert len(half) == len(bound)
    for claim in half:
        claim.close()
