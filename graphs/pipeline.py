"""The `pipeline` graph for LangGraph Studio."""

from mlestar.graph import build_graph

graph = build_graph().compile(name="pipeline")
