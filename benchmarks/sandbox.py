"""Overhead per execution of the sandbox, compared with a bare `docker run` of the same script.

usage: python benchmarks/sandbox.py [ROUNDS]

Needs a Docker engine and prints a Markdown table. Every round runs each method once, so that the load of the machine is
the same for all of them.
"""

import argparse
import asyncio
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlestar.runners import ContainerOptions, DockerRunner, Job, Limits, LocalRunner, Runner
from mlestar.runners.docker.image import image_tag

SCRIPTS = {
    "`pass`": "pass",
    "imports pandas, scikit-learn, LightGBM": "import lightgbm\nimport pandas\nimport sklearn.ensemble\n",
}
LIMITS = Limits(seconds=120, memory_mb=2048)
PAUSE = 4
"""Seconds after each round, like the time of a model's reply, in which the next container imports its libraries.
Chosen by judgement; not measured."""


def run_bare(folder: Path, network: str) -> float:
    mounts = ["-v", f"{folder}/work:/sandbox", "-v", f"{folder}/input:/sandbox/input:ro", "-w", "/sandbox"]
    command = ["docker", "run", "--rm", f"--network={network}", *mounts, image_tag(), "python", "main.py"]
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


async def run_with(runner: Runner, folder: Path, script: str) -> float:
    with tempfile.TemporaryDirectory(dir=folder) as collect:
        job = Job(script=script, input=folder / "input", collect=Path(collect), limits=LIMITS)
        start = time.perf_counter()
        execution = await runner.run(job)
        if execution.status != "ok":
            sys.exit(f"the script failed: {execution}")
        return time.perf_counter() - start


async def measure(folder: Path, script: str, rounds: int) -> dict[str, list[float]]:
    (folder / "work" / "main.py").write_text(script)
    runners: dict[str, Runner] = {
        "cold": DockerRunner(owner="benchmark", work_dir=folder),
        "warm": DockerRunner(ContainerOptions(warm=1), owner="benchmark", work_dir=folder),
        "plain process": LocalRunner(work_dir=folder, bubblewrap=False),
    }
    seconds_by_method: dict[str, list[float]] = {}
    for turn in range(rounds + 1):
        row = {f"bare, network {kind}": await asyncio.to_thread(run_bare, folder, kind) for kind in ("bridge", "none")}
        for name, runner in runners.items():
            row[name] = await run_with(runner, folder, script)
        # The first round fills the page cache and the pool.
        for name, seconds in row.items() if turn else ():
            seconds_by_method.setdefault(name, []).append(seconds)
        await asyncio.sleep(PAUSE)
    for runner in runners.values():
        await runner.aclose()
    return seconds_by_method


def make_folders(folder: Path) -> Path:
    folder.chmod(0o755)
    for name in ("work", "input"):
        (folder / name).mkdir()
    return folder


async def main(rounds: int) -> None:
    print("| script | method | median s | min s | of bare |\n|---|---|---|---|---|")
    for name, script in SCRIPTS.items():
        with tempfile.TemporaryDirectory() as folder:
            seconds_by_method = await measure(make_folders(Path(folder)), script, rounds)
        bare = statistics.median(seconds_by_method["bare, network none"])
        for method, seconds in seconds_by_method.items():
            median = statistics.median(seconds)
            print(f"| {name} | {method} | {median:.3f} | {min(seconds):.3f} | {median / bare:.2f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=10)
    asyncio.run(main(parser.parse_args().rounds))
