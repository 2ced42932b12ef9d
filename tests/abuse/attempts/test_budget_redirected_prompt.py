"""A provider's address redirects the clients of OpenAI and Anthropic, which send the prompt to the other host.

Outcome: succeeds; stated in docs/security.md. Their clients follow redirects and offer no setting; the key is left out.
"""

import pytest

from tests.abuse.attempts.test_budget_redirect import received_elsewhere

KEY = "sk-attempt-0123456789"


@pytest.mark.parametrize("model", ["openai:x", "anthropic:claude-sonnet-4-6"])
async def test_the_prompt_follows_and_the_key_does_not(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip(f"langchain_{model.partition(':')[0]}")
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.setenv(name, KEY)
    (received,) = await received_elsewhere(model)
    assert "a secret prompt" in received
    assert KEY not in received
