"""Lessons of a run: notes of what was tried, what is read when a run starts, and what is kept when it ends."""

import asyncio
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from langgraph.runtime import Runtime

from mlestar import __version__
from mlestar.errors import MlestarError, first_line
from mlestar.lessons import Cleaner, RunLessons, check_folder, choose_lessons, facts_of, read_folder, write_lessons
from mlestar.lessons.folder import file_name
from mlestar.lessons.gathering import Material, ModelTrial, Repair, component_of, make_failures, make_trials
from mlestar.nodes.acceptance import gain_over
from mlestar.nodes.progress import emit
from mlestar.runtime.context import RunContext
from mlestar.settings import Settings
from mlestar.state import (
    Attempt,
    Brief,
    PipelineState,
    PromptLessons,
    Solution,
    Study,
    Variant,
    VerdictStatus,
    best_first,
)
from mlestar.store import key_of
from mlestar.store.content import load_contents, of_task

NAMED = 3
"""Skipped files that a message names at most. Chosen by judgement."""


async def note_trial(ctx: RunContext, track: int, block: str, attempt: Attempt, base: Solution) -> None:
    """Record what came of a plan for a block."""
    fact = {
        "track": track,
        "solution": attempt.solution,
        "component": component_of(block),
        "plan": attempt.plan,
        "status": attempt.status,
        "gain": attempt.gain.model_dump(mode="json") if attempt.gain else None,
        "seconds": attempt.measured.seconds if attempt.measured else 0.0,
        "base_seconds": base.verdict.measured.seconds if base.verdict.measured else 0.0,
    }
    await asyncio.to_thread(ctx.services.ledger.note, "trial", key_of("trial", attempt.solution), fact)


async def note_study(ctx: RunContext, track: int, label: str, study: Study, variants: Sequence[Variant]) -> None:
    """Record what an ablation measured, and that it was repaired."""
    fact = {"track": track, "label": label, "variants": [variant.model_dump(mode="json") for variant in variants]}
    works = any(variant.score is not None for variant in variants)
    if works:
        await asyncio.to_thread(ctx.services.ledger.note, "study", key_of("study", label), fact)
    if works and study.failed:
        await note_repair(ctx, label, study.failed, study.script or "", "ok")


async def note_repair(ctx: RunContext, label: str, failed: Sequence[str], last: str, status: VerdictStatus) -> None:
    """Record the versions of a script that was repaired, and how the last one ended."""
    fact = {"failed": list(failed), "last": last, "status": status}
    await asyncio.to_thread(ctx.services.ledger.note, "repair", key_of("repair", label), fact)


async def read_lessons(ctx: RunContext, brief: Brief, runtime: Runtime[Settings]) -> PromptLessons:
    """Return what prompts of this run contain of earlier runs.

    The folder is read once: the ledger names the blob of what was read, so that a resumed run has the same lessons,
    whatever is in the folder by then, and wherever it is resumed.
    """
    folder = await _folder(ctx)
    if folder is None:
        return PromptLessons()
    key = _key(ctx)
    recorded = await asyncio.to_thread(ctx.services.ledger.recall, key)
    if recorded is None:
        content = await asyncio.to_thread(read_folder, folder)
        own = file_name(ctx.folder.run_id, await _thread(ctx))
        runs = [one.lessons for one in content.stored if one.path.name != own]
        lessons = await asyncio.to_thread(choose_lessons, runs, facts_of(brief))
        emit(runtime, "prepare", _describe(folder, len(runs), lessons))
        if content.skipped:
            emit(runtime, "prepare", f"lessons skipped: {_name_some(content.skipped)}")
        fact = {"folder": str(folder), "blob": await ctx.services.keep(lessons.model_dump_json())}
        await asyncio.to_thread(ctx.services.ledger.note, "lessons", key, fact)
        recorded = await asyncio.to_thread(ctx.services.ledger.recall, key) or fact
    return PromptLessons.model_validate_json(await ctx.services.text(recorded["blob"]))


async def keep_lessons(ctx: RunContext, state: PipelineState, runtime: Runtime[Settings]) -> None:
    """Write what a finished run has learned, in place of what it wrote before; a failure is told and stops nothing."""
    folder = await _folder(ctx)
    if folder is None:
        return
    try:
        lessons = await _make_lessons(ctx, state)
        path = await asyncio.to_thread(write_lessons, folder, file_name(ctx.folder.run_id, await _thread(ctx)), lessons)
    except (OSError, ValueError, MlestarError) as error:
        emit(runtime, "report", f"no lessons were kept: {first_line(str(error))}")
        return
    emit(runtime, "report", f"lessons in {path}: trials {len(lessons.trials)}, failures {len(lessons.failures)}")


