"""A provider's error or a script's message of 200 KB, such as `://` again and again, keeps the masking of keys busy.

Outcome: succeeded; prevented since. Patterns started anew at every position; 2 MB stopped a run for hours.
"""

import pytest

from mlestar.errors import first_line, mask_secrets

SEEDS = (
    "://",
    "https://",
    "https://a?",
    "-eyJ",
    "-key-",
    "key-",
    "://a@",
    "sk-",
    "password=",
    "Bearer ",
    "eyJaaaaaaaa.",
)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("seed", SEEDS)
def test_masking_takes_time_in_proportion_to_the_text(seed: str) -> None:
    text = seed * (2_000_000 // len(seed))
    assert len(mask_secrets(text)) <= 3 * len(text)
    assert len(first_line(text)) <= 300


def test_secrets_are_masked_as_before() -> None:
    text = "at postgres://me:pass@host/db and https://x.example/a?token=abcdefghij with key-abcdefghijkl1"
    assert mask_secrets(text) == "at postgres://[masked]@host/db and https://x.example/a?[masked] with [masked]"
    token = "eyJ" + "a" * 2000 + "." + "b" * 20 + "." + "c" * 20
    assert mask_secrets(f"sent {token} again") == "sent [masked] again"
