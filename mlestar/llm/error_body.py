"""What an error of a client library contains: HTTP status, codes, message, details and headers, in one form for all."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CODE_KEYS = ("code", "Code", "type", "status", "reason", "limit_source")
"""Keys under which providers give their own code for what went wrong."""
MESSAGE_KEYS = ("message", "Message", "msg", "error", "raw")
PARAMETER_KEYS = ("param", "loc")
STATUS_OF_CODE = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "resource_exhausted": 429,
    "throttlingexception": 429,
    "insufficient_quota": 402,
    "invalid_request_error": 400,
    "invalid_argument": 400,
    "authentication_error": 401,
    "unauthenticated": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "not_found": 404,
    "overloaded_error": 529,
}
"""The status that belongs to a code, for an error that comes without one."""
GATEWAY_ERROR = 502
"""The status of an error in a successful response that names none: the provider failed after it had begun."""
MAX_DEPTH = 6
"""Levels of a body that are read: gateways wrap the error of the provider behind them. Chosen by judgement; not
measured."""


@dataclass(frozen=True, kw_only=True)
class ErrorBody:
    """A provider's error, whichever client library raised it."""

    status: int
    """HTTP status; for an error in a successful response, the one that its body names."""
    codes: frozenset[str] = frozenset()
    """Every code, type and status word of the body, in lower case."""
    message: str = ""
    """What the innermost error says: that of the provider behind a gateway."""
    parameters: frozenset[str] = frozenset()
    """Parameters of the request that the body names as refused."""
    parts: tuple[Mapping[str, Any], ...] = ()
    """Every object of the body, the outermost first."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """Headers by their names in lower case."""


def read_body(chain: Sequence[BaseException]) -> ErrorBody | None:
    """Return what a chain of errors contains of the provider's answer; None when the provider did not answer."""
    parts = tuple(part for link in chain for body in _bodies(link) for part in _objects(body))
    codes = frozenset(code for part in parts for code in _codes(part))
    status = next((status for link in chain if (status := _status(link))), None)
    if status is None and not parts:
        return None
    messages = [text for part in parts if (text := _text(part))]
    return ErrorBody(
        status=status or _status_of_body(parts, codes),
        codes=codes,
        message=messages[-1] if messages else str(chain[0]),
        parameters=frozenset(name for part in parts for name in _parameters(part)),
        parts=parts,
        headers=_headers(chain, parts),
    )


def _status(error: BaseException) -> int | None:
    """Return the HTTP status of an error; each library keeps it in another attribute."""
    response = getattr(error, "response", None)
    values = [
        getattr(error, "status_code", None),
        getattr(error, "code", None),
        getattr(response, "status_code", None),
        _metadata(response).get("HTTPStatusCode"),
    ]
    return next((value for value in values if isinstance(value, int) and 400 <= value < 600), None)


def _metadata(response: object) -> Mapping[str, Any]:
    """Return the metadata of a response of boto3, which is a dictionary."""
    metadata = response.get("ResponseMetadata") if isinstance(response, Mapping) else None
    return metadata if isinstance(metadata, Mapping) else {}


def _status_of_body(parts: Sequence[Mapping[str, Any]], codes: frozenset[str]) -> int:
    """Return the status that a body names as a number, else the one that belongs to its codes."""
    numbers = [int(code) for part in parts for code in _codes(part) if code.isdecimal()]
    known = [STATUS_OF_CODE[code] for code in sorted(codes) if code in STATUS_OF_CODE]
    return next((number for number in (*numbers, *known) if 400 <= number < 600), GATEWAY_ERROR)


def _bodies(error: BaseException) -> Iterator[object]:
    """Yield the bodies that an error carries; a client raises the body itself for an error in a successful response."""
    response = getattr(error, "response", None)
    yield from (getattr(error, name, None) for name in ("body", "details", "error"))
    if isinstance(response, Mapping):
        yield response
    elif isinstance(text := _response_text(response), str):
        yield text
    if isinstance(error, ValueError):
        yield from error.args[:1]


def _response_text(response: object) -> object:
    try:
        return getattr(response, "text", None)
    except Exception:  # each library raises its own error for a text that was not read
        return None


def _objects(value: object, depth: int = 0) -> Iterator[Mapping[str, Any]]:
    """Yield every object of a body, those inside texts of JSON too."""
    if depth > MAX_DEPTH:
        return
    if isinstance(value, str):
        parsed = _parse(value)
        if parsed is not None:
            yield from _objects(parsed, depth + 1)
    elif isinstance(value, Mapping):
        yield value
        for item in value.values():
            yield from _objects(item, depth + 1)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _objects(item, depth + 1)


def _parse(text: str) -> object:
    """Return the object or list that a text of JSON holds, None for any other text."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        parsed: object = json.loads(text)
        return parsed
    except ValueError:
        return None


def _codes(part: Mapping[str, Any]) -> Iterator[str]:
    for key in CODE_KEYS:
        value = part.get(key)
        if isinstance(value, str | int) and value != "":
            yield str(value).lower()


def _text(part: Mapping[str, Any]) -> str:
    """Return the message of an object of a body, empty when it has none."""
    values = (part.get(key) for key in MESSAGE_KEYS)
    return next((value for value in values if isinstance(value, str) and value and _parse(value) is None), "")


def _parameters(part: Mapping[str, Any]) -> Iterator[str]:
    """Yield the parameter that an object of a body names, as a name or as the path to it."""
    for key in PARAMETER_KEYS:
        value = part.get(key)
        if isinstance(value, Sequence) and value:
            yield value if isinstance(value, str) else str(value[-1])


def _headers(chain: Sequence[BaseException], parts: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return the headers of the response, and those that a gateway repeats in its body."""
    headers: dict[str, str] = {}
    responses = [getattr(link, "response", None) for link in chain]
    sources = [
        *(getattr(response, "headers", None) for response in responses),
        *(_metadata(response).get("HTTPHeaders") for response in responses),
        *(part.get("headers") for part in parts),
    ]
    for source in sources:
        if isinstance(source, Mapping):
            for name, value in source.items():
                headers.setdefault(str(name).lower(), str(value))
    return headers
