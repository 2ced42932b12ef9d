"""A provider answers 60 KB that unpack to 60 MB, to fill the memory and the disk of a run.

Outcome: succeeds; stated in docs/security.md. Client libraries unpack a reply before anything here sees it.
"""

import gzip
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.integration.test_limits import PROMPT, make_caller

MEGABYTES = 60


class Bomb(BaseHTTPRequestHandler):
    body = b""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None: ...


async def test_a_reply_is_unpacked_whatever_its_size(tmp_path: Path) -> None:
    message = {"role": "assistant", "content": "x" * MEGABYTES * 10**6, "refusal": None}
    usage = {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20}
    choices = [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}]
    completion = {"id": "c", "object": "chat.completion", "created": 1, "model": "m"}
    Bomb.body = gzip.compress(json.dumps({**completion, "choices": choices, "usage": usage}).encode(), 6)
    assert len(Bomb.body) < 10**5
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bomb)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        caller = make_caller(tmp_path, f"http://127.0.0.1:{server.server_port}/v1")
        reply = await caller.call("planner", PROMPT, (0, 0))
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert len(reply.text) == MEGABYTES * 10**6
