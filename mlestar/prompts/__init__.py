"""Prompt files, one per role, and their renderer."""

import json
import re
from pathlib import Path

from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PackageLoader, StrictUndefined, TemplateError
from pydantic import BaseModel

from mlestar.errors import SettingsError

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
LONGEST = 12_000
"""Characters of one untrusted text in a prompt."""


class Prompts:
    """Renders the prompt of a role; files in `folder` override the built-in ones of the same name."""

    def __init__(self, folder: Path | None = None) -> None:
        overrides = [FileSystemLoader(folder)] if folder else []
        self._templates = Environment(  # plain text, not HTML: untrusted parts go through `data`
            loader=ChoiceLoader([*overrides, PackageLoader("mlestar", "prompts")]),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._templates.filters.update(data=as_data, code=as_code, json=as_json)

    def render(self, role: str, **values: object) -> str:
        """Return the prompt of a role.

        Raises:
            SettingsError: an overriding file is missing, malformed or names a value that does not exist.
        """
        try:
            return self._templates.get_template(f"{role}.md").render(role=role, **values)
        except TemplateError as error:
            msg = f"prompt {role}.md: {error.message}"
            raise SettingsError(msg) from error


def as_data(text: str, longest: int = LONGEST) -> str:
    """Return untrusted text made harmless: control characters removed, cut in the middle, tags escaped."""
    clean = CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(clean) > longest:
        half = longest // 2
        clean = f"{clean[:half]}\n[... {len(clean) - 2 * half} characters cut ...]\n{clean[-half:]}"
    return clean.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def as_code(text: str) -> str:
    """Return a script as it stands, except that it cannot close the section that holds it."""
    return re.sub(r"</(?=\w+>)", r"<\\/", text.strip("\n"))


def as_json(value: object) -> str:
    """Return JSON of a model, a list of models or plain values, with tags escaped."""
    plain = json.loads(json.dumps(value, default=_plain))
    return json.dumps(plain, ensure_ascii=False).replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    msg = f"cannot show a {type(value).__name__} in a prompt"
    raise TypeError(msg)
