"""The `evaluation` graph for LangGraph Studio."""

from mlestar.graph import build_evaluation

graph = build_evaluation().compile(name="evaluation")
