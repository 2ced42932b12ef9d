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
from mlestar.nodes.acceptance import improves, is_no_worse
from mlestar.nodes.progress import emit
from mlestar.nodes.propose import propose
from mlestar.nodes.start import TRACK
from mlestar.nodes.track import accept_best, ask_budget, best_of, best_script, keep_best, next_block
from mlestar.retrieval import Findings, find_missing, sources_of
from mlestar.runtime.context import RunContext, find_context
from mlestar.settings import Settings
from mlestar.state import (
    START,
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
    """Retrieve M model cards that the sandbox can run, a person's own first."""
    ctx, track = await find_context(state, runtime), state["track"]
    brief = await ctx.brief(state)
    count, own = ctx.settings.retrieved_models, ctx.services.cards
    findings = await ctx.services.find_cards(brief, count, ctx.settings)
    results = findings.cards
    try:
        retrieved = await retrieve_cards(ctx.services.agent(brief, track), results, count)
    except ReplyError:
        retrieved = list(results[:count])
    cards = choose_cards([*own, *retrieved], results, brief, max(count, len(own)))
    names = [f"{card.name} (left out: {card.problem})" if card.problem else card.name for card in cards]
    emit(runtime, "retrieve", ", ".join(names) or "no model found", track=track)
    if findings.dropped:
        pages = ", ".join(f"{source.address} ({source.dropped})" for source in findings.dropped)
        emit(runtime, "retrieval", f"dropped {pages}", track=track)
    return {"cards": cards, "sources": list_sources(track, findings, cards)}


def list_sources(track: int, findings: Findings, cards: Sequence[ModelCard]) -> dict[str, Source]:
    """Return every page that retrieval returned with the cards based on it, and every card that was left out."""
    sources = {f"{track} {source.address} dropped": source for source in findings.dropped}
    for card in findings.cards:
        sources |= {f"{track} {source.address}": source for source in sources_of(card)}
    for card in cards:
        if card.problem:
            left_out = Source(address=card.source, title=card.name, found_by=card.found_by, dropped=card.problem)
            sources[f"{track} card {card.name}"] = left_out
            continue
        for key in [f"{track} {source.address}" for source in sources_of(card)]:
            source = sources.get(key)
            if source is not None:
                sources[key] = source.model_copy(update={"cards": (*source.cards, card.name)})
    return sources


def choose_cards(chosen: Sequence[ModelCard], spare: Sequence[ModelCard], brief: Brief, count: int) -> list[ModelCard]:
    """Return `count` usable cards, spare ones in place of those that cannot run here; the latter are last, marked."""
    by_name: dict[str, ModelCard] = {}
    for card in [*chosen, *spare]:
        by_name.setdefault(card.name.lower(), card)
    chosen_names = {card.name.lower() for card in chosen}
    usable: list[ModelCard] = []
    unusable: list[ModelCard] = []
    for name, card in by_name.items():
        missing = [] if card.by_person else find_missing(card, brief)
        if not missing:
            usable.append(card)
        elif name in chosen_names:
            problem = f"needs {', '.join(missing)}"
            unusable.append(card.model_copy(update={"problem": problem}))
    return [*usable[:count], *unusable]


async def each_card(state: TrackState, runtime: Runtime[Settings]) -> list[Send] | Literal["no card"]:
    """Write a candidate for every card; in the first track the person's own script is one too."""
    ctx = await find_context(state, runtime)
    keys = {"run_id": state["run_id"], "brief": state["brief"], "track": state["track"]}
    usable = [card for card in state["cards"] if not card.problem]
    sends = [Send("make_candidate", {**keys, "card": card, "number": i}) for i, card in enumerate(usable, 1)]
    if state["track"] == TRACK and (await ctx.brief(state)).start is not None:
        sends.insert(0, Send("make_start", keys))
    return sends or "no card"


async def write_candidate(state: CandidateState, runtime: Runtime[Settings]) -> CandidateState:
    """Write a first solution with one card's model."""
    ctx = await find_context(state, runtime)
    card, track = state["card"], state["track"]
    draft = Draft(id=f"t{track}.c{state['number']}", origin="candidate", track=track, title=card.name)
    return {"draft": await propose(ctx, draft, ask_for_candidate(await ctx.agent(state, track, step=draft.id), card))}


async def rank(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Sort the candidates by score; the first is where merging starts."""
    ctx, track = await find_context(state, runtime), state["track"]
    brief = await ctx.brief(state)
    candidates = [one for one in state.get("solutions", {}).values() if one.origin in (START, "candidate")]
    ranked = best_first(brief.spec.direction, sorted(candidates, key=lambda solution: solution.id))
    ranked = await _start_first(ctx, brief, ranked)
    best = ranked[0] if ranked else None
    step = "merging" if len(ranked) > 1 else "refinement"
    return {
        "ranked": [solution.id for solution in ranked],
        "merged": 1,
        "outer": 0,
        **keep_best(track, best),
        **await ask_budget(ctx, track, step),
    }


async def _start_first(ctx: RunContext, brief: Brief, ranked: list[Solution]) -> list[Solution]:
    """Return the candidates with the start before the others, unless the best of them would replace it."""
    start = next((solution for solution in ranked if solution.origin == START), None)
    if start is None or start is ranked[0] or await improves(ctx, brief, ranked[0], start):
        return ranked
    return [start, *(solution for solution in ranked if solution is not start)]


def after_rank(state: TrackState) -> Literal["next best", "one candidate or budget", "no candidate"]:
    """Merge while there is another candidate; without any the track ends."""
    if state["best"] is None:
        return "no candidate"
    return "next best" if len(state["ranked"]) > 1 and not state["spent"] else "one candidate or budget"


async def merge(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Integrate the next candidate into the best solution."""
    ctx, track = await find_context(state, runtime), state["track"]
    base = best_of(state)
    reference = state["solutions"][state["ranked"][state["merged"]]]
    draft = Draft(
        id=f"t{track}.m{state['merged']}",
        origin="merge",
        track=track,
        title=f"{base.title} + {reference.title}",
        parent=base.id,
        combines=(base.id, reference.id),
    )
    base_script = await best_script(ctx, state)
    reference_script = await ctx.services.text(reference.script or "")
    measured = {"base": base.verdict.measured, "reference": reference.verdict.measured}
    agent = await ctx.agent(state, track, step=draft.id)
    merged = merge_scripts(agent, base_script, reference_script, measured)
    return {"draft": await propose(ctx, draft, merged)}


async def accept_merge(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Keep the merged solution if it is better; the first that is not ends merging."""
    ctx, track = await find_context(state, runtime), state["track"]
    best = await accept_best(ctx, state, runtime, "accept_merge", [state["solution"]])
    merged = state["merged"] + 1
    if best is best_of(state):
        merged = len(state["ranked"])
    step = "another merge" if merged < len(state["ranked"]) else "refinement"
    return {"merged": merged, **keep_best(track, best), **await ask_budget(ctx, track, step)}


def after_merge(state: TrackState) -> Literal["improved", "merging done or budget"]:
    """Continue merging while every merge improves."""
    return "improved" if state["merged"] < len(state["ranked"]) and not state["spent"] else "merging done or budget"


async def check_data_usage(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Ask whether the best solution uses every file and column; a script that uses more is evaluated."""
    if state["spent"]:
        return {"changed": False}
    ctx, track = await find_context(state, runtime), state["track"]
    base = best_of(state)
    try:
        agent = await ctx.agent(state, track, step=f"t{track}.u")
        code = await check_usage(agent, await best_script(ctx, state), base.verdict.measured)
    except ReplyError:
        code = None
    if code is None:
        return {"changed": False}
    draft = Draft(
        id=f"t{track}.u",
        origin="usage",
        track=track,
        title=f"{base.title}, all data",
        script=await ctx.services.keep(code),
        parent=base.id,
    )
    return {"draft": draft, "changed": draft.script != base.script}


def after_usage_check(
    state: TrackState, runtime: Runtime[Settings]
) -> Literal["uses more", "next block", "done or budget"]:
    """Evaluate a changed script; otherwise start refining."""
    return "uses more" if state["changed"] else next_block(state, runtime)


async def accept_usage(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Keep the script that uses all data if it runs and is not worse beyond noise."""
    ctx, track = await find_context(state, runtime), state["track"]
    best, candidate = best_of(state), state["solution"]
    if await is_no_worse(ctx, await ctx.brief(state), candidate, best):
        best = candidate
    return {**keep_best(track, best), **await ask_budget(ctx, track, "refinement")}
