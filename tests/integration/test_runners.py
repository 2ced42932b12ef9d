"""What every runner of scripts must do, and what containers must do in addition."""

import asyncio
import dataclasses
import gc
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import docker
import pytest

from mlestar.errors import RunnerError
from mlestar.runners import ContainerOptions, DockerRunner, Execution, Job, Limits, Runner
from mlestar.runners.docker.disk import remove_stale_disks
from mlestar.runners.docker.engine import (
    DEADLINE_LABEL,
    FOLDER_LABEL,
    OWNER_LABEL,
    PROCESS_LABEL,
    process_name,
    remove_stale_containers,
)
from mlestar.runners.gpus import NoGpuError
from tests.integration.runner_kinds import MARKS, containers_of, make_runner
from tests.integration.socket_proxy import SocketProxy
from tests.unit.smi import LARGE, SMALL

LIMITS = Limits(seconds=60, memory_mb=512, disk_mb=40, output_mb=2)
OWNER = "contract-tests"

NO_GPU = r"the Docker engine offers no GPU \(could not select device driver .*install NVIDIA's container toolkit"

pytestmark = pytest.mark.timeout(600)


class Harness:
    """A runner with an input folder, and a fresh output folder for every script."""

    def __init__(self, runner: Runner, input_folder: Path, tmp_path: Path) -> None:
        self.runner, self.input, self.tmp_path = runner, input_folder, tmp_path

    async def run(self, script: str, *outputs: str, limits: Limits = LIMITS, seed: int = 0) -> Execution:
        return await self.runner.run(self.job(script, *outputs, limits=limits, seed=seed))

    def job(self, script: str, *outputs: str, limits: Limits = LIMITS, seed: int = 0) -> Job:
        self.collect = self.tmp_path / f"collect-{len(list(self.tmp_path.iterdir()))}"
        self.collect.mkdir()
        patterns = outputs or ("submission.csv",)
        return Job(
            script=script, input=self.input, collect=self.collect, limits=limits, outputs=patterns, seed=seed, name="t"
        )


class WarmHarness(Harness):
    """A Docker runner with a pool: a container with the right spec waits for every script."""

    async def run(self, script: str, *outputs: str, limits: Limits = LIMITS, seed: int = 0) -> Execution:
        assert isinstance(self.runner, DockerRunner)
        await super().run("", limits=limits, seed=seed)
        for _ in range(600):
            if self.runner.waiting:
                break
            await asyncio.sleep(0.05)
        assert self.runner.waiting
        return await super().run(script, *outputs, limits=limits, seed=seed)


KINDS = [pytest.param(kind, marks=marks) for kind, marks in MARKS.items()]


@pytest.fixture(params=KINDS)
async def harness(request: pytest.FixtureRequest, input_folder: Path, tmp_path: Path) -> AsyncIterator[Harness]:
    work = tmp_path / "work"
    runner = make_runner(request.param, OWNER, work)
    yield (WarmHarness if request.param == "warm" else Harness)(runner, input_folder, tmp_path)
    await runner.aclose()
    assert not work.exists() or not list(work.iterdir())


@pytest.fixture
async def sandbox(input_folder: Path, tmp_path: Path) -> AsyncIterator[Harness]:
    runner = DockerRunner(owner=OWNER, work_dir=tmp_path / "work")
    yield Harness(runner, input_folder, tmp_path)
    await runner.aclose()


async def test_a_script_reads_input_and_its_submission_is_copied_out(harness: Harness) -> None:
    script = "text = open('input/train.csv').read(); open('submission.csv', 'w').write(text); print('score', 1)"
    execution = await harness.run(script)
    assert (execution.status, execution.exit_code, execution.stdout) == ("ok", 0, "score 1\n")
    assert execution.files == ("submission.csv",)
    assert (harness.collect / "submission.csv").read_text() == "x,y\n1,2\n"


