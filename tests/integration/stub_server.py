"""Local servers that speak a provider's protocol, with faults on demand, for the real client libraries."""

import json
import threading
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal, Self

from mlestar.llm.scripted import ROLE

Fault = Literal[
    "rate_limit",
    "server_error",
    "unavailable",
    "timeout",
    "dropped",
    "cut_body",
    "garbage",
    "blocked",
    "max_tokens",
    "no_candidates",
    "malformed",
    "unauthorized",
    "forbidden",
    "bad_request",
    "missing",
]
STATUS: dict[Fault, int] = {
    "rate_limit": 429,
    "server_error": 500,
    "unavailable": 503,
    "unauthorized": 401,
    "forbidden": 403,
    "bad_request": 400,
    "missing": 404,
}
MALFORMED = '{"block": "def load():\\n    return 1", "plan": "Load it in a better w'
"""An answer that no role's contract accepts: JSON that breaks off."""


@dataclass(frozen=True)
class ErrorReply:
    """An error as a provider sends it, body and headers included."""

    status: int
    body: dict[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Request:
    """One request that was received."""

    path: str
    headers: dict[str, str]
    body: dict[str, Any]
    role: str
    fault: Fault | ErrorReply | None


@dataclass
class Protocol:
    """The protocol of one provider: where the prompt is, and the form of answers and errors."""

    prompt: Callable[[dict[str, Any]], str]
    normal: Callable[[str, dict[str, Any]], dict[str, Any]]
    """Text and request to a normal answer."""
    ends: Mapping[Fault, Callable[[str], dict[str, Any]]]
    """Answers that end early: blocked, max_tokens, no_candidates."""
    error: Callable[[int, str], dict[str, Any]]
    pages: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """Answers by path to requests that ask no model."""


@dataclass
class StubServer:
    """Answers with `answer(role, prompt)`; `fault(role)` names the fault of a request.

    It can be stopped and started again on the same port.
    """

    protocol: Protocol
    answer: Callable[[str, str], str]
    fault: Callable[[str], Fault | ErrorReply | None] = lambda role: None
    refuse: Callable[[dict[str, Any]], ErrorReply | None] = lambda body: None
    """Returns the error for a request because of what it holds."""
    retry_after: str = "0"
    requests: list[Request] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    """Exceptions that `answer` raised: defects of the test."""
    port: int = 0

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        assert not self.errors

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self._released = threading.Event()
        self._request_lock, self._answer_lock = threading.Lock(), threading.Lock()
        self._server = _Server(("127.0.0.1", self.port), type("Handler", (_Handler,), {"stub": self}))
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Refuse connections from here on."""
        self._released.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def repeated_roles(self) -> set[str]:
        """Return the roles whose questions were answered more than once."""
        counts = Counter(
            (request.role, self.protocol.prompt(request.body)) for request in self.requests if request.fault is None
        )
        return {role for (role, _), times in counts.items() if times > 1}

    def record(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Request:
        match = ROLE.search(self.protocol.prompt(body))
        with self._request_lock:
            role = match.group(1) if match else ""
            request = Request(path, headers, body, role, self.refuse(body) or self.fault(role))
            self.requests.append(request)
        return request

    def reply(self, request: Request) -> dict[str, Any]:
        prompt = self.protocol.prompt(request.body)
        if isinstance(request.fault, str) and request.fault in self.protocol.ends:
            return self.protocol.ends[request.fault](prompt)
        if request.fault == "malformed":
            return self.protocol.normal(MALFORMED, request.body)
        with self._answer_lock:
            try:
                return self.protocol.normal(self.answer(request.role, prompt), request.body)
            except Exception as error:
                self.errors.append(error)
                raise

    def wait(self) -> None:
        """Keep a client waiting until the server stops."""
        self._released.wait(60)


class Loopback(ABC):
    """Serves on a free port of this machine from the beginning of a `with` block to its end."""

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), type("Handler", (self.handler(),), {"stub": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @abstractmethod
    def handler(self) -> type[BaseHTTPRequestHandler]:
        """Return the class that answers requests, which has this server as `stub`."""


class LocalServer(Loopback):
    """Answers requests that post JSON."""

    def handler(self) -> type[BaseHTTPRequestHandler]:
        return _PostHandler

    @abstractmethod
    def post(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> tuple[int, object]:
        """Return the status and the JSON of the answer to a request."""


class _PostHandler(BaseHTTPRequestHandler):
    stub: LocalServer

    def do_POST(self) -> None:
        status, answer = self.stub.post(self, json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    """Connections that wait to be accepted; beyond the default of 5, a client tries again only after a second."""
    allow_reuse_address = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Print nothing: tests make clients disconnect."""


class _Handler(BaseHTTPRequestHandler):
    stub: StubServer
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if page := self.stub.protocol.pages.get(self.path):
            self.close_connection = True
            self._send(200, json.dumps(page).encode())
            return
        request = self.stub.record(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
        fault = request.fault
        self.close_connection = True
        if fault == "timeout":
            self.stub.wait()
        elif fault == "dropped":
            self.connection.close()
        elif fault == "cut_body":
            self._send(200, b'{"candidates": [', declared_length=5000)
        elif fault == "garbage":
            self._send(200, b"<html>maintenance</html>")
        elif isinstance(fault, ErrorReply):
            self._send(fault.status, json.dumps(fault.body).encode(), fault.headers)
        elif fault in STATUS:
            status = STATUS[fault]
            error = self.stub.protocol.error(status, f"{fault.replace('_', ' ')}, key {self._key()}")
            headers = {"Retry-After": self.stub.retry_after} if status == 429 else {}
            self._send(status, json.dumps(error).encode(), headers)
        else:
            self._send(200, json.dumps(self.stub.reply(request)).encode())

    def _key(self) -> str:
        """Return the key of the request, which some providers repeat in their errors."""
        keys = (self.headers.get(name) for name in ("x-goog-api-key", "x-api-key", "authorization"))
        return next((key.removeprefix("Bearer ") for key in keys if key), "none")

    def _send(
        self, status: int, body: bytes, headers: Mapping[str, str] | None = None, declared_length: int = 0
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(declared_length or len(body)))
        self.send_header("Connection", "close")
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None: ...


class Once:
    """A fault of the first requests of each role, or of some roles."""

    def __init__(self, fault: Fault | ErrorReply, *roles: str, times: int = 1) -> None:
        self.fault = fault
        self.roles = roles
        self.times = times
        self.counts: dict[str, int] = {}

    def __call__(self, role: str) -> Fault | ErrorReply | None:
        if self.roles and role not in self.roles:
            return None
        self.counts[role] = self.counts.get(role, 0) + 1
        return self.fault if self.counts[role] <= self.times else None
