"""A local server that speaks the Gemini API and counts its requests."""

import hashlib
import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from mlestar.llm.scripted import ROLE


class Provider:
    """Answers `answer(role, prompt)` after `seconds`; the same prompt always gets the same answer.

    `prompts` has the sha256 of every prompt in the order of arrival. `dead` refuses every request.
    """

    def __init__(self, answer: Callable[[str, str], str], seconds: float = 0.0) -> None:
        self.answer = answer
        self._seconds = seconds
        self._answers: dict[str, str] = {}
        self._lock = threading.Lock()
        self.prompts: list[str] = []
        self.dead = False
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, reply = provider.reply(request["contents"][-1]["parts"][0]["text"])
                body = json.dumps(reply).encode()
                try:
                    self.send_response(status)
                    self.send_header("Content-Type", "application/json")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                except OSError:  # the client has disconnected
                    return

            def log_message(self, format: str, *args: object) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> "Provider":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def reply(self, prompt: str) -> tuple[int, dict[str, Any]]:
        sha = hashlib.sha256(prompt.encode()).hexdigest()
        with self._lock:
            self.prompts.append(sha)
            if self.dead:
                return 400, {"error": {"code": 400, "message": "the account is closed", "status": "INVALID_ARGUMENT"}}
            if sha not in self._answers:
                role = ROLE.search(prompt)
                self._answers[sha] = self.answer(role.group(1) if role else "", prompt)
        time.sleep(self._seconds)
        text = self._answers[sha]
        read, written = len(prompt) // 4, len(text) // 4
        usage = {"promptTokenCount": read, "candidatesTokenCount": written, "totalTokenCount": read + written}
        content = {"role": "model", "parts": [{"text": text}]}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        return 200, {"candidates": [candidate], "usageMetadata": usage, "modelVersion": "gemini-2.5-pro"}
