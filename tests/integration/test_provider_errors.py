"""The fault matrix by provider, through the real clients: what each error that an issue thread quotes does to a call.

The rows are in `provider_errors.py`, `long_prompts.py` and `refused_parameters.py`.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mlestar.errors import ModelError
from mlestar.llm import RetryPolicy
from tests.integration.long_prompts import REPLY_TOO_LONG, TOO_LONG, TOO_MUCH_A_MINUTE
from tests.integration.provider_errors import DELAY, OPENAI, RETRIED, STOPS, WAITS, Row, google_quota, openai_error
from tests.integration.refused_parameters import REFUSALS, Refusal, sends
from tests.integration.stub_gemini import MODEL
from tests.integration.stub_server import ErrorReply, Once
from tests.integration.test_transport import PROMPT, Connection, keys

__all__ = ["keys"]


def row_id(row: Row) -> str:
    """Return a short name of a row: repository and number of its thread."""
    return "/".join(row.source.removeprefix("https://github.com/").replace("issues/", "").split("/"))


def rows(table: tuple[Row, ...]) -> Callable[[Any], Any]:
    return pytest.mark.parametrize("row", table, ids=row_id)


LONG_PROMPT = (
    f"<role>planner</role> <task>{'a row of the task, ' * 2000}</task> <script>{'x = 1; ' * 50}</script> What next?"
)


@rows(WAITS)
async def test_a_rate_limit_is_waited_for_and_does_not_count_as_an_attempt(row: Row, tmp_path: Path) -> None:
    policy = RetryPolicy(attempt_seconds=20, attempts=1, backoff_seconds=0.01)
    with Connection(tmp_path, row.client, Once(row.reply, times=2), policy=policy) as connection:
        started = time.monotonic()
        assert (await connection.ask()).text == "a plan by planner"
    assert time.monotonic() - started >= 2 * DELAY
    assert [line.split(";")[0] for line in connection.lines] == ["planner: rate limit (429)"] * 2


@rows(STOPS)
async def test_an_empty_account_or_a_daily_quota_stops_the_run(row: Row, tmp_path: Path) -> None:
    with Connection(tmp_path, row.client, Once(row.reply)) as connection, pytest.raises(ModelError) as raised:
        await connection.ask()
    assert row.says in str(raised.value)
    assert "\n" not in str(raised.value)
    assert (len(connection.stub.requests), connection.lines) == (1, [])


@pytest.mark.parametrize(("delay", "named"), [("26s", False), ("7200s", True)])
async def test_the_short_delay_beside_a_daily_quota_is_not_its_end(delay: str, named: bool, tmp_path: Path) -> None:
    quotas = ("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "GenerateRequestsPerMinutePerProjectPerModel")
    reply = ErrorReply(429, google_quota(*quotas, delay=delay, value="50"))
    with Connection(tmp_path, MODEL, Once(reply)) as connection, pytest.raises(ModelError) as raised:
        await connection.ask()
    assert "the daily quota is used up" in str(raised.value)
    assert ("takes requests again at" in str(raised.value)) is named


@pytest.mark.parametrize(
    ("client", "body", "headers"),
    [
        (MODEL, google_quota("GenerateRequestsPerMinute", delay="9999999999999s"), {}),
        (OPENAI, openai_error("slow down", "requests"), {"retry-after": "9" * 400}),
        (OPENAI, openai_error("slow down", "requests"), {"retry-after": "999999999999"}),
    ],
)
async def test_a_delay_without_end_stops_the_run_in_one_line(
    client: str, body: dict[str, Any], headers: dict[str, str], tmp_path: Path
) -> None:
    stopped = pytest.raises(ModelError, match=r"asks to wait \d+ s, until \d{4}-\d\d-\d\d")
    with Connection(tmp_path, client, Once(ErrorReply(429, body, headers))) as connection, stopped:
        await connection.ask()


@rows(RETRIED)
async def test_a_fault_that_may_pass_is_tried_again(row: Row, tmp_path: Path) -> None:
    with Connection(tmp_path / "once", row.client, Once(row.reply)) as connection:
        assert (await connection.ask()).text == "a plan by planner"
    assert connection.lines[0].startswith(f"planner: {row.says}; attempt 2 of 3 in ")
    stopped = pytest.raises(ModelError, match=r"cannot be reached as planner: .* \(3 attempts\)")
    with Connection(tmp_path / "always", row.client, lambda role: row.reply) as connection, stopped:
        await connection.ask()
    assert len(connection.stub.requests) == 3


@rows(TOO_LONG)
async def test_a_prompt_that_is_too_long_is_shortened_once_and_then_left_to_the_agent(row: Row, tmp_path: Path) -> None:
    with Connection(tmp_path / "once", row.client, Once(row.reply)) as connection:
        reply = await connection.ask(prompt=LONG_PROMPT)
    sent = [connection.stub.protocol.prompt(request.body) for request in connection.stub.requests]
    assert (reply.text, reply.problem) == ("a plan by planner", "")
    assert sent[0] == LONG_PROMPT
    assert len(sent[1]) < len(sent[0])
    assert "characters cut" in sent[1]
    assert sent[1].partition("<script>")[2] == sent[0].partition("<script>")[2]
    with Connection(tmp_path / "always", row.client, lambda role: row.reply) as connection:
        assert row.says in (await connection.ask(prompt=LONG_PROMPT)).problem
    assert len(connection.stub.requests) == 2


@rows(REPLY_TOO_LONG)
async def test_a_reply_that_does_not_fit_beside_the_prompt_shortens_no_prompt(row: Row, tmp_path: Path) -> None:
    with Connection(tmp_path, row.client, lambda role: row.reply) as connection:
        problem = (await connection.ask(prompt=LONG_PROMPT)).problem
    assert problem.startswith("prompt and longest reply together do not fit into the model's window")
    assert row.says in problem
    sent = [connection.stub.protocol.prompt(request.body) for request in connection.stub.requests]
    assert set(sent) == {LONG_PROMPT}


@rows(TOO_MUCH_A_MINUTE)
async def test_a_request_that_is_too_long_for_the_account_is_shortened_once_and_then_stops(
    row: Row, tmp_path: Path
) -> None:
    with Connection(tmp_path / "once", row.client, Once(row.reply)) as connection:
        assert (await connection.ask(prompt=LONG_PROMPT)).text == "a plan by planner"
    assert "characters cut" in connection.stub.protocol.prompt(connection.stub.requests[1].body)
    stopped = pytest.raises(ModelError, match=f"{row.says} in a minute; lower max_output_tokens")
    with Connection(tmp_path / "always", row.client, lambda role: row.reply) as connection, stopped:
        await connection.ask(prompt=LONG_PROMPT)
    assert len(connection.stub.requests) == 2


async def test_a_prompt_without_data_to_cut_is_left_to_the_agent_at_once(tmp_path: Path) -> None:
    with Connection(tmp_path, OPENAI, lambda role: TOO_LONG[0].reply) as connection:
        assert "longer than the model can read" in (await connection.ask(prompt=PROMPT)).problem
    assert len(connection.stub.requests) == 1


@pytest.mark.parametrize("refusal", REFUSALS, ids=lambda refusal: row_id(refusal.row))
async def test_a_refused_parameter_is_left_out_or_renamed_and_remembered(refusal: Refusal, tmp_path: Path) -> None:
    def refuse(body: dict[str, Any]) -> ErrorReply | None:
        return refusal.row.reply if sends(body, *refusal.path) is not None else None

    with Connection(tmp_path, refusal.row.client, passed=refusal.model) as connection:
        connection.stub.refuse = refuse
        assert (await connection.ask()).text == "a plan by planner"
        assert (await connection.ask("coder", "<role>coder</role>")).text == "a plan by coder"
    bodies = [request.body for request in connection.stub.requests]
    assert [sends(body, *refusal.path) is not None for body in bodies] == [True, False, False]
    if refusal.renamed:
        assert [body[refusal.renamed] for body in bodies[1:]] == [bodies[0][refusal.path[0]]] * 2
    assert len(connection.lines) == 1
    assert "refuses the parameter" in connection.lines[0]


@pytest.mark.parametrize("refusal", [REFUSALS[0], REFUSALS[3], REFUSALS[5]], ids=lambda refusal: row_id(refusal.row))
async def test_a_refusal_that_several_calls_meet_at_once_stops_none(refusal: Refusal, tmp_path: Path) -> None:
    def refuse(body: dict[str, Any]) -> ErrorReply | None:
        return refusal.row.reply if sends(body, *refusal.path) is not None else None

    with Connection(tmp_path, refusal.row.client, passed=refusal.model) as connection:
        connection.stub.refuse = refuse
        replies = await asyncio.gather(*(connection.ask(prompt=f"{PROMPT} {number}") for number in range(8)))
    assert [reply.text for reply in replies] == ["a plan by planner"] * 8


async def test_a_refused_request_whose_parameters_are_needed_stops_the_run(tmp_path: Path) -> None:
    body = openai_error(
        "'messages' must contain the word 'json' in some form", "invalid_request_error", None, "messages"
    )
    refused = pytest.raises(ModelError, match="the request is invalid")
    with Connection(tmp_path, OPENAI, lambda role: ErrorReply(400, body)) as connection, refused:
        await connection.ask()
    assert len(connection.stub.requests) == 1
