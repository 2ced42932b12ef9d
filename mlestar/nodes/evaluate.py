"""Trial: leakage check, run, judge, debug. It ends in a verdict, whatever happens."""

import asyncio
from typing import Any, Literal, get_args

from langgraph.runtime import Runtime

from mlestar import evaluation
from mlestar.agents.context import ReplyError
from mlestar.agents.debugging import debug_script, summarize_bug
from mlestar.agents.leakage import Leakage, find_leakage, rewrite_leakage
from mlestar.agents.script import reported_score
from mlestar.nodes.progress import tell, tell_solution
from mlestar.runtime.budget import Refused
from mlestar.runtime.context import Workbench, find_workbench
from mlestar.settings import Settings
from mlestar.state import Brief, Outcome, Solution, TrialState, Verdict, VerdictStatus
from mlestar.store import key_of

SUSPICIOUS = 3.0
"""Standard errors by which a reported score may beat the judge's before leakage is suspected."""
DEBUGGABLE = {"error", "timeout", "oom", "killed", "disk_full", "output_limit", "invalid"}


def admit(state: TrialState) -> Literal["script", "no script"]:
    """Send a draft without a script straight to its verdict."""
    return "script" if state["draft"].script else "no script"


async def check_leakage(state: TrialState, runtime: Runtime[Settings]) -> TrialState:
    """Ask whether the script leaks, with the evidence there is."""
    bench = await find_workbench(state, runtime)
    draft = state["draft"]
    script = state.get("script") or draft.script or ""
    finding = await _leakage(bench, await bench.brief(state), script, state.get("evidence", ""))
    if finding.reason:
        found = "leaks" if finding.leak else "passed"
        tell(runtime, "check_leakage", f"{draft.id} {found}: {finding.reason}", track=draft.track)
    return {"script": script, "leaking": finding.block if finding.leak else "", "leak_reason": finding.reason}


def after_leakage_check(state: TrialState, runtime: Runtime[Settings]) -> Literal["clean", "leak", "leak remains"]:
    """Run a clean script; repair a leaking one as often as the settings allow."""
    if not state["leaking"]:
        return "clean"
    rounds = Settings.of(runtime.context).leakage_rounds
    return "leak" if state.get("leak_rounds", 0) < rounds else "leak remains"


async def repair_leakage(state: TrialState, runtime: Runtime[Settings]) -> TrialState:
    """Replace the leaking block; the result is checked again."""
    bench = await find_workbench(state, runtime)
    desk = bench.desk(await bench.brief(state), state["draft"].track)
    code = await bench.text(state["script"])
    rounds = state.get("leak_rounds", 0) + 1
    try:
        repaired = await rewrite_leakage(desk, code, state["leaking"], state["leak_reason"])
    except ReplyError:
        return {"leak_rounds": rounds}
    return {"script": await bench.keep(repaired), "leak_rounds": rounds, "evidence": ""}


async def execute(state: TrialState, runtime: Runtime[Settings]) -> TrialState:
    """Run the script in the rehearsal."""
    bench = await find_workbench(state, runtime)
    draft = state["draft"]
    place, _ = await bench.search_place(await bench.brief(state))
    try:
        outcome = await bench.execute(state["script"], place, stretch=draft.stretch, label=draft.id)
    except Refused:
        return {"outcome": None}
    return {"outcome": outcome}


async def judge(state: TrialState, runtime: Runtime[Settings]) -> TrialState:
    """Grade what the script submitted for the held-out rows."""
    outcome = state["outcome"]
    if outcome is None:
        return {"verdict": Verdict(status="refused", message="the budget allows no further run")}
    bench = await find_workbench(state, runtime)
    brief = await bench.brief(state)
    verdict = await _grade(bench, brief, outcome)
    evidence = "" if state.get("suspected") else _suspicion(brief, verdict)
    return {"verdict": verdict, "evidence": evidence, "suspected": state.get("suspected", False) or bool(evidence)}


def after_judge(state: TrialState, runtime: Runtime[Settings]) -> Literal["suspicious", "failed", "judged"]:
    """Put suspicion to the leakage checker, debug a failure as often as the settings allow, else conclude."""
    if state.get("evidence"):
        return "suspicious"
    rounds = Settings.of(runtime.context).debug_rounds
    failed = state["verdict"].status in DEBUGGABLE
    return "failed" if failed and state.get("debug_rounds", 0) < rounds else "judged"


async def diagnose(state: TrialState, runtime: Runtime[Settings]) -> TrialState:
    """Have the failure summarized for the debugger."""
    bench = await find_workbench(state, runtime)
    draft, verdict = state["draft"], state["verdict"]
    desk = bench.desk(await bench.brief(state), draft.track)
    output = await bench.text(verdict.output) if verdict.output else ""
    tell(runtime, "diagnose", f"{draft.id} {verdict.status}: {verdict.message}", track=draft.track)
    return {"bug": await summarize_bug(desk, await bench.text(state["script"]), verdict.message, output)}


