"""A run as spans of OpenTelemetry: of its sessions, its model calls, its executions and what else takes time."""

import hashlib
import logging
import os
from dataclasses import dataclass, field

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

from mlestar import __version__
from mlestar.errors import mask_secrets
from mlestar.events import Event, Spending
from mlestar.trackers.course import Course

BATCH = 512
"""Spans of one request."""
PROVIDERS = {"google_genai": "gcp.gemini", "google_vertexai": "gcp.vertex_ai", "bedrock": "aws.bedrock"}
"""Names of providers in the conventions for generative AI, where ours are others."""
DEFAULT_ADDRESS = "http://localhost:4318"


class _Ids(IdGenerator):
    """Gives spans ids that follow from the run, so that a span that is sent twice is the same one."""

    def __init__(self) -> None:
        self.seed = ""

    def generate_span_id(self) -> int:
        return self._number("span", 8)

    def generate_trace_id(self) -> int:
        return self._number("trace", 16)

    def _number(self, kind: str, size: int) -> int:
        return int.from_bytes(hashlib.sha256(f"{kind} {self.seed}".encode()).digest()[:size]) or 1


class _Ended(SpanProcessor):
    """Keeps the spans that have ended until they are sent."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is not None and span.context.trace_flags.sampled:
            self.spans.append(span)


@dataclass
class _Session:
    """A session whose span has begun."""

    span: Span
    seed: str
    begun: dict[str, Event] = field(default_factory=dict)
    """By the id of the work."""
    spend: Spending = field(default_factory=Spending)


class SpanTracker:
    """Sends the spans of a run to a collector, over OTLP and HTTP."""

    def __init__(self, course: Course, *, since: float = 0.0, exporter: SpanExporter | None = None) -> None:
        """Take a run.

        Args:
            course: of the run.
            since: sessions that began before are left out: they were sent while they worked.
            exporter: sends spans; by default the one that the variables `OTEL_*` configure.
        """
        logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)  # failures are told once, elsewhere
        self.title = f"OpenTelemetry collector at {_address()}"
        self._course = course
        self._since = since
        self._exporter = exporter or OTLPSpanExporter()
        self._ids, self._ended = _Ids(), _Ended()
        provider = TracerProvider(resource=_resource(), id_generator=self._ids, shutdown_on_exit=False)
        provider.add_span_processor(self._ended)
        self._tracer = provider.get_tracer("mlestar", __version__)
        self._read = 0
        """Events that are in spans already."""
        self._sessions = 0
        self._session: _Session | None = None
        self._traces: list[str] = []

    def send(self) -> None:
        """Send the spans that have ended.

        Raises:
            ConnectionError: the collector did not take them; they are kept.
        """
        self._add_events()
        self._export()

    def finish(self) -> None:
        """Send all spans; those of work that was cut off end with the last event."""
        self._add_events()
        if self._session is not None:
            self._end_session(self._course.last, "killed")
        self._export()

    def describe(self) -> str:
        return f"{self.title}, trace {', '.join(self._traces) or '-'}"

    def _add_events(self) -> None:
        for event in self._course.events[self._read :]:
            self._add(event)
        self._read = len(self._course.events)

    def _export(self) -> None:
        while batch := self._ended.spans[:BATCH]:
            if self._exporter.export(batch) is not SpanExportResult.SUCCESS:
                msg = "it cannot be reached, or refuses them"
                raise ConnectionError(msg)
            del self._ended.spans[: len(batch)]

    def _add(self, event: Event) -> None:
        if event.work == "run" and event.phase == "begin":
            if self._session is not None:
                self._end_session(event.time, "killed")
            self._begin_session(event)
            return
        if self._session is None:
            return
        self._session.spend = event.spend or self._session.spend
        if event.work == "run":
            self._end_session(event.time, event.status or "failed")
        elif event.work_id and event.phase == "begin":
            self._session.begun[event.work_id] = event
        elif event.work_id:
            begun = self._session.begun.pop(event.work_id, event)
            self._add_work(self._session, begun, event, event.time)

    def _begin_session(self, event: Event) -> None:
        self._sessions += 1
        if event.time < self._since:
            return
        self._ids.seed = seed = f"{self._course.recorded.thread} {self._sessions}"
        attributes: dict[str, AttributeValue] = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": "mlestar",
            "mlestar.run.id": self._course.folder.run_id,
            "mlestar.run.session": self._sessions,
        }
        if event.run is not None:
            names = ("profile", "model", "tracks", "outer_steps", "inner_plans")
            attributes |= {f"mlestar.run.{name}": getattr(event.run, name) for name in names}
        span = self._tracer.start_span(
            "invoke_workflow mlestar",
            context=TraceContextTextMapPropagator().extract({"traceparent": os.environ.get("TRACEPARENT", "")}),
            attributes=attributes,
            start_time=_nanoseconds(event.time),
        )
        self._traces.append(f"{span.get_span_context().trace_id:032x}")
        self._session = _Session(span, seed)

    def _end_session(self, time: float, status: str) -> None:
        session, self._session = self._session, None
        if session is None:
            return
        for begun in session.begun.values():
            self._add_work(session, begun, begun.model_copy(update={"outcome": "stopped"}), time)
        session.span.set_attribute("mlestar.run.status", status)
        known = {name: getattr(session.spend, name) for name in ("model_calls", "tokens", "usd", "executions")}
        session.span.set_attributes(
            {f"mlestar.run.{name}": value for name, value in known.items() if value is not None}
        )
        if status in ("failed", "killed"):
            _mark_error(session.span, status)
        session.span.end(_nanoseconds(time))

    def _add_work(self, session: _Session, begun: Event, end: Event, time: float) -> None:
        """Begin and end the span of work, below that of its session."""
        self._ids.seed = f"{session.seed} {begun.work_id}"
        call = begun.work == "call"
        span = self._tracer.start_span(
            _name(begun, end),
            context=trace.set_span_in_context(session.span),
            kind=SpanKind.CLIENT if call else SpanKind.INTERNAL,
            attributes={**_common(begun), **(_of_call(begun, end) if call else _of_work(begun, end))},
            start_time=_nanoseconds(begun.time),
        )
        if end.outcome not in ("ok", "done", ""):  # older versions told none
            _mark_error(span, end.outcome)
        span.end(_nanoseconds(max(time, begun.time)))


def _name(begun: Event, end: Event) -> str:
    if begun.work == "call":
        return f"chat {end.model}".rstrip()
    return f"{begun.work} {begun.stage}"


def _common(begun: Event) -> dict[str, AttributeValue]:
    known = {"stage": begun.stage, "track": begun.track}
    return {f"mlestar.{name}": value for name, value in known.items() if value is not None}


def _of_call(begun: Event, end: Event) -> dict[str, AttributeValue]:
    """Return the attributes of a model call, named as the conventions for generative AI name them."""
    provider, colon, _ = end.model.partition(":")
    cost = end.cost
    known: dict[str, AttributeValue | None] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": PROVIDERS.get(provider, provider) if colon else "mlestar",
        "gen_ai.request.model": end.model or None,
        "gen_ai.agent.name": begun.role,
        "mlestar.call.recorded": end.outcome == "done" and cost is None,
    }
    if cost is not None:
        known |= {
            "gen_ai.usage.input_tokens": cost.input_tokens,
            "gen_ai.usage.output_tokens": cost.output_tokens,
            "gen_ai.usage.cache_read.input_tokens": cost.cached_tokens,
            "gen_ai.usage.reasoning.output_tokens": cost.reasoning_tokens,
            "mlestar.call.usd": cost.usd,
        }
    return {name: value for name, value in known.items() if value is not None}


def _of_work(begun: Event, end: Event) -> dict[str, AttributeValue]:
    """Return the attributes of an execution or of other work: which solution, how it ended, how long it took."""
    known: dict[str, AttributeValue | None] = {
        "mlestar.solution": begun.solution,
        "mlestar.status": end.outcome or None,
        "mlestar.seconds": end.seconds,
        "mlestar.limit_seconds": begun.limit,
    }
    return {name: value for name, value in known.items() if value is not None}


def _mark_error(span: Span, kind: str) -> None:
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, kind))


def _resource() -> Resource:
    """Return what the variables say about this service, which is called mlestar unless they name it."""
    found = Resource.create()
    if str(found.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return found.merge(Resource({SERVICE_NAME: "mlestar"}))
    return found


def _address() -> str:
    names = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return mask_secrets(next(filter(None, (os.environ.get(name) for name in names)), DEFAULT_ADDRESS))


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)
