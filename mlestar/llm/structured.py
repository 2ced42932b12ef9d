"""Native structured output: a role that answers with JSON sends its schema, where the model supports it.

The reply is text in either form, and the role's parser reads it: an object of a schema, or one in a fence. A model that
refuses the schema is asked without it from then on (`mlestar/llm/parameters.py`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from mlestar.agents.roles import ROLES
from mlestar.llm.models import ChosenModel

Options = dict[str, Any]


def structured_options(role: str, chosen: ChosenModel) -> Options:
    """Return the options of a call that make the model follow the schema of the role; empty where there is none."""
    row = ROLES.get(role)
    form = FORMS.get(chosen.provider)
    profile = getattr(chosen.model, "profile", None) or {}
    if row is None or row.schema is None or form is None or not profile.get("structured_output"):
        return {}
    return form(role, row.schema.model_json_schema())


def _openai(role: str, schema: Options) -> Options:
    """Return the schema in the body, unread by the client: it would turn a reply that was cut off into an error."""
    return {"extra_body": {"response_format": _response_format(role, schema)}}


def _anthropic(role: str, schema: Options) -> Options:
    return {"response_format": _response_format(role, schema)}


def _google(role: str, schema: Options) -> Options:
    return {"response_mime_type": "application/json", "response_json_schema": schema}


def _response_format(role: str, schema: Options) -> Options:
    return {"type": "json_schema", "json_schema": {"name": role, "schema": schema}}


FORMS: Mapping[str, Callable[[str, Options], Options]] = {
    "openai": _openai,
    "azure_openai": _openai,
    "anthropic": _anthropic,
    "google_genai": _google,
    "google_vertexai": _google,
}
"""How a provider receives a schema; the others get none."""
