"""Delays that providers announce, the pace that is learned from refusals, and prompts that are shortened."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata

from mlestar.llm.delay import read_delay
from mlestar.llm.error_body import ErrorBody, read_body
from mlestar.llm.pace import MINUTE, PROBE_WINDOWS, Pace
from mlestar.llm.shortening import shorten_prompt
from mlestar.llm.speed import MAX_STRETCH, UNKNOWN_STRETCH, Speed


def in_seconds(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7),
        ({"retry-after-ms": "1500", "retry-after": "2"}, 1.5),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m30s"}, 90),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "240ms"}, 0.24),
        ({"x-ratelimit-remaining-tokens": "12", "x-ratelimit-reset-tokens": "6m0s"}, None),
        ({"retry-after": "soon"}, None),
        ({}, None),
    ],
)
def test_the_delay_of_a_limit_is_read_from_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert read_delay(ErrorBody(status=429, headers=headers)) == seconds


def test_the_delay_of_a_limit_is_read_from_dates() -> None:
    moment = in_seconds(50)
    iso = moment.isoformat().replace("+00:00", "Z")
    every_form = [
        {"retry-after": format_datetime(moment, usegmt=True)},
        {"anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": iso},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(moment.timestamp() * 1000))},
        {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(moment.timestamp()))},
    ]
    delays = [read_delay(ErrorBody(status=429, headers=headers)) for headers in every_form]
    assert delays == pytest.approx([50] * 4, abs=3)


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Please try again in 9m38.016s. Need more tokens?", 578.016),
        ("Please try again in 644ms.", 0.644),
        ("Please retry in 40.5s.", 40.5),
        ("Please retry after 6 seconds. Please contact support", 6),
        ("Limit 30000, Used 29937, Requested 385.", None),
    ],
)
def test_the_delay_of_a_limit_is_read_from_the_message_where_no_field_has_it(
    message: str, seconds: float | None
) -> None:
    assert read_delay(ErrorBody(status=429, message=message)) == seconds


def test_an_error_in_a_successful_response_has_the_status_that_its_body_names() -> None:
    bodies = [
        {"message": "Provider returned error", "code": 429},
        {"message": "Overloaded", "type": "overloaded_error"},
        {"message": "upstream failed", "code": "upstream"},
    ]
    read = [read_body([ValueError(body)]) for body in bodies]
    assert [body and body.status for body in read] == [429, 529, 502]
    assert read_body([ValueError("not a body")]) is None


class Clock:
    """A clock that advances only by sleeping."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def pace_of(clock: Clock) -> Pace:
    return Pace(clock, clock.sleep)


async def starts(pace: Pace, clock: Clock, count: int) -> list[float]:
    began = clock.now
    return [await pace.wait() - began for _ in range(count)]


async def refuse_after(pace: Pace, accepted: int, delay: float, refused: int = 1) -> None:
    """Let the provider accept some requests and refuse the next ones."""
    tickets = [await pace.wait() for _ in range(accepted + refused)]
    for ticket in tickets[accepted:]:
        pace.refused(ticket, delay)


async def test_without_a_refusal_requests_start_at_once() -> None:
    clock = Clock()
    assert await starts(pace_of(clock), clock, 20) == [0.0] * 20


async def test_no_request_starts_before_the_announced_time_and_later_ones_keep_to_the_rate() -> None:
    clock = Clock()
    pace = pace_of(clock)
    await refuse_after(pace, accepted=3, delay=40.0)
    assert (await starts(pace, clock, 1))[0] == pytest.approx(40.0)
    await refuse_after(pace, accepted=4, delay=40.0)
    assert await starts(pace, clock, 12) == pytest.approx([40.0] * 5 + [80.0] * 5 + [120.0] * 2)


async def test_the_first_refusal_and_a_window_with_one_request_show_no_rate() -> None:
    clock = Clock()
    pace = pace_of(clock)
    await refuse_after(pace, accepted=0, delay=40.0)
    assert await starts(pace, clock, 8) == pytest.approx([40.0] * 8)
    pace = pace_of(clock)
    await refuse_after(pace, accepted=1, delay=40.0)
    await refuse_after(pace, accepted=1, delay=40.0, refused=7)
    assert await starts(pace, clock, 8) == pytest.approx([40.0] * 8)


async def test_windows_with_one_request_each_show_a_rate_together() -> None:
    clock = Clock()
    pace = pace_of(clock)
    for _ in range(3):
        await refuse_after(pace, accepted=1, delay=1.0, refused=7)
    assert await starts(pace, clock, 4) == pytest.approx([1.0, 2.0, 3.0, 4.0])


