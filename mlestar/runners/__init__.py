"""Where scripts execute."""

from mlestar.runners.base import Environment, Execution, ExecutionStatus, Gpu, Installer, Job, Limits, Runner
from mlestar.runners.choose import choose_runner
from mlestar.runners.docker.engine import EngineStatus, probe_docker
from mlestar.runners.docker.runner import DockerRunner
from mlestar.runners.local.runner import LocalRunner
from mlestar.runners.options import ContainerOptions, RunnerFactory, RunnerOptions
from mlestar.runners.scripted import ScriptedRunner

__all__ = [
    "ContainerOptions",
    "DockerRunner",
    "EngineStatus",
    "Environment",
    "Execution",
    "ExecutionStatus",
    "Gpu",
    "Installer",
    "Job",
    "Limits",
    "LocalRunner",
    "Runner",
    "RunnerFactory",
    "RunnerOptions",
    "ScriptedRunner",
    "choose_runner",
    "probe_docker",
]
