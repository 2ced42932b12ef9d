"""Initialization of a track: cards, candidates, merging in score order, data-usage check (paper, algorithm 1)."""

from collections.abc import Sequence
from typing import Literal

from langgraph.runtime import Runtime
from langgraph.types import Send

from mlestar.agents.context import ReplyError
from mlestar.agents.initializer import ask_for_candidate
from mlestar.agents.merger import merge_scripts
from mlestar.agents.retriever import retrieve_cards
from mlestar.agents.usage_checker import check_usage
from mlestar.nodes.acceptance import best_improvement, describe_choice, is_no_worse
from mlestar.nodes.progress import emit
from mlestar.retrieval import Findings, sources_of
from mlestar.runtime.context import find_context
from mlestar.settings import Settings
from mlestar.state import (
    Brief,
    CandidateState,
    Draft,
    ModelCard,
    Solution,
    Source,
    TrackState,
    best_first,
)


async def retrieve(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Find M model cards that the sandbox can run, a person's first."""
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    count, given = ctx.settings.retrieved_models, ctx.cards
    findings = await ctx.find_cards(brief, count)
    results = findings.cards
    try:
        found = await retrieve_cards(ctx.agent(brief, state["track"]), results, count)
    except ReplyError:
        found = list(results[:count])
    cards = choose_cards([*given, *found], results, brief, max(count, len(given)))
    names = [f"{card.name} (left out: {card.problem})" if card.problem else card.name for card in cards]
    emit(runtime, "retrieve", ", ".join(names) or "no model found", track=state["track"])
    if findings.dropped:
        said = ", ".join(f"{source.address} ({source.dropped})" for source in findings.dropped)
        emit(runtime, "retrieval", f"dropped {said}", track=state["track"])
    return {"cards": cards, "sources": list_sources(state["track"], findings, cards)}


def list_sources(track: int, findings: Findings, cards: Sequence[ModelCard]) -> dict[str, Source]:
    """Return every page a search came back with and the cards that rest on it, by track and address."""
    sources = {f"{track} {source.address} dropped": source for source in findings.dropped}
    for card in findings.cards:
        sources |= {f"{track} {source.address}": source for source in sources_of(card)}
    for card in cards:
        for key in [f"{track} {source.address}" for source in sources_of(card)]:
            known = sources.get(key)
            if known is not None:
                sources[key] = known.model_copy(update={"cards": (*known.cards, card.name)})
    return sources


def choose_cards(found: Sequence[ModelCard], spare: Sequence[ModelCard], brief: Brief, count: int) -> list[ModelCard]:
    """Return `count` usable cards, spare ones in place of those that cannot run here; the latter stand last, marked."""
    pool: dict[str, ModelCard] = {}
    for card in [*found, *spare]:
        pool.setdefault(card.name.lower(), card)
    usable = [card for card in pool.values() if not missing_libraries(card, brief)][:count]
    chosen = {card.name.lower() for card in found}
    unusable = [
        card.model_copy(update={"problem": f"needs {', '.join(missing)}, which the sandbox lacks"})
        for card in pool.values()
        if card.name.lower() in chosen and (missing := missing_libraries(card, brief))
    ]
    return [*usable, *unusable]


def missing_libraries(card: ModelCard, brief: Brief) -> list[str]:
    """Return the libraries of a card that the sandbox lacks; a person's card is never doubted."""
    return [] if card.by_person else [name for name in card.libraries if canonical_name(name) not in brief.packages]


def canonical_name(distribution: str) -> str:
    """Return a distribution name as the environment lists it."""
    return distribution.lower().replace("_", "-")


def each_card(state: TrackState) -> list[Send] | Literal["no card"]:
    """Write a candidate for every card."""
    keys = {"run_id": state["run_id"], "brief": state["brief"], "track": state["track"]}
    usable = [card for card in state["cards"] if not card.problem]
    sends = [Send("make_candidate", {**keys, "card": card, "number": i}) for i, card in enumerate(usable, 1)]
    return sends or "no card"


async def write_candidate(state: CandidateState, runtime: Runtime[Settings]) -> CandidateState:
    """Write a first solution with one card's model."""
    ctx = await find_context(state, runtime)
    card, track = state["card"], state["track"]
    draft = Draft(id=f"t{track}.c{state['number']}", origin="candidate", track=track, title=card.name, script=None)
    try:
        code = await ask_for_candidate(ctx.agent(await ctx.brief(state), track), card)
    except ReplyError as error:
        return {"draft": draft.model_copy(update={"problem": str(error)})}
    return {"draft": draft.model_copy(update={"script": await ctx.keep(code)})}


async def rank(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Sort the candidates by score; the best is where merging starts."""
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    candidates = [s for s in state.get("solutions", {}).values() if s.origin == "candidate"]
    ranked = best_first(brief.spec.direction, sorted(candidates, key=lambda solution: solution.id))
    best = ranked[0] if ranked else None
    ids = [solution.id for solution in ranked]
    return {
        "ranked": ids,
        "merged": 1,
        "outer": 0,
        **keep_best(state["track"], best),
        **await ask_budget(state, runtime, "merging" if len(ids) > 1 else "refinement"),
    }


def after_rank(state: TrackState) -> Literal["next best", "one candidate or budget", "no candidate"]:
    """Merge while there is another candidate; without any the track ends."""
    if state["best"] is None:
        return "no candidate"
    return "next best" if len(state["ranked"]) > 1 and not state["spent"] else "one candidate or budget"


async def merge(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Integrate the next candidate into the best solution."""
    ctx = await find_context(state, runtime)
    base, track = best_of(state), state["track"]
    reference = state["solutions"][state["ranked"][state["merged"]]]
    draft = Draft(
        id=f"t{track}.m{state['merged']}",
        origin="merge",
        track=track,
        title=f"{base.title} + {reference.title}",
        script=None,
        parent=base.id,
    )
    try:
        agent = ctx.agent(await ctx.brief(state), track)
        code = await merge_scripts(agent, await ctx.text(base.script or ""), await ctx.text(reference.script or ""))
    except ReplyError as error:
        return {"draft": draft.model_copy(update={"problem": str(error)})}
    return {"draft": draft.model_copy(update={"script": await ctx.keep(code)})}


async def accept_merge(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Keep the merged solution if it is better; the first that is not ends merging."""
    ctx = await find_context(state, runtime)
    brief, base = await ctx.brief(state), best_of(state)
    tried = [state["solution"]]
    best = await best_improvement(ctx, brief, tried, base) or base
    emit(runtime, "accept_merge", describe_choice(brief.spec.direction, tried, base, best), track=state["track"])
    merged = len(state["ranked"]) if best is base else state["merged"] + 1
    wanted = "another merge" if merged < len(state["ranked"]) else "refinement"
    return {"merged": merged, **keep_best(state["track"], best), **await ask_budget(state, runtime, wanted)}


def after_merge(state: TrackState) -> Literal["improved", "merging done or budget"]:
    """Go on merging while every merge improves."""
    return "improved" if state["merged"] < len(state["ranked"]) and not state["spent"] else "merging done or budget"


async def check_data_usage(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Ask whether the best solution uses every file and column; a script that uses more goes on evaluation."""
    if state["spent"]:
        return {"changed": False}
    ctx = await find_context(state, runtime)
    base, track = best_of(state), state["track"]
    agent = ctx.agent(await ctx.brief(state), track)
    try:
        code = await check_usage(agent, await ctx.text(base.script or ""))
    except ReplyError:
        code = None
    if code is None:
        return {"changed": False}
    draft = Draft(
        id=f"t{track}.u",
        origin="usage",
        track=track,
        title=f"{base.title}, all data",
        script=await ctx.keep(code),
        parent=base.id,
    )
    return {"draft": draft, "changed": draft.script != base.script}


def after_usage_check(
    state: TrackState, runtime: Runtime[Settings]
) -> Literal["uses more", "next block", "done or budget"]:
    """Try a changed script; otherwise start refining."""
    return "uses more" if state["changed"] else next_block(state, runtime)


async def accept_usage(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Keep the script that uses all data if it runs and is not worse beyond noise."""
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    best, tried = best_of(state), state["solution"]
    kept = await is_no_worse(ctx, brief, tried, best)
    return {**keep_best(state["track"], tried if kept else best), **await ask_budget(state, runtime, "refinement")}


def next_block(state: TrackState, runtime: Runtime[Settings]) -> Literal["next block", "done or budget"]:
    """Take T outer steps while the budget lasts."""
    steps = Settings.of(runtime.context).outer_steps
    return "done or budget" if state["spent"] or state["outer"] >= steps else "next block"


def best_of(state: TrackState) -> Solution:
    """Return the best solution of a track that has one."""
    best = state["best"]
    if best is None:
        msg = "a track without a solution cannot be refined"
        raise RuntimeError(msg)
    return best


def keep_best(track: int, best: Solution | None) -> TrackState:
    """Return the update that makes a solution the best of its track."""
    return {"best": best, "bests": {str(track): best}} if best else {"best": None}


async def ask_budget(state: TrackState, runtime: Runtime[Settings], wanted: str) -> TrackState:
    """Return the update that records whether the budget allows the step that is wanted next, if any is."""
    ctx = await find_context(state, runtime)
    return {"spent": await ctx.budget.spent(f"{wanted} of t{state['track']}" if wanted else "")}
