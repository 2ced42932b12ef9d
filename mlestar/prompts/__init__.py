"""Prompt files, one per role, and their renderer."""

import json
import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from jinja2 import (
    ChoiceLoader,
    Environment,
    FileSystemLoader,
    PackageLoader,
    StrictUndefined,
    TemplateError,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.meta import find_undeclared_variables
from pydantic import BaseModel

from mlestar.errors import SettingsError, clean_text, escape_hidden
from mlestar.files import read_regular

MAX_TEXT = 12_000
"""Characters of one untrusted text in a prompt. Chosen by judgement; not measured."""
MAX_DESCRIPTION = 16_000
"""Characters of a task's description: 4,000 tokens, longer than the descriptions of competitions usually are. Chosen by
judgement; not measured."""
SHARED_END = "This is the end of what all prompts of this run share.\n"
"""The last line of `_shared.md`: up to it, prompts of one run are equal, so that providers can cache them."""
COMMON_VALUES = {"role", "brief", "facts", "track", "attempt", "refusal"}
"""What every prompt may use."""
CODE_TAGS = (
    "script",
    "block",
    "earlier_block",
    "base",
    "reference",
    "solution",
    "study",
    "failed_fix",
    "removed",
    "change",
    "context",
)
"""Tags of sections of unescaped code."""
TAGS = (
    *CODE_TAGS,
    *("task", "files", "column_statistics", "spec", "holdout", "environment", "card", "count", "results", "result"),
    *("plan", "summary", "graded", "measured", "baseline", "attempt_record", "seconds", "output", "bug", "traceback"),
    *("outcome", "origin", "evidence", "reason", "budget_left", "errors", "refusal", "role", "track", "attempt"),
    *("lessons", "confirmed"),
)
"""Tags of all sections: instructions name some of them, so that code may close none."""
_CLOSING = re.compile(rf"</(?=(?:{'|'.join(TAGS)})>)")
_CLOSING_SHOWN = re.compile(rf"<\\+/(?=(?:{'|'.join(TAGS)})>)")


class Prompts:
    """Renders prompts; files in `folder` override the built-in ones of the same name.

    Args:
        folder: of a person's own prompts.
        required: files that must be there; those that are not built in are of roles which were added to the table.

    Raises:
        SettingsError: a file of the folder cannot be used, or a required one is missing.
    """

    def __init__(self, folder: Path | None = None, required: Iterable[str] = ()) -> None:
        self._templates = _builtin_templates() if folder is None else _make_templates(folder)
        names = list(dict.fromkeys([*self.builtin_names(), *required]))
        if folder:
            self._check(folder, PackageLoader("mlestar", "prompts"), names)
        for name in names:  # compiled here, so that rendering reads no file inside an event loop
            self._compile(name)

    @staticmethod
    def builtin_names() -> list[str]:
        """Return the names of the files that a folder may override."""
        return [name for name in PackageLoader("mlestar", "prompts").list_templates() if name.endswith(".md")]

    def render(self, name: str, **values: object) -> str:
        """Return the text of a prompt file with its values.

        Raises:
            SettingsError: an overriding file uses a value that it does not get.
        """
        try:
            text = self._templates.get_template(name).render(**values)
            return text.encode("utf-8", "replace").decode()
        except TemplateError as error:
            msg = f"prompt {name}: {error.message}"
            raise SettingsError(msg) from error

    def _compile(self, name: str) -> None:
        try:
            self._templates.get_template(name)
        except TemplateNotFound:
            msg = f"prompt {name} is missing: put it into a folder and name that folder with the setting prompts"
            raise SettingsError(msg) from None
        except TemplateSyntaxError as error:
            msg = f"prompt {name}, line {error.lineno}: {error.message}"
            raise SettingsError(msg) from error

    def _check(self, folder: Path, builtin: PackageLoader, names: Sequence[str]) -> None:
        """Refuse a broken folder before the run has cost anything."""
        if not folder.is_dir():
            msg = f"prompts folder {folder} does not exist: name a folder with prompt files"
            raise SettingsError(msg)
        for path in sorted(folder.glob("*.md")):
            if path.name not in names:
                msg = f"prompt {path}: there is no such prompt to override; the names are {', '.join(names)}"
                raise SettingsError(msg)
            used = self._names(path, _read(path))
            if path.name not in self.builtin_names():
                continue  # a role that was added: its agent alone knows the values
            source, _, _ = builtin.get_source(self._templates, path.name)
            allowed = self._names(path, source) | COMMON_VALUES
            unknown = sorted(used - allowed)
            if unknown:
                msg = f"prompt {path}: it has no value {unknown[0]!r}; it may use {', '.join(sorted(allowed))}"
                raise SettingsError(msg)

    def _names(self, path: Path, source: str) -> set[str]:
        try:
            return find_undeclared_variables(self._templates.parse(source))
        except TemplateSyntaxError as error:
            msg = f"prompt {path}, line {error.lineno}: {error.message}"
            raise SettingsError(msg) from error


def _read(path: Path) -> str:
    try:
        return read_regular(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"prompt {path} cannot be read as UTF-8 text: {error}"
        raise SettingsError(msg) from error


def split_shared(prompt: str) -> tuple[str, str]:
    """Return the beginning that all prompts of a run share, empty where there is none, and the rest."""
    shared, end, rest = prompt.partition(SHARED_END)
    return (shared + end, rest) if end else ("", prompt)


def as_data(text: str, max_length: int = MAX_TEXT) -> str:
    """Return untrusted text made harmless: control characters removed, shortened in the middle, tags escaped."""
    return shorten(clean_text(text), max_length).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def shorten(text: str, max_length: int = MAX_TEXT) -> str:
    """Return a text that is not longer, or its beginning and end with the number of characters between them."""
    if len(text) <= max_length:
        return text
    half = max_length // 2
    return f"{text[:half]}\n[... {len(text) - 2 * half} characters cut ...]\n{text[-half:]}"


def as_code(text: str) -> str:
    """Return code unescaped, except that it cannot close a section; see `restore_code`."""
    return _CLOSING.sub(r"<\\/", text.strip("\n"))


def restore_code(reply: str) -> str:
    """Undo `as_code` in a reply, so that code copied from a prompt equals the original."""
    return _CLOSING_SHOWN.sub("</", reply)


def as_json(value: object) -> str:
    """Return JSON of models or plain values: every text shortened, tags and control characters escaped."""
    plain = _shorten_all(json.loads(json.dumps(value, default=_plain)))
    text = escape_hidden(json.dumps(plain, ensure_ascii=False))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _shorten_all(value: object) -> object:
    if isinstance(value, str):
        return shorten(value)
    if isinstance(value, list):
        return [_shorten_all(item) for item in value]
    return {key: _shorten_all(item) for key, item in value.items()} if isinstance(value, dict) else value


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    msg = f"cannot show a {type(value).__name__} in a prompt"
    raise TypeError(msg)


@cache
def _builtin_templates() -> Environment:
    """Return the built-in prompts, which runs of one process share: compiling them takes a third of a second."""
    return _make_templates(None)


def _make_templates(folder: Path | None) -> Environment:
    overrides = [FileSystemLoader(folder)] if folder else []
    templates = Environment(  # plain text, not HTML: untrusted parts use the filter `data`
        loader=ChoiceLoader([*overrides, PackageLoader("mlestar", "prompts")]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )
    templates.globals["description_characters"] = MAX_DESCRIPTION
    templates.filters.update(data=as_data, code=as_code, json=as_json)
    return templates
