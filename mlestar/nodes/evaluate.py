"""Evaluation of one script: leakage check, run, grade, debug. It ends in a verdict, whatever happens."""

import asyncio
from typing import Literal

from langgraph.runtime import Runtime

from mlestar.agents.context import ReplyError
from mlestar.agents.debugging import repair_script, summarize_bug
from mlestar.agents.leakage import Leakage, rewrite_leakage
from mlestar.agents.sharing import limit_message
from mlestar.nodes.grading import find_suspicion, grade_execution
from mlestar.nodes.leakage import CLEAN, check_change, check_literals, check_script, checked_scripts
from mlestar.nodes.lessons import note_repair
from mlestar.nodes.progress import emit, emit_solution
from mlestar.runtime.budget import Refusal
from mlestar.runtime.context import RunContext, find_context
from mlestar.runtime.facts import note_failure
from mlestar.runtime.progress import Subject
from mlestar.settings import Settings
from mlestar.state import START, EvaluationState, Solution, Verdict
from mlestar.store import key_of

DEBUGGABLE = {"error", "timeout", "oom", "gpu_oom", "killed", "disk_full", "output_limit", "unavailable", "invalid"}


def admit_script(state: EvaluationState) -> Literal["script", "no script"]:
    """Send a draft without a script straight to its verdict."""
    return "script" if state["draft"].script else "no script"


