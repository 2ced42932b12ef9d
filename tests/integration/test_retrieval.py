"""Retrievers through their real clients, against local servers, alone and together."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pytest
from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from langchain_core.tools import tool

import mlestar
from mlestar.errors import SettingsError
from mlestar.llm import Caller, Prices, RetryPolicy, Transport, choose_models
from mlestar.prompts import Prompts
from mlestar.report import Result
from mlestar.retrieval import (
    CatalogueRetriever,
    Exclusion,
    GoogleRetriever,
    Retrieval,
    Retriever,
    TavilyRetriever,
    ToolRetriever,
    choose_retrieval,
)
from mlestar.retrieval.grounding import GroundedReply
from mlestar.settings import RetrievalSettings, Settings
from mlestar.state import Brief, Citation, ModelCard
from mlestar.store import Blobs, Ledger
from tests.integration.stub_gemini import GEMINI, MODEL, NAMES, PAGES
from tests.integration.stub_server import Fault, StubServer
from tests.integration.stub_tavily import RESULTS, StubTavily
from tests.unit.scenario import Scenario, by_card, cards, count_rows, fence, make_task, script

TAVILY = "TAVILY_API_KEY"
GoogleStub = tuple[GoogleRetriever, StubServer]
"""A retriever, and the stub that it asks."""


@pytest.fixture
def tavily() -> Iterator[StubTavily]:
    with StubTavily() as stub:
        yield stub


@pytest.fixture
def google(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleStub]:
    """Yield the retriever of a Gemini model behind a stub, and the stub."""
    monkeypatch.setenv("GOOGLE_API_KEY", "k")
    with StubServer(GEMINI, lambda role, prompt: "") as stub:
        ledger = Ledger(tmp_path / "ledger.sqlite")
        models = choose_models(Settings(model=MODEL, base_url=stub.url))
        transport = Transport(RetryPolicy(attempt_seconds=20, attempts=2, backoff_seconds=0.01))
        caller = Caller(models, ledger, Blobs(tmp_path / "blobs"), transport=transport, prices=Prices())
        yield GoogleRetriever(caller.ground, Prompts()), stub
        ledger.close()


@tool
def papers(query: str) -> str:
    """Find papers."""
    return json.dumps([{"title": "Trees", "summary": "They win.", "entry_id": "http://papers.invalid/1"}])


@tool
def broken(query: str) -> str:
    """Find nothing."""
    msg = "the index is gone"
    raise OSError(msg)


class Notes(BaseRetriever):
    def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
        return [Document("Use a forest.", metadata={"title": "Notes", "source": "notes.md"})]


def names(results: Iterable[ModelCard]) -> list[str]:
    return [card.name for card in results]


async def test_results_of_tavily_keep_their_page(tavily: StubTavily, brief: Brief) -> None:
    results = await TavilyRetriever("tvly-x", base_url=tavily.url).find(brief, 2)
    assert [(card.name, card.citations[0].address) for card in results] == [
        (result["title"], result["url"]) for result in RESULTS
    ]
    assert (tavily.requests[0]["path"], tavily.requests[0]["key"]) == ("/search", "Bearer tvly-x")
    assert "log loss" in tavily.requests[0]["query"]
    assert brief.spec.name not in tavily.requests[0]["query"]


async def test_tavily_leaves_out_excluded_domains(tavily: StubTavily, brief: Brief) -> None:
    retriever = TavilyRetriever("x", base_url=tavily.url, exclude_domains=["kaggle.com", "github.com/x"])
    await retriever.find(brief, 2)
    assert tavily.requests[0]["exclude_domains"] == ["kaggle.com"]


async def test_a_grounded_answer_becomes_results_that_cite_the_pages_behind_them(
    google: GoogleStub, brief: Brief
) -> None:
    retriever, stub = google
    results = await retriever.find(brief, 2)
    assert names(results) == list(NAMES)
    assert [card.citations for card in results] == [(Citation(address=uri, title=title),) for uri, title in PAGES]
    assert "import lightgbm" in results[0].example_code
    assert stub.requests[0].body["tools"] == [{"googleSearch": {}}]


@pytest.mark.parametrize("status", [401, 429, 500])
async def test_a_failing_retriever_is_reported_and_skipped(tavily: StubTavily, brief: Brief, status: int) -> None:
    tavily.status = status
    lines: list[str] = []
    retrieval = Retrieval([[TavilyRetriever("x", base_url=tavily.url)], [CatalogueRetriever()]])
    findings = await retrieval.gather(brief, 2, lines.append)
    assert {card.source for card in findings.cards} == {"built-in catalogue"}
    assert lines == list(findings.failures)
    assert lines[0].startswith("retrieval tavily failed: ")


@pytest.mark.parametrize("fault", ["bad_request", "unavailable", "blocked", "no_candidates", "dropped"])
async def test_failed_grounding_is_skipped(google: GoogleStub, brief: Brief, fault: Fault) -> None:
    retriever, stub = google
    stub.fault = lambda role: fault
    findings = await Retrieval([[retriever], [CatalogueRetriever()]]).gather(brief, 2)
    assert {card.found_by for card in findings.cards} == {"catalogue"}
    assert len(findings.failures) == 1


async def test_several_retrievers_are_asked_at_once_and_their_results_interleaved(
    tavily: StubTavily,
    google: GoogleStub,
    brief: Brief,
) -> None:
    retrieval = Retrieval(
        [[TavilyRetriever("x", base_url=tavily.url), google[0], ToolRetriever(papers), ToolRetriever(broken)]]
    )
    findings = await retrieval.gather(brief, 2)
    assert names(findings.cards)[:4] == ["Boosting wins", NAMES[0], "Trees", "Straight lines"]
    assert [card.found_by for card in findings.cards][:3] == ["tavily", "google", "papers"]
    assert findings.failures == ("retrieval broken failed: OSError: the index is gone",)


async def test_a_langchain_tool_and_retriever_are_retrievers(brief: Brief) -> None:
    results = await choose_retrieval(RetrievalSettings(), [papers, Notes()]).find(brief, 2)
    assert [(card.name, card.description, card.source) for card in results] == [
        ("Trees", "They win.", "http://papers.invalid/1"),
        ("Notes", "Use a forest.", "notes.md"),
    ]


async def test_a_tool_can_be_named(brief: Brief) -> None:
    name = f"{__name__}:papers"
    retrieval = choose_retrieval(RetrievalSettings(sources=(name, "catalogue")))
    assert retrieval.title == "papers and catalogue"
    assert names(await retrieval.find(brief, 2))[0] == "Trees"


async def ground(role: str, prompt: str) -> GroundedReply:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("key", "gemini", "configured", "title"),
    [
        (False, False, "auto", "catalogue"),
        (True, False, "auto", "tavily, else catalogue"),
        (False, True, "auto", "google, else catalogue"),
        (True, True, "auto", "google, else tavily, else catalogue"),
        (True, True, "catalogue", "catalogue"),
        (True, True, "tavily", "tavily, else catalogue"),
        (True, True, "google,tavily", "google and tavily, else catalogue"),
        (True, True, "none", "none"),
    ],
)
def test_settings_take_precedence_over_grounding_tavily_and_the_catalogue(
    monkeypatch: pytest.MonkeyPatch,
    key: bool,
    gemini: bool,
    configured: str,
    title: str,
) -> None:
    monkeypatch.setenv(TAVILY, "x" if key else "")
    settings = Settings(retrieval=configured).retrieval
    assert choose_retrieval(settings, ground=ground if gemini else None).title == title


@pytest.mark.parametrize(
    ("configured", "message"),
    [
        ("tavily", "set TAVILY_API_KEY"),
        ("google", "needs a Gemini model"),
        ("bing", "write google, tavily, catalogue"),
        ("nowhere.at_all:Tool", "cannot be made"),
        ("langchain_community.tools:Nothing", "pip install langchain-community"),
        ("json:JSONDecoder", "name a LangChain tool or retriever"),
    ],
)
def test_a_retriever_that_cannot_be_made_is_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch,
    configured: str,
    message: str,
) -> None:
    monkeypatch.delenv(TAVILY, raising=False)
    with pytest.raises(SettingsError, match=message) as raised:
        choose_retrieval(Settings(retrieval=configured).retrieval)
    assert "\n" not in str(raised.value)


class ListRetriever:
    """A retriever that returns fixed results, or fails."""

    name = "list"

    def __init__(self, *results: ModelCard, error: Exception | None = None) -> None:
        self.results, self.error, self.calls = results, error, 0

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        self.calls += 1
        if self.error:
            raise self.error
        return self.results


async def test_results_are_cleaned_and_shortened_without_fields_that_only_a_person_may_set(brief: Brief) -> None:
    dirty = ModelCard(
        name="A\x00\u202eB" * 500, description="x\x1b[31m" * 9000, by_person=True, problem="p", found_by="me"
    )
    card = (await Retrieval([[ListRetriever(dirty)]]).gather(brief, 1)).cards[0]
    assert len(card.name) < 300
    assert len(card.description) < 3100
    assert not {"\x00", "\u202e", "\x1b"} & set(card.name + card.description)
    assert (card.by_person, card.problem, card.found_by) == (False, "", "list")


KEY = "tvly-a-secret-key-of-tavily"


async def test_failures_and_dropped_results_are_logged_without_keys_and_queries(
    brief: Brief,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG", logger="mlestar.retrieval")
    failing = ListRetriever(error=ConnectionError(f"key {KEY} refused by http://api.invalid/v1?q=a-long-query"))
    excluded = ModelCard(name="A", source="http://kaggle.com/code/a?q=b")
    retrieval = Retrieval([[failing, ListRetriever(excluded)]], Exclusion(domains=["kaggle.com"]))
    findings = await retrieval.gather(brief, 1)
    assert findings.failures == (
        "retrieval list failed: ConnectionError: key [masked] refused by http://api.invalid/v1?[masked]",
    )
    assert findings.failures[0] in caplog.messages
    assert "dropped http://kaggle.com/code/a from list: kaggle.com is excluded" in caplog.messages
    assert not [text for text in (KEY, "a-long-query", "q=b") if text in caplog.text]


COMPETITION = "http://www.kaggle.com/competitions/signs/discussion/1"


async def run(folder: Path, retriever: Retriever, **settings: object) -> tuple[Scenario, Result]:
    task = folder / "signs"
    if not task.exists():
        count_rows(make_task(task, rows=120))
    scenario = Scenario(
        retriever=cards("A", "B"), initializer=by_card(A=fence(script(0.6, "A")), B=fence(script(0.7, "B")))
    )
    values = {"runs_dir": folder / "runs", "profile": "quick", "outer_steps": 0, "fresh_splits": 0, **settings}
    result = await mlestar.asolve(
        task, settings=values, run_id="run", model=scenario.model(), runner=scenario.runner(), retrieval=retriever
    )
    return scenario, result


async def test_a_run_reports_every_source_and_drops_the_competitions_own_pages(tmp_path: Path) -> None:
    retriever = ListRetriever(
        ModelCard(name="A", description="good", source="http://pages.invalid/a"),
        ModelCard(name="Winning solution", description="the answer", source=COMPETITION),
        ModelCard(name="C", description="spoiled", source="http://pages.invalid/c"),
    )
    scenario, result = await run(tmp_path, retriever, retrieval={"exclude_terms": ["spoil"]})
    prompt = scenario.prompts["retriever"][0]
    assert "http://pages.invalid/a" in prompt
    assert "kaggle.com" not in prompt
    assert "the answer" not in prompt
    assert "spoiled" not in prompt
    sources = {source.address: (source.cards, source.dropped) for source in result.sources}
    assert sources == {
        "http://pages.invalid/a": (("A",), ""),
        COMPETITION: ((), "a page of the competition that the task is named after"),
        "http://pages.invalid/c": ((), "it contains 'spoil'"),
    }
    report = (tmp_path / "runs/run/report.html").read_text(encoding="utf-8")
    assert all(address in report for address in sources)
    assert "2 dropped" in report


async def test_every_track_uses_the_same_retrieval(tmp_path: Path) -> None:
    retriever = ListRetriever(ModelCard(name="A", source="http://pages.invalid/a"))
    _, result = await run(tmp_path, retriever, tracks=2)
    assert (retriever.calls, result.spend.retrievals, result.status) == (1, 1, "solved")


async def test_a_retrieval_that_failed_is_repeated_by_the_next_track(tmp_path: Path) -> None:
    retriever = ListRetriever(error=ConnectionError("no list"))
    _, result = await run(tmp_path, retriever, tracks=2)
    assert (retriever.calls, result.spend.retrievals, result.status) == (2, 0, "solved")
    assert {source.found_by for source in result.sources} == {"catalogue"}


REDIRECT = "https://vertexaisearch.cloud.google.com/grounding-api-redirect/abc"


def page(address: str, title: str = "") -> ModelCard:
    return ModelCard(name="x", citations=(Citation(address=address, title=title),))


@pytest.mark.parametrize(
    ("names", "card", "dropped"),
    [
        (["spaceship-titanic"], page("https://www.kaggle.com/competitions/spaceship-titanic/overview"), True),
        (["titanic"], page("https://kaggle.com/c/titanic"), True),
        (["titanic-2024"], page("https://kaggle.com/c/titanic/discussion/5"), True),
        (["titanic"], page("https://www.kaggle.com/code/someone/titanic-top-4"), True),
        (["titanic"], page("https://www.kaggle.com/code/someone/lightgbm-guide"), False),
        (["titanic"], page("https://en.wikipedia.org/wiki/Titanic"), False),
        (["Spaceship Titanic"], page("https://github.com/someone/spaceship-titanic-solution"), True),
        (["spaceship-titanic"], page("https://blog.invalid/1", "Spaceship Titanic: my solution"), True),
        (["titanic"], page(REDIRECT, "kaggle.com"), True),
        (["titanic"], page(REDIRECT, "arxiv.org"), False),
        (["task"], page("https://www.kaggle.com/datasets/x/task-data"), False),
        (["my-data"], page("https://www.kaggle.com/code/x/my-data"), False),
        ([], page("https://kaggle.com/c/titanic"), False),
        (["linear-model"], ModelCard(name="Linear model on splines", source="built-in catalogue"), False),
    ],
)
def test_a_competitions_own_pages_are_recognized(names: list[str], card: ModelCard, dropped: bool) -> None:
    assert bool(Exclusion(names=names).reason(card)) == dropped


@pytest.mark.parametrize(
    ("domain", "address", "dropped"),
    [
        ("kaggle.com", "https://www.kaggle.com/anything", True),
        ("https://kaggle.com/", "http://kaggle.com:80/x", True),
        ("kaggle.com", "https://notkaggle.com/x", False),
        ("kaggle.com/code", "https://kaggle.com/code/a/b", True),
        ("kaggle.com/code", "https://kaggle.com/codex", False),
        ("kaggle.com", "https://user:pass@kaggle.com/x", True),
    ],
)
def test_a_domain_is_excluded_with_its_subdomains_and_paths(domain: str, address: str, dropped: bool) -> None:
    assert bool(Exclusion(domains=[domain]).reason(page(address))) == dropped