@pytest.mark.parametrize(("limit", "used"), [(60, 0), (60, 60), (60, 58), (500, 500)])
async def test_a_minute_that_others_used_up_does_not_slow_the_run(limit: int, used: int) -> None:
    clock = Clock()
    pace = pace_of(clock)
    accepted = [clock.now] * used
    began, answers, refusals = clock.now, 0, 0
    while answers < 300:
        started = await pace.wait()
        recent = [moment for moment in accepted if moment > clock.now - MINUTE]
        if len(recent) >= limit:
            pace.refused(started, recent[0] + MINUTE - clock.now)
            refusals += 1
            continue
        accepted.append(clock.now)
        clock.now += 0.5  # eight callers whose replies take four seconds
        pace.answered()
        answers += 1
    assert clock.now - began < (300 / limit + 2) * MINUTE + 300 * 0.5
    assert refusals <= 5


async def test_a_window_is_no_longer_than_a_minute_however_slow_the_run_was_before() -> None:
    clock = Clock()
    pace = pace_of(clock)
    await refuse_after(pace, accepted=1, delay=10.0)
    for _ in range(100):
        await pace.wait()
        clock.now += 70
    await refuse_after(pace, accepted=2, delay=200.0)
    first, second, third = await starts(pace, clock, 3)
    assert (first, second) == pytest.approx((200.0, 200.0))
    assert third - first == pytest.approx(MINUTE)


async def test_a_limit_that_is_not_met_again_is_doubled_until_the_next_refusal() -> None:
    clock = Clock()
    pace = pace_of(clock)
    await refuse_after(pace, accepted=1, delay=10.0)
    await refuse_after(pace, accepted=2, delay=10.0)
    assert await starts(pace, clock, 3) == pytest.approx([10.0, 10.0, 20.0])
    clock.now += PROBE_WINDOWS * 10.0
    pace.answered()
    assert await starts(pace, clock, 5) == pytest.approx([0.0] * 4 + [10.0])
    clock.now += 1
    pace.answered()
    assert await starts(pace, clock, 9) == pytest.approx([0.0] * 7 + [9.0, 10.0])


PROMPT = "<task>" + "word " * 4000 + "</task>\n<script>" + "x = 1\n" * 500 + "</script>\n<refusal>none</refusal>"


@pytest.mark.parametrize("excess", [1.05, 1.5, 0.0])
def test_data_is_cut_in_its_middle_and_code_is_not(excess: float) -> None:
    shorter = shorten_prompt(PROMPT, excess)
    assert shorter is not None
    assert len(shorter) <= len(PROMPT) / (excess or 2.0)
    assert shorter.startswith("<task>word ")
    assert shorter.endswith(PROMPT[PROMPT.index("</task>") :])


def test_a_prompt_of_code_is_not_shortened() -> None:
    assert shorten_prompt("<script>" + "x = 1\n" * 5000 + "</script>", 1.5) is None
    assert shorten_prompt(PROMPT, 40) is None


def reply_of(tokens: int) -> AIMessage:
    return AIMessage("x", usage_metadata=UsageMetadata(input_tokens=1, output_tokens=tokens, total_tokens=tokens + 1))


def test_a_model_that_has_not_replied_yet_gets_twice_as_long_after_each_time_limit() -> None:
    speed = Speed(600)
    assert [speed.limit("a", timeouts, 8000) for timeouts in range(4)] == [600, 1200, 2400, 600 * UNKNOWN_STRETCH]


def test_a_slow_model_gets_time_for_replies_as_long_as_it_has_written() -> None:
    speed = Speed(600)
    speed.answered("slow", reply_of(3000), 1000)
    speed.answered("slow", reply_of(300), 10)
    assert speed.limit("slow", 0, 8000) == 2000
    assert speed.limit("other", 0, 8000) == 600


def test_a_fast_model_that_hangs_gets_no_more_time_than_its_longest_reply_needs() -> None:
    speed = Speed(600)
    speed.answered("fast", reply_of(2000), 20)
    assert [speed.limit("fast", timeouts, 32_000) for timeouts in range(3)] == [600, 640, 640]


def test_no_reply_takes_longer_than_the_client_waits_and_short_ones_show_no_speed() -> None:
    speed = Speed(10)
    speed.answered("slow", reply_of(5), 60)
    assert speed.limit("slow", 0, 8000) == 10
    speed.answered("slow", reply_of(4000), 4000)
    assert speed.limit("slow", 3, 8000) == 10 * MAX_STRETCH
