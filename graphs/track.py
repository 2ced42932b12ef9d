"""The `track` graph for LangGraph Studio."""

from mlestar.graph import build_track_alone

graph = build_track_alone().compile(name="track")
