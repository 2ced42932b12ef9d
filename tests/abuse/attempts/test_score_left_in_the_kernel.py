"""A script leaves bits for a later one in a key of the kernel or in times of access of the image's files.

Outcome: prevented.
"""

import asyncio
from pathlib import Path

import pytest

from mlestar.runners import Job, Limits
from tests.integration.runner_kinds import make_runner

SCRIPT = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
keys = [libc.syscall(248, b"user", b"bits", b"1" * 400, 400, ring) for ring in (-1, -2, -3, -4, -5)]
names = [os.path.join(folder, name) for folder, _, names in os.walk("/usr/share") for name in names]
names = [name for name in sorted(names) if os.path.isfile(name) and not os.path.islink(name)][:1000]
before = [os.stat(name).st_atime_ns for name in names]
for name in names:
    with open(name, "rb") as file:
        file.read(1)
changed = sum(os.stat(name).st_atime_ns != time for name, time in zip(names, before))
print("keys", keys, "files", len(names) > 100, "changed", changed)
"""
FIND = """
import ctypes
print("found", ctypes.CDLL(None, use_errno=True).syscall(249, b"user", b"bits", None, 0))
"""


@pytest.mark.docker
@pytest.mark.timeout(120)
def test_neither_keys_nor_times_of_access_stay(tmp_path: Path) -> None:
    async def run() -> list[str]:
        runner = make_runner("docker", "score-attempts", tmp_path / "work")
        outputs = []
        for number, script in enumerate((SCRIPT, FIND)):
            collect = tmp_path / f"collect-{number}"
            collect.mkdir()
            limits = Limits(seconds=30, memory_mb=256, disk_mb=40)
            execution = await runner.run(Job(script=script, input=tmp_path / "input", collect=collect, limits=limits))
            outputs.append(execution.stdout.strip())
        await runner.aclose()
        return outputs

    (tmp_path / "input").mkdir()
    (tmp_path / "work").mkdir()
    assert asyncio.run(run()) == ["keys [-1, -1, -1, -1, -1] files True changed 0", "found -1"]
