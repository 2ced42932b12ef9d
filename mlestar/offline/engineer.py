"""The offline engineer: a chat model that answers every role from the prompt alone, without key or network."""

import json
from collections.abc import Callable
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from mlestar.offline.ablation import write_study
from mlestar.offline.cards import choose_cards
from mlestar.offline.ensembling import best_alone, choose_plan, write_ensemble
from mlestar.offline.facts import Facts
from mlestar.offline.leakage import find_leak, repair_leak
from mlestar.offline.merging import merge
from mlestar.offline.refinement import choose_block, plan_next, summarize
from mlestar.offline.repair import repair, summarize_bug
from mlestar.offline.rows import find_subsampling, remove_subsampling
from mlestar.offline.tables.columns import treat_columns
from mlestar.offline.tables.ideas import carry_out
from mlestar.offline.tables.recipes import choose_model, write_script

_CHARACTERS = 4
"""Per token, roughly."""


class OfflineEngineer(BaseChatModel):
    """Plays every agent role from a catalogue of recipes; the same prompt always gets the same reply."""

    @property
    def _llm_type(self) -> str:
        return "offline-engineer"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        prompt = str(messages[-1].text)
        text = reply(prompt)
        used = sum(len(str(message.text)) for message in messages) // _CHARACTERS
        written = len(text) // _CHARACTERS
        usage = {"input_tokens": used, "output_tokens": written, "total_tokens": used + written}
        message = AIMessage(text, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


def reply(prompt: str) -> str:
    """Return the answer to a prompt.

    Raises:
        ValueError: the prompt names no role that is known.
    """
    facts = Facts.read(prompt)
    role = facts.text("role")
    if role not in ROLES:
        msg = f"the offline engineer has no such role: {role!r}; one of {', '.join(ROLES)}"
        raise ValueError(msg)
    return ROLES[role](facts)


def _code(text: str) -> str:
    return f"```python\n{text.rstrip()}\n```"


def _json(value: object) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"


def _initialize(facts: Facts) -> str:
    card = facts.data("card", {})
    return _code(write_script(facts, choose_model(card, facts), str(card.get("name", ""))))


def _merge(facts: Facts) -> str:
    base, reference = facts.text("base"), facts.text("reference")
    return _code(merge(base, reference) or base)


def _check_usage(facts: Facts) -> str:
    """Compare the script with what the statistics offers; the recipes use every column and every joinable table."""
    script = facts.text("script")
    columns = treat_columns(facts)
    wanted = [join.file for join in columns.joins] + [
        column.name for column in facts.test_columns if column.distinct > 1
    ]
    unused = [name for name in wanted if name.split(".")[-1] not in script and name not in script]
    if not unused:
        return "ALL USED"
    return _code(write_script(facts, choose_model({"name": script}, facts), "All columns"))


def _check_leakage(facts: Facts) -> str:
    block, reason = find_leak(facts)
    return _json({"leak": bool(block), "block": block, "reason": reason})


def _extract(facts: Facts) -> str:
    block, plan = choose_block(facts)
    return _json({"block": block, "plan": plan})


def _ensemble(facts: Facts) -> str:
    scripts = [section.text for section in facts.all("solution")]
    return _code(write_ensemble(facts) or best_alone(scripts))


ROLES: dict[str, Callable[[Facts], str]] = {
    "analyst": lambda facts: _json({}),
    "retriever": lambda facts: _json({"cards": choose_cards(facts)}),
    "initializer": _initialize,
    "merger": _merge,
    "usage_checker": _check_usage,
    "leakage_checker": _check_leakage,
    "leakage_fixer": lambda facts: _code(repair_leak(facts)),
    "ablator": lambda facts: _code(write_study(facts.text("script"), "\n".join(s.text for s in facts.all("summary")))),
    "summarizer": summarize,
    "extractor": _extract,
    "planner": plan_next,
    "coder": lambda facts: _code(carry_out(facts.text("block"), facts.text("plan"))),
    "ensemble_planner": choose_plan,
    "ensembler": _ensemble,
    "bug_summarizer": summarize_bug,
    "debugger": lambda facts: _code(repair(facts)),
    "subsampling_extractor": lambda facts: _json({"block": find_subsampling(facts.text("script"))}),
    "subsampling_remover": lambda facts: _code(remove_subsampling(facts.text("block"))),
}
"""What each role answers."""
