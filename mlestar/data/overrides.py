"""What a user sets about a task, in `task.toml` or as keyword arguments; it takes precedence over inference."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from mlestar.data.folder import OVERRIDES, check_links
from mlestar.errors import TaskError, first_line
from mlestar.files import read_toml
from mlestar.metrics.spec import Direction, PredictionKind

_SPLIT = re.compile(r"(time|group):.+|series:.+:.+|space:.+\+.+|stratified|random")


def _texts(value: object) -> object:
    """Return a list of texts; a single value is a list of one, a number is its text."""
    return [str(part) for part in value] if isinstance(value, (list, tuple)) else [str(value)]


def _text(value: object) -> object:
    return str(value) if isinstance(value, (bool, int, float)) else value


def _check_form(split: str) -> str:
    if not _SPLIT.fullmatch(split):
        msg = "give random, stratified, time:COLUMN, series:COLUMN:TIME, group:COLUMN or space:X+Y"
        raise ValueError(msg)
    return split


Codes = Annotated[tuple[str, ...], BeforeValidator(_texts)]
Texts = Annotated[tuple[str, ...], BeforeValidator(_texts), Field(min_length=1)]


class Overrides(BaseModel):
    """The keys of `task.toml`; None means that the field is inferred."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str | None = None
    layout: str | None = None
    """The name of a layout, or `package.module:Name` of your own."""
    metric: str | None = None
    direction: Direction | None = None
    target: Texts | None = None
    id: str | None = None
    train: str | None = None
    labels: str | None = None
    """The file of the labels, where it is not train."""
    test: str | None = None
    sample_submission: str | None = None
    split: Annotated[str, AfterValidator(_check_form)] | None = None
    classes: Texts | None = None
    pos_label: Annotated[str, BeforeValidator(_text)] | None = None
    prediction_columns: Texts | None = None
    prediction_kind: PredictionKind | None = None
    auxiliary: Texts | None = None
    """The other files that scripts may use; those that cannot be checked for labels are then staged as they are."""
    missing: Codes | None = None
    """Values that stand for missing ones in every column; an empty list: there are none."""
    encoding: str | None = None
    """Of text files that are not UTF-8."""
    header: bool | None = None
    """Whether the first line of text tables names the columns."""
    names: Texts | None = None
    """Of the columns of train, where there is no header."""


def read_overrides(folder: Path, arguments: Mapping[str, Any]) -> Overrides:
    """Merge `task.toml` with the arguments of a call, which take precedence.

    Raises:
        TaskError: not TOML, an unknown key (the nearest is named) or a value of the wrong type.
    """
    arguments = {key: value for key, value in arguments.items() if value is not None}
    merged = _read_toml(folder / OVERRIDES) | arguments
    for key in merged:
        if key not in Overrides.model_fields:
            nearest = get_close_matches(key, Overrides.model_fields, n=1, cutoff=0.0)[0]
            msg = f"{OVERRIDES}: unknown key {key!r}; did you mean {nearest!r}?"
            raise TaskError(msg)
    try:
        return Overrides(**merged)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        where = "" if name in arguments else f"{OVERRIDES}: "
        reason = first["msg"].removeprefix("Value error, ")
        msg = f"{where}{name} = {merged[name]!r} is not valid: {reason}"
        raise TaskError(msg) from error


def _read_toml(path: Path) -> dict[str, Any]:
    if not os.path.lexists(path):
        return {}
    check_links(path.parent, [path])
    try:
        return read_toml(path)
    except ValueError as error:
        msg = f"{OVERRIDES} cannot be read: {first_line(str(error))}"
        raise TaskError(msg) from error
