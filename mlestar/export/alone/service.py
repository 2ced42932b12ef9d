"""A small service over HTTP: it checks rows, and the predictor executes in one process that is kept.

It runs in the container of the exported folder: `python -m mlestar_model.service`.
"""

import asyncio
import csv
import io
import json
import os
import sys
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
from mlestar.export.alone.model import Model, open_model

_READ_SECONDS = 30
"""Seconds in which a request must arrive. Chosen by judgement; not measured."""


@dataclass(frozen=True)
class ServiceLimits:
    """Limits of a request, each from an environment variable."""

    body_mb: float = 16.0
    rows: int = 100_000
    seconds: float = 60.0

    @classmethod
    def of_environment(cls) -> "ServiceLimits":
        """Return the limits that `MODEL_BODY_MB`, `MODEL_ROWS` and `MODEL_SECONDS` set."""
        read = os.environ.get
        return cls(
            float(read("MODEL_BODY_MB", cls.body_mb)),
            int(read("MODEL_ROWS", cls.rows)),
            float(read("MODEL_SECONDS", cls.seconds)),
        )


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
        body = await _read_body(request, limits)
        frame = await run_in_threadpool(_read_rows, request.headers.get("content-type", ""), body)
        if len(frame) > limits.rows:
            raise HTTPException(413, f"{len(frame)} rows: at most {limits.rows} in one request")
        return JSONResponse(await run_in_threadpool(_answer, model, frame))

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
        "limits": {"body_mb": limits.body_mb, "rows": limits.rows, "seconds": limits.seconds},
        "predict": 'POST /predict with JSON ({"rows": [{column: value}, ...]}) or text/csv',
    }


async def _read_body(request: Request, limits: ServiceLimits) -> bytes:
    most = int(limits.body_mb * 2**20)
    parts, size = list[bytes](), 0
    try:
        async with asyncio.timeout(_READ_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > most:
                    raise HTTPException(413, f"the body is larger than {limits.body_mb:g} MB")
                parts.append(part)
    except TimeoutError as error:
        raise HTTPException(408, f"the request did not arrive within {_READ_SECONDS} s") from error
    return b"".join(parts)


def _read_rows(content_type: str, body: bytes) -> pd.DataFrame:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        return _read_csv(body)
    if kind == "application/json":
        return _read_json(body)
    raise HTTPException(415, "send application/json or text/csv")


def _read_csv(body: bytes) -> pd.DataFrame:
    """Return the rows below the header line; pandas would rename a repeated column and fill a short line."""
    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise HTTPException(400, f"the body is no CSV: {first_line(str(error))}") from error
    if not lines:
        raise HTTPException(400, "the body is no CSV: it lacks a header line")
    names, rows = lines[0], lines[1:]
    if repeated := [name for place, name in enumerate(names) if name in names[:place]]:
        raise HTTPException(422, f"the column {repeated[0]!r} occurs more than once")
    for number, row in enumerate(rows, 1):
        if len(row) != len(names):
            raise HTTPException(400, f"row {number} has {len(row)} fields, and the header line {len(names)}")
    return pd.DataFrame(rows, columns=names, dtype=object)


def _read_json(body: bytes) -> pd.DataFrame:
    def refuse(name: str) -> None:
        raise ValueError(f"{name} is no JSON; null stands for a missing value")

    try:
        values = json.loads(body, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"the body is no JSON: {first_line(str(error))}") from error
    rows = values.get("rows") if isinstance(values, dict) else values
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise HTTPException(400, 'send {"rows": [{column: value, ...}, ...]}')
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for number, row in enumerate(rows, 1):
        if lacking := [name for name in columns if name not in row]:
            raise HTTPException(
                422, f"row {number} lacks {lacking[0]!r}, which other rows have; null stands for a missing value"
            )
    return pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=object) for name in columns})


def _answer(model: Model, frame: pd.DataFrame) -> dict[str, Any]:
    predictions = model.predictions(frame)
    if model.description.ranks:
        return {"ranks": _records(predictions.submission[list(model.description.spec.prediction_columns)])}
    answer: dict[str, Any] = {"predictions": _records(predictions.labels_or_values())}
    if model.has_probabilities:
        answer["probabilities"] = _records(predictions.probabilities())
    return answer


def _records(table: pd.DataFrame) -> list[dict[str, Any]]:
    names = [str(name) for name in table.columns]
    return [dict(zip(names, row, strict=True)) for row in table.to_numpy(dtype=object).tolist()]


Handler = Callable[[Request, Exception], Awaitable[JSONResponse]]


async def _refused(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 400
    return JSONResponse({"error": getattr(error, "detail", "")}, status)


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
    limits = ServiceLimits.of_environment()
    model = open_model(folder, "process", limits.seconds, log=True)
    uvicorn.run(
        make_app(model, limits),
        uds=os.environ.get("MODEL_SOCKET"),
        host=os.environ.get("MODEL_HOST", "127.0.0.1"),
        port=int(os.environ.get("MODEL_PORT", "8000")),
        limit_concurrency=64,
        timeout_keep_alive=10,
        server_header=False,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
