"""A script reads or writes the less known files of the supervisor in /proc, and settings of the kernel in /sys.

Outcome: prevented.
"""

from pathlib import Path

import pytest

from tests.abuse.attempts.helpers_host import execute, refusing

OF_SUPERVISOR = (
    *("map_files", "fdinfo", "ns", "task/1/fd", "cwd"),
    *("auxv", "syscall", "stack", "personality", "pagemap", "smaps", "io"),
)
WRITTEN = (
    *("clear_refs", "coredump_filter", "timerslack_ns", "comm", "autogroup", "oom_adj", "oom_score_adj", "loginuid"),
    *("projid_map", "setgroups", "uid_map", "attr/current", "attr/exec", "sched", "timens_offsets"),
)
OF_KERNEL = (
    *("/proc/sys/vm/overcommit_memory", "/proc/sys/fs/file-max", "/proc/sys/kernel/ns_last_pid"),
    *("/proc/sys/net/core/somaxconn", "/proc/sys/user/max_user_namespaces", "/proc/irq/default_smp_affinity"),
    *("/sys/kernel/mm/ksm/run", "/sys/kernel/mm/transparent_hugepage/enabled", "/sys/power/state"),
    *("/sys/module/printk/parameters/time", "/sys/fs/cgroup/cgroup.procs", "/sys/kernel/profiling"),
)
HIDDEN = ("/proc/timer_list", "/proc/kpagecount", "/proc/vmallocinfo", "/proc/slabinfo", "/sys/kernel/debug/x")


def attempts() -> list[str]:
    lines = [
        f"os.listdir('/proc/1/{name}') if os.path.isdir('/proc/1/{name}') else open('/proc/1/{name}', 'rb').read(1)[0]"
        for name in OF_SUPERVISOR
    ]
    lines += [f"os.write(os.open('/proc/1/{name}', os.O_WRONLY), b'1')" for name in WRITTEN]
    lines += [f"os.write(os.open('{name}', os.O_WRONLY), b'1')" for name in OF_KERNEL]
    return lines + [f"open('{name}', 'rb').read(1)[0]" for name in HIDDEN]


@pytest.mark.docker
async def test_no_file_of_the_supervisor_or_the_kernel_can_be_used(tmp_path: Path) -> None:
    tried = attempts()
    (execution,) = await execute(tmp_path, refusing(tried))
    assert execution.status == "ok", execution
    assert "BREACH" not in execution.stdout, execution.stdout
    assert execution.stdout.count("refused") == len(tried)
