"""Check GPUs in the sandbox: for machines that have some, since the tests run where there are none.

usage: python benchmarks/gpu.py [--image IMAGE]

Needs a Docker engine with NVIDIA's container toolkit. The image (default: gpu, built on first use) must have torch.
Prints a Markdown table; exit status 1 when a check fails.
"""

import argparse
import asyncio
import dataclasses
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from mlestar.errors import MlestarError
from mlestar.runners import ContainerOptions, DockerRunner, Environment, Execution, Gpu, Job, Limits
from mlestar.runners.gpus import describe_gpus
from mlestar.runtime.devices import Devices

LIMITS = Limits(seconds=300, memory_mb=8192)
SHOW = """
import json, subprocess
import torch
listing = subprocess.run(["nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader"], capture_output=True, text=True)
print(json.dumps([torch.cuda.is_available(), sorted(listing.stdout.split())]))
"""
SHOW_NONE = """
import os, torch
print(torch.cuda.is_available(), [name for name in os.listdir("/dev") if name.startswith("nvidia")])
"""
HOLD_MB = 1024
HOLD = f"""
import time, torch
block = torch.ones({HOLD_MB} * 2**20, dtype=torch.uint8, device="cuda")
time.sleep(5)
print(int(block[0]))
"""
FILL = """
import torch
blocks = []
while True:
    blocks.append(torch.ones(2**30, dtype=torch.uint8, device="cuda"))
"""
WORK = """
import time, torch
a = torch.rand(4096, 4096, device="cuda")
start = time.perf_counter()
for _ in range(100):
    a = a @ a / 4096
torch.cuda.synchronize()
print(round(time.perf_counter() - start, 2))
"""


@dataclasses.dataclass(frozen=True)
class Checks:
    """The checks of one engine."""

    runner: DockerRunner
    environment: Environment
    folder: Path

    @property
    def gpus(self) -> tuple[Gpu, ...]:
        return self.environment.gpus

    async def run(self, script: str, *gpus: Gpu) -> Execution:
        with tempfile.TemporaryDirectory(dir=self.folder) as collect:
            job = Job(script=script, input=self.folder / "input", collect=Path(collect), limits=LIMITS, gpus=gpus)
            return await self.runner.run(job)

    async def sees_its_own(self) -> tuple[bool, str]:
        """Each device alone is seen by the script that gets it."""
        for gpu in self.gpus:
            execution = await self.run(SHOW, gpu)
            if execution.stdout.strip() != f'[true, ["{gpu.uuid}"]]':
                return False, f"{gpu.name}: {execution.stdout} {execution.stderr[-300:]}"
        return True, f"{len(self.gpus)} devices"

    async def sees_none(self) -> tuple[bool, str]:
        """A script without a device sees none, although the image asks for all."""
        execution = await self.run(SHOW_NONE)
        return execution.stdout == "False []\n", execution.stdout.strip() or execution.stderr[-300:]

    async def measures(self) -> tuple[bool, str]:
        """The memory of the verdict is what the script used, besides up to 1 GB of CUDA itself."""
        execution = await self.run(HOLD, self.gpus[0])
        peak = execution.peak_gpu_memory_mb or 0
        return HOLD_MB <= peak <= 2 * HOLD_MB, f"{HOLD_MB} MB used, {peak:g} MB measured; {execution.status}"

    async def recognizes(self) -> tuple[bool, str]:
        """A script that fills its device is `gpu_oom`, with figures."""
        execution = await self.run(FILL, self.gpus[0])
        return execution.status == "gpu_oom", f"{execution.status}: {execution.detail}"

    async def works_at_once(self) -> tuple[bool, str]:
        """As many scripts as there are devices work at once, each on its own."""
        devices = Devices(self.gpus, count=1)

        async def work() -> Execution:
            async with devices.lease() as gpus:
                return await self.run(WORK, *gpus)

        started = time.perf_counter()
        executions = await asyncio.gather(*(work() for _ in self.gpus))
        seconds = time.perf_counter() - started
        statuses = {execution.status for execution in executions}
        each = ", ".join(execution.stdout.strip() for execution in executions)
        return statuses == {"ok"}, f"{len(executions)} scripts in {seconds:.1f} s; 100 products took {each} s"

    def all(self) -> list[Callable[[], Awaitable[tuple[bool, str]]]]:
        return [self.sees_its_own, self.sees_none, self.measures, self.recognizes, self.works_at_once]


@asynccontextmanager
async def open_checks(image: str, folder: Path) -> AsyncIterator[Checks]:
    (folder / "input").mkdir()
    options = ContainerOptions(image=image, gpus=-1)
    runner = DockerRunner(options, on_progress=lambda line: print(line, file=sys.stderr), work_dir=folder / "work")
    try:
        yield Checks(runner, await runner.environment(), folder)
    finally:
        await runner.aclose()


async def main() -> bool:
    """Print the table; return whether all is well."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--image", default="gpu")
    image = parser.parse_args().image
    good = True
    with tempfile.TemporaryDirectory() as folder:
        async with open_checks(image, Path(folder)) as checks:
            torch = checks.environment.packages.get("torch", "none")
            print(f"{describe_gpus(checks.gpus)}; {len(checks.gpus)} devices; torch {torch}\n")
            print("| check | | finding |\n|---|---|---|")
            for check in checks.all():
                passed, finding = await check()
                good = good and passed
                print(f"| {(check.__doc__ or '').strip()} | {'ok' if passed else 'FAILED'} | {finding} |", flush=True)
    return good


if __name__ == "__main__":
    try:
        sys.exit(0 if asyncio.run(main()) else 1)
    except MlestarError as error:
        sys.exit(str(error))
