"""A provider sends one byte of its reply every 50 ms for ever, so that no read of the client ever times out.

Outcome: prevented. The time limit is on the whole request, and every request counts at its worst-case cost.
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mlestar.errors import ModelError
from mlestar.llm import Caller, Prices, RetryPolicy, Transport, choose_models
from mlestar.settings import Settings
from mlestar.store import Blobs, Ledger
from tests.integration.test_limits import PROMPT


class Dripping(BaseHTTPRequestHandler):
    ended = threading.Event()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        try:
            while not self.ended.wait(0.05):
                self.wfile.write(b" ")
                self.wfile.flush()
        except OSError:
            pass

    def log_message(self, *_: object) -> None: ...


@pytest.mark.timeout(60)
async def test_a_reply_that_never_ends_is_given_up(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Dripping)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    settings = Settings.resolve({"model": "openai:local", "base_url": f"http://127.0.0.1:{server.server_port}/v1"})
    policy = RetryPolicy(attempt_seconds=0.5, attempts=2, backoff_seconds=0.01)
    ledger = Ledger(tmp_path / "ledger.sqlite")
    caller = Caller(
        choose_models(settings), ledger, Blobs(tmp_path / "blobs"), transport=Transport(policy), prices=Prices()
    )
    with pytest.raises(ModelError, match="no answer within"):
        await caller.call("planner", PROMPT, (0, 0))
    spend = ledger.spend()
    Dripping.ended.set()
    server.shutdown()
    server.server_close()
    thread.join()
    assert spend.output_tokens >= 2 * 1000
