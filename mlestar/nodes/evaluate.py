"""Evaluation: leakage check, run, grade, debug. It ends in a verdict, whatever happens."""

import asyncio
from typing import Any, Literal, get_args

from langgraph.runtime import Runtime

from mlestar import evaluation
from mlestar.agents.context import ReplyError
from mlestar.agents.debugging import repair_script, summarize_bug
from mlestar.agents.leakage import Leakage, find_leakage, rewrite_leakage
from mlestar.agents.script import reported_score
from mlestar.nodes.progress import emit, emit_solution
from mlestar.runtime.budget import Refused
from mlestar.runtime.context import RunContext, find_context
from mlestar.settings import Settings
from mlestar.state import Brief, EvaluationState, Outcome, Solution, Verdict, VerdictStatus
from mlestar.store import key_of

SUSPICIOUS = 3.0
"""Standard errors by which a reported score may beat the grader's before leakage is suspected."""
DEBUGGABLE = {"error", "timeout", "oom", "killed", "disk_full", "output_limit", "invalid"}


def admit(state: EvaluationState) -> Literal["script", "no script"]:
    """Send a draft without a script straight to its verdict."""
    return "script" if state["draft"].script else "no script"


async def check_leakage(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Ask whether the script leaks, with the evidence there is."""
    ctx = await find_context(state, runtime)
    draft = state["draft"]
    script = state.get("script") or draft.script or ""
    finding = await _leakage(ctx, await ctx.brief(state), script, state.get("evidence", ""))
    if finding.reason:
        found = "leaks" if finding.leak else "passed"
        emit(runtime, "check_leakage", f"{draft.id} {found}: {finding.reason}", track=draft.track)
    return {"script": script, "leaking": finding.block if finding.leak else "", "leak_reason": finding.reason}


def after_leakage_check(state: EvaluationState, runtime: Runtime[Settings]) -> Literal["clean", "leak", "leak remains"]:
    """Run a clean script; repair a leaking one as often as the settings allow."""
    if not state["leaking"]:
        return "clean"
    rounds = Settings.of(runtime.context).leakage_rounds
    return "leak" if state.get("leak_rounds", 0) < rounds else "leak remains"


async def repair_leakage(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Replace the leaking block; the result is checked again."""
    ctx = await find_context(state, runtime)
    agent = ctx.agent(await ctx.brief(state), state["draft"].track)
    code = await ctx.text(state["script"])
    rounds = state.get("leak_rounds", 0) + 1
    try:
        repaired = await rewrite_leakage(agent, code, state["leaking"], state["leak_reason"])
    except ReplyError:
        return {"leak_rounds": rounds}
    return {"script": await ctx.keep(repaired), "leak_rounds": rounds, "evidence": ""}


async def execute(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Run the script in the holdout."""
    ctx = await find_context(state, runtime)
    draft = state["draft"]
    staged, _ = await ctx.search_input(await ctx.brief(state))
    try:
        outcome = await ctx.execute(state["script"], staged, stretch=draft.stretch, label=draft.id)
    except Refused:
        return {"outcome": None}
    return {"outcome": outcome}


async def grade(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Grade what the script submitted for the held-out rows."""
    outcome = state["outcome"]
    if outcome is None:
        return {"verdict": Verdict(status="refused", message="the budget allows no further run")}
    ctx = await find_context(state, runtime)
    brief = await ctx.brief(state)
    verdict = await _grade(ctx, brief, outcome)
    evidence = "" if state.get("suspected") else _suspicion(brief, verdict)
    return {"verdict": verdict, "evidence": evidence, "suspected": state.get("suspected", False) or bool(evidence)}


def after_grade(state: EvaluationState, runtime: Runtime[Settings]) -> Literal["suspicious", "failed", "graded"]:
    """Put suspicion to the leakage checker, debug a failure as often as the settings allow, else conclude."""
    if state.get("evidence"):
        return "suspicious"
    rounds = Settings.of(runtime.context).debug_rounds
    failed = state["verdict"].status in DEBUGGABLE
    return "failed" if failed and state.get("debug_rounds", 0) < rounds else "graded"


async def diagnose(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Have the failure summarized for the debugger."""
    ctx = await find_context(state, runtime)
    draft, verdict = state["draft"], state["verdict"]
    agent = ctx.agent(await ctx.brief(state), draft.track)
    output = await ctx.text(verdict.output) if verdict.output else ""
    emit(runtime, "diagnose", f"{draft.id} {verdict.status}: {verdict.message}", track=draft.track)
    return {"bug": await summarize_bug(agent, await ctx.text(state["script"]), verdict.message, output)}


async def debug(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Have the script repaired; the result goes through the leakage check again."""
    ctx = await find_context(state, runtime)
    agent = ctx.agent(await ctx.brief(state), state["draft"].track)
    failed = [*state.get("fixes", []), state["script"]]
    rounds = state.get("debug_rounds", 0) + 1
    codes = [await ctx.text(sha) for sha in failed]
    try:
        repaired = await repair_script(agent, codes[-1], state["bug"], codes[:-1])
    except ReplyError:
        return {"repaired": False, "debug_rounds": rounds}
    return {"script": await ctx.keep(repaired), "repaired": True, "fixes": failed, "debug_rounds": rounds}


def after_debug(state: EvaluationState) -> Literal["debug again", "gave up"]:
    """Try a repaired script; without one the failure stands."""
    return "debug again" if state["repaired"] else "gave up"


async def conclude(state: EvaluationState, runtime: Runtime[Settings]) -> EvaluationState:
    """Turn the draft into a solution with its verdict."""
    ctx = await find_context(state, runtime)
    draft = state["draft"]
    solution = Solution(
        id=draft.id,
        origin=draft.origin,
        track=draft.track,
        title=draft.title,
        script=state.get("script") or draft.script,
        parent=draft.parent,
        plan=draft.plan,
        verdict=_final_verdict(state),
    )
    await emit_solution(runtime, ctx, solution)
    key = key_of("solution", solution.id)
    # A run that ends early reports from here: its checkpoints hold the solutions of a track in the track's own state.
    await asyncio.to_thread(ctx.ledger.note, key, "solution", solution.model_dump(mode="json"), replace=True)
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


async def _leakage(ctx: RunContext, brief: Brief, script: str, evidence: str) -> Leakage:
    """Return the finding on a script, remembered by its hash for every track."""
    key = key_of("leakage", script, evidence)
    known = await asyncio.to_thread(ctx.ledger.recall, key)
    if known is not None:
        return Leakage.model_validate(known)
    try:
        finding = await find_leakage(ctx.agent(brief), await ctx.text(script), evidence)
    except ReplyError as error:
        return Leakage(leak=False, reason=f"unchecked, {error}")
    await asyncio.to_thread(ctx.ledger.note, key, "leakage", finding.model_dump())
    return finding


async def _grade(ctx: RunContext, brief: Brief, outcome: Outcome) -> Verdict:
    stdout, stderr = await ctx.text(outcome.stdout), await ctx.text(outcome.stderr)
    facts: dict[str, Any] = {
        "reported": reported_score(stdout),
        "seconds": outcome.seconds,
        "peak_memory_mb": outcome.peak_memory_mb,
        "output": await ctx.keep(f"{stdout}\n{stderr}".strip()),
        "image": brief.image,
    }
    if outcome.status != "ok":
        return Verdict(status=_status(outcome.status), message=_failure(outcome, stderr), **facts)
    submission = outcome.files.get("submission.csv")
    if submission is None:
        detail = outcome.detail or "it ended without an error but wrote no ./submission.csv"
        return Verdict(status="invalid", message=detail, **facts)
    task, (_, held) = await ctx.task(brief), await ctx.search_input(brief)
    path = ctx.blobs.path(submission)
    facts["submission"] = submission
    if held is None:
        return _grade_by_claim(await asyncio.to_thread(evaluation.check_submission, task, path), facts)
    grade = await asyncio.to_thread(evaluation.grade_submission, task, held, path)
    if grade.score is None:
        return Verdict(status="invalid", message=grade.problem, **facts)
    return Verdict(
        status="ok",
        holdout=grade.score,
        holdout_se=grade.standard_error,
        warnings=grade.warnings,
        **facts,
    )


def _grade_by_claim(problem: str, facts: dict[str, Any]) -> Verdict:
    """Without a holdout the script's claim is all there is; the submission must still be valid."""
    if problem:
        return Verdict(status="invalid", message=problem, **facts)
    if facts["reported"] is None:
        message = "it printed no line 'Final Validation Performance: <number>'"
        return Verdict(status="error", message=message, **facts)
    return Verdict(status="ok", **facts)


def _status(status: str) -> VerdictStatus:
    return next(known for known in get_args(VerdictStatus) if known == status)


def _failure(outcome: Outcome, stderr: str) -> str:
    last = next((line.strip() for line in reversed(stderr.split("\n")) if line.strip()), "")
    said = f": {last[:300]}" if last else ""
    return outcome.detail or f"{outcome.status}, exit status {outcome.exit_code}{said}"


def _suspicion(brief: Brief, verdict: Verdict) -> str:
    """Return evidence of leakage: the script claims far more than the grader found on rows it never saw."""
    if verdict.holdout is None or verdict.reported is None or not verdict.holdout_se:
        return ""
    sign = 1 if brief.spec.direction == "maximize" else -1
    gap = sign * (verdict.reported - verdict.holdout) / verdict.holdout_se
    if gap < SUSPICIOUS:
        return ""
    return (
        f"The script reports {brief.spec.metric} {verdict.reported:.6g}, but on held-out rows that it never saw it "
        f"scores {verdict.holdout:.6g} (standard error {verdict.holdout_se:.2g}): {gap:.1f} standard errors worse."
    )
