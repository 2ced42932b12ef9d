"""One question to a model, and what its answer shows."""

import json
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from mlestar.errors import ModelError
from mlestar.llm.caller import Caller
from mlestar.llm.limits import ModelLimits
from mlestar.llm.models import Models
from mlestar.llm.prices import Prices
from mlestar.llm.roles import DEFAULT
from mlestar.llm.transport import RetryPolicy, Transport
from mlestar.settings import Settings
from mlestar.store import Blobs, Ledger, Spend

QUESTION = 'What is 17 + 25? Answer with one JSON object and nothing else: {"sum": <the number>}'
ANSWER = {"sum": 42}
ATTEMPTS = 2
"""Times the question is asked when the provider fails: a person waits for the answer. Chosen by judgement."""


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What one question showed of a model."""

    error: str = ""
    """Why there is no answer, in one line."""
    text: str = ""
    seconds: float = 0.0
    limits: ModelLimits = field(default_factory=ModelLimits)
    requested: int | None = None
    """Tokens that the request allowed for the reply; None when it named no limit."""
    output_tokens: int = 0
    reasoning_tokens: int = 0
    usd: float | None = None

    @property
    def gives_json(self) -> bool:
        """The answer was the JSON object that was asked for, bare or in a fence."""
        bare = self.text.strip().removeprefix("```json").removeprefix("```").removesuffix("```")
        try:
            return bool(json.loads(bare) == ANSWER)
        except ValueError:
            return False


async def probe_model(models: Models, settings: Settings, prices: Prices) -> Probe:
    """Ask the default model one question, with the longest reply that it may have; see `Probe`."""
    policy = RetryPolicy(attempt_seconds=settings.model_seconds, attempts=ATTEMPTS)
    longest = settings.max_output_tokens
    with tempfile.TemporaryDirectory(prefix="mlestar-doctor-") as folder:
        ledger, blobs = Ledger(Path(folder) / "ledger.sqlite"), Blobs(Path(folder) / "blobs")
        caller = Caller(models, ledger, blobs, transport=Transport(policy), prices=prices, max_output_tokens=longest)
        started = time.monotonic()
        try:
            reply = await caller.call(DEFAULT, QUESTION, (0, 0))
            return _read(caller, ledger.spend(), reply.text, reply.problem, time.monotonic() - started)
        except ModelError as error:
            return Probe(error=" ".join(str(error).split()))
        finally:
            ledger.close()


def _read(caller: Caller, spend: Spend, text: str, problem: str, seconds: float) -> Probe:
    chosen = caller.models.default
    return Probe(
        error=problem,
        text=text,
        seconds=seconds,
        limits=caller.limits.of(chosen),
        requested=caller.limits.for_request(chosen, QUESTION, None),
        output_tokens=spend.output_tokens,
        reasoning_tokens=spend.reasoning_tokens,
        usd=spend.usd,
    )
