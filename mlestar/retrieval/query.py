"""What is typed into a search box for a task: its kind, never its name."""

from mlestar.state import Brief


def query_for(brief: Brief) -> str:
    """Return one line that finds models for this kind of task, and not the task itself."""
    spec = brief.spec
    kind = "" if spec.modality == "unknown" else f" {spec.modality}"
    metric = spec.metric.partition(":")[0].replace("_", " ") if ":" not in spec.metric else "a custom metric"
    return f"best machine learning model {spec.problem}{kind} data optimise {metric} python example"
