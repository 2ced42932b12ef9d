"""Parameters that a model refuses: from then on they are left out of its requests, or sent by their other name."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from typing import Any

from langchain_core.language_models import BaseChatModel

from mlestar.llm.models import ChosenModel

OPTIONAL: Mapping[str, tuple[str, ...]] = {
    "temperature": ("temperature",),
    "thinking": (
        "thinking",
        "thinking_budget",
        "thinking_level",
        "thinking_config",
        "include_thoughts",
        "budget_tokens",
        "reasoning_effort",
        "reasoning",
        "effort",
        "think",
    ),
    "structured output": (
        "response_format",
        "response_mime_type",
        "response_json_schema",
        "response_schema",
        "json_schema",
        "output_config",
        "responsemimetype",
        "responsejsonschema",
        "responseschema",
        "structured",
        "schema",
    ),
}
"""What can be left out, in the order in which it is tried, and its names in clients, requests and messages."""
OLD_LIMIT, NEW_LIMIT = "max_tokens", "max_completion_tokens"
"""The names of the limit of a reply at OpenAI and the servers that are compatible with it."""


class Parameters:
    """What each model has refused in this run."""

    def __init__(self) -> None:
        self._refused: defaultdict[str, list[str]] = defaultdict(list)
        """By the model's name: names of `OPTIONAL` that are left out, and the name of the limit that is not used."""

    def count(self, chosen: ChosenModel) -> int:
        """Return how many parameters a model has refused so far."""
        return len(self._refused[chosen.name])

    def refuse(
        self,
        chosen: ChosenModel,
        options: Mapping[str, Any],
        names: Collection[str],
        *,
        unknown: bool = False,
        count: int | None = None,
    ) -> str:
        """Remember what a model refused, and return its name; empty when nothing that was sent can be left out.

        Args:
            chosen: the model.
            options: of the call that was refused.
            names: what the refusal may be about.
            unknown: the model does not know the parameter, rather than its value.
            count: of refused parameters when the request was sent; another call may have met the refusal since.
        """
        refused = self._refused[chosen.name]
        for parameter in refused[len(refused) if count is None else count :]:
            if any(name in names for name in OPTIONAL.get(parameter, (parameter,))):
                return parameter
        model, sent = self.apply(chosen, options)
        for parameter, aliases in OPTIONAL.items():
            if any(name in names for name in aliases) and _holds(model, sent, aliases):
                refused.append(parameter)
                return parameter
        limit = _limit_name(chosen.model)
        if unknown and limit in names and limit not in refused:
            refused.append(limit)
            return limit
        return ""

    def apply(self, chosen: ChosenModel, options: Mapping[str, Any]) -> tuple[BaseChatModel, dict[str, Any]]:
        """Return the model and the options of a call without what the model has refused."""
        refused = tuple(self._refused[chosen.name])
        if not refused:
            return chosen.model, dict(options)
        left_out = {alias for parameter in refused for alias in OPTIONAL.get(parameter, ())}
        allowed = {name: value for name, value in options.items() if name not in left_out}
        if "extra_body" in allowed:
            allowed["extra_body"] = {k: v for k, v in allowed["extra_body"].items() if k not in left_out}
        if limit := next((name for name in refused if name in (OLD_LIMIT, NEW_LIMIT)), None):
            allowed = _rename_limit(chosen.model, limit, allowed)
            left_out.add(OLD_LIMIT)
        return _without(chosen.model, left_out), allowed


def _holds(model: BaseChatModel, options: Mapping[str, Any], names: Collection[str]) -> bool:
    """Return whether a request of this model with these options has one of the parameters."""
    sent = {*options, *options.get("extra_body", {})}
    sent |= {name for name in _fields(model) if name in names and getattr(model, name) is not None}
    return any(name in sent for name in names)


def _without(model: BaseChatModel, names: Collection[str]) -> BaseChatModel:
    """Return a copy of a model, with the same client, that does not send these parameters."""
    return model.model_copy(update={name: None for name in names if name in _fields(model)})


def _fields(model: BaseChatModel) -> Collection[str]:
    return type(model).model_fields


def _limit_name(model: BaseChatModel) -> str:
    """Return the name by which a client of OpenAI's protocol sends the limit of a reply."""
    field = type(model).model_fields.get(OLD_LIMIT)
    return NEW_LIMIT if field is not None and field.alias == NEW_LIMIT else OLD_LIMIT


def _rename_limit(model: BaseChatModel, refused: str, options: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a call that send the limit of a reply by its other name."""
    own = getattr(model, OLD_LIMIT, None)
    value = options.pop(OLD_LIMIT, options.pop(NEW_LIMIT, own))
    if value is None:
        return options
    if refused == OLD_LIMIT:
        return {**options, NEW_LIMIT: value}
    # This client turns every `max_tokens` into the other name, except in the part of the body that it does not read.
    return {**options, "extra_body": {**options.get("extra_body", {}), OLD_LIMIT: value}}
