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
        base_url: another address of the service.
        seconds: time limit of a call.
        exclude_domains: that the service leaves out of its results.
    """

    name = "tavily"

    def __init__(
        self, api_key: str, *, base_url: str | None = None, seconds: float = 20, exclude_domains: Sequence[str] = ()
    ) -> None:
        self._client = AsyncTavilyClient(api_key=api_key, api_base_url=base_url)
        self._seconds = seconds
        # The service knows no paths; `Exclusion` drops those.
        self._exclude = [domain.rstrip("/") for domain in exclude_domains if "/" not in domain.rstrip("/")]

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        answer = await self._client.search(
            query_for(brief), max_results=2 * count, timeout=self._seconds, exclude_domains=self._exclude or None
        )
        return [_card(result) for result in answer.get("results", []) if isinstance(result, dict)]


def _card(result: dict[str, object]) -> ModelCard:
    title, address = str(result.get("title") or ""), str(result.get("url") or "")
    text = str(result.get("content") or "")
    return ModelCard(
        name=title,
        description=text,
        example_code="\n".join(fenced(text, {"python", "py"})),
        source=address,
        citations=(Citation(address=address, title=title),) if address else (),
    )
