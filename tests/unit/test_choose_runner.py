"""A runner by name: a built-in one, or one from outside the package by `package.module:Name`."""

from pathlib import Path

import pytest

from mlestar.errors import RunnerError, UserError
from mlestar.runners import (
    ContainerOptions,
    Environment,
    Execution,
    Job,
    LocalRunner,
    Runner,
    RunnerOptions,
    ScriptedRunner,
    choose_runner,
)
from mlestar.runners.choose import BUILT_IN
from mlestar.settings import RUNNERS

HERE = __name__
ENVIRONMENT = Environment(runner="own", image="i", python="3.11.0", packages={}, cpus=1.0, memory_mb=1024, network=True)


class OwnRunner:
    """A runner that takes its options and executes nothing."""

    name = "own"
    reports = ENVIRONMENT
    closed = 0

    def __init__(self, options: RunnerOptions) -> None:
        self.options = options

    async def environment(self) -> Environment:
        return self.reports

    async def run(self, job: Job) -> Execution:
        raise NotImplementedError

    async def aclose(self) -> None:
        type(self).closed += 1


class NamedLikeDocker(OwnRunner):
    name = "docker"


class ClaimsDocker(OwnRunner):
    reports = Environment(
        runner="docker", image="i", python="3.11.0", packages={}, cpus=1.0, memory_mb=1024, network=False
    )


class NoEnvironment(OwnRunner):
    reports = None  # type: ignore[assignment]  # the protocol is broken on purpose


class NoRun:
    name = "own"

    def __init__(self, options: RunnerOptions) -> None: ...


class Broken(OwnRunner):
    def __init__(self, options: RunnerOptions) -> None:
        msg = "no cluster\nanswers"
        raise ValueError(msg)


class Lost(OwnRunner):
    async def environment(self) -> Environment:
        msg = "the cluster is lost"
        raise RunnerError(msg)


class Fails(OwnRunner):
    async def environment(self) -> Environment:
        raise KeyError("cluster")


def make_local(options: RunnerOptions) -> Runner:
    return LocalRunner(work_dir=options.work_dir, bubblewrap=False)


A_NUMBER = 3


async def test_a_dotted_name_makes_a_runner_from_the_options(tmp_path: Path) -> None:
    lines: list[str] = []
    container = ContainerOptions(gpus=2)
    runner = await choose_runner(
        f"{HERE}:OwnRunner",
        trusted=False,
        owner="run",
        work_dir=tmp_path,
        on_progress=lines.append,
        container=container,
    )
    assert isinstance(runner, OwnRunner)
    assert (runner.options.owner, runner.options.work_dir, runner.options.container) == ("run", tmp_path, container)
    assert (await runner.environment()).network
    assert lines == [
        f"the runner {HERE}:OwnRunner is not part of mlestar: its authors know what it protects from scripts"
    ]


async def test_a_dotted_name_may_be_a_function_that_returns_a_built_in_runner(tmp_path: Path) -> None:
    runner = await choose_runner(f"{HERE}:make_local", trusted=False, work_dir=tmp_path)
    assert runner.name == "local"
    await runner.aclose()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "no.such.module:Runner",
            "module no.such.module cannot be imported (ModuleNotFoundError: No module named 'no'",
        ),
        (f"{HERE}:Missing", "has no 'Missing'"),
        (f"{HERE}:A_NUMBER", "is of type int: name a class or function that takes RunnerOptions"),
        (f"{HERE}:Broken", "cannot be made (ValueError: no cluster answers)"),
        (f"{HERE}:NoRun", "is of type NoRun: a runner has `name`, `environment`, `run` and `aclose`"),
        (f"{HERE}:NoEnvironment", "describes its environment by a value of type NoneType: return an Environment"),
        (f"{HERE}:Fails", "cannot describe its environment (KeyError: 'cluster')"),
        (f"{HERE}:NamedLikeDocker", "is named 'docker' like a built-in one: give it a name of its own"),
        (f"{HERE}:ClaimsDocker", "is named 'own', and its Environment 'docker'"),
        ("podman", "no runner 'podman': choose auto, docker, local or package.module:Name"),
    ],
)
async def test_a_name_that_leads_to_no_runner_is_a_users_error(name: str, message: str) -> None:
    with pytest.raises(UserError) as raised:
        await choose_runner(name, trusted=True)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


async def test_a_runner_that_is_refused_is_closed() -> None:
    ClaimsDocker.closed = 0
    with pytest.raises(UserError):
        await choose_runner(f"{HERE}:ClaimsDocker", trusted=True)
    assert ClaimsDocker.closed == 1


async def test_an_operators_error_of_a_runner_stays_one() -> None:
    with pytest.raises(RunnerError, match="the cluster is lost"):
        await choose_runner(f"{HERE}:Lost", trusted=True)


def test_the_setting_names_the_built_in_runners() -> None:
    assert ("auto", *BUILT_IN) == RUNNERS


def test_every_built_in_runner_keeps_the_protocol(tmp_path: Path) -> None:
    options = RunnerOptions(work_dir=tmp_path)
    for name, factory in BUILT_IN.items():
        runner = factory(options)
        assert isinstance(runner, Runner)
        assert runner.name == name
    assert isinstance(ScriptedRunner({}), Runner)
