"""Errors of providers as public issue threads quote them: the rows of the fault matrix.

Each row has the body of the thread at its address, with the names of accounts left out and announced delays shortened.
Errors of Groq, Mistral, OpenRouter, DeepSeek, Azure, vLLM and llama.cpp come through the client for OpenAI's protocol,
which those servers speak.
"""

import time
from dataclasses import dataclass, field
from typing import Any

from tests.integration.stub_gemini import MODEL
from tests.integration.stub_server import ErrorReply

OPENAI, ANTHROPIC, OLLAMA = "openai:gpt-stub", "anthropic:claude-stub", "ollama:llama-stub"
BILLING = (
    "You exceeded your current quota, please check your plan and billing details. For more information on this error, "
    "head to: https://ai.google.dev/gemini-api/docs/rate-limits."
)
"""The message of Gemini for every limit, per minute or per day."""
DELAY = 0.3
"""Seconds that the shortened errors ask to wait."""


@dataclass(frozen=True)
class Row:
    """An error of one provider."""

    source: str
    """The issue thread that quotes it."""
    client: str
    status: int
    body: dict[str, Any]
    headers: dict[str, str] = field(default_factory=dict)
    says: str = ""
    """What the message for a person or an agent contains."""

    @property
    def reply(self) -> ErrorReply:
        return ErrorReply(self.status, self.body, self.headers)


