"""`mlestar mcp`: runs as tools of the Model Context Protocol, for any of its clients."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Annotated, Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ResourceError, ToolError
from mcp.types import CallToolResult, InputRequiredResult, TextContent
from pydantic import BaseModel, Field

from mlestar import __version__
from mlestar.data.task import Task, TaskSpec
from mlestar.errors import HoldoutError, MlestarError
from mlestar.evaluation import SplitPlan, infer_split
from mlestar.integrations.clients import ClientRules
from mlestar.integrations.following import follow, wait_until_open
from mlestar.integrations.messages import clean_values, describe_error
from mlestar.integrations.runs import TOOLS, RunRow, Runs, Status
from mlestar.llm.external import ModelCall, text_message
from mlestar.settings import Settings
from mlestar.state import Answer, RunSummary

INSTRUCTIONS = (
    "Solve machine-learning tasks. `check` shows how a folder is understood. `run` starts a run and returns at once; "
    "`wait` follows it until it ends, then `result`. Scores are graded on rows that no generated script saw. "
    'With the setting model = "ask" you are the model: `wait` has its calls answered by sampling where your client '
    "offers it; otherwise repeat `next_model_call` and `answer_model_call` until the run has ended. Answer a call from "
    "its prompt alone, in exactly the form that it asks for. A run that is `paused` has `questions` for a person: pass "
    "the answers to `resume`. Reports, submissions and scripts are resources: mlestar://runs/RUN_ID/report, "
    "/submission and /script."
)

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class TaskFacts(BaseModel):
    """How a task folder is understood."""

    spec: TaskSpec
    split: SplitPlan | None = None
    """How rows are withheld."""
    fallback: str = ""
    """Why no rows can be withheld; scores are then what scripts report about themselves."""
    notes: list[str] = []


class NextCall(BaseModel):
    """A model call that waits for an answer, and the run that made it."""

    run: Status
    call: ModelCall | None = None
    """None: there is none at the moment, or the run has ended."""


class _CleanServer(MCPServer[None]):
    """Answers without the control characters of scripts, models and files."""

    async def call_tool(self, *arguments: Any, **keywords: Any) -> CallToolResult | InputRequiredResult:
        answer = await super().call_tool(*arguments, **keywords)
        if not isinstance(answer, CallToolResult) or answer.structured_content is None:
            return answer
        values = clean_values(answer.structured_content)
        text = TextContent(type="text", text=json.dumps(values, indent=2, ensure_ascii=False))
        return answer.model_copy(update={"structured_content": values, "content": [text]})


def make_server(settings: Settings, rules: ClientRules | None = None) -> MCPServer[None]:
    """Return the server.

    Args:
        settings: defaults of every run, and ceilings of its caps.
        rules: what clients may do; see `ClientRules`.
    """
    runs = Runs(settings, rules)

    @asynccontextmanager
    async def lifespan(server: MCPServer[None]) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await runs.close()

    server = _CleanServer(name="mlestar", instructions=INSTRUCTIONS, version=__version__, lifespan=lifespan)
    _add_tools(server, runs)
    _add_results(server, runs)
    _add_following(server, runs)
    _add_model_calls(server, runs)
    _add_resources(server, runs)
    return server


def _add_tools(server: MCPServer[None], runs: Runs) -> None:
    """Add the tools that check a task, and start and resume runs."""

    @server.tool()
    async def check(folder: str, goal: str | None = None, metric: str | None = None) -> TaskFacts:
        """Return what would be predicted in a task folder and which rows would be withheld, without running anything.

        Args:
            folder: absolute path of the folder.
            goal: what to predict and how it is scored, if the folder has no description.
            metric: name of the metric, if the description names none.
        """
        with _tool_errors():
            path = runs.rules.open_task(folder)
            runs.rules.limit(runs.settings, {"metric": metric} if metric else {})
            return await asyncio.to_thread(_read_facts, path, goal, metric)

    @server.tool()
    async def run(folder: str, goal: str | None = None, settings: dict[str, Any] | None = None) -> Status:
        """Start solving a task folder and return its run id at once.

        Args:
            folder: absolute path of a folder with train and test tables, best with a description.
            goal: what to predict and how it is scored, if the folder has no description.
            settings: values of single settings, e.g. {"profile": "quick", "max_hours": 1, "model": "ask"}. The operator
                decides which may be set; caps may be lowered.
        """
        values = {**(settings or {}), **({"goal": goal} if goal else {})}
        with _tool_errors():
            return await runs.status(await runs.start(folder, values))

    @server.tool()
    async def resume(
        run_id: str, settings: dict[str, Any] | None = None, answers: dict[str, Answer] | None = None
    ) -> Status:
        """Continue a run that stopped or paused, and return at once; finished work is not repeated.

        Args:
            run_id: the run.
            settings: other caps from here on, e.g. {"max_hours": 2}.
            answers: by the ids of the `questions` of the run's status.
        """
        with _tool_errors():
            await runs.resume(run_id, settings or {}, answers or {})
            return await runs.status(run_id)


def _add_results(server: MCPServer[None], runs: Runs) -> None:
    """Add the tools that list and end runs, and return what they submitted."""

    @server.tool(name="list")
    async def list_runs() -> list[RunRow]:
        """Return every run with its status and its best score so far, oldest first."""
        with _tool_errors():
            return await runs.list()

    @server.tool()
    async def result(run_id: str) -> RunSummary:
        """Return what a finished run submitted: scores, and the paths of submission, script and report."""
        with _tool_errors():
            return await runs.result(run_id)

    @server.tool()
    async def cancel(run_id: str) -> Status:
        """Stop a run. Its state is saved and its containers are gone when this returns."""
        with _tool_errors():
            return await runs.cancel(run_id)


def _add_following(server: MCPServer[None], runs: Runs) -> None:
    """Add the tools that show the progress of a run."""

    @server.tool()
    async def status(run_id: str) -> Status:
        """Return the progress of a run: its last lines and the best score so far."""
        with _tool_errors():
            return await runs.status(run_id)

    @server.tool()
    async def wait(run_id: str, ctx: Context[None, Any], seconds: Seconds = 60) -> Status | InputRequiredResult:
        """Follow a run until it ends, asks for something, or time is up; call this again while the run is running.

        Every step is sent as a progress notification. Model calls of the model `ask` are answered by sampling, if the
        client offers it.

        Args:
            run_id: the run.
            ctx: the request of the client.
            seconds: how long to wait at most. A reply that is being sampled then gets 30 seconds more and is lost after
                that: with a slow model, wait longer.
        """
        with _tool_errors():
            live = runs.live(run_id)
            required = await follow(live, ctx, seconds)
            return required or await runs.status(run_id)


def _add_model_calls(server: MCPServer[None], runs: Runs) -> None:
    """Add the tools by which a client answers model calls."""

    @server.tool()
    async def next_model_call(run_id: str, seconds: Seconds = 60) -> NextCall:
        """Return a call of the model `ask` that waits for an answer, with its system prompt and its prompt.

        Each call of this tool returns another open model call, so that several workers can share them.

        Args:
            run_id: the run.
            seconds: how long to wait for one at most.
        """
        with _tool_errors():
            live = runs.live(run_id)
            await wait_until_open(live, seconds)
            return NextCall(call=live.calls.take(), run=await runs.status(run_id))

    @server.tool()
    async def answer_model_call(run_id: str, call_id: str, text: str) -> Status:
        """Answer a model call.

        Args:
            run_id: the run.
            call_id: `id` of the call.
            text: the whole reply, in exactly the form that the prompt asks for.
        """
        with _tool_errors():
            runs.live(run_id).calls.answer(call_id, text_message(text))
            return await runs.status(run_id)


def _add_resources(server: MCPServer[None], runs: Runs) -> None:
    """Add the files of a run as resources."""

    @server.resource("mlestar://runs/{run_id}/report", mime_type="text/html")
    async def report(run_id: str) -> str:
        """The report of a run as a page."""
        with _resource_errors():
            return await runs.read_file(run_id, (await runs.result(run_id)).report, "report")

    @server.resource("mlestar://runs/{run_id}/submission", mime_type="text/csv")
    async def submission(run_id: str) -> str:
        """What a run submits: predictions for the test rows."""
        with _resource_errors():
            return await runs.read_file(run_id, (await runs.result(run_id)).submission, "submission")

    @server.resource("mlestar://runs/{run_id}/script", mime_type="text/x-python")
    async def script(run_id: str) -> str:
        """The script that wrote the submission."""
        with _resource_errors():
            return await runs.read_file(run_id, (await runs.result(run_id)).solution, "script")


def _read_facts(folder: Path, goal: str | None, metric: str | None) -> TaskFacts:
    task = Task.load(folder, goal=goal, metric=metric)
    try:
        split, fallback = infer_split(task), ""
    except HoldoutError as error:
        split, fallback = None, str(error)
    return TaskFacts(spec=task.spec, split=split, fallback=fallback, notes=list(task.notes))


@contextmanager
def _tool_errors() -> Iterator[None]:
    """Turn errors of this package into tool errors that the client's model can act on."""
    try:
        yield
    except MlestarError as error:
        raise ToolError(describe_error(error, TOOLS)) from error


@contextmanager
def _resource_errors() -> Iterator[None]:
    try:
        yield
    except MlestarError as error:
        raise ResourceError(describe_error(error, TOOLS)) from error