async def _make_lessons(ctx: RunContext, state: PipelineState) -> RunLessons:
    brief, ledger = await ctx.brief(state), ctx.services.ledger
    trials = await asyncio.to_thread(ledger.notes, "trial")
    studies = await asyncio.to_thread(ledger.notes, "study")
    failures = await asyncio.to_thread(ledger.notes, "failure")
    material = Material(
        plans=trials,
        studies=studies,
        models=await _compare_first(ctx, brief, state["solutions"].values()),
        failures=[failure["signature"] for failure in failures],
        repairs=await _read_repairs(ctx),
    )
    return await asyncio.to_thread(_clean, ctx, brief, state, material)


def _clean(ctx: RunContext, brief: Brief, state: PipelineState, material: Material) -> RunLessons:
    clean = Cleaner.of(brief)
    return RunLessons(
        made_by=__version__,
        run=ctx.folder.run_id,
        task=_task_hash(ctx.folder.contents, ctx.settings),
        facts=facts_of(brief),
        status=state["status"],
        trials=make_trials(material, clean),
        failures=make_failures(material, clean),
    )


async def _compare_first(ctx: RunContext, brief: Brief, solutions: Iterable[Solution]) -> list[ModelTrial]:
    """Return the first solutions, each compared with the best other one of its track."""
    candidates = sorted((one for one in solutions if one.origin == "candidate"), key=lambda one: one.id)
    compared = []
    for one in candidates:
        others = [other for other in candidates if other.track == one.track and other.id != one.id]
        best = next(iter(best_first(brief.spec.direction, others)), None)
        gain = await gain_over(ctx, brief, one.verdict, best.verdict) if best else None
        seconds = one.verdict.measured.seconds if one.verdict.measured else 0.0
        compared.append(ModelTrial(one.title, one.verdict.status, gain, seconds))
    return compared


async def _read_repairs(ctx: RunContext) -> list[Repair]:
    repairs = []
    for note in await asyncio.to_thread(ctx.services.ledger.notes, "repair"):
        errors = [await _error_of(ctx, blob) for blob in note["failed"]]
        texts = [await ctx.services.text(blob) for blob in (*note["failed"], note["last"])]
        repairs.append(Repair(tuple(texts[:-1]), tuple(errors), texts[-1], works=note["status"] == "ok"))
    return repairs


async def _error_of(ctx: RunContext, script: str) -> str:
    """Return how a script failed, empty where the run has not recorded it."""
    noted = await asyncio.to_thread(ctx.services.ledger.recall, key_of("failure", script))
    return str(noted["signature"]) if noted else ""


def _task_hash(contents: Path, settings: Settings) -> str:
    """Return the beginning of a hash of the task's files, empty where the run has not recorded them."""
    files = of_task(load_contents(contents) or {}, settings.other_files)
    if not files:
        return ""
    hashes = sorted(file.sha256 for file in files.values())
    return hashlib.sha256("\n".join(hashes).encode()).hexdigest()[:16]


async def _thread(ctx: RunContext) -> str:
    return (await asyncio.to_thread(ctx.folder.read_settings)).thread


async def _folder(ctx: RunContext) -> Path | None:
    """Return the folder of lessons, that of the first session where its name is relative; None without lessons."""
    if ctx.settings.lessons is None:
        return None
    recorded = await asyncio.to_thread(ctx.services.ledger.recall, _key(ctx))
    if recorded is not None and "folder" in recorded:
        return Path(recorded["folder"])
    return await asyncio.to_thread(check_folder, ctx.settings.lessons)


def _key(ctx: RunContext) -> str:
    return key_of("lessons", str(ctx.settings.lessons))


def _describe(folder: Path, count: int, lessons: PromptLessons) -> str:
    parts = {"ideas": lessons.ideas, "parts": lessons.parts, "models": lessons.models, "failures": lessons.failures}
    shown = ", ".join(f"{name} {len(items)}" for name, items in parts.items())
    return f"lessons of {count} earlier run{'' if count == 1 else 's'} in {folder}; shown to agents: {shown}"


def _name_some(skipped: Sequence[str]) -> str:
    rest = len(skipped) - NAMED
    return "; ".join(skipped[:NAMED]) + (f"; and {rest} more" if rest > 0 else "")
