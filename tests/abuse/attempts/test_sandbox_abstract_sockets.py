"""Two scripts talk to each other, or one to the host, through abstract Unix sockets, which no file protects.

Outcome: prevented.
"""

import asyncio
import socket
from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import execute

LISTEN = """
import socket, time
server = socket.socket(socket.AF_UNIX)
server.bind("\\0attempt-meeting")
server.listen()
server.settimeout(3)
try:
    server.accept()
    print("BREACH")
except TimeoutError:
    print("nobody came")
"""
CONNECT = """
import socket, time
for _ in range(20):
    for name in ("\\0attempt-meeting", "\\0attempt-host"):
        try:
            socket.socket(socket.AF_UNIX).connect(name)
            print("BREACH", name)
        except ConnectionRefusedError:
            pass
    time.sleep(0.1)
print("tried", [line for line in open("/proc/net/unix") if "attempt-" in line])
"""


@pytest.mark.docker
async def test_abstract_sockets_lead_nowhere(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as host:
        host.bind("\0attempt-host")
        host.listen()
        host.setblocking(False)
        for name in ("a", "b"):
            (tmp_path / name).mkdir()
        both = await asyncio.gather(execute(tmp_path / "a", LISTEN), execute(tmp_path / "b", CONNECT))
        with pytest.raises(BlockingIOError):
            host.accept()
    (listened,), (connected,) = both
    assert listened.stdout == "nobody came\n"
    assert connected.stdout == "tried []\n"
