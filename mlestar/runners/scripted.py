"""A runner that executes nothing: for tests of whatever calls a runner."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePosixPath

from mlestar.runners.base import Environment, Execution, Job

ScriptedReply = Execution | str
"""An execution, or the standard output of a successful one."""


class ScriptedRunner:
    """Returns replies of a function of the job, or of a mapping from a part of the script.

    The `files` of a reply that are missing in `Job.collect` are created there, empty; a function may write them itself.
    """

    name = "scripted"

    def __init__(
        self,
        replies: Callable[[Job], ScriptedReply] | Mapping[str, ScriptedReply],
        environment: Environment | None = None,
    ):
        self._replies = replies
        self._environment = environment or Environment(
            runner=self.name,
            image="scripted",
            python="3.11.0",
            packages={},
            cpus=1.0,
            memory_mb=4096,
            network=False,
        )
        self.jobs: list[Job] = []
        """Every job that was run, in order."""

    async def environment(self) -> Environment:
        """Return the environment of the constructor."""
        return self._environment

    async def run(self, job: Job) -> Execution:
        """Return the reply to a job.

        Raises:
            LookupError: the mapping has no key that occurs in the script.
        """
        self.jobs.append(job)
        return await asyncio.to_thread(self._answer, job)

    async def aclose(self) -> None:
        """Release nothing."""

    def _answer(self, job: Job) -> Execution:
        reply = self._replies(job) if callable(self._replies) else _find(self._replies, job.script)
        execution = succeed(reply) if isinstance(reply, str) else reply
        for name in execution.files:
            path = job.collect / PurePosixPath(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return execution


def succeed(stdout: str = "", files: Sequence[str] = ()) -> Execution:
    """Return a successful execution."""
    return Execution(
        status="ok", exit_code=0, stdout=stdout, stderr="", seconds=0.1, peak_memory_mb=50.0, files=tuple(files)
    )


def fail(stderr: str, exit_code: int = 1) -> Execution:
    """Return the execution of a script that ended with an error."""
    return Execution(
        status="error", exit_code=exit_code, stdout="", stderr=stderr, seconds=0.1, peak_memory_mb=50.0, files=()
    )


def _find(replies: Mapping[str, ScriptedReply], script: str) -> ScriptedReply:
    for part, reply in replies.items():
        if part in script:
            return reply
    msg = f"no reply is scripted for a script that begins {script[:60]!r}"
    raise LookupError(msg)
