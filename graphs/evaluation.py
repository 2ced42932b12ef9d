"""The `trial` graph for LangGraph Studio."""

from mlestar.graph import build_trial

graph = build_trial().compile(name="trial")