async def test_an_exception_is_an_error_with_its_traceback(harness: Harness) -> None:
    execution = await harness.run("raise ValueError('no')")
    assert (execution.status, execution.exit_code) == ("error", 1)
    assert 'File "/sandbox/main.py", line 1' in execution.stderr
    assert execution.stderr.endswith("ValueError: no\n")


async def test_exit_statuses_beyond_a_byte_wrap(harness: Harness) -> None:
    execution = await harness.run("import sys; sys.exit(256 + 7)")
    assert (execution.status, execution.exit_code) == ("error", 7)


@pytest.mark.parametrize("number", [9, 11])
async def test_a_script_that_sends_itself_a_signal_is_killed(harness: Harness, number: int) -> None:
    execution = await harness.run(f"import os; os.kill(os.getpid(), {number})")
    assert (execution.status, execution.exit_code) == ("killed", 128 + number)


async def test_a_timeout_keeps_what_was_printed_and_written(harness: Harness) -> None:
    script = "import time; print('early'); open('submission.csv', 'w').write('1'); time.sleep(600)"
    execution = await harness.run(script, limits=Limits(seconds=2))
    assert (execution.status, execution.exit_code, execution.stdout) == ("timeout", None, "early\n")
    assert execution.files == ("submission.csv",)


async def test_a_timeout_describes_where_the_time_was_spent(harness: Harness) -> None:
    script = (
        "import numpy as np, queue\n"
        "print('loaded', flush=True)\n"
        "def fit(folds):\n"
        "    return queue.Queue().get()\n"
        "fit(5)\n"
    )
    execution = await harness.run(script, limits=Limits(seconds=3))
    assert (execution.status, execution.stdout, execution.stderr) == ("timeout", "loaded\n", "")
    expected = r"time limit of 3 s, having printed nothing for the last \d\.\d s; it was at line 4 of main\.py in fit: "
    expected += r"`return queue\.Queue\(\)\.get\(\)`, called from line 5, inside threading\.py line \d+ in wait$"
    assert re.search(expected, execution.detail), execution.detail


async def test_a_crash_prints_its_stack(harness: Harness) -> None:
    execution = await harness.run("import ctypes\nimport numpy\ndef read():\n    ctypes.string_at(0)\nread()")
    assert execution.status == "killed"
    assert 'main.py", line 4 in read' in execution.stderr
    assert "Extension modules" not in execution.stderr


async def test_a_timeout_ends_scripts_that_ignore_signals(harness: Harness) -> None:
    script = "import signal, time\nfor n in (1, 2, 6, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(600)"
    assert (await harness.run(script, limits=Limits(seconds=1))).status == "timeout"


@pytest.mark.parametrize(
    "script",
    [
        "blocks = []\nwhile True: blocks.append(bytearray(10_000_000))",
        "import subprocess, sys\ncode = 'h = []\\nwhile True: h.append(bytearray(10_000_000))'\n"
        "sys.exit(subprocess.run([sys.executable, '-c', code]).returncode != 0)",
    ],
    ids=["itself", "child"],
)
async def test_too_much_memory_is_oom(harness: Harness, script: str) -> None:
    assert (await harness.run(script)).status == "oom"


@pytest.mark.parametrize(
    "script",
    [
        "f = open('big', 'wb')\nwhile True: f.write(bytes(1_000_000))",
        "import itertools\nfor i in itertools.count(): open(f'{i}', 'wb').write(bytes(1_000_000))",
        "import itertools\nfor i in itertools.count(): open(f'{i}', 'wb').close()",
        "import itertools, os\nfor i in itertools.count(): os.mkdir('d'); os.chdir('d')",
    ],
    ids=["one file", "many files", "empty files", "deep folders"],
)
async def test_filling_the_work_folder_is_disk_full(harness: Harness, script: str) -> None:
    assert (await harness.run(script)).status == "disk_full"


async def test_a_flood_of_output_is_stopped_and_mostly_dropped(harness: Harness) -> None:
    execution = await harness.run("print('first')\nwhile True: print('x' * 1000)")
    assert execution.status == "output_limit"
    assert execution.stdout.startswith("first\n")
    assert len(execution.stdout) < 300_000


