"""The services of a run: its store, its models with their budget, and retrieval."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.roles import ROLES
from mlestar.errors import UserError
from mlestar.events import CallCost, Event, Spending
from mlestar.llm import Caller, ModelReply, Prices, Reliability, RetryPolicy, Transport, choose_models
from mlestar.llm.external import Answerer
from mlestar.prompts import Prompts
from mlestar.retrieval import Findings, Retrieval, choose_retrieval, read_card
from mlestar.runtime.budget import Budget, Refusal, Stage
from mlestar.runtime.external import AbandonedError, answer_by_callback, answer_by_resuming
from mlestar.runtime.options import RunOptions
from mlestar.runtime.progress import announce, emit_line
from mlestar.settings import Settings
from mlestar.state import Brief, ModelCard
from mlestar.store import Blobs, Ledger, Record, RunFolder, key_of

logger = logging.getLogger("mlestar.runtime")


class PartialFindings(Exception):
    """A part of a retrieval failed; the others have findings."""

    def __init__(self, findings: Findings) -> None:
        super().__init__("; ".join(findings.failures))
        self.findings = findings


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the nodes of a run work with, besides inputs and scripts."""

    blobs: Blobs
    ledger: Ledger
    budget: Budget
    caller: Caller
    reliability: Reliability
    prompts: Prompts
    retrieval: Retrieval
    cards: Sequence[ModelCard]
    """Model cards of the settings, which are tried first."""

    async def keep(self, text: str) -> str:
        """Store a text and return its blob."""
        return await asyncio.to_thread(self.blobs.put, text)

    async def text(self, blob: str) -> str:
        return await asyncio.to_thread(self.blobs.text, blob)

    async def spending(self) -> Spending:
        """Return what the run has cost so far."""
        return Spending.model_validate(await self.budget.spend())

    def agent(self, brief: Brief, track: int = 0, stage: Stage = "search") -> AgentContext:
        """Return the context in which an agent of a track works.

        A call that the budget refuses counts as a reply that cannot be used. Each call and each answer is emitted as an
        event of the node that asks.
        """

        async def call(role: str, prompt: str, sample: tuple[int, int]) -> ModelReply:
            label, name = f"{role} of t{sample[0]}", role.replace("_", " ")
            begin = Event(stage="", message=f"the {name} is asked", track=track, role=role, work="call")
            with announce(begin) as end:
                end["message"] = f"the {name} has not answered"
                try:
                    reserve = partial(self.budget.call, label, stage=stage)
                    reply = await self.caller.call(role, prompt, sample, reserve)
                except Refusal as refusal:
                    raise ReplyError(str(refusal)) from None
                except AbandonedError:
                    await self.budget.refuse_to_start()
                end.update(message=f"the {name} has answered", spend=await self.spending())
                end.update(model=reply.model, cost=_cost(reply))
                return reply

        return AgentContext(call=call, prompts=self.prompts, brief=brief, track=track, judge=self.reliability.judge)

    async def find_cards(self, brief: Brief, count: int, settings: Settings) -> Findings:
        """Retrieve model cards, or return what the ledger has of the same retrieval.

        A retrieval that failed in part is not recorded: the next one may succeed.
        """

        async def work() -> Record:
            with announce(Event(stage="", message="looking for models", work="retrieval")):
                findings = await self.retrieval.gather(brief, count, _emit_retrieval)
            if findings.failures:
                raise PartialFindings(findings)
            return Record(result=findings.model_dump(mode="json"))

        excluded = settings.retrieval.model_dump(mode="json")
        key = key_of("retrieval", self.retrieval.title, excluded, brief.spec.model_dump(mode="json"), count)
        try:
            result, _ = await self.ledger.once(key, "retrieval", "retrieval", work)
        except PartialFindings as partial:
            return partial.findings
        return Findings.model_validate(result)


def open_services(
    settings: Settings, folder: RunFolder, task_folder: Path, options: RunOptions, task_name: str = ""
) -> Services:
    """Open the services of a run.

    Args:
        settings: of the run.
        folder: of the run.
        task_folder: its name, and `task_name`, are what retrieval must not look for.
        options: live objects to use instead of those the settings name.
        task_name: name of a task that the caller has loaded.

    Raises:
        UserError: a setting cannot be used.
        StoreError: the ledger cannot be opened, or was lost.
    """
    models = choose_models(settings, options.get("model"))
    prompts = Prompts(settings.prompts, [role.prompt for role in ROLES.values()])
    cards = [read_card(path) for path in settings.cards]
    prices = Prices(settings.prices)
    folder.check_ledger()
    blobs, ledger = Blobs(folder.blobs), Ledger(folder.ledger)
    transport = Transport(_retry_policy(settings), _emit_model)
    reliability = Reliability(models, ledger, folder, give_up_after=settings.give_up_after, emit=_emit_model)
    caller = Caller(
        models,
        ledger,
        blobs,
        transport=transport,
        prices=prices,
        max_output_tokens=settings.max_output_tokens,
        model_of=reliability.model_of,
        former_of=reliability.former_of,
        outside=_answerer(options, ledger),
    )
    names = [name for name in (task_folder.name, task_name) if name]
    try:
        ledger.count_unknown()
        budget = Budget(settings, ledger, caller.sizes)
        retrieval = _make_retrieval(settings, options, caller, budget, prompts, names)
    except UserError:
        ledger.close()
        raise
    logger.info("run %s: models %s, retrieval %s", folder.run_id, models.title, retrieval.title)
    return Services(
        blobs=blobs,
        ledger=ledger,
        budget=budget,
        caller=caller,
        reliability=reliability,
        prompts=prompts,
        retrieval=retrieval,
        cards=cards,
    )


def _answerer(options: RunOptions, ledger: Ledger) -> Answerer:
    callback = options.get("on_model_call")
    return answer_by_callback(callback, options.get("stop")) if callback else answer_by_resuming(ledger)


def _retry_policy(settings: Settings) -> RetryPolicy:
    return RetryPolicy(
        attempt_seconds=settings.model_seconds,
        attempts=settings.model_attempts,
        backoff_seconds=settings.model_backoff,
        parallel_calls=settings.model_parallel,
    )


def _make_retrieval(
    settings: Settings, options: RunOptions, caller: Caller, budget: Budget, prompts: Prompts, names: Sequence[str]
) -> Retrieval:
    async def ground(role: str, prompt: str) -> ModelReply:
        return await caller.ground(role, prompt, partial(budget.call, role))

    return choose_retrieval(
        settings.retrieval,
        options.get("retrieval"),
        ground=ground if caller.models.can_ground else None,
        prompts=prompts,
        names=names,
    )


def _cost(reply: ModelReply) -> CallCost | None:
    """Return what a reply has cost now; None where it is recorded."""
    if not reply.requests:
        return None
    names = ("input_tokens", "output_tokens", "cached_tokens", "reasoning_tokens")
    counts = {name: sum(getattr(record, name) for record in reply.requests) for name in names}
    prices = [record.usd for record in reply.requests]
    return CallCost(**counts, usd=None if None in prices else sum(price or 0.0 for price in prices))


def _emit_model(line: str) -> None:
    emit_line("model", line)


def _emit_retrieval(line: str) -> None:
    emit_line("retrieval", line)
