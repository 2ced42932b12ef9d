"""A runner from outside the package, named on the command line, for a whole run."""

import json
import os
from pathlib import Path

from mlestar.data.examples import write_example
from tests.integration.command import run_mlestar

RUNNER = """
from mlestar.runners import LocalRunner


class OwnRunner(LocalRunner):
    name = "own"

    def __init__(self, options):
        super().__init__(work_dir=options.work_dir, bubblewrap=False)
"""


def test_a_run_uses_a_runner_by_its_dotted_name(tmp_path: Path) -> None:
    (tmp_path / "my_runner.py").write_text(RUNNER)
    task = write_example("wine", tmp_path / "wine")
    options = ["--model", "offline", "--profile", "quick", "--json", "--runner", "my_runner:OwnRunner"]
    options += ["--set", "outer_steps=0", "--runs-dir", str(tmp_path / "runs")]
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"}
    done = run_mlestar("run", task, *options, env=environment)
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert (result["status"], result["runner"], result["network"]) == ("solved", "own", True)
    assert "the runner my_runner:OwnRunner is not part of mlestar" in done.stderr
