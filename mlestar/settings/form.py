"""The settings as a form: groups, and what LangGraph Studio shows for each field.

Studio reads the JSON schema of the graphs' context. It knows `langgraph_type` (a model, a prompt) and
`langgraph_nodes` (the nodes that a field concerns). A field that may be empty is shown by its type alone, and a number
that a profile sets has no default there: a form that sends its defaults back would overrule the profile.
"""

from collections.abc import Mapping
from typing import Any

GROUPS: dict[str, tuple[str, ...]] = {
    "Run": (
        "profile",
        "goal",
        "metric",
        "target",
        "id_column",
        "split",
        "review",
        "seed",
        "lessons",
        "trackers",
        "runs_dir",
        "checkpoints",
    ),
    "Model": (
        "model",
        "models",
        "base_url",
        "temperatures",
        "effort",
        "fallback",
        "give_up_after",
        "prompts",
        "share",
        "prices",
        "model_seconds",
        "model_attempts",
        "model_backoff",
        "model_parallel",
    ),
    "Retrieval": ("retrieval", "cards", "retrieved_models"),
    "Method": ("start", "tracks", "outer_steps", "inner_plans", "ensemble_rounds", "blend", "accept", "subsample_rows"),
    "Checks": (
        *(
            "debug_rounds",
            "leakage_rounds",
            "finalists",
            "fresh_share",
            "fresh_splits",
            "resamples",
            "max_graded",
            "baselines",
            "importance",
        ),
    ),
    "Budget": (
        *("max_hours", "max_usd", "max_tokens", "max_executions", "max_output_tokens"),
        *("script_seconds", "grading_seconds"),
    ),
    "Sandbox": (
        *("runner", "image", "network", "gpus", "gpu_share", "runtime", "warm", "memory_mb", "cpus", "parallel"),
        *("packages", "packages_dir", "package_mb", "package_seconds", "package_count", "source_builds"),
        *("weights", "weights_dir", "weights_folder", "weight_hosts", "weight_mb"),
        *("isolation", "link_above_mb", "trust"),
    ),
}
"""Every setting, in the order in which a form shows them."""

TYPES = {"model": "model", "goal": "prompt"}
"""Fields that Studio edits in a way of their own."""

NODES: dict[str, tuple[str, ...]] = {
    "retrieved_models": ("retrieve",),
    "retrieval": ("retrieve",),
    "cards": ("retrieve",),
    "tracks": ("prepare",),
    "lessons": ("prepare", "report"),
    "outer_steps": ("advance",),
    "inner_plans": ("compare",),
    "ensemble_rounds": ("plan_ensemble",),
    "blend": ("blend",),
    "accept": ("advance", "accept_merge"),
    "debug_rounds": ("grade",),
    "leakage_rounds": ("check_leakage",),
    "finalists": ("choose",),
    "fresh_share": ("prepare", "rescore"),
    "fresh_splits": ("rescore",),
    "resamples": ("grade",),
    "max_graded": ("grade",),
    "baselines": ("add_baselines",),
    "importance": ("measure_importance",),
    "script_seconds": ("execute",),
    "grading_seconds": ("grade", "run_ablation"),
    "goal": ("prepare",),
    "metric": ("prepare",),
    "target": ("prepare",),
    "id_column": ("prepare",),
    "split": ("prepare",),
    "start": ("prepare", "run_given"),
}
"""Nodes that a field concerns."""


def shape_form(schema: dict[str, Any], profiles: Mapping[Any, Mapping[str, float]]) -> None:
    """Turn the JSON schema of the settings into that of a form, in place."""
    properties: dict[str, dict[str, Any]] = schema["properties"]
    grouped = [(group, name) for group, names in GROUPS.items() for name in names]
    for group, name in grouped:
        field = properties[name] = {**_plain(properties[name]), "group": group}
        field["title"] = f"{group}: {name.replace('_', ' ')}"
        if name in TYPES:
            field["langgraph_type"] = TYPES[name]
        if name in NODES:
            field["langgraph_nodes"] = list(NODES[name])
        values = {profile: numbers[name] for profile, numbers in profiles.items() if name in numbers}
        if values:
            field.pop("default", None)
            field["description"] += f" Empty: {', '.join(f'{value:g} ({key})' for key, value in values.items())}."
    ordered = [name for _, name in grouped]
    schema["properties"] = {name: properties[name] for name in [*ordered, *(n for n in properties if n not in ordered)]}


def _plain(field: dict[str, Any]) -> dict[str, Any]:
    """Return a field without the choice of null, which a form leaves empty; an object or several kinds are a text."""
    if "$ref" in field:
        shown = field.get("default", {}).get("sources", [])
        return {"type": "string", "default": ", ".join(shown), "description": field["description"]}
    kinds = [kind for kind in field.get("anyOf", []) if kind != {"type": "null"}]
    if not kinds:
        return field
    rest = {key: value for key, value in field.items() if key not in ("anyOf", "default")}
    if len(kinds) > 1:
        return {"type": "string", "default": str(field["default"]), **rest}
    return {**kinds[0], **rest}
