"""Refinement of a track: ablation, block, plans (paper, algorithm 2)."""

import asyncio
import re
from typing import Literal

from langgraph.runtime import Runtime

from mlestar import evaluation
from mlestar.agents.ablator import ask_for_study, repair_study
from mlestar.agents.coder import rewrite_block
from mlestar.agents.context import ReplyError
from mlestar.agents.debugging import summarize_bug
from mlestar.agents.extractor import ask_for_block
from mlestar.agents.planner import ask_for_plan
from mlestar.agents.summarizer import summarize_study
from mlestar.nodes.acceptance import best_improvement, describe_choice
from mlestar.nodes.initialize import ask_budget, best_of, keep_best
from mlestar.nodes.progress import emit
from mlestar.runtime.budget import Refused
from mlestar.runtime.context import RunContext, find_context
from mlestar.settings import Settings
from mlestar.state import Attempt, Brief, Draft, Outcome, Study, TrackState, Variant

STUDY_STRETCH = 2.0
"""A study runs the pipeline several times."""
CLAIM = re.compile(r"^Ablation ([\w.-]{1,60}):\s*(\S+)", re.MULTILINE)


async def ablate(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Write a study of the best script."""
    ctx = await find_context(state, runtime)
    agent = ctx.agent(await ctx.brief(state), state["track"])
    try:
        code = await ask_for_study(agent, await ctx.text(best_of(state).script or ""), state.get("summaries", []))
    except ReplyError as error:
        return {"study": Study(script=None, output=str(error))}
    return {"study": Study(script=await ctx.keep(code))}


async def run_ablation(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Run the study in the holdout and grade every variant."""
    study, track = state["study"], state["track"]
    if study.script is None:
        return {}
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    staged, _ = await ctx.search_input(brief)
    label = f"t{track}.a{state['outer'] + 1}"
    try:
        outcome = await ctx.execute(
            study.script, staged, outputs=("variants/*.csv",), stretch=STUDY_STRETCH, label=label
        )
    except Refused:
        return {"study": study.model_copy(update={"status": "refused"})}
    variants = await _grade_variants(ctx, brief, outcome)
    found = ", ".join(f"{v.name} {'failed' if v.score is None else format(v.score, '.5g')}" for v in variants)
    emit(runtime, "run_ablation", found or f"the study failed ({outcome.status})", track=track)
    said = (await ctx.text(outcome.stdout), await ctx.text(outcome.stderr), outcome.detail)
    output = "\n".join(said).strip()
    update = {"status": outcome.status, "variants": variants, "output": await ctx.keep(output)}
    return {"study": study.model_copy(update=update)}


def after_study(state: TrackState, runtime: Runtime[Settings]) -> Literal["failed", "studied"]:
    """Have a study that gave no result repaired as often as the settings allow; a variant that failed is unknown."""
    study, rounds = state["study"], Settings.of(runtime.context).debug_rounds
    failed = study.script is not None and not study.has_results and study.status not in ("refused", "unwritten")
    return "failed" if failed and len(study.failed) < rounds and not state["spent"] else "studied"


async def diagnose_study(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Have the failure of a study summarized for the debugger."""
    ctx = await find_context(state, runtime)
    study = state["study"]
    agent = ctx.agent(await ctx.brief(state), state["track"])
    said = f"The study ended as `{study.status}` and no variant could be graded."
    bug = await summarize_bug(agent, await ctx.text(study.script or ""), said, await ctx.text(study.output))
    return {"study": study.model_copy(update={"bug": bug})}


async def debug_study(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Have a study repaired."""
    ctx = await find_context(state, runtime)
    study = state["study"]
    agent = ctx.agent(await ctx.brief(state), state["track"])
    codes = [await ctx.text(sha) for sha in (*study.failed, study.script or "")]
    try:
        repaired = await repair_study(agent, codes[-1], study.bug, codes[:-1])
    except ReplyError:
        return {"study": study.model_copy(update={"repaired": False})}
    update = {"script": await ctx.keep(repaired), "failed": (*study.failed, study.script), "repaired": True}
    return {"study": study.model_copy(update=update)}


def after_study_debug(state: TrackState) -> Literal["debug again", "gave up"]:
    """Run a repaired study; without one nothing is known about any part."""
    return "debug again" if state["study"].repaired else "gave up"


async def summarize(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Put what the study found into words."""
    ctx = await find_context(state, runtime)
    study = state["study"]
    if not study.has_results:
        summary = f"The study gave no result ({study.status}): nothing is known about any part of this script."
    else:
        summary = await _ask_for_summary(ctx, await ctx.brief(state), state)
    return {
        "study": study.model_copy(update={"summary": summary}),
        "summaries": [*state.get("summaries", []), summary],
    }


async def extract_block(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Choose the block to refine, with the first plan."""
    ctx = await find_context(state, runtime)
    study = state["study"]
    agent = ctx.agent(await ctx.brief(state), state["track"])
    code = await ctx.text(best_of(state).script or "")
    cleared: TrackState = {"inner": 0, "attempts": []}
    try:
        block = await ask_for_block(agent, code, study.summary, study.variants, state.get("blocks", []))
    except ReplyError:
        return {"block": None, "plan": "", **cleared}
    return {"block": block, "plan": block.plan, "blocks": [*state.get("blocks", []), block.text], **cleared}


def after_extraction(state: TrackState) -> Literal["first plan", "no block"]:
    """Refine the block that was found."""
    return "first plan" if state["block"] else "no block"


async def plan(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Make the next plan for the block, having seen how the earlier ones did."""
    ctx = await find_context(state, runtime)
    block = state["block"]
    agent = ctx.agent(await ctx.brief(state), state["track"])
    try:
        proposed = await ask_for_plan(
            agent, block.text if block else "", tried_plans(state["attempts"]), best_of(state).score
        )
    except ReplyError:
        return {"plan": ""}
    return {"plan": proposed}


def tried_plans(attempts: list[Attempt]) -> list[Attempt]:
    """Return the attempts that had a plan."""
    return [attempt for attempt in attempts if attempt.plan]


async def write_block(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Rewrite the block to the plan and put it into the script that the step started from."""
    ctx = await find_context(state, runtime)
    base, track, block = best_of(state), state["track"], state["block"]
    draft = Draft(
        id=f"t{track}.r{state['outer'] + 1}.{state['inner'] + 1}",
        origin="refinement",
        track=track,
        title=base.title,
        script=None,
        parent=base.id,
        plan=state["plan"],
    )
    if block is None or not state["plan"]:
        return {"draft": draft.model_copy(update={"problem": "no plan that differs from those tried"})}
    agent = ctx.agent(await ctx.brief(state), track)
    try:
        code = await rewrite_block(agent, await ctx.text(base.script or ""), block.text, state["plan"])
    except ReplyError as error:
        return {"draft": draft.model_copy(update={"problem": str(error)})}
    return {"draft": draft.model_copy(update={"script": await ctx.keep(code)})}


async def compare(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Record what the plan brought."""
    tried = state["solution"]
    attempt = Attempt(plan=state["plan"], solution=tried.id, score=tried.score, status=tried.verdict.status)
    inner = state["inner"] + 1
    wanted = "another plan" if inner < Settings.resolve(runtime.context).inner_plans else ""
    update: TrackState = {"attempts": [*state["attempts"], attempt], "inner": inner}
    return {**update, **await ask_budget(state, runtime, wanted)}


def after_compare(state: TrackState, runtime: Runtime[Settings]) -> Literal["next plan", "block done or budget"]:
    """Try K plans on the block while the budget lasts."""
    plans = Settings.of(runtime.context).inner_plans
    return "block done or budget" if state["spent"] or state["inner"] >= plans else "next plan"


async def advance(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Go on from the best variant of the block if it improves on the script that the step started from."""
    ctx = await find_context(state, runtime)
    brief, base = await ctx.brief(state), best_of(state)
    tried = [state["solutions"][attempt.solution] for attempt in state["attempts"]]
    best = await best_improvement(ctx, brief, tried, base) or base
    emit(runtime, "advance", describe_choice(brief.spec.direction, tried, base, best), track=state["track"])
    outer = state["outer"] + 1
    wanted = "another block" if outer < ctx.settings.outer_steps else ""
    return {"outer": outer, **keep_best(state["track"], best), **await ask_budget(state, runtime, wanted)}


async def _grade_variants(ctx: RunContext, brief: Brief, outcome: Outcome) -> tuple[Variant, ...]:
    """Return the baseline and every variant with the grader's score; a variant that wrote nothing failed."""
    claims = {name: _number(text) for name, text in CLAIM.findall(await ctx.text(outcome.stdout))}
    files = {path.removeprefix("variants/").removesuffix(".csv"): sha for path, sha in outcome.files.items()}
    names = sorted({*claims, *files}, key=lambda name: (name != "baseline", name))
    task, (_, held) = await ctx.task(brief), await ctx.search_input(brief)
    graded = []
    for name in names:
        score = claims.get(name) if held is None else None
        if held is not None and name in files:
            path = ctx.blobs.path(files[name])
            score = (await asyncio.to_thread(evaluation.grade_submission, task, held, path)).score
        graded.append(Variant(name=name, score=score, claimed=claims.get(name)))
    return tuple(graded)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


async def _ask_for_summary(ctx: RunContext, brief: Brief, state: TrackState) -> str:
    study = state["study"]
    se = best_of(state).verdict.holdout_se
    noise = f"{2 * se:.3g}" if se else "an unknown size"
    code, output = await ctx.text(study.script or ""), await ctx.text(study.output)
    try:
        return await summarize_study(ctx.agent(brief, state["track"]), code, output, study.variants, noise)
    except ReplyError:
        return "; ".join(f"{variant.name}: {variant.score}" for variant in study.variants)
