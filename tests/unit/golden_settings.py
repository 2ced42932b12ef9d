"""Writes the table of settings into docs/settings.md: python -m tests.unit.golden_settings."""

import re
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlestar.settings import PARTS, PROFILES, Settings
from mlestar.settings.form import GROUPS
from mlestar.settings.sources import PART, variable
from tests.unit.paths import ROOT

PAGE = ROOT / "docs/settings.md"
TABLES = re.compile(r"(?<=<!-- settings -->\n).*(?=\n<!-- end -->)", re.DOTALL)
HEADER = "| setting | type | default | meaning | environment |\n|---|---|---|---|---|"


def render() -> str:
    """Return the page with today's settings."""
    tables = "\n\n".join(_table(group, names) for group, names in GROUPS.items())
    return TABLES.sub(lambda _: f"\n{tables}\n", PAGE.read_text(encoding="utf-8"))


def _table(group: str, names: tuple[str, ...]) -> str:
    rows = [row for name in names for row in _rows(name)]
    return f"## {group}\n\n{HEADER}\n" + "\n".join(rows)


def _rows(name: str) -> Iterator[str]:
    """Yield the row of a setting, or of each of its parts."""
    field = Settings.model_fields[name]
    if name not in PARTS:
        yield _row(name, field, _default(name, field.default))
        return
    for part, of_part in PARTS[name].model_fields.items():
        yield _row(f"{name}.{part}", of_part, _text(of_part.default))


def _row(name: str, field: FieldInfo, default: str) -> str:
    meaning = (field.description or "").replace("|", "\\|")
    environment = variable(name.replace(".", PART))
    return f"| `{name}` | {_type(field.annotation)} | {default} | {meaning} | `{environment}` |"


def _default(name: str, default: object) -> str:
    by_profile = {profile: numbers[name] for profile, numbers in PROFILES.items() if name in numbers}
    if by_profile:
        return ", ".join(f"{value:g} ({profile})" for profile, value in by_profile.items())
    return _text(default)


def _text(default: object) -> str:
    if default in (None, "", (), frozenset(), {}):
        return "empty"
    if isinstance(default, bool):
        return str(default).lower()
    return ", ".join(map(str, default)) if isinstance(default, tuple) else str(default)


def _type(annotation: Any) -> str:
    """Return the type of a setting in words."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin in (Union, UnionType):
        return " or ".join(_type(one) for one in arguments if one is not NoneType)
    if origin is Literal:
        return " or ".join(f"`{one}`" for one in arguments)
    if origin in (tuple, frozenset):
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"{_type(arguments[1])} by role"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "parts"
    return {"str": "text", "int": "whole number", "float": "number", "bool": "true or false", "Path": "path"}[
        annotation.__name__
    ]


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
