"""What a reply may have: the profile, the table, what a refusal names, and what the window leaves."""

from pathlib import Path

import pytest

from mlestar.llm import ChosenModel, Prices, choose_models, wrap_model
from mlestar.llm.limits import (
    LEAST_OUTPUT,
    LEAST_USUAL,
    NamedLimits,
    OutputLimits,
    names_reply_limit,
    output_setting,
    read_named_limits,
    usual_output,
)
from mlestar.settings import Settings
from tests.unit.writer import Writer

REFUSALS = {
    "https://github.com/ChatGPTNextWeb/NextChat/issues/3195": (
        "max_tokens is too large: 8192. This model supports at most 4096 completion tokens, whereas you provided 8192.",
        NamedLimits(output=4096),
    ),
    "https://github.com/ChatGPTNextWeb/NextChat/issues/3195 (gpt-4)": (
        "This model's maximum context length is 8192 tokens. However, you requested 8256 tokens (64 in the messages, "
        "8192 in the completion). Please reduce the length of the messages or completion.",
        NamedLimits(window=8192, prompt=64),
    ),
    "https://github.com/vllm-project/vllm/issues/20409": (
        "This model's maximum context length is 16384 tokens. However, you requested 19591 tokens (9591 in the "
        "messages, 10000 in the completion). Please reduce the length of the messages or completion. None",
        NamedLimits(window=16_384, prompt=9591),
    ),
    "https://github.com/claude-code-best/claude-code/issues/272": (
        "'max_tokens' or 'max_completion_tokens' is too large: 64000. This model's maximum context length is      "
        "64001 tokens and your request has 24235 input tokens (64000 > 64001 - 24235). None",
        NamedLimits(window=64001, prompt=24235),
    ),
    "https://github.com/ChatGPTNextWeb/NextChat/issues/4964": (
        "max_tokens: 10000 > 4096, which is the maximum allowed number of output tokens for claude-3-5-sonnet-20240620",
        NamedLimits(output=4096),
    ),
    "https://github.com/docker/docker-agent/issues/569": (
        "input length and `max_tokens` exceed context limit: 178959 + 64000 > 200000, decrease input length or "
        "`max_tokens` and try again",
        NamedLimits(window=200_000, prompt=178_959),
    ),
    "https://github.com/deepseek-ai/DeepSeek-V3/issues/69": (
        "Error code: 400 - {'error': {'message': 'Invalid max_tokens value, the valid range of max_tokens is [1, 8192]"
        "', 'type': 'invalid_request_error', 'param': None, 'code': 'invalid_request_error'}}",
        NamedLimits(output=8192),
    ),
    "https://github.com/open-webui/open-webui/issues/10507": (
        "400: <400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]",
        NamedLimits(output=8192),
    ),
    "https://github.com/skapadia3214/groq-moa/issues/8": (
        "Error code: 400 - {'error': {'message': 'max_tokens for `llama-3.1-8b-instant` must be less than or equal to "
        "8000', 'type': 'invalid_request_error'}}",
        NamedLimits(output=8000),
    ),
    "https://github.com/Gitlawb/openclaude/issues/331": (
        "The parameter `max_completion_tokens` specified in the request are not valid: integer above maximum value, "
        "expected a value <= 12288, but got 32000 instead.",
        NamedLimits(output=12_288),
    ),
    "https://github.com/stackblitz-labs/bolt.diy/issues/955": (
        "Unable to submit request because it has a maxOutputTokens value of 655360 but the supported range is from 1 "
        "(inclusive) to 8193 (exclusive). Update the value and try again.",
        NamedLimits(output=8192),
    ),
    "https://github.com/vercel/ai/issues/2772": (
        "ValidationException: The maximum tokens you requested exceeds the model limit of 4096. Try again with a "
        "maximum tokens value that is lower than 4096.",
        NamedLimits(output=4096),
    ),
    "https://github.com/OpenHands/OpenHands/issues/9937": (
        "this endpoint's maximum context length is 131072 tokens. however, you requested about 138956 tokens (7884 of "
        "text input, 131072 in the output). please reduce the length of either one",
        NamedLimits(window=131_072, prompt=7884),
    ),
    "https://github.com/huggingface/chat-ui/issues/340": (
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 1512. Given: 1000 `inputs` tokens and "
        "1024 `max_new_tokens`",
        NamedLimits(window=1512, prompt=1000),
    ),
    "https://github.com/abetlen/llama-cpp-python/issues/120": (
        "Requested tokens exceed context window of 512",
        NamedLimits(window=512),
    ),
}
"""Messages of providers as quoted in public issues, and the limits that they name."""
NO_ROOM = {
    "https://github.com/huggingface/chat-ui/issues/340",
    "https://github.com/abetlen/llama-cpp-python/issues/120",
}
"""Those whose windows leave no room for a useful reply."""
TOO_LONG = {
    "https://github.com/webtimemachine/wtm2/issues/579": "This model's maximum context length is 128000 tokens. "
    "However, your messages resulted in 204308 tokens. Please reduce the length of the messages.",
    "https://github.com/vllm-project/vllm/issues/20409": "This model's maximum context length is 16384 tokens. "
    "However, you requested 122946 tokens (112946 in the messages, 10000 in the completion).",
    "https://github.com/ruipeterpan/specreason/issues/4": "This model's maximum context length is 8192 tokens. "
    "However, you requested 8203 tokens (7691 in the messages, 512 in the completion).",
}
"""Messages about a prompt that leaves no room for a useful reply."""
OTHER = (
    "temperature must be less than or equal to 2",
    "Invalid value for logprobs: integer above maximum value, expected a value <= 20",
    "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
    "Rate limit reached for gpt-4o on tokens per min (TPM): Limit 30000, Used 29000, Requested 5000.",
)
"""Refusals that name no limit of a reply."""