async def test_any_bytes_can_be_printed(harness: Harness) -> None:
    execution = await harness.run(
        "import sys; sys.stdout.buffer.write(b'a\\xff\\x00b'); sys.stderr.buffer.write(b'\\xc3')"
    )
    assert (execution.status, execution.stdout, execution.stderr) == ("ok", "a\ufffd\x00b", "\ufffd")


async def test_standard_input_is_empty(harness: Harness) -> None:
    assert (await harness.run("import sys; print(repr(sys.stdin.read()))")).stdout == "''\n"


@pytest.mark.parametrize("name", ["train.csv", "more.csv"])
async def test_writing_into_input_is_an_error_and_changes_nothing(harness: Harness, name: str) -> None:
    execution = await harness.run(f"open('input/{name}', 'w').write('bad')")
    assert execution.status == "error"
    assert [path.name for path in harness.input.iterdir()] == ["train.csv"]
    assert (await harness.run("print(open('input/train.csv').read())")).stdout == "x,y\n1,2\n\n"


@pytest.mark.parametrize(
    "statement",
    [
        "os.symlink('/etc/passwd', 'submission.csv')",
        "os.mkfifo('submission.csv')",
        "os.mkdir('submission.csv')",
        "open('a', 'w').write('1'); os.link('a', 'submission.csv')",
    ],
    ids=["link", "fifo", "folder", "hard link"],
)
async def test_only_regular_files_are_copied_out(harness: Harness, statement: str) -> None:
    execution = await harness.run(f"import os; {statement}")
    assert execution.files == ()
    assert "'submission.csv' was refused" in execution.detail


async def test_a_linked_folder_is_not_followed(harness: Harness) -> None:
    execution = await harness.run("import os; os.symlink('/etc', 'out')", "out/*")
    assert execution.files == ()


async def test_patterns_collect_files_of_folders(harness: Harness) -> None:
    script = "import os; os.mkdir('v'); [open(f'v/{i}.csv', 'w').write(str(i)) for i in range(3)]; open('v/no', 'w')"
    execution = await harness.run(script, "v/*.csv", "v/1.*")
    assert execution.files == ("v/0.csv", "v/1.csv", "v/2.csv")
    assert (harness.collect / "v" / "2.csv").read_text() == "2"


async def test_folders_without_permissions_are_cleaned_up(harness: Harness) -> None:
    execution = await harness.run("import os; os.mkdir('d'); open('d/f', 'w'); os.chmod('d', 0)")
    assert execution.status == "ok"


async def test_daemons_end_with_the_script(harness: Harness) -> None:
    daemon = "import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork() == 0: time.sleep(600)\n os._exit(0)\n"
    execution = await harness.run(daemon + "print('done')")
    assert (execution.status, execution.stdout) == ("ok", "done\n")
    assert execution.seconds < 60


