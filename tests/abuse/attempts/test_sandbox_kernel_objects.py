"""A script makes objects of the kernel that no memory limit counts: System V queues, old asynchronous I/O, fanotify.

Outcome: prevented.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import execute, refusing

ATTEMPTS = [
    "syscall(29, 0, 1 << 20, 0o1666)  # shmget",
    "syscall(64, 0, 100, 0o1666)  # semget",
    "syscall(68, 0, 0o1666)  # msgget",
    "syscall(206, 60000, (ctypes.c_uint64 * 1)())  # io_setup: the requests are counted on the whole host",
    "syscall(300, 0, 0)  # fanotify_init",
    "syscall(294, 0)  # inotify_init1",
    "syscall(278, 1, 0, 0, 0)  # vmsplice",
    "syscall(279, 1, 0, 0, 0, 0, 0)  # move_pages",
    "syscall(256, 1, 0, 0, 0)  # migrate_pages",
    "syscall(237, 0, 0, 0, 0, 0, 0)  # mbind",
    "syscall(154, 0, 0, 0)  # modify_ldt",
    "syscall(173, 0x70, 1, 1)  # ioperm",
    "syscall(172, 3)  # iopl",
    "syscall(188, b'main.py', b'user.x', b'x' * 60000, 60000, 0)  # setxattr",
    "syscall(303, -100, b'main.py', ctypes.create_string_buffer(128), ctypes.create_string_buffer(8), 0)",
    "syscall(440, 0, 0, 0, 0, 0)  # process_madvise",
    "syscall(444, 0, 0, 0)  # landlock_create_ruleset",
    "syscall(442, -100, b'/tmp', 0, ctypes.create_string_buffer(32), 32)  # mount_setattr",
    "syscall(155, b'/', b'/')  # pivot_root",
    "syscall(179, 0, b'/', 0, 0)  # quotactl",
    "syscall(311, 1, 0, 0, 0, 0, 0)  # process_vm_writev",
    "syscall(103, 3, ctypes.create_string_buffer(100), 100)  # syslog",
    "syscall(320, 0, 0, 0, 0, 0)  # kexec_file_load",
    "syscall(272, 0x04000000)  # unshare of the process ids",
    "syscall(251, 1, 0, 0)  # ioprio_set",
    "syscall(314, 1, ctypes.create_string_buffer(48), 0)  # sched_setattr",
]


@pytest.mark.docker
async def test_no_such_object_is_made(tmp_path: Path) -> None:
    (execution,) = await execute(tmp_path, refusing(ATTEMPTS))
    assert execution.status == "ok", execution
    assert "BREACH" not in execution.stdout, execution.stdout
    assert execution.stdout.count("PermissionError(1") + execution.stdout.count("OSError(38") >= len(ATTEMPTS) - 1