@pytest.mark.parametrize("address", REFUSALS)
def test_the_limits_that_a_refusal_names_are_read(address: str) -> None:
    message, limits = REFUSALS[address]
    error = RuntimeError("the request is invalid")
    error.__cause__ = ValueError(message)
    assert read_named_limits(error) == limits
    assert names_reply_limit(error) is (address not in NO_ROOM)


MINUTE = "tokens per minute (TPM): Limit 12000, Requested 41500, please reduce your message size and try again."


@pytest.mark.parametrize(
    ("sent", "shorter_reply"), [(32_768, True), (31_548, True), (31_547, False), (None, False), (45_000, False)]
)
def test_a_limit_per_minute_shortens_the_reply_where_it_leaves_room(sent: int | None, shorter_reply: bool) -> None:
    assert names_reply_limit(ValueError(MINUTE), sent) is shorter_reply


@pytest.mark.parametrize(("tokens", "shorter_reply"), [(27_342, True), (LEAST_USUAL, True), (222, False)])
def test_credits_for_a_useful_reply_shorten_it(tokens: int, shorter_reply: bool) -> None:
    message = f"You requested up to 32000 tokens, but can only afford {tokens}."
    assert names_reply_limit(ValueError(message)) is shorter_reply


@pytest.mark.parametrize("message", [*TOO_LONG.values(), *OTHER])
def test_other_refusals_name_no_limit_of_a_reply(message: str) -> None:
    assert not names_reply_limit(ValueError(message))


def named(name: str, monkeypatch: pytest.MonkeyPatch, **settings: object) -> ChosenModel:
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY"):
        monkeypatch.setenv(key, "none")
    return choose_models(Settings.resolve({"model": name, **settings})).default


@pytest.mark.parametrize(
    ("name", "output", "window", "source"),
    [
        ("openai:gpt-4o", 16_384, 128_000, "LangChain's profile"),
        ("anthropic:claude-sonnet-4-5", 64_000, 200_000, "LangChain's profile"),
        ("google_genai:gemini-2.5-pro", 65_536, 1_048_576, "LangChain's profile"),
        ("google_genai:gemini-2.0-flash", 8192, 1_048_576, "mlestar/llm/prices.toml"),
        ("ollama:qwen3", None, None, "unknown"),
    ],
)
def test_limits_come_from_the_profile_and_then_from_the_table(
    name: str, output: int | None, window: int | None, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = OutputLimits(Prices(), 32_768).of(named(name, monkeypatch))
    assert (limits.output, limits.window, limits.source) == (output, window, source)


def test_the_users_file_takes_precedence_over_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = '["openai:gpt-4o"]\ninput = 1\noutput = 1\noutput_limit = 5000\nwindow = 9000\n'
    (tmp_path / "prices.toml").write_text(row, encoding="utf-8")
    limits = OutputLimits(Prices(tmp_path / "prices.toml")).of(named("openai:gpt-4o", monkeypatch))
    assert (limits.output, limits.window, limits.source) == (5000, 9000, "your file of prices")


def test_a_reply_may_have_what_the_window_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = '["openai:local"]\ninput = 0\noutput = 0\nwindow = 32768\n'
    (tmp_path / "prices.toml").write_text(row, encoding="utf-8")
    limits = OutputLimits(Prices(tmp_path / "prices.toml"), 32_768)
    chosen = named("openai:local", monkeypatch)
    left = [limits.allowed(chosen, "x" * length) for length in (0, 30_000, 60_000, 96_000)]
    assert left == sorted(left, reverse=True)
    assert 22_000 < left[1] < 32_768 - 10_000
    assert left[3] == 32_768 - 32_000 - 32
    assert limits.allowed(chosen, "x" * 200_000) == LEAST_OUTPUT


def test_a_model_that_was_passed_in_keeps_a_lower_limit_of_its_own() -> None:
    model = wrap_model(Writer(answer=lambda role, prompt: "", length=lambda prompt: 1, max_tokens=700))
    limits = OutputLimits(Prices(), 32_768)
    assert limits.allowed(model, "") == 700
    assert limits.for_request(model, "", None) == 700


def test_no_limit_is_sent_to_a_model_without_one_unless_a_cap_needs_it() -> None:
    model = wrap_model(Writer(answer=lambda role, prompt: "", length=lambda prompt: 1))
    limits = OutputLimits(Prices(), 32_768)
    assert limits.apply(model, limits.for_request(model, "", None)) is model
    bounded = limits.apply(model, limits.for_request(model, "", 900))
    assert (output_setting(bounded.model), output_setting(model.model)) == (900, None)
    assert limits.apply(model, 900) is bounded


@pytest.mark.parametrize(
    ("lengths", "usual"),
    [([], None), ([10], LEAST_USUAL), ([3000], 6144), ([1000] * 99 + [9000], 2048), ([1000, 5000], 10_240)],
)
def test_the_usual_length_is_twice_the_95th_percentile(lengths: list[int], usual: int | None) -> None:
    assert usual_output(lengths) == usual