async def test_secrets_of_the_caller_are_not_passed_on(harness: Harness, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    assert (await harness.run("import os; print('OPENAI_API_KEY' in os.environ)")).stdout == "False\n"


async def test_the_seed_fixes_hashes_and_the_cpu_limit_fixes_threads(harness: Harness) -> None:
    script = "import os; print(hash('a'), os.environ['OMP_NUM_THREADS'])"
    limits = Limits(cpus=1.0)
    first, again, other = [await harness.run(script, limits=limits, seed=seed) for seed in (1, 1, 2)]
    assert first.stdout == again.stdout != other.stdout
    assert first.stdout.endswith(" 1\n")


async def test_a_script_that_cannot_be_encoded_is_an_error(harness: Harness) -> None:
    execution = await harness.run("print('\udcff')")
    assert execution.status == "error"
    assert "UTF-8" in execution.stderr


async def test_scripts_do_not_see_each_other(harness: Harness) -> None:
    await harness.run("open('pandas.py', 'w').write('print(1)')")
    assert (await harness.run("import os; print(sorted(os.listdir('.')))")).stdout == "['input', 'main.py']\n"


async def test_a_cancelled_job_leaves_nothing(harness: Harness) -> None:
    await harness.runner.environment()
    task = asyncio.create_task(harness.runner.run(harness.job("import time; time.sleep(600)")))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not [path for path in (harness.tmp_path / "work").iterdir() if (path / "work").exists()]


async def test_the_environment_names_versions(harness: Harness) -> None:
    environment = await harness.runner.environment()
    assert environment.runner == harness.runner.name
    assert {"numpy", "pandas", "scikit-learn"} <= set(environment.packages)


@pytest.mark.docker
async def test_no_container_is_left(sandbox: Harness) -> None:
    task = asyncio.create_task(sandbox.run("import time; time.sleep(600)"))
    await sandbox.run("print(1)")
    task.cancel()
    await asyncio.wait({task})
    assert remove_all(OWNER) == []


@pytest.mark.docker
async def test_the_container_has_no_network_and_no_capabilities(sandbox: Harness) -> None:
    script = (
        "import os\n"
        "print(os.getuid() != 0, [n for n in os.listdir('/sys/class/net') if n != 'lo'])\n"
        "print(next(l for l in open('/proc/self/status') if l.startswith('CapEff')).split()[1])\n"
        "print(os.path.exists('/var/run/docker.sock'))\n"
        "try: open('/opt/mlestar/supervisor.py', 'a')\n"
        "except OSError as error: print(error.errno)"
    )
    assert (await sandbox.run(script)).stdout.splitlines()[:3] == ["True []", "0" * 16, "False"]


@pytest.mark.docker
async def test_a_script_whose_supervisor_was_killed_is_never_ok(sandbox: Harness) -> None:
    task = asyncio.create_task(sandbox.run("import time; print('started', flush=True); time.sleep(60)"))
    client = docker.from_env()
    running: list[str] = []
    while not running:  # the engine has no event for a single container that is known before
        await asyncio.sleep(0.5)
        running = [name for name in containers_of(OWNER, running=True) if name.startswith("mlestar-t-")]
    client.api.kill(running[0])
    client.close()
    assert (await task).status == "killed"


@pytest.mark.docker
async def test_the_record_of_an_execution_is_not_part_of_its_output(sandbox: Harness) -> None:
    execution = await sandbox.run("import sys; sys.stderr.write('end')")
    assert execution.stderr == "end"
    assert execution.peak_memory_mb is not None


@pytest.mark.docker
@pytest.mark.parametrize(
    "labels",
    [
        {DEADLINE_LABEL: "1", PROCESS_LABEL: process_name()},
        {DEADLINE_LABEL: "99999999999", PROCESS_LABEL: process_name().split("/")[0] + "/4194304000/1"},
    ],
    ids=["past its deadline", "of a dead process"],
)
async def test_stale_containers_are_removed(sandbox: Harness, labels: dict[str, str]) -> None:
    image = (await sandbox.runner.environment()).image
    client = docker.from_env()
    folder = sandbox.tmp_path / "mlestar-folder"
    folder.mkdir()
    stale = client.containers.create(image, "true", labels={**labels, FOLDER_LABEL: str(folder)})
    current = client.containers.create(
        image, "true", labels={DEADLINE_LABEL: "99999999999", PROCESS_LABEL: process_name()}
    )
    try:
        assert remove_stale_containers(client) == [stale.name]
        assert not folder.exists()
    finally:
        current.remove()
        client.close()


def remove_all(owner: str) -> list[str]:
    client = docker.from_env()
    try:
        containers = client.containers.list(all=True, filters={"label": f"{OWNER_LABEL}={owner}"})
        for container in containers:
            container.remove(force=True)
        return [str(container.name) for container in containers]
    finally:
        client.close()


async def disconnect_engine(runner: Runner, job: Job, proxy: SocketProxy) -> str:
    """Cut the connection while a job runs; return the message of the error, or the status without one."""
    task = asyncio.create_task(runner.run(job))
    await asyncio.sleep(2)
    proxy.cut()
    try:
        return (await task).status
    except RunnerError as error:
        return str(error)


@pytest.mark.docker
@pytest.mark.parametrize("warm", [0, 1])
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_lost_engine_is_an_operators_error(
    sandbox: Harness, monkeypatch: pytest.MonkeyPatch, warm: int
) -> None:
    await sandbox.runner.environment()
    with SocketProxy("/var/run/docker.sock") as proxy:
        monkeypatch.setenv("DOCKER_HOST", proxy.address)
        runner = DockerRunner(ContainerOptions(warm=warm), owner="lost-engine", work_dir=sandbox.tmp_path / "work")
        await runner.run(sandbox.job("", limits=Limits(seconds=100)))
        while runner.waiting < warm:  # noqa: ASYNC110  # the pool has no event
            await asyncio.sleep(0.05)
        message = await disconnect_engine(
            runner, sandbox.job("import time; time.sleep(600)", limits=Limits(seconds=100)), proxy
        )
        await runner.aclose()
    monkeypatch.delenv("DOCKER_HOST")
    assert len(remove_all("lost-engine")) == 1
    assert "Docker engine failed" in message
    gc.collect()  # the client leaks its socket when nobody listens, which would fail another test


@pytest.mark.docker
async def test_an_unknown_runtime_is_an_operators_error(input_folder: Path, tmp_path: Path) -> None:
    runner = DockerRunner(ContainerOptions(runtime="no-such-runtime"), work_dir=tmp_path / "work")
    with pytest.raises(RunnerError, match=r"no runtime 'no-such-runtime', only .*runc"):
        await runner.environment()
    await runner.aclose()


@pytest.mark.docker
@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU")
@pytest.mark.parametrize("gpus", [1, -1])
async def test_an_engine_without_gpus_is_an_operators_error(gpus: int, tmp_path: Path) -> None:
    runner = DockerRunner(ContainerOptions(gpus=gpus), work_dir=tmp_path / "work")
    with pytest.raises(NoGpuError, match=NO_GPU) as raised:
        await runner.environment()
    await runner.aclose()
    assert "\n" not in str(raised.value)


@pytest.mark.docker
@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU")
async def test_a_device_that_the_engine_cannot_give_is_refused_by_id(sandbox: Harness) -> None:
    job = dataclasses.replace(sandbox.job("print(1)"), gpus=(LARGE, SMALL))
    with pytest.raises(NoGpuError, match=NO_GPU):
        await sandbox.runner.run(job)


@pytest.mark.docker
@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU")
async def test_auto_goes_without_gpus_where_the_engine_has_none(tmp_path: Path) -> None:
    lines: list[str] = []
    runner = DockerRunner(ContainerOptions(gpus="auto"), work_dir=tmp_path / "work", on_progress=lines.append)
    environment = await runner.environment()
    await runner.aclose()
    assert (environment.gpus, environment.gpu) == ((), "")
    (line,) = lines
    assert re.match("gpus=auto: scripts get no GPU; " + NO_GPU, line)


@pytest.mark.docker
async def test_a_script_without_a_device_sees_none(sandbox: Harness) -> None:
    script = "import os; print(os.environ['CUDA_VISIBLE_DEVICES'], os.environ['NVIDIA_VISIBLE_DEVICES'])"
    assert (await sandbox.run(script)).stdout == " void\n"


@pytest.mark.docker
async def test_the_work_folder_of_a_killed_script_is_gone(sandbox: Harness) -> None:
    execution = await sandbox.run("import os; open('x', 'wb').write(bytes(30 << 20)); os.kill(os.getpid(), 9)")
    assert execution.status == "killed"
    mounts = await asyncio.to_thread(Path("/proc/self/mounts").read_text)
    assert str(sandbox.tmp_path) not in mounts


KILL_WITH_DISK = """
import os, signal, sys
from pathlib import Path
from mlestar.runners.docker.disk import DISK, Disk
from mlestar.runners.work_folder import make_folders, new_folder_path

folder = new_folder_path(Path(sys.argv[1]))
make_folders(folder, DISK)
disk = Disk(folder, 16)
disk.start_mount()
disk.finish_mount()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.docker
@pytest.mark.skipif(os.getuid() != 0, reason="only root mounts disks")
def test_the_disk_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", KILL_WITH_DISK, str(tmp_path)], check=False)
    assert str(tmp_path) in Path("/proc/self/mounts").read_text()
    remove_stale_disks()
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    assert list(tmp_path.iterdir()) == []


LIBRARIES = """
import concurrent.futures, multiprocessing, os, subprocess, sys
import catboost, lightgbm, matplotlib.pyplot as plt, numpy as np, optuna, pandas as pd, polars as pl, xgboost
import PIL.Image, python_speech_features, soundfile, soxr, statsmodels.api
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

rng = np.random.default_rng(0)
x = rng.normal(size=(400, 5))
y = (x[:, 0] > 0).astype(int)
for model in (
    lightgbm.LGBMClassifier(n_estimators=10, verbose=-1), xgboost.XGBClassifier(n_estimators=10),
    catboost.CatBoostClassifier(iterations=10, verbose=False), HistGradientBoostingClassifier(max_iter=10),
    RandomForestClassifier(10, n_jobs=2),
):
    assert model.fit(x, y).score(x, y) > 0.8
cross_val_score(LogisticRegression(), x, y, n_jobs=2)
statsmodels.api.OLS(y, x).fit()
pd.DataFrame(x).add_prefix("c").to_parquet("a.parquet")
assert pl.read_parquet("a.parquet").shape == (400, 5)
optuna.create_study(storage="sqlite:///o.db").optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=2)
plt.plot(y)
plt.savefig("p.png")
PIL.Image.open("p.png").load()
soundfile.write("s.wav", np.sin(np.arange(8000) / 9), 8000)
sound = soxr.resample(soundfile.read("s.wav")[0], 8000, 16000)
assert python_speech_features.mfcc(sound, 16000).shape == (99, 13)
with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("fork")) as pool:
    assert list(pool.map(abs, [-1])) == [1]
