"""What a caller may pass to a run besides its settings: live objects, callbacks and answers."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from langgraph.graph import StateGraph
from typing_extensions import TypedDict

from mlestar.events import Event
from mlestar.llm import ModelsLike
from mlestar.retrieval import RetrieversLike
from mlestar.runners import Runner
from mlestar.runtime.external import OnModelCall
from mlestar.state import Answer, Question

OnEvent = Callable[[Event], None]
OnQuestion = Callable[[Question], Answer]


class LiveOptions(TypedDict, total=False):
    """Callbacks and answers, which settings cannot express."""

    on_event: OnEvent | None
    """Receives every progress event."""
    on_question: OnQuestion | None
    """Answers at the review points of the settings; without it the run pauses there."""
    on_model_call: OnModelCall | None
    """Answers the calls of the model `ask`; without it the run pauses at them."""
    graph: StateGraph[Any, Any, Any, Any] | None
    """The pipeline to run: from `build_graph`, with stages of your own; uncompiled."""
    answers: Mapping[str, Answer | str] | None
    """Answers to the pending questions by their ids, and texts of replies to pending model calls; they take precedence
    over `on_question`."""
    stop: asyncio.Event | None
    """Set it, and the run finishes what it is doing, saves it and raises `StopRequested`."""


class RunOptions(LiveOptions, total=False):
    """What a run uses besides its settings."""

    model: ModelsLike
    """A chat model for every role, or chat models by role, group of roles or `default`."""
    runner: Runner | None
    """Executes scripts, in place of the runner that the settings name."""
    retrieval: RetrieversLike
    """A `Retriever`, a LangChain tool or retriever, or several of them."""
