"""Whole runs over HTTP, through the real clients, have the same result as the offline engineer called directly."""

import contextlib
import hashlib
import sqlite3
from pathlib import Path

import pytest

import mlestar
from mlestar.offline.engineer import reply
from mlestar.report import Result
from mlestar.retrieval import CatalogueRetriever, Retriever, TavilyRetriever
from mlestar.retrieval.entries import ENTRIES
from mlestar.runners import Environment, Execution, Job, ScriptedRunner
from tests.integration.stub_gemini import GEMINI, MODEL, NAMES, PAGES
from tests.integration.stub_openai import OPENAI
from tests.integration.stub_server import StubServer
from tests.integration.stub_tavily import StubTavily
from tests.unit.scenario import count_rows, failure, make_task, success, write_submission

RESULTS = tuple(
    {"title": entry.name, "url": f"http://pages.invalid/{number}", "content": f"```python\n{entry.classes}```"}
    for number, entry in enumerate(entry for name in NAMES for entry in ENTRIES if entry.name == name)
)
"""Pages with the content of the catalogue."""
SETTINGS = {
    "profile": "quick",
    "tracks": 2,
    "ensemble_rounds": 1,
    "finalists": 2,
    "fresh_splits": 1,
    "max_hours": 1,
    "model_backoff": 0.01,
}
PACKAGES = dict.fromkeys(("lightgbm", "catboost", "xgboost", "scikit-learn", "scipy", "numpy", "pandas"), "1.0")
SANDBOX = Environment(
    runner="scripted", image="scripted", python="3.11.0", packages=PACKAGES, cpus=1.0, memory_mb=4096, network=False
)


def run_by_hash(job: Job) -> Execution:
    """Let the hash of a script decide its score, so that equal results mean equal scripts. One script in five fails."""
    digest = hashlib.sha256(job.script.encode()).digest()
    if "variants/" in job.script:
        for number, name in enumerate(("baseline", "features", "fewer_rounds")):
            write_submission(job, f"variants/{name}.csv", 0.5 + (digest[number] % 40) / 100)
        return success(tuple(f"variants/{name}.csv" for name in ("baseline", "features", "fewer_rounds")))
    if digest[0] % 5 == 0:
        return failure("unlucky")
    write_submission(job, "submission.csv", 0.5 + (digest[1] % 50) / 100)
    return success(("submission.csv",), "Final Validation Performance: 0.5\n")


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return count_rows(make_task(tmp_path_factory.mktemp("task") / "signs"))


def solve(task: Path, runs: Path, retrieval: Retriever | None = None, **settings: object) -> Result:
    all_settings = {**SETTINGS, "runs_dir": runs, **settings}
    return mlestar.solve(
        task, settings=all_settings, run_id="run", runner=ScriptedRunner(run_by_hash, SANDBOX), retrieval=retrieval
    )


def answer(role: str, prompt: str) -> str:
    """Answer like the offline engineer; the stub itself answers a model that searches."""
    return "" if role == "web_retriever" else reply(prompt)


def comparable(result: Result) -> tuple[object, ...]:
    """Return the parts of a result that must not depend on how the answers were transported."""
    rows = [(row.id, row.title, row.status, row.score, _hash(result, row.script)) for row in result.solutions]
    return result.status, result.winner, result.score, rows, _hash(result, "solution.py"), _count_executions(result)


def _count_executions(result: Result) -> int:
    """Count the executions without exports: which candidate is exported first depends on chance."""
    with contextlib.closing(sqlite3.connect(Path(result.folder) / "ledger.sqlite")) as ledger:
        count = "SELECT count(*) FROM entries WHERE kind = 'execution' AND label NOT LIKE '%-export'"
        return int(ledger.execute(count).fetchone()[0])


def _hash(result: Result, script: str | None) -> str:
    return hashlib.sha256((Path(result.folder) / script).read_bytes()).hexdigest() if script else ""


@pytest.fixture(scope="module")
def direct(task: Path, tmp_path_factory: pytest.TempPathFactory) -> Result:
    return solve(task, tmp_path_factory.mktemp("direct"), model="offline", retrieval=CatalogueRetriever())


def test_the_direct_run_goes_through_every_stage(direct: Result) -> None:
    assert direct.status == "solved"
    assert {row.origin for row in direct.solutions} >= {"candidate", "merge", "refinement", "ensemble"}
    assert any(row.status != "ok" for row in direct.solutions) or direct.spend.executions > 10
    assert (direct.spend.usd, direct.model) == (0.0, "offline")


def test_gemini_with_grounding_gives_the_same_result(
    task: Path,
    direct: Result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "not-a-key-but-a-secret")
    with StubServer(GEMINI, answer) as stub:
        result = solve(task, tmp_path / "runs", model=MODEL, base_url=stub.url)
    assert comparable(result) == comparable(direct)
    assert stub.requests[0].headers["x-goog-api-key"] == "not-a-key-but-a-secret"
    grounded = [request for request in stub.requests if request.body.get("tools") == [{"googleSearch": {}}]]
    assert [request.role for request in grounded] == ["web_retriever"]
    assert {source.address for source in result.sources} == {uri for uri, _ in PAGES}
    assert any(source.cards for source in result.sources)
    check_spend(result, stub, grounded=1)


def test_an_openai_compatible_server_with_tavily_gives_the_same_result(
    task: Path,
    direct: Result,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "not-a-key-but-a-secret")
    prices = tmp_path / "prices.toml"
    prices.write_text('["openai:gpt-stub"]\ninput = 1.0\noutput = 2.0\n', encoding="utf-8")
    with StubServer(OPENAI, answer) as stub, StubTavily(RESULTS) as tavily:
        result = solve(
            task,
            tmp_path / "runs",
            retrieval=TavilyRetriever("tvly-secret", base_url=tavily.url),
            model="openai:gpt-stub",
            base_url=f"{stub.url}/v1",
            prices=prices,
        )
    assert comparable(result) == comparable(direct)
    assert stub.requests[0].headers["authorization"] == "Bearer not-a-key-but-a-secret"
    assert {source.address for source in result.sources} == {page["url"] for page in tavily.results}
    assert len(tavily.requests) == 1
    spend = result.spend
    assert spend.usd == pytest.approx((spend.input_tokens + 2 * spend.output_tokens) / 1e6)
    assert spend.cached_tokens == 2 * spend.model_calls
    check_secrets(result)


def check_spend(result: Result, stub: StubServer, *, grounded: int) -> None:
    """Check that every request was counted once, with cached and reasoning tokens, at Gemini's price."""
    spend = result.spend
    assert spend.model_calls == len(stub.requests)
    assert (spend.cached_tokens, spend.reasoning_tokens) == (3 * spend.model_calls, 7 * spend.model_calls)
    uncached = spend.input_tokens - spend.cached_tokens
    usd = (1.25 * uncached + 0.125 * spend.cached_tokens + 10 * spend.output_tokens) / 1e6
    assert spend.usd == pytest.approx(usd + 0.035 * grounded)
    check_secrets(result)


def check_secrets(result: Result) -> None:
    """Check that no file of the run contains a key."""
    for path in Path(result.folder).rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert b"but-a-secret" not in data, path
            assert b"tvly-secret" not in data, path