os.posix_fallocate(os.open("f", os.O_CREAT | os.O_RDWR), 0, 10_000)
assert subprocess.run([sys.executable, "-c", "pass"]).returncode == 0
print(os.path.getsize("f"))
"""


WORKERS = """
import concurrent.futures, joblib, multiprocessing

if __name__ == "__main__":
    for method in ("fork", "spawn", "forkserver"):
        with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
            print(list(pool.map(abs, [-1])))
    for backend in ("loky", "threading", "multiprocessing"):
        print(joblib.Parallel(n_jobs=2, backend=backend)(joblib.delayed(abs)(-n) for n in range(4)))
    with multiprocessing.Manager() as manager:
        print(manager.dict(a=1))
"""


@pytest.mark.docker
async def test_every_kind_of_worker_starts_without_sockets_of_the_internet(sandbox: Harness) -> None:
    execution = await sandbox.run(WORKERS, limits=Limits(seconds=120, memory_mb=1024))
    lines = ["[1]"] * 3 + ["[0, 1, 2, 3]"] * 3 + ["{'a': 1}"]
    assert (execution.status, execution.stdout.splitlines()) == ("ok", lines), execution


LOADER = """
import mmap, multiprocessing as mp, os, socket
from multiprocessing.reduction import recv_handle, send_handle

