"""A small service over HTTP: it checks rows, and the predictor executes in one process that is kept.

It runs in the container of the exported folder: `python -m mlestar_model.service`.
"""

import asyncio
import csv
import io
import json
import math
import os
import re
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from mlestar.errors import OperatorError, UserError, first_line
from mlestar.evaluation.uncertainty.record import Uncertainty
from mlestar.export.alone.connections import READ_SECONDS, PatientProtocol
from mlestar.export.alone.model import Model, open_model
from mlestar.metrics.finite import finite_values
from mlestar.predictor.coverage import further_columns, limits_of

_FURTHER_COLUMNS = 1000
"""Columns of a request that the model does not need. Chosen by judgement; not measured."""
_CHARSET = re.compile(r"\bcharset\s*=\s*\"?([\w.-]+)", re.IGNORECASE)
_LARGEST = 1e9
"""Of a limit."""


@dataclass(frozen=True)
class ServiceLimits:
    """Limits of a request, each from an environment variable."""

    body_mb: float = 16.0
    rows: int = 100_000
    seconds: float = 60.0

    @classmethod
    def of_environment(cls) -> "ServiceLimits":
        """Return the limits that `MODEL_BODY_MB`, `MODEL_ROWS` and `MODEL_SECONDS` set.

        Raises:
            UserError: one is no number above 0.
        """
        rows = int(_positive("MODEL_ROWS", cls.rows))
        return cls(_positive("MODEL_BODY_MB", cls.body_mb), rows, _positive("MODEL_SECONDS", cls.seconds))


def _positive(name: str, default: float) -> float:
    text = os.environ.get(name, str(default))
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number <= _LARGEST:
        msg = f"{name}={text!r}: give a number above 0 and up to {_LARGEST:g}"
        raise UserError(msg)
    return number


def make_app(model: Model, limits: ServiceLimits) -> Starlette:
    """Return the service of a model."""

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(model.start)
        yield
        await run_in_threadpool(model.close)

    async def health(_: Request) -> JSONResponse:
        return JSONResponse({"status": "ok"})

    async def describe(_: Request) -> JSONResponse:
        return JSONResponse(_description(model, limits))

    async def predict(request: Request) -> JSONResponse:
        coverage = _read_coverage(request)
        if coverage is not None:
            model.uncertainty(coverage)
        body = await _read_body(request, limits)
        read = _Reader(limits.rows, len(model.columns) + _FURTHER_COLUMNS)
        frame = await run_in_threadpool(read.rows_of, request.headers.get("content-type", ""), body)
        return JSONResponse(await run_in_threadpool(_answer, model, frame, coverage))

    return Starlette(
        routes=[
            Route("/health", health),
            Route("/", describe),
            Route("/predict", predict, methods=["POST"]),
        ],
        lifespan=lifespan,
        exception_handlers={HTTPException: _refused, UserError: _unsuited, OperatorError: _failed, Exception: _defect},
    )


def _description(model: Model, limits: ServiceLimits) -> dict[str, Any]:
    known = model.description
    rows = known.rows
    facts = {"name", "kind", "number_format", "date_format"}
    columns = [column.model_dump(include=facts, exclude_defaults=True) for column in rows.columns]
    return {
        "task": known.spec.name,
        "targets": list(known.spec.target),
        "columns": columns,
        "id": {"name": rows.id.name, "required": not rows.free_id} if rows.id else None,
        "probabilities": model.has_probabilities,
        "coverage": _coverages(known.uncertainty),
        "limits": {"body_mb": limits.body_mb, "rows": limits.rows, "seconds": limits.seconds},
        "predict": 'POST /predict with JSON ({"rows": [{column: value}, ...]}) or text/csv',
    }


def _read_coverage(request: Request) -> float | None:
    """Return the coverage of intervals or sets that the address asks for; None without one."""
    if unknown := [name for name in request.query_params if name != "coverage"]:
        raise HTTPException(400, f"there is no parameter {unknown[0]!r}: coverage is the only one")
    text = request.query_params.get("coverage")
    try:
        return None if text is None else float(text)
    except ValueError as error:
        raise HTTPException(400, f"coverage={text!r} is no number") from error


def _coverages(uncertainty: Uncertainty | None) -> dict[str, Any] | None:
    """Return for which coverages there are intervals or sets, and what is known of them."""
    if uncertainty is None or uncertainty.kind == "none":
        return None
    levels = [level for level in uncertainty.levels if uncertainty.has_quantiles(level)]
    return {
        "kind": uncertainty.kind,
        "from": min(levels, default=None),
        "to": max(levels, default=None),
        "fresh rows": uncertainty.summary,
        "limits": list(dict.fromkeys([*limits_of(uncertainty), uncertainty.promise])),
        "use": "POST /predict?coverage=0.9",
    }


async def _read_body(request: Request, limits: ServiceLimits) -> bytes:
    most = int(limits.body_mb * 2**20)
    parts, size = list[bytes](), 0
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise HTTPException(413, f"the body is larger than {limits.body_mb:g} MB")
                parts.append(part)
    except TimeoutError as error:
        raise HTTPException(408, f"the request did not arrive within {READ_SECONDS:g} s") from error
    return b"".join(parts)


