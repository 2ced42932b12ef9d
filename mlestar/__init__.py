"""Machine-learning engineering as a LangGraph state machine (MLE-STAR, arXiv 2506.15692)."""

import logging
from importlib import import_module
from typing import TYPE_CHECKING, Any

from mlestar.runtime.secrets import MaskingHandler

__version__ = "0.2.0"

logging.getLogger("mlestar").addHandler(MaskingHandler())

_MODULES = {
    "Answer": "mlestar.state",
    "Event": "mlestar.events",
    "RunSummary": "mlestar.state",
    "MlestarError": "mlestar.errors",
    "ModelCall": "mlestar.llm.external",
    "ModelCard": "mlestar.state",
    "OperatorError": "mlestar.errors",
    "Question": "mlestar.state",
    "Result": "mlestar.report",
    "RunOptions": "mlestar.runtime.options",
    "Runner": "mlestar.runners",
    "Settings": "mlestar.settings",
    "Task": "mlestar.data.task",
    "UserError": "mlestar.errors",
    "afork": "mlestar.api",
    "aresume": "mlestar.api",
    "as_tool": "mlestar.integrations.langchain",
    "asolve": "mlestar.api",
    "astream": "mlestar.integrations.langchain",
    "build_graph": "mlestar.graph",
    "fork": "mlestar.api",
    "prune": "mlestar.api",
    "resume": "mlestar.api",
    "serializer": "mlestar.store",
    "solve": "mlestar.api",
}

__all__ = [
    "Answer",
    "Event",
    "MlestarError",
    "ModelCall",
    "ModelCard",
    "OperatorError",
    "Question",
    "Result",
    "RunOptions",
    "RunSummary",
    "Runner",
    "Settings",
    "Task",
    "UserError",
    "afork",
    "aresume",
    "as_tool",
    "asolve",
    "astream",
    "build_graph",
    "fork",
    "prune",
    "resume",
    "serializer",
    "solve",
]

if TYPE_CHECKING:
    from mlestar.api import afork, aresume, asolve, fork, prune, resume, solve
    from mlestar.data.task import Task
    from mlestar.errors import MlestarError, OperatorError, UserError
    from mlestar.events import Event
    from mlestar.graph import build_graph
    from mlestar.integrations.langchain import as_tool, astream
    from mlestar.llm.external import ModelCall
    from mlestar.report import Result
    from mlestar.runners import Runner
    from mlestar.runtime.options import RunOptions
    from mlestar.settings import Settings
    from mlestar.state import Answer, ModelCard, Question, RunSummary
    from mlestar.store import serializer


def __getattr__(name: str) -> Any:
    """Import a public name on first use: LangGraph alone takes a second, and `mlestar --help` does without it."""
    if name not in _MODULES:
        msg = f"module 'mlestar' has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_MODULES[name]), name)


def __dir__() -> list[str]:
    """List the public names, also those that nobody has used yet."""
    return sorted({*globals(), *__all__})
