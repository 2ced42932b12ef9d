"""Parts that the attempts against host, sandbox, budget, run folders and the MCP server share."""

import json
import textwrap
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from mlestar.runners import DockerRunner, Execution, Job
from mlestar.runners.docker.engine import process_name
from tests.abuse.case import HEAD, SHORT
from tests.integration.stub_server import LocalServer


def write_task(folder: Path) -> Path:
    """Write a small task of three tables and a description."""
    folder.mkdir(parents=True)
    rows = range(60)
    (folder / "task.md").write_text("Predict y. The metric is RMSE.\n")
    (folder / "train.csv").write_text("id,a,y\n" + "".join(f"{row},{row % 7},{row % 5}\n" for row in rows))
    (folder / "test.csv").write_text("id,a\n" + "".join(f"{row + 60},{row % 7}\n" for row in rows))
    (folder / "sample_submission.csv").write_text("id,y\n" + "".join(f"{row + 60},0\n" for row in rows))
    return folder


def refusing(attempts: list[str]) -> str:
    """Return a script in which each attempt must raise; an attempt that does not prints BREACH with its number."""
    body = HEAD
    for number, attempt in enumerate(attempts):
        body += f"try:\n{textwrap.indent(attempt, '    ')}\n    print('BREACH', {number})\n"
        body += "except BaseException as error:\n    print('refused', repr(error)[:200])\n"
    return body


async def execute(folder: Path, *scripts: str, outputs: tuple[str, ...] = ()) -> list[Execution]:
    """Execute scripts one after the other in Docker, each in a container of its own."""
    for name in ("input", "work"):
        (folder / name).mkdir(exist_ok=True)
    runner = DockerRunner(owner=f"attempts-{process_name()}", work_dir=folder / "work")
    executions = []
    try:
        for number, script in enumerate(scripts):
            collect = folder / f"collect{number}"
            collect.mkdir()
            job = Job(script=script, input=folder / "input", collect=collect, limits=SHORT, outputs=outputs)
            executions.append(await runner.run(job))
    finally:
        await runner.aclose()
    return executions


@dataclass
class Provider(LocalServer):
    """Answers chat completions of OpenAI; the usage of a reply is whatever a test says."""

    usage: object
    text: Callable[[], str] = lambda: "a plan"
    requests: list[dict[str, Any]] = field(default_factory=list)

    def post(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> tuple[int, object]:
        self.requests.append(body)
        message = {"role": "assistant", "content": self.text(), "refusal": None}
        return 200, {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 1,
            "model": "stub",
            "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
            "usage": self.usage,
        }


def change_result(run: Path, **values: Any) -> None:
    """Change values of the result in a run folder."""
    content = json.loads((run / "result.json").read_text())
    (run / "result.json").write_text(json.dumps({**content, **values}))
