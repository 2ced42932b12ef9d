"""Start: a person's own script is executed as it was given, adapted to the contract, and becomes a first solution."""

import asyncio
from collections.abc import Collection
from pathlib import Path

from langgraph.runtime import Runtime

from mlestar.agents.adapter import adapt_script, find_breach
from mlestar.agents.script import ScriptError, parse_tree
from mlestar.metrics.precision import format_score
from mlestar.nodes.acceptance import is_no_worse
from mlestar.nodes.grading import find_suspicion, grade_execution
from mlestar.nodes.leakage import check_literals, check_script
from mlestar.nodes.progress import emit, emit_solution
from mlestar.nodes.propose import propose
from mlestar.runtime.budget import Refusal
from mlestar.runtime.context import RunContext, find_context
from mlestar.runtime.executor import SUBMISSION
from mlestar.runtime.progress import Subject
from mlestar.settings import Settings
from mlestar.start import read_start
from mlestar.start.outside import find_outside
from mlestar.state import AS_GIVEN, START, Brief, CandidateState, Draft, ExecutionRecord, Solution, StartScript, Verdict
from mlestar.store import key_of
from mlestar.syntax import first_statement, insert_before

TRACK = 0
"""The track whose first solution a start is."""
GIVEN_ID, START_ID = f"t{TRACK}.s0", f"t{TRACK}.s1"
OTHER_NAMES = ("*[Ss]ub*.csv", "*[Pp]red*.csv", "*output*.csv", "*result*.csv")
"""Names that scripts give to a submission, besides the contract's."""


_COPY = """\
import atexit
import os
import shutil


def copy_submission(source=os.path.abspath({written!r}), target=os.path.abspath({wanted!r})):
    if os.path.exists(source):
        shutil.copyfile(source, target)


atexit.register(copy_submission)  # the script may end anywhere


"""


_READS_OUTSIDE = "it reads {path}, where no row is withheld, instead of ./input"


async def find_start(ctx: RunContext) -> StartScript | None:
    """Return the script that the settings name as a blob; what was read first is kept, whatever becomes of the file.

    Raises:
        SettingsError: it cannot be found, read or used.
    """
    named = ctx.settings.start
    if not named:
        return None
    ledger, key = ctx.services.ledger, key_of("start", named)
    recorded = await asyncio.to_thread(ledger.recall, key)
    if recorded is not None:
        return StartScript.model_validate(recorded)
    text = await asyncio.to_thread(read_start, named, Path(ctx.settings.runs_dir))
    start = StartScript(name=text.name, script=await ctx.services.keep(text.code), notes=text.notes, metric=text.metric)
    await asyncio.to_thread(ledger.note, "start", key, start.model_dump(mode="json"))
    return start


def describe_metric(start: StartScript, metric: str) -> str:
    """Return what a script of an earlier run lacks where that run had another metric, empty where it had the same."""
    if start.metric in ("", metric):
        return ""
    return f"its run had the metric {start.metric}, and this one has {metric}: the score that it prints is another"


async def run_given(state: CandidateState, runtime: Runtime[Settings]) -> CandidateState:
    """Execute the script unchanged; the host grades what it submits for the withheld rows, under whatever name."""
    ctx = await find_context(state, runtime)
    brief, start = await _start_of(ctx, state)
    verdict, written = await _run_given(ctx, brief, start)
    title = f"{start.name} as given"
    solution = Solution(id=GIVEN_ID, origin=AS_GIVEN, track=TRACK, title=title, script=start.script, verdict=verdict)
    await emit_solution(runtime, ctx, solution, brief.spec.direction)
    await note_solution(ctx, solution)
    return {"given": solution, "given_file": written, "solutions": {solution.id: solution}}


async def _start_of(ctx: RunContext, state: CandidateState) -> tuple[Brief, StartScript]:
    brief = await ctx.brief(state)
    if brief.start is None:
        msg = "a run without a start has no script to execute as given"
        raise RuntimeError(msg)
    return brief, brief.start


async def _run_given(ctx: RunContext, brief: Brief, start: StartScript) -> tuple[Verdict, str]:
    """Return the verdict on the script as given, and the name of the file that it submitted."""
    code = await ctx.services.text(start.script)
    breach = find_breach(code, brief)
    outside = await asyncio.to_thread(find_outside, code, _files_of(brief))
    if outside:
        return Verdict(status="leak", message=_READS_OUTSIDE.format(path=outside)), SUBMISSION
    # A script that needs no change is executed once: as given and as adapted are the same execution.
    outputs = (SUBMISSION, *OTHER_NAMES) if breach else (SUBMISSION,)
    staged = await ctx.inputs.search(brief)
    try:
        subject = Subject(GIVEN_ID, TRACK, f"as given: {start.name}")
        execution = await ctx.executor.execute(start.script, staged, outputs=outputs, label=GIVEN_ID, subject=subject)
    except Refusal:
        return Verdict(status="refused", message="the budget allows no further execution"), SUBMISSION
    written = _submission_of(execution)
    return await grade_execution(ctx, brief, execution, staged, output=written), written


def _files_of(brief: Brief) -> tuple[str, ...]:
    """Return the names of the task's files, as far as prompts know them."""
    spec = brief.spec
    names = (spec.train, spec.test, spec.sample_submission, *spec.auxiliary, *(file.file for file in brief.statistics))
    return tuple(name for name in names if name)


