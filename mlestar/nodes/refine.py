"""Refinement of a track: ablation, block, plans (paper, algorithm 2)."""

import math
import re
import time
from collections.abc import Iterable
from typing import Literal

from langgraph.runtime import Runtime

from mlestar.agents.ablator import ask_for_study, repair_study
from mlestar.agents.coder import rewrite_block
from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.debugging import summarize_bug
from mlestar.agents.extractor import ask_for_block
from mlestar.agents.measured import find_measured_block
from mlestar.agents.planner import ask_for_plan
from mlestar.agents.sharing import limit_message
from mlestar.agents.summarizer import summarize_study
from mlestar.metrics.precision import ShownScore
from mlestar.nodes.acceptance import gain_over
from mlestar.nodes.grading import grade_execution
from mlestar.nodes.leakage import check_literals
from mlestar.nodes.lessons import note_study, note_trial
from mlestar.nodes.progress import emit, emit_step
from mlestar.nodes.propose import propose
from mlestar.nodes.track import accept_best, ask_budget, attempt_of, best_of, best_script, keep_best, plans_of
from mlestar.runtime.budget import Refusal
from mlestar.runtime.context import RunContext, find_context
from mlestar.runtime.facts import note_failure
from mlestar.runtime.grading import describe_failure
from mlestar.runtime.inputs import StagedInput
from mlestar.runtime.progress import Subject
from mlestar.settings import Settings
from mlestar.state import Block, Brief, Draft, ExecutionRecord, Measured, Study, TrackState, Variant, Verdict

STUDY_STRETCH = 2.0
"""A study runs the pipeline several times; it may take this factor of a script's time. Chosen by judgement."""
BASELINE = "baseline"
"""The name of a study's variant in which nothing is switched off."""
MAX_VARIANTS = 12
"""Variants of one study that are graded, the baseline included: four times as many as a study is asked for. Each score
tells something about withheld labels. Chosen by judgement; not measured."""
CLAIM = re.compile(r"^Ablation ([\w.-]{1,60}):\s*(\S+)(?: in (\d+(?:\.\d+)?) s)?", re.MULTILINE)


