"""A separate user id for each container: the kernel limits processes, timers and pipes per user of the machine."""

import os
import random
import socket
import sys
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.work_folder import SANDBOX_UID

FIRST_UID = 1_900_000_000
"""First id of those that containers get. Linux distributions give the ids from 1,879,048,192 to 2,147,483,647 to
nobody: https://systemd.io/UIDS-GIDS."""
UIDS = 2**20
"""How many there are: enough that a new container hardly gets the id of one that a killed
process left running. Chosen by judgement; not measured."""
ATTEMPTS = 100


@dataclass
class SandboxUser:
    """The user and group id of a container's processes."""

    uid: int
    gid: int
    _claim: socket.socket | None = field(default=None, repr=False)

    @property
    def ids(self) -> tuple[int, int]:
        return self.uid, self.gid

    def release(self) -> None:
        """Let other containers have the id; nothing of this one may run any more."""
        if self._claim is not None:
            self._claim.close()


def common_user() -> SandboxUser:
    """Return the ids of this process, which must delete the files of scripts, but never those of root."""
    return SandboxUser(os.getuid(), os.getgid()) if os.getuid() else SandboxUser(SANDBOX_UID, SANDBOX_UID)


def claim_user() -> SandboxUser:
    """Return an id that no other container of any process on this machine has.

    Raises:
        RunnerError: there is none.
    """
    for _ in range(ATTEMPTS):
        uid = FIRST_UID + random.randrange(UIDS)
        claim = socket.socket(socket.AF_UNIX)
        try:
            # An abstract name, which only one socket can have and which the kernel frees when its process ends.
            claim.bind(f"\0mlestar-uid-{uid}")
        except OSError:
            claim.close()
            continue
        return SandboxUser(uid, uid, claim)
    msg = f"no user id is free for a container: {ATTEMPTS} of those from {FIRST_UID} on are in use"
    raise RunnerError(msg)


def can_claim_users(security_options: Collection[str]) -> bool:
    """Whether containers of an engine on this machine can have ids of their own.

    Only root can give them their work folders. An engine that maps ids has too few of them: 65,536.

    Args:
        security_options: the engine's, as its `info` states them.
    """
    if sys.platform != "linux" or os.getuid() != 0 or not _has_all_ids():
        return False
    return not any(option.startswith(("name=rootless", "name=userns")) for option in security_options)


def _has_all_ids() -> bool:
    """Whether the user namespace of this process has the ids that containers get."""
    rows = [map(int, line.split()) for line in Path("/proc/self/uid_map").read_text().splitlines()]
    return any(first <= FIRST_UID and first + count >= FIRST_UID + UIDS for first, _, count in rows)