def load(connection, items, ready):
    for _ in iter(items.get, None):
        file = os.memfd_create("batch")
        os.write(file, b"x" * 100_000)
        ready.put(os.getpid())
        send_handle(connection, file, os.getppid())
        os.close(file)

sum_of_sizes = 0
items, ready = mp.Queue(), mp.Queue()
pairs = [mp.Pipe() for _ in range(2)]
workers = [mp.Process(target=load, args=(there, items, ready), daemon=True) for _, there in pairs]
for worker in workers: worker.start()
for number in range(40): items.put(number)
ends = {worker.pid: here for worker, (here, _) in zip(workers, pairs)}
for _ in range(40):
    file = recv_handle(ends[ready.get(timeout=30)])
    with mmap.mmap(file, 0) as batch: sum_of_sizes += len(batch)
    os.close(file)
for _ in workers: items.put(None)
for worker in workers: worker.join()
print(sum_of_sizes, [worker.exitcode for worker in workers])
"""
"""What a loader of batches with workers does: queues, and memory whose descriptors are sent over Unix sockets."""


@pytest.mark.docker
async def test_workers_share_memory_over_unix_sockets(sandbox: Harness) -> None:
    execution = await sandbox.run(LOADER)
    assert (execution.status, execution.stdout) == ("ok", "4000000 [0, 0]\n"), execution


EXHAUST = """
import ctypes, fcntl, os, struct, time
libc = ctypes.CDLL(None, use_errno=True)
event = ctypes.create_string_buffer(64)
struct.pack_into('iii', event, 8, 0, 1, 0)
while libc.syscall(222, 1, event, ctypes.byref(ctypes.c_int())) == 0: pass
pages = 0
while pages < 16384:
    end = os.pipe()[1]
    try: pages += fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, 1 << 20) // 4096
    except OSError: break
