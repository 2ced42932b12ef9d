"""The `ensemble` graph for LangGraph Studio."""

from mlestar.graph import build_ensemble

graph = build_ensemble().compile(name="ensemble")
