"""A program that stands in for `nvidia-smi` on PATH: there is no GPU where the tests run."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from mlestar.runners import Gpu

LARGE = Gpu(index=0, uuid="GPU-aaaa", name="NVIDIA A100-SXM4-40GB", memory_mb=40_960)
SMALL = Gpu(index=1, uuid="GPU-bbbb", name="Tesla T4", memory_mb=15_360)

LISTING = """0, GPU-aaaa, NVIDIA A100-SXM4-40GB, 40960
1, GPU-bbbb, Tesla T4, 15360
"""
"""What `nvidia-smi` prints of these two."""

PROGRAM = """#!/bin/sh
case "$*" in
*--loop-ms=*)
    for used in {used}; do
        echo "GPU-aaaa, $used"
        echo "GPU-bbbb, 15000"
    done
    exec sleep 60;;
*)
    printf '{listing}'
    exit {code};;
esac
"""


def put_smi_on_path(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    listing: str = LISTING,
    code: int = 0,
    used: Sequence[int] = (3, 900, 7),
) -> None:
    """Make `nvidia-smi` a program that lists these devices and this memory in use on the first one.

    Args:
        folder: for the program.
        monkeypatch: of the test.
        listing: what it prints.
        code: its exit status.
        used: MB in use, one sample after the other.
    """
    program = folder / "nvidia-smi"
    folder.mkdir(exist_ok=True)
    text = PROGRAM.format(listing=listing.replace("\n", "\\n"), code=code, used=" ".join(map(str, used)))
    program.write_text(text, encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
