"""Progress events from below the nodes, where no `runtime` is at hand."""

from langgraph.config import get_config, get_stream_writer

from mlestar.events import Event


def emit_line(stage: str, line: str) -> None:
    """Stream one line of progress; outside a graph nobody receives it."""
    try:
        write = get_stream_writer()
    except RuntimeError:
        return
    write(Event(stage=stage, message=line))


def emit_event(event: Event) -> None:
    """Stream an event whose stage is the node that is running; outside a graph nobody receives it."""
    try:
        node = get_config()["metadata"]["langgraph_node"]
        write = get_stream_writer()
    except (RuntimeError, KeyError):
        return
    write(event.model_copy(update={"stage": node}))
