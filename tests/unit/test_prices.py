"""What calls cost; an unknown price is unknown, never 0."""

from pathlib import Path

import pytest

from mlestar.errors import SettingsError
from mlestar.llm import Prices, TokenUsage


def test_cached_and_written_tokens_have_their_own_price() -> None:
    price = Prices().price("anthropic:claude-sonnet-4-5")
    assert price is not None
    usage = TokenUsage(input=1_000_000, cached=200_000, written=100_000, output=1000, reasoning=900)
    assert price.of(usage) == pytest.approx(0.7 * 3 + 0.2 * 0.3 + 0.1 * 3.75 + 0.001 * 15)


def test_a_long_prompt_has_the_price_of_long_prompts() -> None:
    price = Prices().price("google_genai:gemini-2.5-pro")
    assert price is not None
    assert price.of(TokenUsage(input=200_000)) == pytest.approx(0.25)
    assert price.of(TokenUsage(input=400_000)) == pytest.approx(1.0)


def test_a_grounded_answer_costs_more_and_an_unknown_fee_is_unknown() -> None:
    gemini, gpt = Prices().price("google_genai:gemini-2.5-flash"), Prices().price("openai:gpt-5.1")
    assert gemini is not None
    assert gpt is not None
    assert gemini.of(TokenUsage(), grounded=True) == pytest.approx(0.035)
    assert gpt.of(TokenUsage(), grounded=True) is None


@pytest.mark.parametrize("name", ["openai:gpt-5.1-2025-11-13", "openai:gpt-5.1-latest", "openai:gpt-5.1"])
def test_a_pinned_version_has_the_price_of_its_model(name: str) -> None:
    assert Prices().price(name) == Prices().price("openai:gpt-5.1")


@pytest.mark.parametrize("name", ["openai:gpt-5.1-pro", "ollama:qwen", "ScriptedModel", "nobody:gpt-5.1"])
def test_an_unknown_model_has_no_price(name: str) -> None:
    assert Prices().price(name) is None


def test_the_offline_engineer_is_free() -> None:
    price = Prices().price("offline")
    assert price is not None
    assert price.of(TokenUsage(input=10**9, output=10**9)) == 0


def test_a_users_file_takes_precedence_over_the_table(tmp_path: Path) -> None:
    prices_file = tmp_path / "prices.toml"
    prices_file.write_text(
        '["openai:gpt-5.1"]\ninput = 7\noutput = 8\n["ollama:*"]\ninput = 0\noutput = 0\n', encoding="utf-8"
    )
    prices = Prices(prices_file)
    pinned, local = prices.price("openai:gpt-5.1-2025-11-13"), prices.price("ollama:qwen3")
    assert pinned is not None
    assert local is not None
    assert pinned.input == 7
    assert local.of(TokenUsage(input=5)) == 0
    assert prices.price("openai:gpt-4o") == Prices().price("openai:gpt-4o")


@pytest.mark.parametrize(
    ("text", "message"),
    [("nonsense", "prices"), ('["a:b"]\ninput = 1\n', "output"), ('["a:b"]\ninput = -1\noutput = 1\n', "input")],
)
def test_a_broken_file_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    prices_file = tmp_path / "prices.toml"
    prices_file.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=message) as raised:
        Prices(prices_file)
    assert "\n" not in str(raised.value)
    with pytest.raises(SettingsError, match="No such file"):
        Prices(tmp_path / "nowhere.toml")
