"""What a run may cost, before it starts: model calls, tokens, money and executions of its settings on its task."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from mlestar.data.task import Task
from mlestar.llm.prices import CHARACTERS_PER_TOKEN, Prices, TokenUsage
from mlestar.llm.provider import GEMINI, first_with_key
from mlestar.llm.roles import DEFAULT, matching_name
from mlestar.prompts import Prompts
from mlestar.settings import Settings
from mlestar.state import Brief, ModelCard, StepFacts

SCRIPT_TOKENS = 2500
"""Tokens of a script of 200 lines. Chosen by judgement; not measured."""
BLOCK_TOKENS = 600
"""Tokens of the block that is refined."""
TEXT_TOKENS = 200
"""Tokens of a plan, a summary or a finding."""


@dataclass(frozen=True)
class CallSize:
    """How much one call of a role reads and writes."""

    section: Literal["contract", "task", "spec"]
    """How much of the task its prompt shows: all with the rules for scripts, all, or little."""
    read: int
    """Tokens of scripts and texts in its prompt."""
    written: int
    """Tokens of its reply, without reasoning."""


SIZES: Mapping[str, CallSize] = {
    "analyst": CallSize("task", 0, TEXT_TOKENS),
    "web_retriever": CallSize("task", 0, SCRIPT_TOKENS),
    "retriever": CallSize("task", SCRIPT_TOKENS, SCRIPT_TOKENS),
    "initializer": CallSize("contract", TEXT_TOKENS, SCRIPT_TOKENS),
    "adapter": CallSize("contract", SCRIPT_TOKENS, SCRIPT_TOKENS),
    "merger": CallSize("contract", 2 * SCRIPT_TOKENS, SCRIPT_TOKENS),
    "usage_checker": CallSize("contract", SCRIPT_TOKENS, TEXT_TOKENS),
    "ablator": CallSize("contract", SCRIPT_TOKENS, SCRIPT_TOKENS),
    "summarizer": CallSize("spec", SCRIPT_TOKENS, TEXT_TOKENS),
    "extractor": CallSize("task", SCRIPT_TOKENS, BLOCK_TOKENS),
    "planner": CallSize("task", BLOCK_TOKENS, TEXT_TOKENS),
    "coder": CallSize("spec", BLOCK_TOKENS, BLOCK_TOKENS),
    "ensemble_planner": CallSize("task", 2 * SCRIPT_TOKENS, TEXT_TOKENS),
    "ensembler": CallSize("contract", 2 * SCRIPT_TOKENS, SCRIPT_TOKENS),
    "leakage_checker": CallSize("task", SCRIPT_TOKENS, TEXT_TOKENS),
    "subsampling_extractor": CallSize("spec", SCRIPT_TOKENS, TEXT_TOKENS),
}
CHANGE_CHECK = CallSize("spec", 2 * BLOCK_TOKENS, TEXT_TOKENS)
"""A leakage check of a changed block."""


@dataclass(frozen=True)
class Estimate:
    """A run in which every step is taken and every first answer can be used; repairs and repeats are not included."""

    model: str
    """Name of the model of roles for which the settings name no other."""
    calls: Mapping[str, int]
    """Calls by role."""
    executions: int
    input_tokens: int
    output_tokens: int
    """Without reasoning, which some models charge for."""
    usd: float | None
    """None: the price of a model is unknown. Nothing is counted as cached."""

    @property
    def total_calls(self) -> int:
        return sum(self.calls.values())


def estimate_run(settings: Settings, task: Task) -> Estimate:
    """Return what a run with these settings may cost; no key of a provider is needed."""
    names, prices = _model_names(settings), Prices(settings.prices)
    grounded = _provider(names["web_retriever"]) in GEMINI
    sections = _section_tokens(settings, task)
    inputs, outputs, costs = 0, 0, list[float | None]()
    for role, size, count in _calls(settings, grounded=grounded):
        usage = TokenUsage(input=sections[size.section] + size.read, output=size.written)
        inputs, outputs = inputs + count * usage.input, outputs + count * usage.output
        price = prices.price(names[role])
        costs.append(None if price is None else count * (price.of(usage) or 0.0))
    known = [cost for cost in costs if cost is not None]
    usd = sum(known) if len(known) == len(costs) else None
    calls, executions = count_calls(settings, grounded=grounded), count_executions(settings)
    return Estimate(_default_model(settings), calls, executions, inputs, outputs, usd)


def count_calls(settings: Settings, *, grounded: bool = False) -> dict[str, int]:
    """Return the calls of each role."""
    counts: dict[str, int] = {}
    for role, _, count in _calls(settings, grounded=grounded):
        counts[role] = counts.get(role, 0) + count
    return {role: count for role, count in counts.items() if count}


def count_executions(settings: Settings) -> int:
    """Return the scripts that run, with one export beside the search per track, and one and the importance after it."""
    steps = settings.tracks * settings.outer_steps
    search = _first_scripts(settings) + steps * (1 + settings.inner_plans) + _ensembles(settings)
    rescorings = settings.most_finalists * settings.fresh_inputs + settings.baseline_executions
    return search + rescorings + settings.tracks + 1 + settings.importance


def _calls(settings: Settings, *, grounded: bool) -> Iterator[tuple[str, CallSize, int]]:
    """Yield each role with the size of a call and how often it is asked."""
    tracks, steps = settings.tracks, settings.tracks * settings.outer_steps
    counts = {
        "analyst": 1,
        "web_retriever": tracks if grounded else 0,
        "retriever": tracks,
        "initializer": tracks * settings.retrieved_models,
        "adapter": int(bool(settings.start)),
        "merger": tracks * (settings.retrieved_models - 1) + bool(settings.start),
        "usage_checker": tracks,
        "ablator": steps,
        "summarizer": steps,
        "extractor": steps,
        "planner": steps * (settings.inner_plans - 1),
        "coder": steps * settings.inner_plans,
        "ensemble_planner": _ensembles(settings),
        "ensembler": _ensembles(settings),
        "leakage_checker": _first_scripts(settings) + _ensembles(settings) + settings.most_finalists,
        "subsampling_extractor": 1,
    }
    for role, count in counts.items():
        yield role, SIZES[role], count
    yield "leakage_checker", CHANGE_CHECK, steps * settings.inner_plans


def _model_names(settings: Settings) -> dict[str, str]:
    """Return the name of the model of each role."""
    by_name = {**settings.models, DEFAULT: _default_model(settings)}
    return {role: by_name[matching_name(role, by_name)] for role in SIZES}


def _default_model(settings: Settings) -> str:
    return settings.model or settings.models.get(DEFAULT) or first_with_key()[0]


def _provider(model: str) -> str:
    return model.partition(":")[0]


def _first_scripts(settings: Settings) -> int:
    """Return how many scripts are executed before refinement: candidates and merges.

    A start is executed as given and as adapted, and the best candidate is merged with it.
    """
    return settings.tracks * (2 * settings.retrieved_models - 1) + 3 * bool(settings.start)


def _ensembles(settings: Settings) -> int:
    """Return the rounds of the ensemble; one track has nothing to combine."""
    return settings.ensemble_rounds if settings.tracks > 1 else 0


def _section_tokens(settings: Settings, task: Task) -> dict[str, int]:
    """Return the tokens that a prompt spends on the task, from prompts rendered for it."""
    prompts, brief = Prompts(settings.prompts), _brief(settings, task)
    common = {"brief": brief, "facts": StepFacts(), "track": 0, "attempt": 0, "refusal": ""}
    rendered = {
        "contract": prompts.render("initializer.md", role="initializer", card=ModelCard(name=""), **common),
        "task": prompts.render("leakage_fixer.md", role="leakage_fixer", script="", block="", reason="", **common),
        "spec": prompts.render("coder.md", role="coder", block="", plan="", **common),
    }
    return {section: len(text) // CHARACTERS_PER_TOKEN for section, text in rendered.items()}


def _brief(settings: Settings, task: Task) -> Brief:
    """Return the brief of a run, without what only the sandbox knows."""
    return Brief(
        spec=task.spec,
        description=task.description,
        statistics=task.statistics,
        split=None,
        python="",
        packages={},
        image="",
        cpus=1,
        memory_mb=0,
        gpu="",
        seconds=settings.script_seconds,
        subsample_rows=settings.subsample_rows,
        seed=settings.seed,
    )
