"""A local server that answers like Tavily."""

from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.integration.stub_server import LocalServer

RESULTS: tuple[dict[str, Any], ...] = (
    {"title": "Boosting wins", "url": "http://pages.invalid/boosting", "content": "Use LightGBM."},
    {"title": "Straight lines", "url": "http://pages.invalid/lines", "content": "Use a linear model."},
)


class StubTavily(LocalServer):
    """Answers every query with the same results, or with the status of an error."""

    def __init__(self, results: tuple[dict[str, Any], ...] = RESULTS, status: int = 200) -> None:
        self.results = results
        self.status = status
        self.requests: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return self.address

    def post(self, request: BaseHTTPRequestHandler, body: dict[str, Any]) -> tuple[int, object]:
        self.requests.append({"path": request.path, "key": request.headers["Authorization"], **body})
        return self.status, {"query": body["query"], "results": self.results}