async def ablate(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Write a study of the best script."""
    ctx = await find_context(state, runtime)
    emit_step(runtime, "ablate", state["track"], outer=state["outer"] + 1)
    agent = await ctx.agent(state, state["track"], step=_study_label(state))
    script, measured = await best_script(ctx, state), best_of(state).verdict.measured
    try:
        code = await ask_for_study(agent, script, state.get("summaries", []), measured)
    except ReplyError as error:
        return {"study": Study(script=None, output=str(error))}
    return {"study": Study(script=await ctx.services.keep(code))}


async def run_ablation(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Run the study on the input of the search and grade every variant."""
    study, label = state["study"], _study_label(state)
    if study.script is None:
        return {}
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    memorizing = await check_literals(ctx, brief, study.script)
    if memorizing.leak:
        output = await ctx.services.keep(memorizing.reason)
        return {"study": study.model_copy(update={"status": "leak", "output": output})}
    staged = await ctx.inputs.search(brief)
    try:
        execution = await ctx.executor.execute(
            study.script,
            staged,
            outputs=("variants/*.csv",),
            stretch=STUDY_STRETCH,
            label=label,
            subject=Subject(label, state["track"], f"ablation of {best_of(state).title}"),
        )
    except Refusal:
        return {"study": study.model_copy(update={"status": "refused"})}
    variants = await _grade_variants(ctx, brief, execution, staged)
    emit(runtime, "run_ablation", _describe_variants(variants, execution), track=state["track"])
    texts = (await ctx.services.text(execution.stdout), await ctx.services.text(execution.stderr), execution.detail)
    output = await ctx.services.keep("\n".join(texts).strip())
    if not any(variant.score is not None for variant in variants):
        message = limit_message(describe_failure(execution, texts[1]), brief.share, execution.status)
        await note_failure(ctx.services.ledger, study.script, execution.status, message)
    await note_study(ctx, state["track"], label, study, variants)
    took = execution.seconds, execution.peak_memory_mb, execution.peak_gpu_memory_mb
    measured = Measured.of(*took) if execution.seconds else None
    update = {"status": execution.status, "variants": variants, "output": output, "measured": measured}
    return {"study": study.model_copy(update=update)}


def after_study(state: TrackState, runtime: Runtime[Settings]) -> Literal["failed", "studied"]:
    """Debug a study that gave no result as often as the settings allow; a variant that failed is unknown."""
    study, rounds = state["study"], Settings.of(runtime.context).debug_rounds
    failed = study.script is not None and not study.has_results and study.status not in ("refused", "unwritten")
    return "failed" if failed and len(study.failed) < rounds and not state["spent"] else "studied"


async def diagnose_study(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Have the failure of a study summarized for the debugger."""
    ctx = await find_context(state, runtime)
    study = state["study"]
    agent = await ctx.agent(state, state["track"])
    message = f"The study ended as `{study.status}` and no variant could be graded."
    code, output = await ctx.services.text(study.script or ""), await ctx.services.text(study.output)
    if study.status == "unavailable":  # it has no output, only the reason
        message, output = f"{message}\n{output}", ""
    bug = await summarize_bug(agent, code, message, output, study.measured, study.status)
    return {"study": study.model_copy(update={"bug": bug})}


async def debug_study(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Have a study repaired."""
    ctx = await find_context(state, runtime)
    study = state["study"]
    agent = await ctx.agent(state, state["track"], step=f"{_study_label(state)} repair {len(study.failed) + 1}")
    codes = [await ctx.services.text(blob) for blob in (*study.failed, study.script or "")]
    try:
        repaired = await repair_study(agent, codes[-1], study.bug, codes[:-1], study.measured)
    except ReplyError:
        return {"study": study.model_copy(update={"repaired": False})}
    update = {"script": await ctx.services.keep(repaired), "failed": (*study.failed, study.script), "repaired": True}
    return {"study": study.model_copy(update=update)}


def after_study_debug(state: TrackState) -> Literal["debug again", "gave up"]:
    """Run a repaired study; without one nothing is known about any part."""
    return "debug again" if state["study"].repaired else "gave up"


async def summarize(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Summarize in words what the study shows."""
    ctx = await find_context(state, runtime)
    study = state["study"]
    summary = f"The study gave no result ({study.status}): nothing is known about any part of this script."
    if study.has_results:
        summary = await _ask_for_summary(ctx, state)
    return {
        "study": study.model_copy(update={"summary": summary}),
        "summaries": [*state.get("summaries", []), summary],
    }


async def extract_block(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Choose the block to refine, with the first plan."""
    ctx = await find_context(state, runtime)
    study, best = state["study"], best_of(state)
    agent = await ctx.agent(state, state["track"], step=f"{_study_label(state)} block")
    earlier_blocks = state.get("blocks", [])
    cleared: TrackState = {"inner": 0, "attempts": []}
    try:
        code = await best_script(ctx, state)
        block = await ask_for_block(agent, code, study.summary, study.variants, earlier_blocks, best.verdict.measured)
    except ReplyError:
        measured = await _plan_for_measured_block(ctx, state, agent)
        if measured is None:
            return {"block": None, "plan": "", **cleared}
        block = measured
    return {"block": block, "plan": block.plan, "blocks": [*earlier_blocks, block.text], **cleared}


def after_extraction(state: TrackState) -> Literal["first plan", "no block"]:
    """Refine the block that was chosen."""
    return "first plan" if state["block"] else "no block"


async def plan(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Make the next plan for the block, from the results of the earlier ones."""
    ctx = await find_context(state, runtime)
    emit_step(runtime, "plan", state["track"], outer=state["outer"] + 1, inner=state["inner"] + 1)
    agent = await ctx.agent(state, state["track"], step=f"{_plan_label(state)} plan")
    block, best = state["block"].text if state["block"] else "", best_of(state)
    attempts = plans_of(state["attempts"])
    try:
        return {"plan": await ask_for_plan(agent, block, attempts, best.verdict.shown, best.verdict.measured)}
    except ReplyError:
        return {"plan": ""}


async def write_block(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Rewrite the block to the plan and put it into the script that the step started from."""
    ctx, track = await find_context(state, runtime), state["track"]
    base, block = best_of(state), state["block"]
    counters = {"outer": state["outer"] + 1, "inner": state["inner"] + 1}
    emit_step(runtime, "write_block", track, plan=state["plan"], **counters)
    draft = Draft(
        id=_plan_label(state),
        origin="refinement",
        track=track,
        title=base.title,
        parent=base.id,
        plan=state["plan"],
        base=base.script,
    )
    if block is None or not state["plan"]:
        return {"draft": draft.model_copy(update={"problem": "no plan that differs from those tried"})}
    code = await best_script(ctx, state)
    rewritten = rewrite_block(await ctx.agent(state, track, step=draft.id), code, block.text, state["plan"])
    return {"draft": await propose(ctx, draft, rewritten)}


async def compare(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Record the result of the plan."""
    ctx = await find_context(state, runtime)
    base, block = best_of(state), state["block"]
    attempt = await attempt_of(ctx, await ctx.brief(state), state["plan"], state["solution"], base)
    await note_trial(ctx, state["track"], block.text if block else "", attempt, base)
    attempts = [*state["attempts"], attempt]
    inner = state["inner"] + 1
    step = "another plan" if inner < ctx.settings.inner_plans else ""
    return {"attempts": attempts, "inner": inner, **await ask_budget(ctx, state["track"], step)}


def after_compare(state: TrackState, runtime: Runtime[Settings]) -> Literal["next plan", "block done or budget"]:
    """Evaluate K plans on the block while the budget lasts."""
    plans = Settings.of(runtime.context).inner_plans
    return "block done or budget" if state["spent"] or state["inner"] >= plans else "next plan"


async def advance(state: TrackState, runtime: Runtime[Settings]) -> TrackState:
    """Continue from the best variant of the block if it improves on the script that the step started from."""
    ctx, track = await find_context(state, runtime), state["track"]
    candidates = [state["solutions"][attempt.solution] for attempt in state["attempts"]]
    best = await accept_best(ctx, state, runtime, "advance", candidates)
    outer = state["outer"] + 1
    step = "another block" if outer < ctx.settings.outer_steps else ""
    return {"outer": outer, **keep_best(track, best), **await ask_budget(ctx, track, step)}


async def _plan_for_measured_block(ctx: RunContext, state: TrackState, agent: AgentContext) -> Block | None:
    """Return the function that the study measured, with a plan; None when it measured none or there is no plan."""
    study = state["study"]
    if not study.script:
        return None
    script, study_code = await best_script(ctx, state), await ctx.services.text(study.script)
    text = find_measured_block(script, study_code, study.variants, state.get("blocks", []))
    if text is None:
        return None
    try:
        return Block(text=text, plan=await ask_for_plan(agent, text, [], best_of(state).verdict.shown))
    except ReplyError:
        return None


async def _grade_variants(
    ctx: RunContext, brief: Brief, execution: ExecutionRecord, staged: StagedInput
) -> tuple[Variant, ...]:
    """Return the baseline and every variant with the grader's score; a variant that wrote nothing failed.

    All together are graded within the time limit of one submission; what is not graded by then is unknown.
    """
    end = time.monotonic() + (ctx.grading.limit(staged) if staged.grader else 0.0)
    stdout = await ctx.services.text(execution.stdout)
    claims = {name: _number(text) for name, text, _ in CLAIM.findall(stdout)}
    seconds = {name: _number(text) for name, _, text in CLAIM.findall(stdout)}
    files = {path.removeprefix("variants/").removesuffix(".csv"): path for path in execution.files}
    variants = []
    baseline = Verdict(status="unwritten")
    for name in choose_variants([*claims, *sorted(files)]):
        score: ShownScore = claims.get(name) if staged.grader is None else None
        gain, left = None, end - time.monotonic()
        if staged.grader is not None and name in files and left > 0:
            verdict = await grade_execution(
                ctx, brief, execution, staged, output=files[name], may_fail=True, seconds=left
            )
            baseline = verdict if name == BASELINE else baseline
            score, gain = verdict.shown, await gain_over(ctx, brief, verdict, baseline)
        figures = {"claimed": claims.get(name), "seconds": seconds.get(name)}
        variants.append(Variant(name=name, score=score, gain=gain if name != BASELINE else None, **figures))
    return tuple(variants)


def choose_variants(names: Iterable[str]) -> list[str]:
    """Return the baseline and the first variants of a study, as many as are graded; sorted by name."""
    first = sorted(dict.fromkeys(names), key=lambda name: name != BASELINE)[:MAX_VARIANTS]
    return sorted(first, key=lambda name: (name != BASELINE, name))


def _study_label(state: TrackState) -> str:
    return f"t{state['track']}.a{state['outer'] + 1}"


def _plan_label(state: TrackState) -> str:
    return f"t{state['track']}.r{state['outer'] + 1}.{state['inner'] + 1}"


def _describe_variants(variants: tuple[Variant, ...], execution: ExecutionRecord) -> str:
    if not variants:
        return f"the study failed ({execution.status})"
    scores = [(variant.name, "failed" if variant.score is None else str(variant.score)) for variant in variants]
    return ", ".join(f"{name} {score}" for name, score in scores)


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


async def _ask_for_summary(ctx: RunContext, state: TrackState) -> str:
    study = state["study"]
    agent = await ctx.agent(state, state["track"])
    verdict = best_of(state).verdict
    error = None if verdict.standing else verdict.holdout_se
    noise = f"{2 * error:.2g}" if error else "an unknown size"
    code, output = await ctx.services.text(study.script or ""), await ctx.services.text(study.output)
    try:
        return await summarize_study(agent, code, output, study.variants, noise, study.measured)
    except ReplyError:
        return "; ".join(f"{variant.name}: {variant.score}" for variant in study.variants)
