"""Tavily through its real client, against a local server that speaks its protocol."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from mlestar.search import CatalogueSearch, TavilySearch
from mlestar.search.sources import FallbackSearch


class Tavily(BaseHTTPRequestHandler):
    status = 200
    asked: list[dict]

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        type(self).asked.append({"path": self.path, "key": self.headers["Authorization"], **body})
        hits = [{"title": "Boosting wins", "url": "http://example.invalid/a", "content": "Use LightGBM."}]
        answer = json.dumps({"query": body["query"], "results": hits}).encode()
        self.send_response(type(self).status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Tavily,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}", handler
        running.shutdown()
        thread.join()


async def test_hits_become_cards_with_their_source(server, brief):
    address, handler = server
    cards = await TavilySearch("tvly-x", base_url=address).find(brief, 2)
    assert [(card.name, card.source) for card in cards] == [("Boosting wins", "http://example.invalid/a")]
    assert (handler.asked[0]["path"], handler.asked[0]["key"]) == ("/search", "Bearer tvly-x")
    assert "log_loss" in handler.asked[0]["query"]


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_failing_search_never_ends_a_run(server, brief, status):
    address, handler = server
    handler.status = status
    source = FallbackSearch(TavilySearch("tvly-x", base_url=address), CatalogueSearch())
    assert {card.source for card in await source.find(brief, 2)} == {"built-in catalogue"}
