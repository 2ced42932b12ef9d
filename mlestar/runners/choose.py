"""Choosing a runner by name: `auto`, a built-in one, or `package.module:Name`."""

import asyncio
import contextlib
import importlib
from collections.abc import Callable
from pathlib import Path

from mlestar.errors import MlestarError, RunnerError, UserError
from mlestar.runners.base import Environment, Runner
from mlestar.runners.docker.engine import connect
from mlestar.runners.docker.runner import DockerRunner
from mlestar.runners.local.runner import LocalRunner
from mlestar.runners.options import PACKAGES_DIR, ContainerOptions, ProgressCallback, RunnerFactory, RunnerOptions


def _make_docker(options: RunnerOptions) -> DockerRunner:
    return DockerRunner(
        options.container,
        on_progress=options.on_progress,
        owner=options.owner,
        work_dir=options.work_dir,
        packages_dir=options.packages_dir,
    )


def _make_local(options: RunnerOptions) -> LocalRunner:
    return LocalRunner(
        work_dir=options.work_dir,
        network=options.container.network != "none",
        gpus=options.container.gpus,
        packages_dir=options.packages_dir,
        on_progress=options.on_progress,
    )


BUILT_IN: dict[str, Callable[[RunnerOptions], DockerRunner | LocalRunner]] = {
    "docker": _make_docker,
    "local": _make_local,
}
"""The runners that need no dotted name."""


async def choose_runner(
    name: str,
    *,
    trusted: bool,
    owner: str = "",
    work_dir: Path | None = None,
    on_progress: ProgressCallback | None = None,
    container: ContainerOptions | None = None,
    packages_dir: Path = PACKAGES_DIR,
) -> Runner:
    """Return the runner of a name; `auto` is Docker where an engine answers.

    Args:
        name: `auto`, `docker`, `local`, or `package.module:Name` of a class or function that takes `RunnerOptions`.
        trusted: the scripts come from the built-in offline engineer, so that `auto` may fall back to `local`.
        owner: label of what the runner creates elsewhere, e.g. the run's id.
        work_dir: parent of the work folders.
        on_progress: receives lines about slow preparations, and a warning about what a runner does not protect.
        container: options of containers; a local runner uses `network` and `gpus`.
        packages_dir: folder for added packages, which runs share.

    Raises:
        UserError: Docker is required and no engine answers, or the name leads to no runner; one line says what to do.
        RunnerError: a runner cannot describe its environment.
    """
    options = RunnerOptions(
        owner=owner,
        work_dir=work_dir,
        on_progress=on_progress,
        container=container or ContainerOptions(),
        packages_dir=packages_dir,
    )
    if ":" in name:
        return await _load_runner(name, options)
    if name not in ("auto", *BUILT_IN):
        msg = f"no runner {name!r}: choose auto, {', '.join(BUILT_IN)} or package.module:Name"
        raise UserError(msg)
    runner = BUILT_IN[await _choose_built_in(name, trusted=trusted)](options)
    if on_progress is not None and (warning := await runner.warning()):
        on_progress(warning)
    return runner


async def _choose_built_in(name: str, *, trusted: bool) -> str:
    """Return the name of a built-in runner; `auto` depends on whether an engine answers."""
    if name not in ("auto", "docker"):
        return name
    problem = await asyncio.to_thread(_engine_problem)
    if not problem:
        return "docker"
    if name == "auto" and trusted:
        return "local"
    alternative = "" if name == "docker" else ", or trust the generated scripts with this machine: `--runner local`"
    msg = f"no Docker engine answers: start one{alternative} ({problem})"
    raise UserError(msg)


def _engine_problem() -> str:
    """Return why no engine answers, empty when one does."""
    try:
        connect().close()
    except RunnerError as error:
        return str(error)
    return ""


async def _load_runner(name: str, options: RunnerOptions) -> Runner:
    """Return the runner that a dotted name makes, if it describes its environment under its own name.

    Results state `Environment.runner`: without this check a runner could claim the isolation of a built-in one.
    """
    runner = await asyncio.to_thread(_make_runner, name, options)
    try:
        environment = await _describe(name, runner)
        if environment.runner != runner.name:
            msg = f"runner {name!r} is named {runner.name!r}, and its Environment {environment.runner!r}"
            raise UserError(msg)
    except BaseException:
        with contextlib.suppress(Exception):  # the first error is the one to report
            await runner.aclose()
        raise
    if options.on_progress is not None:
        options.on_progress(f"the runner {name} is not part of mlestar: its authors know what it protects from scripts")
    return runner


async def _describe(name: str, runner: Runner) -> Environment:
    try:
        environment: object = await runner.environment()
    except MlestarError:
        raise
    except Exception as error:  # foreign code may raise anything
        msg = f"runner {name!r} cannot describe its environment ({_one_line(error)})"
        raise UserError(msg) from error
    if not isinstance(environment, Environment):
        kind = type(environment).__name__
        msg = f"runner {name!r} describes its environment by a value of type {kind}: return an Environment"
        raise UserError(msg)
    return environment


def _make_runner(name: str, options: RunnerOptions) -> Runner:
    factory = _import_factory(name)
    try:
        runner: object = factory(options)
        label = getattr(runner, "name", None)
    except MlestarError:
        raise
    except (Exception, SystemExit) as error:  # foreign code may raise anything
        msg = f"runner {name!r} cannot be made ({_one_line(error)})"
        raise UserError(msg) from error
    if not isinstance(runner, Runner) or not isinstance(label, str):
        kind = type(runner).__name__
        msg = f"runner {name!r} is of type {kind}: a runner has `name`, `environment`, `run` and `aclose`"
        raise UserError(msg)
    if label in BUILT_IN and type(runner) not in (DockerRunner, LocalRunner):
        msg = f"runner {name!r} is named {runner.name!r} like a built-in one: give it a name of its own"
        raise UserError(msg)
    return runner


def _import_factory(name: str) -> RunnerFactory:
    module_name, _, attribute = name.partition(":")
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # foreign code may raise anything
        msg = f"runner {name!r}: module {module_name} cannot be imported ({_one_line(error)})"
        raise UserError(msg) from error
    factory: object = getattr(module, attribute, None)
    if factory is None:
        msg = f"runner {name!r}: module {module_name} has no {attribute!r}"
        raise UserError(msg)
    if not callable(factory):
        msg = f"runner {name!r} is of type {type(factory).__name__}: name a class or function that takes RunnerOptions"
        raise UserError(msg)
    return factory


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
