"""A provider reports negative, infinite or impossible token counts, so that a cap is refilled or the run is not billed.

Outcome: succeeded; prevented since. A reply of -1,000,000 tokens gave $10 back; others count at their worst.
"""

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mlestar.errors import ModelError
from tests.abuse.attempts.helpers_host import Provider
from tests.integration.test_limits import PRICES, PROMPT, make_caller

HONEST: dict[str, Any] = {"prompt_tokens": 1000, "completion_tokens": 100, "total_tokens": 1100}
ODD: dict[str, dict[str, Any]] = {
    "all negative": {"prompt_tokens": -(10**6), "completion_tokens": -(10**6), "total_tokens": -(2 * 10**6)},
    "negative reply": {"completion_tokens": -(10**6)},
    "negative cache": {"prompt_tokens_details": {"cached_tokens": -(10**7)}},
    "more cached than read": {"prompt_tokens_details": {"cached_tokens": 10**9}},
    "negative thinking": {"completion_tokens_details": {"reasoning_tokens": -5}},
    "beyond 64 bits": {"completion_tokens": 10**30},
    "infinite": {"prompt_tokens": float("nan"), "completion_tokens": float("inf")},
    "fractions": {"prompt_tokens": 1000.5, "completion_tokens": 2.5},
    "no total": {"total_tokens": -1},
}


@pytest.mark.parametrize("usage", ODD.values(), ids=ODD)
async def test_no_count_gives_money_back(tmp_path: Path, usage: dict[str, Any]) -> None:
    (tmp_path / "prices.toml").write_text(PRICES)
    with Provider({**HONEST, **usage}) as provider:
        caller = make_caller(tmp_path, f"{provider.address}/v1", prices=str(tmp_path / "prices.toml"))
        reply = await caller.call("planner", PROMPT, (0, 0))
    assert reply.text == "a plan"
    (entry,) = caller._ledger._execute(
        "SELECT input_tokens, output_tokens, cached_tokens, reasoning_tokens FROM entries WHERE kind = 'model_call'"
    )
    read, written, cached, reasoning = entry
    assert 0 < read < 10**6
    assert 0 < written < 10**6
    assert 0 <= cached <= read
    assert 0 <= reasoning <= written


@pytest.mark.parametrize("usage", ["none", [1], {"prompt_tokens": "many", "completion_tokens": [1]}])
async def test_usage_of_another_form_is_counted_at_its_worst(tmp_path: Path, usage: object) -> None:
    with Provider(usage) as provider:
        caller = make_caller(tmp_path, f"{provider.address}/v1")
        with suppress(ModelError):
            await caller.call("planner", PROMPT, (0, 0))
    spend = caller._ledger.spend()
    assert spend.output_tokens >= 1000
