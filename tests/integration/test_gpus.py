"""GPUs on the command line, with a real engine that has none."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mlestar.cli import app
from mlestar.data.examples import write_example
from tests.unit.smi import put_smi_on_path

pytestmark = [
    pytest.mark.docker,
    pytest.mark.timeout(600),
    pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="this machine has a GPU"),
]
REFUSAL = (
    r"the Docker engine offers no GPU \(could not select device driver .*\): install NVIDIA's container toolkit on "
)
REFUSAL += "its machine, or set gpus=0"


def test_the_doctor_lists_what_the_machine_has_and_why_containers_cannot_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_smi_on_path(tmp_path / "bin", monkeypatch)
    output = CliRunner().invoke(app, ["doctor"], env={"COLUMNS": "400"}).output
    devices = "0: NVIDIA A100-SXM4-40GB, 40960 MB; 1: Tesla T4, 15360 MB"
    assert re.search(f"gpu          -- this machine has {devices}, but {REFUSAL}", output), output


def test_a_run_that_asks_for_a_device_ends_with_one_line_and_nothing_is_paid(tmp_path: Path) -> None:
    task = write_example("wine", tmp_path / "wine")
    options = ["--runner", "docker", "--set", "gpus=1", "--runs-dir", str(tmp_path / "runs"), "--run-id", "one"]
    ended = CliRunner().invoke(app, ["run", str(task), "--model", "offline", *options], env={"COLUMNS": "400"})
    assert ended.exit_code != 0
    assert re.search(REFUSAL, ended.output.replace("\n", " ")), ended.output
    assert "Traceback" not in ended.output
