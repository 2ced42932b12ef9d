"""GPUs: which there are, how a script is kept to its own, and what is known of their memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from docker.errors import APIError

from mlestar.errors import RunnerError
from mlestar.runners import Gpu, Job, Limits, LocalRunner
from mlestar.runners.capture import Output
from mlestar.runners.docker.engine import engine_errors
from mlestar.runners.gpus import NoGpuError, describe_gpus, find_host_gpus, find_sandbox_gpus
from mlestar.runners.inside import supervisor
from mlestar.runners.local.device_nodes import device_nodes
from mlestar.runners.record import cut_record, make_command, make_mark, read_record
from tests.unit.smi import LARGE, SMALL, put_smi_on_path

FAILED = "NVIDIA-SMI has failed because it couldn'\\''t communicate with the NVIDIA driver.\n"
TWIN = Gpu(index=1, uuid="GPU-cccc", name=LARGE.name, memory_mb=LARGE.memory_mb)


def test_devices_are_those_that_nvidia_smi_lists(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_smi_on_path(tmp_path / "bin", monkeypatch)
    assert find_host_gpus() == (LARGE, SMALL)


def test_a_device_without_memory_of_its_own_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_smi_on_path(tmp_path / "bin", monkeypatch, "0, GPU-dddd, NVIDIA GB10, [N/A]\n")
    (gpu,) = find_host_gpus()
    assert (gpu.memory_mb, describe_gpus([gpu])) == (0, "NVIDIA GB10")


@pytest.mark.parametrize(
    ("listing", "code", "reason"),
    [
        (FAILED, 9, "finds none .NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver"),
        ("No devices were found\n", 0, "finds none .No devices were found"),
        ("", 0, "finds none .it lists none"),
        ("0, GPU-aaaa\nx, y, z, 4\n", 0, "finds none"),
    ],
)
def test_a_driver_that_does_not_work_offers_no_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, listing: str, code: int, reason: str
) -> None:
    put_smi_on_path(tmp_path / "bin", monkeypatch, listing, code)
    with pytest.raises(NoGpuError, match=reason) as raised:
        find_host_gpus()
    assert "\n" not in str(raised.value)


def test_a_machine_without_nvidia_smi_offers_no_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(NoGpuError, match="it has no nvidia-smi; install NVIDIA's driver or set gpus=0"):
        find_host_gpus()


@pytest.mark.parametrize(
    ("gpus", "count", "share", "text"),
    [
        ([LARGE], 1, 1, "NVIDIA A100-SXM4-40GB, 40960 MB"),
        ([LARGE, TWIN], 2, 1, "2 x NVIDIA A100-SXM4-40GB, 40960 MB each"),
        ([LARGE, SMALL], 1, 2, "NVIDIA A100-SXM4-40GB or Tesla T4, at least 15360 MB, shared by 2 scripts"),
        ([], 1, 1, ""),
        ([LARGE], 0, 1, ""),
    ],
)
def test_agents_are_told_name_and_least_memory(gpus: list[Gpu], count: int, share: int, text: str) -> None:
    assert describe_gpus(gpus, count, share) == text


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        ('could not select device driver "" with capabilities: [[gpu compute utility]]', "container toolkit"),
        (
            "failed to create task for container: error running hook: exit status 1, stdout: , stderr: Auto-detected "
            "mode as 'legacy'\nnvidia-container-cli: initialization error: nvml error: driver not loaded: unknown",
            "until nvidia-smi runs there",
        ),
        ("CDI device injection failed: unresolvable CDI devices nvidia.com/gpu=all", "nvidia-ctk cdi generate"),
    ],
)
def test_an_engine_that_offers_no_device_is_one_line_with_what_to_do(message: str, advice: str) -> None:
    with pytest.raises(NoGpuError, match=f"{advice}.*, or set gpus=0$") as raised, engine_errors():
        raise APIError("500 Server Error", explanation=message)
    assert "\n" not in str(raised.value)


def test_another_failure_of_the_engine_says_nothing_about_devices() -> None:
    with pytest.raises(RunnerError) as raised, engine_errors():
        raise APIError("500 Server Error", explanation="no space left on device")
    assert not isinstance(raised.value, NoGpuError)


@pytest.fixture
def input_job(input_folder: Path, tmp_path: Path) -> Job:
    collect = tmp_path / "collect"
    collect.mkdir()
    return Job(script="", input=input_folder, collect=collect)


SHOW_DEVICES = "import os; print(repr(os.environ['CUDA_VISIBLE_DEVICES']))"


@pytest.mark.parametrize(("gpus", "shown"), [((), ""), ((LARGE,), "GPU-aaaa"), ((LARGE, SMALL), "GPU-aaaa,GPU-bbbb")])
async def test_a_local_script_sees_its_devices_alone(
    input_job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gpus: tuple[Gpu, ...], shown: str
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "7")
    runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False)
    job = Job(script=SHOW_DEVICES, input=input_job.input, collect=input_job.collect, gpus=gpus)
    assert (await runner.run(job)).stdout == f"{shown!r}\n"
    await runner.aclose()


async def test_the_memory_of_a_local_scripts_device_is_measured(
    input_job: Job, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_smi_on_path(tmp_path / "bin", monkeypatch)
    runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False)
    script = "import time; time.sleep(1); raise RuntimeError('CUDA out of memory. Tried to allocate 2.00 GiB.')"
    job = Job(script=script, input=input_job.input, collect=input_job.collect, gpus=(LARGE,))
    execution = await runner.run(job)
    await runner.aclose()
    assert (execution.status, execution.peak_gpu_memory_mb) == ("gpu_oom", 900)
    assert execution.detail == (
        "the script ran out of memory on the GPU when it asked for 2.00 GiB more: it has 40960 MB, at most 900 MB were "
        "seen in use"
    )


async def test_a_local_runner_lists_devices_only_when_they_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_smi_on_path(tmp_path / "bin", monkeypatch)
    for gpus, listed in ((0, ()), ("auto", (LARGE, SMALL)), (1, (LARGE, SMALL))):
        runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False, gpus=gpus)  # type: ignore[arg-type]  # a tuple's element
        environment = await runner.environment()
        await runner.aclose()
        assert (environment.gpus, bool(environment.gpu)) == (listed, bool(listed))


async def test_auto_goes_without_a_device_where_a_number_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_smi_on_path(tmp_path / "bin", monkeypatch, FAILED, 9)
    runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False, gpus="auto")
    assert (await runner.environment()).gpus == ()
    await runner.aclose()
    runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False, gpus=1)
    with pytest.raises(NoGpuError, match="communicate with the NVIDIA driver"):
        await runner.environment()
    await runner.aclose()


async def test_a_sandbox_lists_its_devices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_smi_on_path(tmp_path / "bin", monkeypatch)
    runner = LocalRunner(work_dir=tmp_path / "work", bubblewrap=False)
    assert await find_sandbox_gpus(runner.run, tmp_path / "work") == (LARGE, SMALL)
    put_smi_on_path(tmp_path / "bin", monkeypatch, FAILED, 9)
    with pytest.raises(NoGpuError, match=r"containers get no GPU: .*communicate with the NVIDIA driver"):
        await find_sandbox_gpus(runner.run, tmp_path / "work")
    (tmp_path / "bin" / "nvidia-smi").unlink()
    (tmp_path / "bin" / "rm").symlink_to("/bin/rm")  # deletes work folders
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(NoGpuError, match="nvidia-smi cannot be started"):
        await find_sandbox_gpus(runner.run, tmp_path / "work")
    await runner.aclose()


def run_supervisor(folder: Path, script: str, gpus: list[str]) -> tuple[bytes, int | None]:
    """Return the record of a supervised script, and its peak memory on a device."""
    (folder / "main.py").write_text(script, encoding="utf-8")
    mark = make_mark()
    command = [sys.executable, "-I", "-S", supervisor.__file__, "60"]
    process = subprocess.Popen(command, cwd=folder, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stderr is not None
    with process:
        process.stdin.write(make_command(mark, 60, gpus))
        process.stdin.flush()
        output = Output(10**6)
        output.stderr.feed(process.stderr.read())
    line = cut_record(output, mark) or b""
    end = read_record(line, Limits())
    assert end is not None
    assert (end.status, end.exit_code) == ("ok", 0)
    return line, end.peak_gpu_mb


@pytest.mark.skipif(sys.platform != "linux", reason="the supervisor runs in Linux sandboxes")
def test_a_supervisor_measures_the_memory_of_the_scripts_devices(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_smi_on_path(tmp_path / "bin", monkeypatch)
    wait = "import time; time.sleep(1.5)"
    assert run_supervisor(tmp_path, wait, ["GPU-aaaa"])[1] == 900
    assert run_supervisor(tmp_path, wait, ["GPU-aaaa", "GPU-bbbb"])[1] == 15_000
    assert run_supervisor(tmp_path, "pass", [])[1] is None
    monkeypatch.setenv("PATH", "/nowhere")
    assert run_supervisor(tmp_path, "pass", ["GPU-aaaa"])[1] is None


@pytest.mark.parametrize("gpu", [-1, 10**9, "x", None])
def test_a_record_cannot_claim_impossible_memory_of_a_device(gpu: object) -> None:
    assert read_record(json.dumps({"exit": 0, "oom": 0, "peak": 0, "gpu": gpu}).encode(), Limits()) is None


def test_a_sandbox_of_this_machine_gets_the_files_of_its_devices_alone(tmp_path: Path) -> None:
    for name in ("nvidiactl", "nvidia-uvm", "nvidia0", "nvidia1", "nvidia2"):
        (tmp_path / "dev").mkdir(exist_ok=True)
        (tmp_path / "dev" / name).touch()
    for bus, uuid, minor in (("0000:01:00.0", "GPU-aaaa", 2), ("0000:02:00.0", "GPU-bbbb", 0)):
        folder = tmp_path / "proc/driver/nvidia/gpus" / bus
        folder.mkdir(parents=True)
        text = f"Model: \t\t NVIDIA A100\nIRQ:   \t\t 33\nGPU UUID: \t {uuid}\nDevice Minor: \t {minor}\n"
        (folder / "information").write_text(text, encoding="utf-8")
    common = ["/dev/nvidiactl", "/dev/nvidia-uvm"]
    assert device_nodes([LARGE], tmp_path) == [*common, "/dev/nvidia2"]
    assert device_nodes([SMALL, LARGE], tmp_path) == [*common, "/dev/nvidia0", "/dev/nvidia2"]
    assert device_nodes([TWIN], tmp_path) == [*common, "/dev/nvidia1"]
    assert device_nodes([], tmp_path) == []
