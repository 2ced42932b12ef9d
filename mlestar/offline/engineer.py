"""The offline engineer: a chat model that answers every role from the prompt alone, without key or network."""

import json
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult

from mlestar.offline.ablation import is_own, write_study
from mlestar.offline.adapting import adapt
from mlestar.offline.cards import propose_cards
from mlestar.offline.ensembling import best_alone, choose_plan, combine_scripts
from mlestar.offline.facts import Facts
from mlestar.offline.ideas import carry_out
from mlestar.offline.kinds import find_kind, write_first
from mlestar.offline.leakage import find_leak, repair_leak
from mlestar.offline.merging import merge_models
from mlestar.offline.packaging import write_packaged
from mlestar.offline.refinement import choose_block, plan_next, summarize_effects
from mlestar.offline.repair import describe_bug, repair
from mlestar.offline.rows import find_subsampling, keep_all_rows

_CHARACTERS_PER_TOKEN = 4
"""A rough figure for English and code."""


class OfflineEngineer(BaseChatModel):
    """Answers every agent role from a catalogue of recipes; the same prompt always gets the same reply."""

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
        text = reply(str(messages[-1].text))
        inputs = sum(len(str(message.text)) for message in messages) // _CHARACTERS_PER_TOKEN
        outputs = len(text) // _CHARACTERS_PER_TOKEN
        usage = {"input_tokens": inputs, "output_tokens": outputs, "total_tokens": inputs + outputs}
        message = AIMessage(text, usage_metadata=usage)
        return ChatResult(generations=[ChatGeneration(message=message)])


def reply(prompt: str) -> str:
    """Return the answer to a prompt.

    Raises:
        ValueError: the prompt names an unknown role.
    """
    facts = Facts.read(prompt)
    role = facts.text("role")
    if role not in ANSWERS:
        msg = f"the offline engineer has no such role: {role!r}; one of {', '.join(ANSWERS)}"
        raise ValueError(msg)
    return ANSWERS[role](facts)


def _code(text: str) -> str:
    return f"```python\n{text.rstrip()}\n```"


def _json(value: object) -> str:
    return f"```json\n{json.dumps(value, ensure_ascii=False, indent=2)}\n```"


def _initialize(facts: Facts) -> str:
    card = facts.data("card", {})
    return _code(write_first(facts, card, str(card.get("name", ""))))


def _merge(facts: Facts) -> str:
    base, reference = facts.text("base"), facts.text("reference")
    return _code(merge_models(base, reference) or base)


def _check_usage(facts: Facts) -> str:
    """Compare the script with the task; the recipes use every column and every joinable table."""
    script, kind = facts.text("script"), find_kind(facts)
    if kind is None or not is_own(script) or not kind.find_unused(facts, script):
        return "ALL USED"
    return _code(write_first(facts, {"name": script}, "All columns"))


def _check_leakage(facts: Facts) -> str:
    block, reason = find_leak(facts)
    return _json({"leak": bool(block), "block": block, "reason": reason})


def _ablate(facts: Facts) -> str:
    summaries = "\n".join(section.text for section in facts.all("summary"))
    return _code(write_study(facts.text("script"), summaries))


def _extract(facts: Facts) -> str:
    block, plan = choose_block(facts)
    return _json({"block": block, "plan": plan})


def _ensemble(facts: Facts) -> str:
    scripts = [section.text for section in facts.all("solution")]
    return _code(combine_scripts(facts) or best_alone(scripts))


def _package(facts: Facts) -> str:
    """Save steps without train rows first, and the train rows beside what is trained where that was not accepted."""
    labels = [facts.labels_file.file] if facts.labels_file else []
    rows = (facts.spec.train, *labels) if facts.text("reason") else ()
    spec = facts.spec
    # Where the rows to predict are the files of a folder, the sample submission lists them.
    is_folder = not PurePosixPath(spec.test or "").suffix
    listed = (spec.sample_submission if is_folder else None) or spec.test
    return _code(write_packaged(facts.text("script"), spec.train, listed or "", rows))


ANSWERS: dict[str, Callable[[Facts], str]] = {
    "analyst": lambda facts: _json({}),
    "retriever": lambda facts: _json({"cards": propose_cards(facts)}),
    "initializer": _initialize,
    "adapter": lambda facts: _code(adapt(facts)),
    "merger": _merge,
    "usage_checker": _check_usage,
    "leakage_checker": _check_leakage,
    "leakage_fixer": lambda facts: _code(repair_leak(facts)),
    "ablator": _ablate,
    "summarizer": summarize_effects,
    "extractor": _extract,
    "planner": plan_next,
    "coder": lambda facts: _code(carry_out(facts.text("block"), facts.text("plan"))),
    "ensemble_planner": choose_plan,
    "ensembler": _ensemble,
    "packager": _package,
    "bug_summarizer": describe_bug,
    "debugger": lambda facts: _code(repair(facts)),
    "subsampling_extractor": lambda facts: _json({"block": find_subsampling(facts.text("script"))}),
    "subsampling_remover": lambda facts: _code(keep_all_rows(facts.text("block"))),
}
"""The answer of each role; the web retriever is left out, because it needs a network."""