async def check_leakage(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Ask whether the script leaks, with the grader's evidence if there is any."""
    ctx = await find_context(state, runtime)
    draft = state["draft"]
    script = state.get("script") or draft.script or ""
    finding = await _find_leakage(ctx, state, script)
    if finding.reason:
        outcome = "leaks" if finding.leak else "passed"
        emit(runtime, "check_leakage", f"{draft.id} {outcome}: {finding.reason}", track=draft.track)
    return {"script": script, "leaking": finding.block if finding.leak else "", "leak_reason": finding.reason}


def after_leakage_check(state: EvaluationState, runtime: Runtime[Settings]) -> Literal["clean", "leak", "leak remains"]:
    """Run a clean script; repair a leaking one as often as the settings allow, a blend never."""
    if not state["leaking"]:
        return "clean"
    if state["draft"].members:
        return "leak remains"
    rounds = Settings.of(runtime.context).leakage_rounds
    return "leak" if state.get("leak_rounds", 0) < rounds else "leak remains"


async def repair_leakage(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Replace the leaking block; the result is checked again."""
    ctx = await find_context(state, runtime)
    agent = await ctx.agent(state, state["draft"].track)
    code = await ctx.services.text(state["script"])
    rounds = state.get("leak_rounds", 0) + 1
    try:
        repaired = await rewrite_leakage(agent, code, state["leaking"], state["leak_reason"])
    except ReplyError:
        return {"leak_rounds": rounds}
    return {"script": await ctx.services.keep(repaired), "leak_rounds": rounds, "evidence": ""}


async def execute(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Run the script on the input of the search."""
    ctx = await find_context(state, runtime)
    draft = state["draft"]
    staged = await ctx.inputs.search(await ctx.brief(state))
    try:
        execution = await ctx.executor.execute(
            state["script"], staged, stretch=draft.stretch, label=draft.id, subject=Subject.of(draft)
        )
    except Refusal:
        return {"execution": None}
    return {"execution": execution}


async def grade(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Grade what the script submitted for the withheld rows."""
    execution = state["execution"]
    if execution is None:
        return {"verdict": Verdict(status="refused", message="the budget allows no further execution")}
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    staged, subject = await ctx.inputs.search(brief), Subject.of(state["draft"])
    verdict = await grade_execution(ctx, brief, execution, staged, subject=subject)
    if verdict.status == "ok" and verdict.score is None:
        message = "it printed no line 'Final Validation Performance: <number>'"
        verdict = verdict.model_copy(update={"status": "error", "message": message})
    if verdict.status in DEBUGGABLE:
        message = limit_message(verdict.message, brief.share, verdict.status)
        await note_failure(ctx.services.ledger, state["script"], verdict.status, message)
    suspected = state.get("suspected", False)
    evidence = "" if suspected else find_suspicion(brief, verdict)
    return {"verdict": verdict, "evidence": evidence, "suspected": suspected or bool(evidence)}


def after_grade(state: EvaluationState, runtime: Runtime[Settings]) -> Literal["suspicious", "failed", "graded"]:
    """Ask the leakage checker about a suspicion, debug a failure as often as the settings allow, else conclude.

    A blend only runs scripts that have been debugged.
    """
    if state.get("evidence"):
        return "suspicious"
    if state["draft"].members:
        return "graded"
    rounds = Settings.of(runtime.context).debug_rounds
    failed = state["verdict"].status in DEBUGGABLE
    return "failed" if failed and state.get("debug_rounds", 0) < rounds else "graded"


async def diagnose(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Have the failure summarized for the debugger."""
    ctx = await find_context(state, runtime)
    draft, verdict = state["draft"], state["verdict"]
    agent = await ctx.agent(state, draft.track)
    output = await ctx.services.text(verdict.output) if verdict.output else ""
    problem = f"{verdict.status}: {verdict.message}"
    emit(runtime, "diagnose", f"{draft.id} {problem}", track=draft.track, solution=draft.id, problem=problem)
    script = await ctx.services.text(state["script"])
    bug = await summarize_bug(agent, script, verdict.message, output, verdict.measured, verdict.status)
    return {"bug": bug}


async def debug(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Ask for a repaired script, which goes through the leakage check again."""
    ctx = await find_context(state, runtime)
    failed = [*state.get("fixes", []), state["script"]]
    rounds = state.get("debug_rounds", 0) + 1
    agent = await ctx.agent(state, state["draft"].track, step=f"{state['draft'].id} repair {rounds}")
    codes = [await ctx.services.text(sha) for sha in failed]
    try:
        own, measured = state["draft"].origin == START, state["verdict"].measured
        repaired = await repair_script(agent, codes[-1], state["bug"], codes[:-1], measured, own=own)
    except ReplyError:
        return {"repaired": False, "debug_rounds": rounds}
    return {"script": await ctx.services.keep(repaired), "repaired": True, "fixes": failed, "debug_rounds": rounds}


def after_debug(state: EvaluationState) -> Literal["debug again", "gave up"]:
    """Run a repaired script; without one the failure is final."""
    return "debug again" if state["repaired"] else "gave up"


async def conclude(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Turn the draft into a solution with its verdict."""
    ctx = await find_context(state, runtime)
    draft = state["draft"]
    script = state.get("script") or draft.script
    solution = Solution(
        id=draft.id,
        origin=draft.origin,
        track=draft.track,
        title=draft.title,
        script=script,
        parent=draft.parent,
        plan=draft.plan,
        verdict=_final_verdict(state),
        members=draft.members if script == draft.script else (),
        combines=draft.combines,
    )
    if state.get("fixes"):
        await note_repair(ctx, draft.id, state["fixes"], script or "", solution.verdict.status)
    brief = await ctx.brief(state)
    await emit_solution(runtime, ctx, solution, brief.spec.direction)
    # A run that ends early reports from here: its checkpoints hold the solutions of a track in the track's own state.
    key, fact = key_of("solution", solution.id), solution.model_dump(mode="json")
    await asyncio.to_thread(ctx.services.ledger.note, "solution", key, fact, replace=True)
    return {"solution": solution, "solutions": {solution.id: solution}}


def _final_verdict(state: EvaluationState) -> Verdict:
    draft = state["draft"]
    if not draft.script:
        return Verdict(status="unwritten", message=draft.problem)
    rounds = {"debug_rounds": state.get("debug_rounds", 0)}
    if state.get("leaking"):
        message = f"leakage that could not be repaired: {state['leak_reason']}"
        return Verdict(status="leak", message=message).model_copy(update=rounds)
    return state["verdict"].model_copy(update=rounds)


async def _find_leakage(ctx: RunContext, state: EvaluationState, script: str) -> Leakage:
    """Ask about the whole script where there is evidence or a repaired leak, else about what changed.

    A script that memorises rows is refused without a question.
    """
    brief, draft, evidence = await ctx.brief(state), state["draft"], state.get("evidence", "")
    if draft.members:
        return await _find_leakage_of_members(ctx, state)
    memorizing = await check_literals(ctx, brief, script)
    if memorizing.leak:
        return memorizing
    fixes = state.get("fixes", [])
    base = fixes[-1] if fixes else draft.base
    if base is None or evidence or state.get("leak_rounds"):
        return await check_script(ctx, brief, script, evidence)
    return await check_change(ctx, brief, script, base, draft.track)


async def _find_leakage_of_members(ctx: RunContext, state: EvaluationState) -> Leakage:
    """Check the script of each member of a blend as a whole."""
    brief = await ctx.brief(state)
    for script in await checked_scripts(ctx, state["draft"]):
        finding = await check_literals(ctx, brief, script)
        if not finding.leak:
            finding = await check_script(ctx, brief, script, state.get("evidence", ""))
        if finding.leak:
            return finding
    return CLEAN
