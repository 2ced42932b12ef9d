import gc
import os
import shutil
import socket
from pathlib import Path

import pytest

MEMORY = Path("/dev/shm")  # pytest makes its own folder there
ENOUGH = 2 * 2**30
"""Bytes; the suite needs less than a tenth."""


def pytest_configure() -> None:
    """Keep temporary files in memory where there is room: runs write many small files and wait for each on a disk."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ENOUGH:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse connections: unit tests use no network."""

    def refuse(self: socket.socket, address: object) -> None:
        msg = f"a unit test tried to connect to {address}"
        raise AssertionError(msg)

    monkeypatch.setattr(socket.socket, "connect", refuse)


def pytest_collection_finish() -> None:
    """Keep the garbage collector from visiting all modules and tests again and again: it took a tenth of the time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