async def debug(state: TrialState, runtime: Runtime[Settings]) -> TrialState:
    """Have the script mended; the result goes through the leakage check again."""
    bench = await find_workbench(state, runtime)
    desk = bench.desk(await bench.brief(state), state["draft"].track)
    failed = [*state.get("fixes", []), state["script"]]
    rounds = state.get("debug_rounds", 0) + 1
    codes = [await bench.text(sha) for sha in failed]
    try:
        mended = await debug_script(desk, codes[-1], state["bug"], codes[:-1])
    except ReplyError:
        return {"mended": False, "debug_rounds": rounds}
    return {"script": await bench.keep(mended), "mended": True, "fixes": failed, "debug_rounds": rounds}


def after_debug(state: TrialState) -> Literal["debug again", "gave up"]:
    """Try a mended script; without one the failure stands."""
    return "debug again" if state["mended"] else "gave up"


async def conclude(state: TrialState, runtime: Runtime[Settings]) -> TrialState:
    """Turn the draft into a solution with its verdict."""
    bench = await find_workbench(state, runtime)
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
    await tell_solution(runtime, bench, solution)
    key = key_of("solution", solution.id)
    # A run that ends early reports from here: its checkpoints hold the solutions of a track in the track's own state.
    await asyncio.to_thread(bench.ledger.note, key, "solution", solution.model_dump(mode="json"), replace=True)
    return {"solution": solution, "solutions": {solution.id: solution}}


def _final_verdict(state: TrialState) -> Verdict:
    draft = state["draft"]
    if not draft.script:
        return Verdict(status="unwritten", message=draft.problem)
    rounds = {"debug_rounds": state.get("debug_rounds", 0)}
    if state.get("leaking"):
        message = f"leakage that could not be repaired: {state['leak_reason']}"
        return Verdict(status="leak", message=message).model_copy(update=rounds)
    return state["verdict"].model_copy(update=rounds)


async def _leakage(bench: Workbench, brief: Brief, script: str, evidence: str) -> Leakage:
    """Return the finding on a script, remembered by its hash for every track."""
    key = key_of("leakage", script, evidence)
    known = await asyncio.to_thread(bench.ledger.recall, key)
    if known is not None:
        return Leakage.model_validate(known)
    try:
        finding = await find_leakage(bench.desk(brief), await bench.text(script), evidence)
    except ReplyError as error:
        return Leakage(leak=False, reason=f"unchecked, {error}")
    await asyncio.to_thread(bench.ledger.note, key, "leakage", finding.model_dump())
    return finding


async def _grade(bench: Workbench, brief: Brief, outcome: Outcome) -> Verdict:
    stdout, stderr = await bench.text(outcome.stdout), await bench.text(outcome.stderr)
    facts: dict[str, Any] = {
        "reported": reported_score(stdout),
        "seconds": outcome.seconds,
        "peak_memory_mb": outcome.peak_memory_mb,
        "output": await bench.keep(f"{stdout}\n{stderr}".strip()),
        "image": brief.image,
    }
    if outcome.status != "ok":
        return Verdict(status=_status(outcome.status), message=_failure(outcome, stderr), **facts)
    submission = outcome.files.get("submission.csv")
    if submission is None:
        detail = outcome.detail or "it ended without an error but wrote no ./submission.csv"
        return Verdict(status="invalid", message=detail, **facts)
    task, (_, held) = await bench.task(brief), await bench.search_place(brief)
    path = bench.blobs.path(submission)
    facts["submission"] = submission
    if held is None:
        return _grade_by_claim(await asyncio.to_thread(evaluation.check_submission, task, path), facts)
    judgement = await asyncio.to_thread(evaluation.judge, task, held, path)
    if judgement.score is None:
        return Verdict(status="invalid", message=judgement.problem, **facts)
    return Verdict(
        status="ok",
        search=judgement.score,
        search_se=judgement.standard_error,
        warnings=judgement.warnings,
        **facts,
    )


def _grade_by_claim(problem: str, facts: dict[str, Any]) -> Verdict:
    """Without a rehearsal the script's claim is all there is; the submission must still be valid."""
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
    """Return evidence of leakage: the script claims far more than the judge found on rows it never saw."""
    if verdict.search is None or verdict.reported is None or not verdict.search_se:
        return ""
    sign = 1 if brief.spec.direction == "maximize" else -1
    gap = sign * (verdict.reported - verdict.search) / verdict.search_se
    if gap < SUSPICIOUS:
        return ""
    return (
        f"The script reports {brief.spec.metric} {verdict.reported:.6g}, but on held-out rows that it never saw it "
        f"scores {verdict.search:.6g} (standard error {verdict.search_se:.2g}): {gap:.1f} standard errors worse."
    )