def google_quota(*quotas: str, delay: str | None, value: str = "") -> dict[str, Any]:
    """Return an error of Gemini about these quotas."""
    metric = "generativelanguage.googleapis.com/generate_content_free_tier_requests"
    violations = [
        {"quotaMetric": metric, "quotaId": quota, "quotaDimensions": {"location": "global"}} for quota in quotas
    ]
    if value:
        violations = [{**violation, "quotaValue": value} for violation in violations]
    details: list[dict[str, Any]] = [
        {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": violations},
        {
            "@type": "type.googleapis.com/google.rpc.Help",
            "links": [{"description": "Learn more about Gemini API quotas"}],
        },
    ]
    if delay:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    return {"error": {"code": 429, "message": BILLING, "status": "RESOURCE_EXHAUSTED", "details": details}}


def openai_error(message: str, kind: str | None, code: object = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def anthropic_error(kind: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}


def openrouter_error(message: str, code: int, **metadata: Any) -> dict[str, Any]:
    return {"error": {"message": message, "code": code, "metadata": metadata}, "user_id": "user_1"}


WAITS = (
    Row(
        "https://github.com/google-gemini/gemini-cli-action/issues/36",
        MODEL,
        429,
        google_quota("GenerateContentInputTokensPerModelPerMinute-FreeTier", delay=f"{DELAY}s", value="250000"),
    ),
    Row(
        "https://github.com/diegosouzapw/OmniRoute/issues/9504",
        MODEL,
        429,
        google_quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", delay=f"{DELAY}s", value="5"),
    ),
    Row(
        "https://github.com/openai/codex/issues/88",
        OPENAI,
        429,
        openai_error(
            "Rate limit reached for o4-mini in organization org-**** on tokens per min (TPM): Limit 200000, Used "
            "162960, "
            f"Requested 42288. Please try again in {DELAY}s. Visit https://platform.openai.com/account/rate-limits to "
            "learn more.",
            "tokens",
            "rate_limit_exceeded",
        ),
    ),
    Row(
        "https://github.com/BuilderIO/micro-agent/issues/86",
        OPENAI,
        429,
        openai_error(
            "Rate limit reached for gpt-4o in organization org-**** on tokens per min (TPM): Limit 30000, Used 29937, "
            f"Requested 385. Please try again in {DELAY * 1000:.0f}ms.",
            "tokens",
            "rate_limit_exceeded",
        ),
    ),
    Row(
        "https://github.com/elizaOS/eliza/issues/4040",
        OPENAI,
        429,
        openai_error(
            "Rate limit reached for model `llama-3.1-8b-instant` in organization `org_****` service tier "
            "`on_demand` on "
            f"tokens per minute (TPM): Limit 6000, Used 5034, Requested 1443. Please try again in {DELAY}s. Need more "
            "tokens? Upgrade to Dev Tier today at https://console.groq.com/settings/billing",
            "tokens",
            "rate_limit_exceeded",
        ),
        {"retry-after": str(DELAY)},
    ),
    Row(
        "https://github.com/OpenHands/OpenHands/issues/9259",
        ANTHROPIC,
        429,
        anthropic_error(
            "rate_limit_error",
            "This request would exceed the rate limit for your organization of 20,000 input tokens per minute. You "
            "can see "
            "the response headers for current usage.",
        ),
        {"retry-after": str(DELAY), "anthropic-ratelimit-input-tokens-remaining": "0"},
    ),
    Row(
        "https://github.com/microsoft/copilot-camp/issues/551",
        OPENAI,
        429,
        {"error": {"code": "429", "message": f"Rate limit is exceeded. Try again in {DELAY} seconds."}},
        {"x-ratelimit-remaining-requests": "7", "x-ratelimit-remaining-tokens": "1014"},
    ),
)
"""Rate limits: the call waits as long as the provider says."""

STOPS = (
    Row(
        "https://github.com/google-gemini/gemini-cli/issues/8437",
        MODEL,
        429,
        google_quota(
            "GenerateContentInputTokensPerModelPerMinute-FreeTier",
            "GenerateRequestsPerMinutePerProjectPerModel-FreeTier",
            "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
            delay=None,
        ),
        says="the daily quota is used up (429: GenerateRequestsPerDayPerProjectPerModel-FreeTier)",
    ),
    Row(
        "https://github.com/diegosouzapw/OmniRoute/issues/9504",
        MODEL,
        429,
        google_quota("GenerateRequestsPerDayPerProjectPerModel-FreeTier", delay="36s", value="20"),
        says="the daily quota is used up (429: GenerateRequestsPerDayPerProjectPerModel-FreeTier)",
    ),
    Row(
        "https://github.com/google-gemini/gemini-cli/issues/22486",
        MODEL,
        429,
        google_quota("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", delay="25s", value="0"),
        says="the account has no quota for this model (429: You exceeded your current quota",
    ),
    Row(
        "https://github.com/akshayaggarwal99/nodenest/issues/1",
        MODEL,
        429,
        {
            "error": {
                "code": 429,
                "message": f"{BILLING} * Quota exceeded for metric: "
                "generativelanguage.googleapis.com/generate_content_free_tier_input_token_count, limit: 0, model: "
                "gemini-2.0-flash-exp Please retry in 2s.",
                "status": "RESOURCE_EXHAUSTED",
            }
        },
        says="; name another model, or enable billing",
    ),
    Row(
        "https://github.com/google-gemini/gemini-fullstack-langgraph-quickstart/issues/128",
        MODEL,
        429,
        {
            "error": {
                "code": 429,
                "message": "Gemini 2.5 Pro Preview doesn't have a free quota tier.",
                "status": "RESOURCE_EXHAUSTED",
            }
        },
        says="the account has no quota for this model",
    ),
    Row(
        "https://github.com/openai/openai-cookbook/issues/844",
        OPENAI,
        429,
        openai_error(BILLING, "insufficient_quota", "insufficient_quota"),
        says="the account is empty; check it (429: You exceeded your current quota",
    ),
    Row(
        "https://github.com/ayaka14732/ChatGPTAPIFree/issues/16",
        OPENAI,
        429,
        openai_error(BILLING, "insufficient_quota"),
        says="the account is empty; check it",
    ),
    Row(
        "https://github.com/anthropics/claude-quickstarts/issues/229",
        ANTHROPIC,
        400,
        anthropic_error(
            "invalid_request_error",
            "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or "
            "purchase credits.",
        ),
        says="Your credit balance is too low",
    ),
    Row(
        "https://github.com/anthropics/claude-code/issues/38035",
        ANTHROPIC,
        400,
        anthropic_error(
            "invalid_request_error",
            "You have reached your specified API usage limits. You will regain access on 2026-04-01 at 00:00 UTC.",
        ),
        says="You will regain access on 2026-04-01 at 00:00 UTC",
    ),
    Row(
        "https://github.com/continuedev/continue/issues/11154",
        OPENAI,
        402,
        openrouter_error(
            "This request requires more credits, or fewer max_tokens. You requested up to 4096 tokens, but can only "
            "afford 222.",
            402,
            provider_name=None,
        ),
        says="the account is empty; check it (402: This request requires more credits",
    ),
    Row(
        "https://github.com/Aider-AI/aider/issues/4851",
        OPENAI,
        402,
        openai_error("Insufficient Balance", "unknown_error", "invalid_request_error"),
        says="the account is empty; check it (402: Insufficient Balance)",
    ),
    Row(
        "https://github.com/Gitlawb/openclaude/issues/936",
        OPENAI,
        429,
        openrouter_error(
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free model requests per day",
            429,
            headers={
                "X-RateLimit-Limit": "50",
                "X-RateLimit-Remaining": "0",
                "X-RateLimit-Reset": str(int((time.time() + 79_000) * 1000)),  # taken when tests are collected
            },
        ),
        says="asks to wait 7",
    ),
    Row(
        "https://github.com/Avarok-Cybersecurity/atlas/pull/543",
        OPENAI,
        429,
        openrouter_error("Rate limit exceeded", 429, limit_source="openrouter_free_tier_daily"),
        says="the daily quota is used up",
    ),
    Row(
        "https://github.com/continuedev/continue/issues/10920",
        OPENAI,
        429,
        openai_error(
            "Rate limit reached for model `llama-3.3-70b-versatile` in organization `org_****` service tier "
            "`on_demand` on "
            "tokens per day (TPD): Limit 100000, Used 97050, Requested 3619. Please try again in 9m38.016s.",
            "tokens",
            "rate_limit_exceeded",
        ),
        says="asks to wait 578 s, until ",
    ),
    Row(
        "https://github.com/alex-wolf-ps/dbchatprov2/issues/2",
        OPENAI,
        429,
        {
            "error": {
                "code": "429",
                "message": "Requests to the ChatCompletions_Create Operation under Azure OpenAI API version "
                "2024-05-01-preview have exceeded token rate limit of your current OpenAI S0 pricing tier. Please "
                "retry "
                "after 86400 seconds.",
            }
        },
        says="asks to wait 86400 s",
    ),
)
"""Empty accounts, daily quotas, and delays that are too long: the run stops."""

RETRIED = (
    Row(
        "https://github.com/anthropics/claude-code/issues/35792",
        ANTHROPIC,
        529,
        anthropic_error("overloaded_error", "Overloaded"),
        says="server error (529)",
    ),
    Row(
        "https://github.com/google-gemini/gemini-cli/issues/23520",
        MODEL,
        503,
        {
            "error": {
                "code": 503,
                "details": [
                    {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "MODEL_CAPACITY_EXHAUSTED"},
                ],
                "message": "No capacity available for model on the server",
                "status": "UNAVAILABLE",
            }
        },
        says="server error (503)",
    ),
    Row(
        "https://github.com/googleapis/python-genai/issues/2065",
        MODEL,
        429,
        {
            "error": {
                "code": 429,
                "message": "Resource has been exhausted (e.g. check quota).",
                "status": "RESOURCE_EXHAUSTED",
            }
        },
        says="rate limit (429)",
    ),
    Row(
        "https://github.com/raycast/extensions/issues/31107",
        OPENAI,
        429,
        {"object": "error", "message": "Rate limit exceeded", "type": "rate_limited", "param": None, "code": "1300"},
        says="rate limit (429)",
    ),
    Row(
        "https://github.com/continuedev/continue/issues/9233",
        OLLAMA,
        429,
        {"error": "you've reached your hourly usage limit, please wait or upgrade to continue"},
        says="rate limit (429)",
    ),
    Row(
        "https://github.com/BerriAI/litellm/issues/8448",
        OPENAI,
        200,
        openrouter_error("Provider returned error", 429, raw="error code: 1015", provider_name="Kluster"),
        says="rate limit (429)",
    ),
    Row(
        "https://github.com/open-webui/computer/issues/293",
        OPENAI,
        200,
        openrouter_error(
            "Provider returned error",
            429,
            raw="z-ai/glm-5.3-flash is temporarily rate-limited upstream. Please retry shortly",
            limit_source="upstream_provider_shared_pool",
        ),
        says="rate limit (429)",
    ),
    Row(
        "https://github.com/maximhq/bifrost/issues/5425",
        OPENAI,
        200,
        {
            "id": "gen-mockerror",
            "object": "chat.completion",
            "created": 1700000000,
            "model": "google/gemini-3.1-flash-lite",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": '{"events": [{"title": "partial'},
                    "finish_reason": "error",
                }
            ],
            "usage": {"prompt_tokens": None, "completion_tokens": None, "total_tokens": 0},
        },
        says="the provider broke the reply off (finish reason error)",
    ),
)
"""Faults that may pass: the call is tried again, as often as allowed."""
