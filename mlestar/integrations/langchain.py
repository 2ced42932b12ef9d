"""Runs inside another application: a tool for agents, a stream of events."""

import asyncio
from collections.abc import AsyncIterator, Callable
from inspect import signature
from pathlib import Path
from typing import Any, Unpack

from langchain_core.tools import BaseTool, StructuredTool, ToolException
from langgraph.config import get_stream_writer
from pydantic import BaseModel, Field

from mlestar.api import SettingsLike, asolve
from mlestar.data.task import Task
from mlestar.errors import OperatorError, UserError, clean_text
from mlestar.events import Event
from mlestar.integrations.messages import describe_error
from mlestar.report import Result
from mlestar.runtime.options import RunOptions
from mlestar.session.keywords import SolveKeywords, split_keywords
from mlestar.settings.sources import choose_settings

DESCRIPTION = (
    "Solve a machine-learning task. Takes a folder with data (train, test and sample submission tables, best with a "
    "description) and optionally a goal in words; retrieves, tests and refines models; returns the honest score and "
    "the paths of the submission, the winning script and a report. Takes minutes to hours."
)


class SolveTask(BaseModel):
    """Arguments of the tool."""

    folder: str = Field(description="Path of the folder that holds the task.")
    goal: str | None = Field(
        None, description="What to predict and how it is scored, if the folder has no description."
    )


def as_tool(
    settings: SettingsLike = None,
    *,
    name: str = "solve_task",
    description: str = DESCRIPTION,
    **keywords: Unpack[SolveKeywords],
) -> BaseTool:
    """Return a LangChain tool that solves a task folder.

    It returns a few lines (scores and paths); the `Result` is the tool message's artifact. Inside a graph, every
    `Event` is also streamed as a custom event. An error that a person must repair is text that the agent can act on.

    Args:
        settings: `Settings`, or values that take precedence over the environment and `mlestar.toml`, for every call.
        name: of the tool, as the agent sees it.
        description: of the tool, as the agent sees it.
        **keywords: settings, and what `RunOptions` describes.
    """
    values, options = split_keywords(keywords, signature(as_tool).parameters)
    chosen = choose_settings(settings, values)

    async def solve(folder: str, goal: str | None = None) -> tuple[str, Result]:
        own = chosen if goal is None else chosen.change({"goal": goal})
        live: RunOptions = {**options, "on_event": _call_each(options.get("on_event"), _writer())}
        try:
            result = await asolve(folder, settings=own, **live)
        except (UserError, OperatorError) as error:
            raise ToolException(describe_error(error)) from error
        return clean_text(result.summary.text), result

    def solve_blocking(folder: str, goal: str | None = None) -> tuple[str, Result]:
        return asyncio.run(solve(folder, goal))

    return StructuredTool.from_function(
        func=solve_blocking,
        coroutine=solve,
        name=name,
        description=description,
        args_schema=SolveTask,
        response_format="content_and_artifact",
        handle_tool_error=True,
    )


async def astream(
    task: str | Path | Task | None = None,
    *,
    train: Any = None,
    test: Any = None,
    sample: Any = None,
    description: str | None = None,
    settings: SettingsLike = None,
    run_id: str | None = None,
    **keywords: Unpack[SolveKeywords],
) -> AsyncIterator[Event | Result]:
    """Solve a task and yield every event as it happens, the `Result` last.

    Leaving the loop early stops the run; its state is saved. Arguments and errors are those of `asolve`.
    """
    loop, queue = asyncio.get_running_loop(), asyncio.Queue[Event | None]()

    def put(event: Event | None) -> None:
        loop.call_soon_threadsafe(queue.put_nowait, event)

    live: SolveKeywords = {**keywords, "on_event": _call_each(keywords.get("on_event"), put)}
    tables = {"train": train, "test": test, "sample": sample, "description": description}
    work = asyncio.create_task(asolve(task, settings=settings, run_id=run_id, **tables, **live))
    work.add_done_callback(lambda done: put(None))
    try:
        while (event := await queue.get()) is not None:
            yield event
        yield await work
    finally:
        work.cancel()
        await asyncio.wait([work])


def _writer() -> Callable[[Any], None] | None:
    """Return the stream writer of the graph that surrounds the call, if one does."""
    try:
        return get_stream_writer()
    except (RuntimeError, KeyError):
        return None


def _call_each(*callbacks: Callable[[Event], None] | None) -> Callable[[Event], None]:
    def on_event(event: Event) -> None:
        for callback in callbacks:
            if callback is not None:
                callback(event)

    return on_event
