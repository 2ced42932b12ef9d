"""`metric.py` starts a process in a session of its own, which goes on after the grading process is closed.

Outcome: succeeds; stated in docs/security.md. Only a sandbox could end it, and a metric file has none.
"""

import os
import signal
import time
from pathlib import Path

from mlestar.evaluation.grading_process import GradingProcess
from tests.unit.test_grading_process import SECONDS, with_metric


def daemons(mark: str) -> list[int]:
    """Return the processes that have a mark in their arguments."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes()
        except OSError:  # it ended meanwhile
            continue
        if mark.encode() in text:
            found.append(int(path.parent.name))
    return found


def test_a_detached_process_outlives_the_grading(tmp_path: Path) -> None:
    mark = f"detached-{os.getpid()}"
    head = "import subprocess, sys\n"
    head += (
        f"subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)', {mark!r}], start_new_session=True)\n"
    )
    case = with_metric(tmp_path, "return 1.0", head)
    process = GradingProcess()
    process.grade(case.grader.answers, case.submit(case.right), SECONDS)
    process.close()
    time.sleep(0.2)
    alive = daemons(mark)
    for identity in alive:
        os.kill(identity, signal.SIGKILL)
    assert len(alive) == 1