@dataclass(frozen=True)
class _Reader:
    """Reads the rows of a request, as long as they are not too many."""

    most_rows: int
    most_columns: int

    def rows_of(self, content_type: str, body: bytes) -> pd.DataFrame:
        """Return the rows of a body as a frame."""
        kind, _, options = content_type.partition(";")
        kind, charset = kind.strip().lower(), _CHARSET.search(options)
        if charset and charset[1].lower() not in ("utf-8", "utf8", "us-ascii"):
            raise HTTPException(415, "send UTF-8")
        if kind == "text/csv":
            return self._csv(body)
        if kind == "application/json":
            return self._json(body)
        raise HTTPException(415, "send application/json or text/csv")

    def _csv(self, body: bytes) -> pd.DataFrame:
        """Return the rows below the header line; pandas would rename a repeated column and fill a short line."""
        try:
            lines = [
                line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line
            ]
        except (UnicodeDecodeError, csv.Error) as error:
            raise HTTPException(400, f"the body is no CSV: {first_line(str(error))}") from error
        if not lines:
            raise HTTPException(400, "the body is no CSV: it lacks a header line")
        names, rows = lines[0], lines[1:]
        self._check_size(len(rows), len(names))
        if repeated := [name for name, count in Counter(names).items() if count > 1]:
            raise HTTPException(422, f"the column {repeated[0]!r} occurs more than once")
        for number, row in enumerate(rows, 1):
            if len(row) != len(names):
                raise HTTPException(400, f"row {number} has {len(row)} fields, and the header line {len(names)}")
        return pd.DataFrame(rows, columns=names, dtype=object)

    def _json(self, body: bytes) -> pd.DataFrame:
        try:
            values = json.loads(body, parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_without_repeats)
        except (ValueError, RecursionError) as error:
            raise HTTPException(400, f"the body is no JSON: {first_line(str(error))}") from error
        if isinstance(values, dict) and (further := [name for name in values if name != "rows"]):
            raise HTTPException(400, f"beside rows there is {further[0]!r}: a coverage belongs in the address")
        rows = values.get("rows") if isinstance(values, dict) else values
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise HTTPException(400, 'send {"rows": [{column: value, ...}, ...]}')
        columns = list(dict.fromkeys(name for row in rows for name in row))
        self._check_size(len(rows), len(columns))
        for number, row in enumerate(rows, 1):
            if lacking := [name for name in columns if name not in row]:
                raise HTTPException(
                    422, f"row {number} lacks {lacking[0]!r}, which other rows have; null stands for a missing value"
                )
        return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in columns})

    def _check_size(self, rows: int, columns: int) -> None:
        if rows > self.most_rows:
            raise HTTPException(413, f"{rows} rows: at most {self.most_rows} in one request")
        if columns > self.most_columns:
            raise HTTPException(413, f"{columns} columns: at most {self.most_columns} in one request")


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON; null stands for a missing value")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"the number {text[:20]} is too large")
    return number


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return an object; of a name that occurs twice Python would keep the last value."""
    values = dict(pairs)
    if len(values) < len(pairs):
        repeated = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise ValueError(f"the name {repeated!r} occurs more than once in an object")
    if not all(map(_is_text, values)):
        raise ValueError("a name has a character that UTF-8 does not have")
    return values


def _is_text(name: str) -> bool:
    return name.isascii() or not any("\ud800" <= mark <= "\udfff" for mark in name)


def _answer(model: Model, frame: pd.DataFrame, coverage: float | None) -> dict[str, Any]:
    predictions = model.predictions(frame)
    if model.description.ranks:
        return {"ranks": _records(predictions.submission[list(model.description.spec.prediction_columns)])}
    answer: dict[str, Any] = {"predictions": _records(predictions.labels_or_values())}
    if model.has_probabilities:
        answer["probabilities"] = _records(predictions.probabilities())
    if coverage is not None:
        known = model.uncertainty(coverage)
        answer[f"{known.kind}s"] = finite_values(_records(further_columns(predictions, known, coverage)))
    return answer


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.to_numpy(dtype=object).tolist()]


Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 400
    return JSONResponse({"error": first_line(str(getattr(error, "detail", "")))}, status)


async def _unsuited(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": first_line(str(error))}, 422)


async def _failed(_: Request, error: Exception) -> JSONResponse:
    sys.stderr.write(f"{first_line(str(error))}\n")
    return JSONResponse({"error": "the predictor failed for these rows; the log of the service says why"}, 500)


async def _defect(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": "the service failed; its log says why"}, 500)


def main() -> None:
    """Serve the exported folder that contains this package."""
    folder = Path(__file__).resolve().parents[1]
    try:
        limits = ServiceLimits.of_environment()
        port = int(_positive("MODEL_PORT", 8000))
        model = open_model(folder, "process", limits.seconds, log=True)
    except (UserError, OperatorError) as error:
        sys.exit(first_line(str(error)))
    uvicorn.run(
        make_app(model, limits),
        uds=os.environ.get("MODEL_SOCKET"),
        host=os.environ.get("MODEL_HOST", "127.0.0.1"),
        port=port,
        http=PatientProtocol,
        ws="none",
        limit_concurrency=64,
        timeout_keep_alive=10,
        server_header=False,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