try:
    while os.fork(): pass
except OSError: pass
print('exhausted', flush=True)
time.sleep(60)
"""
NEIGHBOUR = """
import ctypes, fcntl, os, struct
libc = ctypes.CDLL(None, use_errno=True)
event = ctypes.create_string_buffer(64)
struct.pack_into('iii', event, 8, 0, 1, 0)
timers = sum(libc.syscall(222, 1, event, ctypes.byref(ctypes.c_int())) == 0 for _ in range(4000))
pipes = [fcntl.fcntl(os.pipe()[1], fcntl.F_SETPIPE_SZ, 1 << 20) for _ in range(40)]
children = [os.fork() or os._exit(0) for _ in range(20)]
print(timers, sum(pipes) >> 20, len(children), os.getuid())
"""


@pytest.mark.docker
@pytest.mark.skipif(os.getuid() != 0, reason="only root runs each script as a user of its own")
async def test_a_script_that_exhausts_the_limits_of_its_user_harms_no_other_container(sandbox: Harness) -> None:
    task = asyncio.create_task(sandbox.run(EXHAUST, limits=Limits(seconds=40, memory_mb=512)))
    while not containers_of(OWNER, running=True):  # noqa: ASYNC110  # the engine has no event for a container's output
        await asyncio.sleep(0.5)
    await asyncio.sleep(8)
    first, second = [await sandbox.run(NEIGHBOUR) for _ in range(2)]
    running = not task.done()
    task.cancel()
    await asyncio.wait({task})
    assert running
    assert [execution.stdout.split()[:3] for execution in (first, second)] == [["4000", "40", "20"]] * 2, (
        first,
        second,
    )
    assert first.stdout.split()[3] != second.stdout.split()[3]


@pytest.mark.docker
async def test_the_libraries_work_with_the_allowed_system_calls(sandbox: Harness) -> None:
    execution = await sandbox.run(LIBRARIES, limits=Limits(seconds=120, memory_mb=2048))
    assert (execution.status, execution.stdout) == ("ok", "10000\n"), execution


@pytest.mark.docker
@pytest.mark.skipif(os.getuid() != 0, reason="only root runs its scripts as another user")
async def test_an_input_that_the_sandbox_cannot_read_is_an_operators_error(sandbox: Harness) -> None:
    (sandbox.input / "train.csv").chmod(0o600)
    with pytest.raises(RunnerError, match="chmod -R"):
        await sandbox.run("print(1)")


@pytest.mark.docker
async def test_a_missing_input_is_an_operators_error(sandbox: Harness) -> None:
    sandbox.input = sandbox.tmp_path / "missing"
    with pytest.raises(RunnerError):
        await sandbox.run("print(1)")
