"""The JSON of records."""

import json
from typing import Any

from mlestar.metrics.finite import finite_values


def to_json(value: Any, *, indent: int | None = None) -> str:
    """Return a value as JSON that every reader accepts: an infinite or undefined number is null."""
    return json.dumps(finite_values(value), indent=indent, ensure_ascii=False, allow_nan=False)
