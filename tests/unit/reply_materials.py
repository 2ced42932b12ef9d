"""What the shapes of replies are built on: scripts, blocks, objects and plans that the offline engineer writes."""

import json
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from mlestar.agents.ablator import ask_for_study
from mlestar.agents.analyst import ask_for_spec
from mlestar.agents.coder import rewrite_block
from mlestar.agents.context import AgentContext
from mlestar.agents.debugging import repair_script
from mlestar.agents.ensembling import Member, ask_for_ensemble, ask_for_ensemble_plan
from mlestar.agents.extractor import ask_for_block
from mlestar.agents.initializer import ask_for_candidate
from mlestar.agents.leakage import find_leakage, rewrite_leakage
from mlestar.agents.merger import merge_scripts
from mlestar.agents.planner import ask_for_plan
from mlestar.agents.retriever import retrieve_cards
from mlestar.agents.subsampling import remove_subsampling
from mlestar.agents.summarizer import summarize_study
from mlestar.agents.usage_checker import check_usage
from mlestar.state import Brief, ModelCard
from tests.unit.offline_context import CARD, brief_of, candidate, code, data, mixed_rows, write_task

PLAN = (
    "Fit extremely randomized trees beside the model and average the two. Random splits err elsewhere than boosting "
    "does, so that the average varies less than either. Missing values are filled with the median of the fitted rows."
)
SUMMARY = "Without the categories the score falls clearly, so they help. The gaps have no visible effect. Work on kind."

Kind = Literal["script", "block", "object", "prose"]


@dataclass(frozen=True)
class Material:
    """One role: what it should answer, and how it is asked."""

    role: str
    kind: Kind
    brief: Brief
    content: str
    """The answer without any form around it: code, a JSON object, or text."""
    other: str
    """Another answer that satisfies the contract."""
    foreign: str
    """The answer to the same question about another task."""
    ask: Callable[[AgentContext], Awaitable[object]]
    original: str = ""
    """The block that is rewritten."""


@dataclass(frozen=True)
class _Task:
    """What the offline engineer writes for one task."""

    brief: Brief
    script: str
    merged: str
    study: str
    block: str
    new_block: str
    plan: str


@cache
def _tasks() -> tuple[_Task, _Task]:
    rows = mixed_rows()
    other = rows.rename(columns={"label": "sold", "number": "price", "kind": "colour", "gaps": "weight", "id": "item"})
    with tempfile.TemporaryDirectory() as folder:
        first = _write(brief_of(write_task(Path(folder) / "first", rows, "label", "accuracy")))
        return first, _write(brief_of(write_task(Path(folder) / "second", other, "sold", "accuracy")))


def _write(brief: Brief) -> _Task:
    script = candidate(brief)
    reference = candidate(brief, ModelCard(name="Logistic regression"))
    choice = data("extractor", brief, script=script, summary="", graded=[], blocks=[])
    return _Task(
        brief=brief,
        script=script,
        merged=code("merger", brief, base=script, reference=reference),
        study=code("ablator", brief, script=script, summaries=[]),
        block=choice["block"],
        new_block=code("coder", brief, block=choice["block"], plan=choice["plan"]),
        plan=choice["plan"],
    )


@cache
def materials() -> tuple[Material, ...]:
    """Return every role with its answer."""
    task, foreign = _tasks()
    return (*_scripts(task, foreign), *_blocks(task), *_objects(task), *_texts(task))


def _scripts(task: _Task, foreign: _Task) -> list[Material]:
    member = Member(id="t0.c1", title="A", score=0.5, code=task.script)
    asks: dict[str, Callable[[AgentContext], Awaitable[object]]] = {
        "initializer": lambda agent: ask_for_candidate(agent, CARD),
        "merger": lambda agent: merge_scripts(agent, task.script, task.script),
        "ensembler": lambda agent: ask_for_ensemble(agent, [member, member], PLAN, 60),
        "debugger": lambda agent: repair_script(agent, "x = 1", "It fails.", []),
        "usage_checker": lambda agent: check_usage(agent, task.script),
    }
    scripts = [
        Material(role, "script", task.brief, task.script, task.merged, foreign.script, ask)
        for role, ask in asks.items()
    ]
    study = task.study.replace("SEED = ", "SEED = 1 + ", 1)

    def ask_for_ablation(agent: AgentContext) -> Awaitable[object]:
        return ask_for_study(agent, task.script, [])

    return [*scripts, Material("ablator", "script", task.brief, task.study, study, foreign.study, ask_for_ablation)]


