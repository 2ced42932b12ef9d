"""Output limits and budgets over HTTP, through the real client: limits that a refusal names, caps, `doctor --model`."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mlestar
from mlestar.cli import app
from mlestar.errors import ModelError
from mlestar.llm import Caller, Prices, RetryPolicy, Transport, choose_models
from mlestar.report import Result
from mlestar.settings import Settings
from mlestar.store import Blobs, Ledger
from tests.integration.stub_writer import Writer
from tests.unit.scenario import Reply, Scenario, cards, fence, script, signs

TOO_LARGE = (
    "max_tokens is too large: {limit}. This model supports at most 4096 completion tokens, whereas you provided "
    "{limit}."
)
"""https://github.com/ChatGPTNextWeb/NextChat/issues/3195"""
WINDOW = (
    "'max_tokens' or 'max_completion_tokens' is too large: {limit}. This model's maximum context length is      33000 "
    "tokens and your request has 1000 input tokens ({limit} > 33000 - 1000)."
)
"""https://github.com/claude-code-best/claude-code/issues/272"""
OVERFLOW = (
    "This model's maximum context length is 33000 tokens. However, you requested {total} tokens (1000 in the messages, "
    "{limit} in the completion). Please reduce the length of the messages or completion."
)
"""https://github.com/ChatGPTNextWeb/NextChat/issues/3195; its code is context_length_exceeded"""
PROMPT = "<role>planner</role> What next?"


def answer(role: str, prompt: str) -> str:
    return "a plan"


def refuse_above(limit: int, message: str) -> Callable[[int], str]:
    return lambda asked: message.format(limit=asked, total=asked + 1000) if asked > limit else ""


def make_caller(folder: Path, url: str, name: str = "openai:local", **settings: object) -> Caller:
    resolved = Settings.resolve({"model": name, "base_url": url, **settings})
    policy = RetryPolicy(attempt_seconds=20, attempts=2, backoff_seconds=0.01)
    ledger, blobs = Ledger(folder / "ledger.sqlite"), Blobs(folder / "blobs")
    longest = resolved.max_output_tokens
    return Caller(
        choose_models(resolved), ledger, blobs, transport=Transport(policy), prices=Prices(), max_output_tokens=longest
    )


@pytest.mark.parametrize(
    ("name", "limit"),
    [
        ("openai:gpt-4o", 16_384),
        ("openai:gpt-4o-mini", 16_384),
        ("openai:gpt-5.1", 32_768),
        ("openai:local", 32_768),
    ],
)
async def test_no_more_is_requested_than_the_model_allows(tmp_path: Path, name: str, limit: int) -> None:
    with Writer(answer) as writer:
        await make_caller(tmp_path, writer.url, name).call("planner", PROMPT, (0, 0))
    assert writer.limits == [limit]


async def test_the_setting_is_an_upper_bound(tmp_path: Path) -> None:
    with Writer(answer) as writer:
        caller = make_caller(tmp_path, writer.url, "openai:gpt-4o", max_output_tokens=1000)
        await caller.call("planner", PROMPT, (0, 0))
    assert writer.limits == [1000]


async def test_a_limit_that_a_refusal_names_is_obeyed_and_remembered_for_the_run(tmp_path: Path) -> None:
    with Writer(answer, refusal=refuse_above(4096, TOO_LARGE)) as writer:
        caller = make_caller(tmp_path, writer.url)
        replies = [await caller.call(role, PROMPT, (0, 0)) for role in ("planner", "coder")]
    assert [reply.problem for reply in replies] == ["", ""]
    assert writer.limits == [32_768, 4096, 4096]


@pytest.mark.parametrize(("message", "code"), [(WINDOW, ""), (OVERFLOW, "context_length_exceeded")])
async def test_a_window_that_a_refusal_names_leaves_room_for_the_prompt(
    tmp_path: Path, message: str, code: str
) -> None:
    prompt = f"{PROMPT}\n<files>\n{'a file, ' * 500}\n</files>"
    with Writer(answer, refusal=refuse_above(32_000, message), code=code) as writer:
        caller = make_caller(tmp_path, writer.url)
        reply = await caller.call("planner", prompt, (0, 0))
        await caller.call("planner", prompt + "x" * 6000, (0, 0))
    assert reply.problem == ""
    first, second, third = writer.limits
    assert first == 32_768
    assert 31_900 < second <= 32_000
    assert 29_000 < third < 30_000  # 10,400 bytes are about 3,500 tokens
    assert str(writer.requests[1]["messages"][-1]["content"]) == prompt


MINUTE = (
    "Request too large for model `llama-3.3-70b-versatile` in organization `org_****` service tier `on_demand` on "
    "tokens per minute (TPM): Limit 12000, Requested {total}, please reduce your message size and try again."
)
"""https://github.com/ITSpecialist111/ai_automation_suggester/issues/61"""
CREDITS = (
    "This request requires more credits, or fewer max_tokens. You requested up to {limit} tokens, but can only afford "
    "27342. To increase, visit https://openrouter.ai/settings/credits and upgrade to a paid account"
)
"""https://github.com/Gitlawb/openclaude/issues/1125"""


