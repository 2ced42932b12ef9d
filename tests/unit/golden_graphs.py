"""Writes docs/graphs.md, the drawn graphs: python -m tests.unit.golden_graphs."""

from collections.abc import Callable
from importlib import import_module
from typing import Any

from langgraph.graph import StateGraph

from mlestar.settings import Settings
from tests.unit.paths import ROOT

Build = Callable[[], StateGraph[Any, Settings, Any, Any]]
"""Builds one of the graphs."""
PAGE = ROOT / "docs/graphs.md"
TEXTS = {
    "pipeline": "The whole run. `run_track` and `rescore` are started once per track and once per finalist.",
    "track": "Algorithms 1 and 2 of the paper, flat, so that every step can be replayed from. LangGraph Studio's\n"
    "`track` starts with `prepare`; inside `pipeline` the task has been prepared before.",
    "evaluation": "Where every script is graded. In the other graphs it is the node whose name begins with `evaluate`.",
    "ensemble": "Algorithm 3 of the paper.",
}


def render() -> str:
    """Return the page."""
    parts = ["# The drawn graphs\n\nMade from the code by `make golden`; `mlestar graph NAME` prints one.\n"]
    for name, text in TEXTS.items():
        drawn = import_module(f"graphs.{name}").graph.get_graph().draw_mermaid()
        parts.append(f"## {name}\n\n{text}\n\n```mermaid\n{drawn.strip()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
