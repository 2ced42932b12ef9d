"""Which GPUs there are, as `nvidia-smi` lists them: on this machine, or in a sandbox that may use them all."""

import csv
import io
import subprocess
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from mlestar.errors import RunnerError, clean_text
from mlestar.runners.base import Execution, Gpu, Job, Limits
from mlestar.runners.threads import call_in_thread
from mlestar.runners.work_folder import delete_folder, make_work_folder, new_folder_path

QUERY = ("nvidia-smi", "--query-gpu=index,uuid,name,memory.total", "--format=csv,noheader,nounits")
QUERY_SECONDS = 60
"""Without a persistent driver `nvidia-smi` first loads it, for seconds on a machine with many devices. Chosen by
judgement; not measured."""
EVERY_GPU = Gpu(index=-1, uuid="all", name="", memory_mb=0)
"""All devices, for the sandbox that lists them: `all` is the engine's own name for them."""

# `nvidia-smi` is in no image: the engine mounts it with the devices.
SCRIPT = f"""
import subprocess
try:
    listing = subprocess.run({QUERY!r}, capture_output=True, text=True, timeout={QUERY_SECONDS})
except OSError as error:
    raise SystemExit(f"nvidia-smi cannot be started: {{error.strerror}}")
if listing.returncode:
    raise SystemExit(listing.stdout + listing.stderr)
print(listing.stdout)
"""


class NoGpuError(RunnerError):
    """Scripts can get no GPU here; the message is one line that explains why and what to do."""


def parse_gpus(listing: str) -> tuple[Gpu, ...]:
    """Return the devices of a listing; a line that describes none is left out."""
    rows = csv.reader(io.StringIO(listing), skipinitialspace=True)
    return tuple(_parse_gpu(row) for row in rows if len(row) == 4 and row[0].strip().isdecimal())


def _parse_gpu(row: Sequence[str]) -> Gpu:
    index, uuid, name, memory = (clean_text(cell).strip()[:100] for cell in row)
    # Devices that share the machine's memory state `[N/A]`.
    return Gpu(index=int(index), uuid=uuid, name=name, memory_mb=int(memory) if memory.isdecimal() else 0)


def find_host_gpus() -> tuple[Gpu, ...]:
    """Return the devices of this machine.

    Raises:
        NoGpuError: there is none that works.
    """
    try:
        listing = subprocess.run(QUERY, capture_output=True, text=True, check=False, timeout=QUERY_SECONDS)
    except FileNotFoundError:
        msg = "this machine offers no GPU: it has no nvidia-smi; install NVIDIA's driver or set gpus=0"
        raise NoGpuError(msg) from None
    except (OSError, subprocess.SubprocessError) as error:
        msg = f"this machine offers no GPU: nvidia-smi does not work ({error}); repair NVIDIA's driver or set gpus=0"
        raise NoGpuError(msg) from error
    gpus = parse_gpus(listing.stdout) if listing.returncode == 0 else ()
    if not gpus:
        reason = _one_line(f"{listing.stdout} {listing.stderr}") or "it lists none"
        msg = f"this machine offers no GPU: nvidia-smi finds none ({reason}); repair NVIDIA's driver or set gpus=0"
        raise NoGpuError(msg)
    return gpus


async def find_sandbox_gpus(run: Callable[[Job], Awaitable[Execution]], work_dir: Path | None) -> tuple[Gpu, ...]:
    """Return the devices that a script can use when it may use all of them.

    Raises:
        NoGpuError: there is none, or the engine offers none.
        RunnerError: the script cannot be run.
    """
    folder = new_folder_path(work_dir)
    try:
        work = await call_in_thread(make_work_folder, folder, SCRIPT)
        limits = Limits(seconds=2 * QUERY_SECONDS)
        job = Job(
            script=SCRIPT, input=work, collect=folder, outputs=(), limits=limits, gpus=(EVERY_GPU,), name="find-gpus"
        )
        execution = await run(job)
    finally:
        await call_in_thread(delete_folder, folder)
    gpus = parse_gpus(execution.stdout) if execution.status == "ok" else ()
    if not gpus:
        reason = _one_line(execution.stderr or execution.detail or execution.stdout) or "it lists none"
        msg = f"containers get no GPU: nvidia-smi in one of them finds none ({reason}); run it on the engine's "
        msg += "machine, repair NVIDIA's driver or container toolkit there, or set gpus=0"
        raise NoGpuError(msg)
    return gpus


def describe_gpus(gpus: Sequence[Gpu], count: int = 1, share: int = 1) -> str:
    """Return what the author of a script must know about the devices it gets: their names and the smallest memory.

    Args:
        gpus: the devices of which a script gets some.
        count: how many it gets.
        share: scripts that may use one device at once.
    """
    if not gpus or not count:
        return ""
    names = " or ".join(dict.fromkeys(gpu.name for gpu in gpus))
    smallest = min(gpu.memory_mb for gpu in gpus)
    least = "at least " if len({gpu.memory_mb for gpu in gpus}) > 1 else ""
    each = " each" if count > 1 else ""
    memory = f", {least}{smallest} MB{each}" if smallest else ""
    times = f"{count} x " if count > 1 else ""
    shared = f", shared by {share} scripts" if share > 1 else ""
    return f"{times}{names}{memory}{shared}"


def list_gpus(gpus: Sequence[Gpu]) -> str:
    """Return the devices as a person reads them."""
    return "; ".join(f"{gpu.index}: {gpu.name}, {gpu.memory_mb} MB" for gpu in gpus)


def gpu_variables(gpus: Sequence[Gpu]) -> dict[str, str]:
    """Return the variables that limit a process of this machine to its devices, or to none."""
    return {"CUDA_VISIBLE_DEVICES": ",".join(gpu.uuid for gpu in gpus)}


def usage_command(milliseconds: int) -> list[str]:
    """Return the command that prints the memory in use on every device, again and again."""
    query = ["--query-gpu=uuid,memory.used", "--format=csv,noheader,nounits"]
    return ["nvidia-smi", *query, f"--loop-ms={milliseconds}"]


def parse_usage(line: str, uuids: Sequence[str]) -> int:
    """Return the MB of a line of `usage_command` for one of some devices, 0 for any other line."""
    uuid, _, used = line.partition(",")
    return int(used) if uuid.strip() in uuids and used.strip().isdecimal() else 0


def _one_line(text: str) -> str:
    return " ".join(text.split())[:300]