def _blocks(task: _Task) -> list[Material]:
    other = task.new_block.replace("0.65", "0.5").replace("0.35", "0.5")
    foreign = "totals = orders.groupby('shop').amount.sum()\nshops['total'] = shops.index.map(totals)\n"

    async def ask_for_removal(agent: AgentContext) -> object:
        quote = json.dumps({"block": task.block})
        return await remove_subsampling(_answer_first(agent, "subsampling_extractor", quote), task.script)

    asks: dict[str, Callable[[AgentContext], Awaitable[object]]] = {
        "coder": lambda agent: rewrite_block(agent, task.script, task.block, PLAN),
        "leakage_fixer": lambda agent: rewrite_leakage(agent, task.script, task.block, "It leaks."),
        "subsampling_remover": ask_for_removal,
    }
    return [
        Material(role, "block", task.brief, task.new_block, other, foreign, ask, task.block)
        for role, ask in asks.items()
    ]


def _answer_first(agent: AgentContext, role: str, text: str) -> AgentContext:
    """Return the agent with a fixed reply to one role."""

    async def call(asked: str, prompt: str, sample: tuple[int, int]) -> object:
        return _Fixed(text) if asked == role else await agent.call(asked, prompt, sample)

    return AgentContext(call=call, prompts=agent.prompts, brief=agent.brief)  # type: ignore[arg-type]


@dataclass(frozen=True)
class _Fixed:
    text: str
    problem: str = ""


def _objects(task: _Task) -> list[Material]:
    def material(role: str, content: Any, other: Any, ask: Callable[[AgentContext], Awaitable[object]]) -> Material:
        foreign = {"passengers": [1, 2], "port": "S"}
        first, second, third = (json.dumps(value, indent=2) for value in (content, other, foreign))
        return Material(role, "object", task.brief, first, second, third, ask)

    card = {"name": "Ridge", "description": "Linear.", "example_code": "a = 1\nb = re.sub('x', 'y', 'z')\nc = 2"}
    quote = {"block": task.block, "plan": PLAN}
    function = next(part for part in task.script.split("\n\n\n") if part.startswith("def prepare("))
    return [
        material(
            "extractor",
            quote,
            {"block": function, "plan": PLAN},
            lambda agent: ask_for_block(agent, task.script, "", [], []),
        ),
        material(
            "leakage_checker",
            {"leak": True, "block": task.block, "reason": "Target."},
            {"leak": False},
            lambda agent: find_leakage(agent, task.script),
        ),
        material(
            "retriever", {"cards": [card]}, {"cards": [{"name": "Lasso"}]}, lambda agent: retrieve_cards(agent, [], 2)
        ),
        material(
            "analyst",
            {"metric": "f1", "pos_label": "yes"},
            {"metric": "log_loss"},
            lambda agent: ask_for_spec(agent, frozenset()),
        ),
    ]


def _texts(task: _Task) -> list[Material]:
    member = Member(id="t0.c1", title="A", score=0.5, code=task.script)
    asks: dict[str, Callable[[AgentContext], Awaitable[object]]] = {
        "planner": lambda agent: ask_for_plan(agent, task.block, [], 0.5),
        "ensemble_planner": lambda agent: ask_for_ensemble_plan(agent, [member, member], []),
        "summarizer": lambda agent: summarize_study(agent, task.study, "", [], "0.01"),
    }
    return [
        Material(role, "prose", task.brief, SUMMARY if role == "summarizer" else PLAN, task.plan, "", ask)
        for role, ask in asks.items()
    ]
