"""A local server that answers like Tavily."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

RESULTS: tuple[dict[str, Any], ...] = (
    {"title": "Boosting wins", "url": "http://pages.invalid/boosting", "content": "Use LightGBM."},
    {"title": "Straight lines", "url": "http://pages.invalid/lines", "content": "Use a linear model."},
)


class StubTavily:
    """Answers every query with the same results, or with the status of an error."""

    def __init__(self, results: tuple[dict[str, Any], ...] = RESULTS, status: int = 200) -> None:
        self.results = results
        self.status = status
        self.requests: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"stub": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"


class _Handler(BaseHTTPRequestHandler):
    stub: StubTavily

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.stub.requests.append({"path": self.path, "key": self.headers["Authorization"], **body})
        answer = json.dumps({"query": body["query"], "results": self.stub.results}).encode()
        self.send_response(self.stub.status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None: ...