def _refuse_outside(code: str, names: Collection[str]) -> str:
    """Return the code of a script that reads the task's files in its input only.

    Raises:
        ScriptError: it reads them elsewhere.
    """
    if outside := find_outside(code, names):
        raise ScriptError(_READS_OUTSIDE.format(path=outside))
    return code


def _submission_of(execution: ExecutionRecord) -> str:
    """Return the name of the file that is the submission: the contract's, else the only one with another name."""
    others = [name for name in execution.files if name != SUBMISSION and "sample" not in name.lower()]
    return others[0] if SUBMISSION not in execution.files and len(others) == 1 else SUBMISSION


async def adapt_start(state: CandidateState, runtime: Runtime[Settings]) -> CandidateState:
    """Have the script adapted to the contract; one that satisfies it and ran stays as it is."""
    ctx = await find_context(state, runtime)
    brief, start = await _start_of(ctx, state)
    draft = Draft(id=START_ID, origin=START, track=TRACK, title=f"start: {start.name}", parent=GIVEN_ID)
    code = await ctx.services.text(start.script)
    verdict = state["given"].verdict
    # One that reads the task's files elsewhere was not executed.
    did_not_run = "" if verdict.status == "ok" else "it did not run as given"
    breach = find_breach(code, brief) or did_not_run or describe_metric(start, brief.spec.metric)
    if not breach:
        return {"draft": draft.model_copy(update={"script": start.script})}
    emit(runtime, "adapt_start", f"{start.name} is adapted: {breach}", track=TRACK)
    agent = await ctx.agent(state, TRACK, step=START_ID)
    names = _files_of(brief)
    return {
        "draft": await propose(
            ctx, draft, adapt_script(agent, code, verdict, breach, lambda text: _refuse_outside(text, names))
        )
    }


async def conclude_start(state: CandidateState, runtime: Runtime[Settings]) -> CandidateState:
    """Go on with the adapted script, or with the one as given where the adapted one fails or is worse beyond noise.

    One that leaks labels is no solution: its score says nothing.
    """
    ctx = await find_context(state, runtime)
    brief, given, adapted = await ctx.brief(state), state["given"], state["solution"]
    keeps = given.score is None or await is_no_worse(ctx, brief, adapted, given)
    if not keeps and (leaking := await _mark_leak(ctx, brief, given)):
        given, keeps = leaking, True
        emit(runtime, "start", f"{given.id} is not used as given: {given.verdict.message}", track=TRACK)
        await note_solution(ctx, given)
    if keeps:
        if adapted.score is None:
            emit(runtime, "start", describe_unusable(given, adapted), track=TRACK)
        return {"solution": adapted, "solutions": {given.id: given, START_ID: adapted}}
    why = f"it stays as given: adapted, it {_describe(adapted)}"
    code = copy_submission(await ctx.services.text(given.script or ""), state["given_file"])
    values = {"id": START_ID, "origin": START, "title": adapted.title, "parent": GIVEN_ID, "plan": why}
    kept = given.model_copy(update={**values, "script": await ctx.services.keep(code)})
    emit(runtime, "start", f"{START_ID} {why}", track=TRACK)
    await note_solution(ctx, kept)
    return {"solution": kept, "solutions": {START_ID: kept}}


async def _mark_leak(ctx: RunContext, brief: Brief, given: Solution) -> Solution | None:
    """Return the script as given without its score if it leaks labels, None where it does not."""
    script = given.script or ""
    finding = await check_literals(ctx, brief, script)
    if not finding.leak:
        finding = await check_script(ctx, brief, script, find_suspicion(brief, given.verdict))
    if not finding.leak:
        return None
    verdict = Verdict(status="leak", message=f"leakage: {finding.reason}", output=given.verdict.output)
    return given.model_copy(update={"verdict": verdict})


def copy_submission(code: str, written: str) -> str:
    """Return a script that writes `submission.csv` too, where it submits a file of another name."""
    if written == SUBMISSION:
        return code
    tree = parse_tree(code)
    copied = insert_before(code, first_statement(tree) if tree else 1, _COPY.format(written=written, wanted=SUBMISSION))
    return f"{copied.rstrip()}\n\n\ncopy_submission()\n"


def _describe(adapted: Solution) -> str:
    verdict = adapted.verdict
    if adapted.score is None:
        return f"failed ({verdict.message or verdict.status})"
    return f"scored {format_score(verdict.holdout, verdict.holdout_se)}"


def describe_unusable(given: Solution | None, adapted: Solution | None) -> str:
    """Return one line where a start could not be made to run, so that the run goes on with other solutions."""
    reasons = []
    if given is not None and given.score is None:
        reasons.append(f"as given: {given.verdict.message or 'it gave no score'}")
    if adapted is not None:
        reasons.append(f"adapted: {adapted.verdict.message or adapted.verdict.status}")
    return f"THE START COULD NOT BE USED ({'; '.join(reasons)}); the run went on without it"


async def note_solution(ctx: RunContext, solution: Solution) -> None:
    """Record a solution for a run that ends early: its checkpoints hold those of a track in the track's own state."""
    key, fact = key_of("solution", solution.id), solution.model_dump(mode="json")
    await asyncio.to_thread(ctx.services.ledger.note, "solution", key, fact, replace=True)
