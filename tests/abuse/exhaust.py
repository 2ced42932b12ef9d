"""Scripts that use up what they share with the host."""

from dataclasses import replace

from tests.abuse.case import EVERYWHERE, SEALED, SHORT, Case

BRIEF = replace(SHORT, seconds=3)

CASES: list[Case] = [
    Case(
        name="fork bomb",
        script="import os\nwhile True:\n try: os.fork()\n except OSError: pass",
        status=("timeout", "killed", "oom"),
        limits=BRIEF,
        kinds=("docker", "warm"),  # nothing holds root's processes in bubblewrap: it takes the machine down
    ),
    Case(
        name="thread bomb",
        script=(
            "import threading, time\n"
            "while True:\n"
            " try: threading.Thread(target=time.sleep, args=(99,)).start()\n"
            " except RuntimeError: time.sleep(0.1)"
        ),
        status=("timeout", "killed", "oom"),
        limits=BRIEF,
        kinds=("docker",),
    ),
    Case(
        name="memory bomb", script="h = []\nwhile True: h.append(b'x' * 10_000_000)", status=("oom",), kinds=EVERYWHERE
    ),
    Case(
        name="memory bomb of a child",
        script=(
            "import os\n"
            "if os.fork() == 0:\n"
            " h = []\n"
            " while True: h.append(b'x' * 10_000_000)\n"
            "import sys; sys.exit(os.waitstatus_to_exitcode(os.wait()[1]) != 0)"
        ),
        status=("oom",),
        kinds=EVERYWHERE,
    ),
    Case(
        name="lazy memory",
        script="import mmap\nm = mmap.mmap(-1, 4 << 30)\nfor i in range(0, 4 << 30, 4096): m[i] = 1",
        status=("oom", "timeout"),
        kinds=SEALED,
    ),
    Case(
        name="filling /tmp",
        script=(
            "try:\n"
            " f = open('/tmp/x', 'wb')\n"
            " while True: f.write(bytes(10**6))\n"
            "except OSError as e: print('held', e.errno)"
        ),
        says="held",
        limits=replace(SHORT, disk_mb=1000),
    ),
    Case(
        name="filling shared memory",
        script=(
            "try:\n"
            " f = open('/dev/shm/x', 'wb')\n"
            " while True: f.write(bytes(10**6))\n"
            "except OSError as e: print('held', e.errno)"
        ),
        says="held",
        limits=replace(SHORT, disk_mb=1000),
    ),
    Case(
        name="one huge file",
        script="f = open('big', 'wb')\nwhile True: f.write(bytes(10**6))",
        status=("disk_full",),
        kinds=EVERYWHERE,
    ),
    Case(
        name="many files",
        script="import itertools\nfor i in itertools.count(): open(f'{i}', 'wb').write(bytes(10**6))",
        status=("disk_full",),
        kinds=EVERYWHERE,
    ),
    Case(
        name="100,000 files",
        script="for i in range(100_000): open(f'{i}', 'wb').close()\nprint('all')",
        status=("disk_full",),
        kinds=("docker", "bubblewrap"),
    ),
    Case(
        name="sparse file",
        script=(
            "import os\n"
            "f = open('sparse', 'wb')\n"
            "try: os.truncate('sparse', 1 << 40)\n"
            "except OSError as e: print('held', e.errno)"
        ),
        says="held",
        kinds=EVERYWHERE,
    ),
    Case(
        name="closed folders",
        script=(
            "import os, itertools, time\n"
            "os.mkdir('d'); os.chdir('d'); os.chmod('/sandbox/d', 0o300)\n"
            "for i in itertools.count(): open(f'{i}', 'wb').write(bytes(10**6)); os.chmod('/sandbox/d', 0o300)"
        ),
        status=("disk_full",),
    ),
    Case(
        name="a flood of output",
        script="import os\nblock = b'x' * (1 << 20)\nfor _ in range(1024): os.write(1, block)\nprint('all')",
        status=("output_limit",),
        kinds=EVERYWHERE,
    ),
    Case(
        name="a flood of errors",
        script="import os\nwhile True: os.write(2, b'x' * 65536)",
        status=("output_limit",),
        kinds=SEALED,
    ),
    Case(name="a line of 3 MB", script="print('y' * 3_000_000)", kinds=SEALED),
    Case(
        name="files held open",
        script=(
            "h = []\ntry:\n while True: h.append(open('/dev/null'))\nexcept OSError as e: print('held', len(h) < 5000)"
        ),
        says="held True",
        kinds=EVERYWHERE,
    ),
    Case(name="an endless loop", script="while True: pass", status=("timeout",), limits=BRIEF, kinds=EVERYWHERE),
    Case(
        name="deaf to signals",
        script=(
            "import signal, time\n"
            "for n in range(1, 65):\n"
            " try: signal.signal(n, signal.SIG_IGN)\n"
            " except (OSError, ValueError): pass\n"
            "while True: time.sleep(9)"
        ),
        status=("timeout",),
        limits=BRIEF,
        kinds=EVERYWHERE,
    ),
    Case(
        name="closed streams",
        script="import os, time\nfor n in range(3): os.close(n)\ntime.sleep(99)",
        status=("timeout",),
        limits=BRIEF,
        kinds=EVERYWHERE,
    ),
    Case(
        name="a stopped supervisor",
        script="import os, time\nos.kill(os.getppid(), 19)\ntime.sleep(99)",
        status=("timeout",),
        limits=BRIEF,
    ),
    Case(
        name="daemons",
        script=(
            "import os, time\n"
            "for _ in range(20):\n"
            " if os.fork() == 0:\n"
            "  os.setsid()\n"
            "  if os.fork() == 0:\n"
            "   os.closerange(0, 99); os.chdir('/'); time.sleep(99)\n"
            "  os._exit(0)\n"
            "print('left')"
        ),
        says="left",
        kinds=EVERYWHERE,
    ),
    Case(
        name="a daemon without an environment",
        script=(
            "import os, sys\n"
            "if os.fork() == 0:\n"
            " os.setsid()\n"
            " if os.fork() == 0: os.execve(sys.executable, ['sleeper', '-c', 'import time; time.sleep(99)'], {})\n"
            " os._exit(0)\n"
            "print('left')"
        ),
        says="left",
    ),
    Case(
        name="zombies",
        script="import os\nfor _ in range(60):\n if os.fork() == 0: os._exit(0)\nprint('left')",
        says="left",
        kinds=EVERYWHERE,
    ),
    Case(name="a crash", script="import ctypes\nctypes.string_at(0)", status=("killed",), kinds=EVERYWHERE),
    Case(
        name="a broken stack",
        script="import sys\nsys.setrecursionlimit(10**9)\ndef f(): return [f() for _ in 'a']\nf()",
        status=("killed", "oom", "error"),
        kinds=SEALED,
    ),
]