async def test_a_reply_is_asked_for_that_the_limit_per_minute_leaves(tmp_path: Path) -> None:
    prompt = f"{PROMPT}\n<files>\n{'a file, ' * 500}\n</files>"
    with Writer(answer, refusal=refuse_above(11_000, MINUTE)) as writer:
        caller = make_caller(tmp_path, writer.url)
        reply = await caller.call("planner", prompt, (0, 0))
        await caller.call("planner", prompt + "x", (0, 0))
    assert reply.problem == ""
    first, second, third = writer.limits
    assert first == 32_768
    assert 10_900 < second <= 11_000
    assert 10_000 < third <= 11_000
    assert str(writer.requests[1]["messages"][-1]["content"]) == prompt


async def test_a_reply_is_asked_for_that_the_credits_pay_for(tmp_path: Path) -> None:
    with Writer(answer, refusal=refuse_above(27_342, CREDITS)) as writer:
        caller = make_caller(tmp_path, writer.url)
        reply = await caller.call("planner", PROMPT, (0, 0))
        await caller.call("planner", f"{PROMPT} Then?", (0, 0))
    assert reply.problem == ""
    assert writer.limits == [32_768, 27_342, 27_342]


async def test_a_refusal_that_names_no_limit_stops_the_run(tmp_path: Path) -> None:
    refused = pytest.raises(ModelError, match="the request is invalid")
    with Writer(answer, refusal=lambda limit: "unknown field") as writer, refused:
        await make_caller(tmp_path, writer.url).call("planner", PROMPT, (0, 0))
    assert len(writer.requests) == 1


PRICES = '["openai:*"]\ninput = 1.25\noutput = 10.0\noutput_limit = 32768\nwindow = 1000000\n'
"""Eight worst cases are eight times $0.33."""
EIGHT = {
    "retrieval": "none",
    "tracks": 2,
    "retrieved_models": 4,
    "outer_steps": 1,
    "inner_plans": 2,
    "ensemble_rounds": 1,
    "finalists": 2,
    "fresh_splits": 1,
    "parallel": 4,
    "resamples": 40,
    "max_usd": 1.0,
    "model": "openai:local",
}
"""Eight candidates are written at once."""
USUAL = {"initializer": 3000, "merger": 3500, "ablator": 2500, "coder": 1200, "ensembler": 4000}
"""Tokens of replies with thinking; other roles write 400."""
SCENARIO: dict[str, Reply] = {
    "retriever": cards("A", "B", "C", "D"),
    "initializer": [fence(script(0.6 + n / 50, f"model{n}")) for n in range(4)],
}


async def solve(folder: Path, writer: Writer, scenario: Scenario, **settings: object) -> Result:
    prices = folder / "prices.toml"
    prices.write_text(PRICES, encoding="utf-8")
    with writer:
        more = {"runs_dir": folder / "runs", "prices": prices, "base_url": writer.url}
        return await mlestar.asolve(
            signs(), settings={**EIGHT, **more, **settings}, run_id="run", runner=scenario.runner()
        )


async def test_under_a_cap_of_a_dollar_none_of_eight_candidates_is_refused(tmp_path: Path) -> None:
    scenario = Scenario(SCENARIO)
    writer = Writer(scenario.answer, length=lambda role: USUAL.get(role, 400), seconds=0.05)
    result = await solve(tmp_path, writer, scenario)
    assert scenario.count()["initializer"] == 8
    assert [row for row in result.solutions if row.status == "refused"] == []
    assert result.caps == ()
    assert result.spend.usd is not None
    assert result.spend.usd < 1


@pytest.mark.parametrize(("cap", "complete"), [(0.5, False), (1.0, False), (1.0, True), (3.0, True)])
async def test_a_model_that_always_writes_to_the_limit_never_passes_the_cap(
    tmp_path: Path, cap: float, complete: bool
) -> None:
    scenario = Scenario(SCENARIO)
    writer = Writer(scenario.answer, length=lambda role: float("inf"), complete=complete)
    result = await solve(tmp_path, writer, scenario, max_usd=cap)
    assert result.spend.usd is not None
    assert cap / 2 < result.spend.usd <= cap
    (row,) = result.caps
    assert row.cap == "max_usd"
    assert all("it could cost $" in stopped for stopped in row.stopped)
    assert all(f"of ${cap:.2f} is left for it" in stopped for stopped in row.stopped)


def doctor(url: str, *options: str) -> str:
    command = ["doctor", "--model", "openai:local", "--set", f"base_url={url}", *options]
    return CliRunner().invoke(app, command, env={"COLUMNS": "200"}).output


def test_the_doctor_asks_one_question_and_reports_what_the_answer_shows() -> None:
    writer = Writer(
        lambda role, prompt: '{"sum": 42}', refusal=refuse_above(4096, TOO_LARGE), length=lambda role: 90, thinking=70
    )
    with writer:
        lines = doctor(writer.url)
    assert len(writer.requests) == 2
    assert "answer       ok in" in lines
    assert "output limit ok 4,096 tokens (named by the provider in a refusal)" in lines
    assert "window       -- unknown" in lines
    assert "json         ok as asked" in lines
    assert "thinking     ok 70 of 90 tokens" in lines


def test_the_doctor_reports_an_answer_that_is_not_the_json_that_was_asked_for() -> None:
    with Writer(answer) as writer:
        lines = doctor(writer.url)
    assert "json         -- not as asked: a plan" in lines
    assert "thinking     ok none was counted" in lines


def test_the_doctor_reports_in_one_line_why_a_model_does_not_answer() -> None:
    with Writer(answer, refusal=lambda limit: "no such model") as writer:
        lines = doctor(writer.url)
    (line,) = [line for line in lines.splitlines() if line.strip().startswith("answer")]
    assert "no such model" in line
    assert "output limit" not in lines
