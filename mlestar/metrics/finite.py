"""Numbers of records: JSON has none that is infinite or undefined."""

import math
from typing import Annotated, Any

from pydantic import BeforeValidator


def finite(value: Any) -> Any:
    """Return a value, None where it is an infinite or undefined number."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def finite_values(value: Any) -> Any:
    """Return nested dicts, lists and tuples with None in place of infinite and undefined numbers."""
    if isinstance(value, dict):
        return {key: finite_values(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite_values(item) for item in value]
    return finite(value)


Finite = Annotated[float | None, BeforeValidator(finite)]
"""A number of a record; None where it is unknown. Records of earlier versions may have an infinite one, which is read
as unknown."""


def _only_finite(values: Any) -> Any:
    return [value for value in values if finite(value) is not None]


FiniteNumbers = Annotated[tuple[float, ...], BeforeValidator(_only_finite)]
"""Numbers of a record, without those that are infinite or undefined."""
