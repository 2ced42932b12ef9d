"""A provider's address answers with a redirect to another host, which then receives the key and the prompt.

Outcome: succeeded; prevented since. Google's client repeated its key, Ollama's the prompt; neither follows any more.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from langchain_core.messages import HumanMessage

from mlestar.errors import ModelError
from mlestar.llm import RetryPolicy, Transport, choose_models
from mlestar.llm.transport import BrokenOffError
from mlestar.settings import Settings

KEY = "AIza-attempt-0123456789"


class Thief(ThreadingHTTPServer):
    """Keeps what it is sent."""

    daemon_threads = True
    target = ""
    """Where requests are redirected to; empty to keep them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.received: list[str] = []


class _Handler(BaseHTTPRequestHandler):
    server: Thief

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        self.server.received.append(f"{self.headers}\n{body}")
        self.send_response(307 if self.server.target else 400)
        if self.server.target:
            self.send_header("Location", self.server.target)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@contextmanager
def serving() -> Iterator[Thief]:
    server = Thief()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


async def received_elsewhere(model: str) -> list[str]:
    """Return what another host receives of a request to a model whose address redirects there."""
    with serving() as other, serving() as provider:
        provider.target = f"http://localhost:{other.server_port}/elsewhere"
        settings = Settings.resolve({"model": model, "base_url": f"http://127.0.0.1:{provider.server_port}"})
        chosen = choose_models(settings).of("planner")
        with pytest.raises((ModelError, BrokenOffError)):
            await Transport(RetryPolicy(attempts=1)).ask("planner", chosen, [HumanMessage("a secret prompt")])
        assert provider.received
        return other.received


@pytest.mark.parametrize("model", ["google_genai:gemini-2.5-pro", "ollama:llama"])
async def test_nothing_is_sent_to_another_host(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", KEY)
    assert await received_elsewhere(model) == []
