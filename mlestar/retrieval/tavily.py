"""Web search by Tavily."""

from collections.abc import Sequence

from tavily import AsyncTavilyClient

from mlestar.agents.script import fenced
from mlestar.retrieval.query import query_for
from mlestar.state import Brief, Citation, ModelCard


class TavilyRetriever:
    """Web search by Tavily.

    Args:
        api_key: of Tavily.
        base_url: address of the service, when it is another.
        seconds: in which it must answer.
        exclude_domains: that the service need not look at.
    """

    name = "tavily"

    def __init__(
        self, api_key: str, *, base_url: str | None = None, seconds: float = 20, exclude_domains: Sequence[str] = ()
    ) -> None:
        self._client = AsyncTavilyClient(api_key=api_key, api_base_url=base_url)
        self._seconds = seconds
        self._exclude = [domain.partition("/")[0] for domain in exclude_domains if "/" not in domain.rstrip("/")]

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        answer = await self._client.search(
            query_for(brief), max_results=2 * count, timeout=self._seconds, exclude_domains=self._exclude or None
        )
        return [_card(hit) for hit in answer.get("results", []) if isinstance(hit, dict)]


def _card(hit: dict[str, object]) -> ModelCard:
    title, address = str(hit.get("title") or ""), str(hit.get("url") or "")
    text = str(hit.get("content") or "")
    return ModelCard(
        name=title,
        description=text,
        example_code="\n".join(fenced(text, {"python", "py"})),
        source=address,
        citations=(Citation(address=address, title=title),) if address else (),
    )
