"""Libraries of automated machine learning in environments that are made with downloads."""

from pathlib import Path

import pytest

from mlestar.bench.peers import find_peers
from tests.unit.peer_tasks import make_task


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", ["flaml", "autogluon-medium"])
def test_a_library_solves_a_small_table(tmp_path: Path, name: str) -> None:
    task = make_task(tmp_path / "task")
    [tool] = find_peers([name], [], seconds=60, cpus=2)
    outcome = tool.run(task, 0, tmp_path)
    assert outcome.status == "graded", outcome.reason
    assert outcome.submission is not None
    assert (task.answers.grade(outcome.submission).score or 0) > 0.8
