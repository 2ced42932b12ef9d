"""The query for a web search: the kind of task, never its name."""

from mlestar.state import Brief


def query_for(brief: Brief) -> str:
    """Return one line that finds models for this kind of task, and not the task itself."""
    spec = brief.spec
    kind = "" if spec.modality == "unknown" else f" {spec.modality}"
    metric = "a custom metric" if ":" in spec.metric else spec.metric.replace("_", " ")
    return f"best machine learning model {spec.problem}{kind} data optimise {metric} python example"
