"""A script floods the supervisor with every signal, queued values included, so that it ends or loses the script's exit.

Outcome: prevented.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import execute

SCRIPT = """
import ctypes, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
for _ in range(200):
    for number in range(1, 65):
        if number != signal.SIGKILL:
            libc.kill(1, number)
            libc.syscall(129, 1, number, (ctypes.c_int * 32)(number, 0, -1))  # rt_sigqueueinfo
            libc.syscall(234, 1, 1, number)  # tgkill
os.kill(1, signal.SIGKILL)
handle = os.pidfd_open(1)
for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGALRM, signal.SIGCHLD):
    libc.syscall(424, handle, number, None, 0)  # pidfd_send_signal
print("still here")
sys.exit(7)
"""


@pytest.mark.docker
async def test_the_supervisor_outlives_every_signal_and_records_the_exit(tmp_path: Path) -> None:
    (execution,) = await execute(tmp_path, SCRIPT)
    assert (execution.status, execution.exit_code) == ("error", 7)
    assert execution.stdout == "still here\n"
