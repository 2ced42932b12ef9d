"""The `track` graph for LangGraph Studio."""

from mlestar.graph import build_track

graph = build_track().compile(name="track")
