"""Runs that nothing has worked on, with every kind of text that the local page shows, for its tests."""

from pathlib import Path

from mlestar.events import Event, RunFacts, Spending
from mlestar.llm.external import ModelCall
from mlestar.progress import to_line
from mlestar.report.result import SpendRow
from mlestar.session.questions import write_questions
from mlestar.state import Gain, ModelCard, Question, Variant
from mlestar.store import Blobs, Ledger, RunFolder
from tests.unit.read_runs import HOSTILE_TEXT, make_result, row

MARKUP = "<img src=x onerror=alert(1)><script>document.title='changed'</script>"
"""What a browser would act on if it were not escaped."""
LONG = "a_name_that_does_not_end_" * 6
CARD = ModelCard(
    name=f"LightGBM {MARKUP}", description="Leaf-wise gradient boosting.", example_code="import lightgbm\n", source=LONG
)
CODE = "import pandas as pd\n\n# a comment\nmodel = fit(frame)\n" + "print('a long line of a script') " * 9
VARIANTS = [
    Variant(name="baseline", score=0.71),
    Variant(name=MARKUP, score=0.6, gain=Gain(difference=-0.11, standard_error=0.02)),
]
QUESTIONS: list[Question | ModelCall] = [
    Question(
        id="models:t0",
        point="models",
        actions=("approve", "edit", "replace", "add"),
        proposal={"track": 0, "cards": [CARD.model_dump()]},
    ),
    Question(
        id="ablation:t0.a1",
        point="ablation",
        actions=("approve", "edit", "replace", "add"),
        proposal={"track": 0, "summary": MARKUP, "variants": [one.model_dump() for one in VARIANTS]},
    ),
    Question(
        id="plan:t1.r1.1",
        point="plan",
        actions=("approve", "edit", "replace", "add", "reject"),
        proposal={"track": 1, "plan": "Search the threshold.", "block": CODE, "problem": MARKUP},
    ),
    Question(
        id="submission:t0.c1",
        point="submission",
        actions=("approve", "edit", "replace", "add", "reject"),
        proposal={"winner": "t0.c1", "headline": MARKUP, "others": ["t0.c2"], "script": CODE},
    ),
    Question(
        id="packages:torch",
        point="packages",
        actions=("approve", "reject"),
        proposal={"packages": ["torch==2.9", LONG], "why": MARKUP},
    ),
    ModelCall(id="0123abcd", role="planner", track=0, system=MARKUP, prompt=f"{LONG}\n{MARKUP}"),
]


def write_solved(runs: Path, name: str, holdout: float = 0.72) -> RunFolder:
    """Write a run with a winner, a failure, scripts and a report that would act if it could."""
    folder = RunFolder(runs, name)
    folder.create()
    folder.record_settings(runs.parent / "task", {"profile": "quick", "seed": int(holdout * 100)})
    blobs = Blobs(folder.blobs)
    scripts = [str(blobs.path(blobs.put(text.encode())).relative_to(folder.path)) for text in (CODE, CODE + MARKUP)]
    rows = [
        row("t0.r1.1", holdout, fresh=0.7, parent="t0.c1", plan=f"Try {MARKUP}", script=scripts[1], title=MARKUP),
        row("t0.c1", 0.7, fresh=0.69, script=scripts[0], title=LONG),
        row("t0.c2", None, status="error", message=f"KeyError: {MARKUP}", title="Extra trees"),
    ]
    spend = SpendRow(model_calls=7, tokens=41_200, usd=0.31, executions=9)
    result = make_result(*rows, folder=folder.path, task=f"churn {MARKUP}", spend=spend, seconds=421.0)
    folder.write_json(folder.result, result.model_dump(mode="json"))
    folder.write_text(folder.report, f"<!doctype html><title>report</title><p>the report</p>{MARKUP}")
    ledger = Ledger(folder.ledger)
    for decision in ("models:t0", "plan:t0.r1.1"):
        ledger.note("decision", decision, {"id": decision})
    ledger.close()
    write_events(folder, ended="solved")
    return folder


def write_paused(runs: Path, name: str) -> RunFolder:
    """Write a run that asks a question at every point."""
    folder = RunFolder(runs, name)
    folder.create()
    folder.record_settings(runs.parent / "task", {"profile": "quick"})
    result = make_result(folder=folder.path, status="paused", message="asked about: models:t0")
    folder.write_json(folder.result, result.model_dump(mode="json"))
    write_questions(folder, QUESTIONS)
    write_events(folder, ended="paused")
    return folder


def write_working(runs: Path, name: str) -> RunFolder:
    """Write a run in the middle of its work; hold its lock to make it work."""
    folder = RunFolder(runs, name)
    folder.create()
    folder.record_settings(runs.parent / "task", {"profile": "standard"})
    write_events(folder, ended=None)
    return folder


def write_events(folder: RunFolder, ended: str | None) -> None:
    """Write the events of a run with two tracks, scores and failures, with hostile texts."""
    facts = RunFacts(
        run_id=folder.run_id,
        folder=str(folder.path),
        profile="standard",
        model="google_genai:gemini-2.5-pro",
        tracks=2,
        outer_steps=2,
        inner_plans=3,
        max_hours=4.0,
        max_usd=5.0,
        max_executions=40,
    )
    graded = {"verdict": "ok", "direction": "maximize", "standard_error": 0.02}
    events = [
        {"stage": "run", "message": "begins", "work": "run", "phase": "begin", "run": facts},
        {"stage": "candidate", "message": HOSTILE_TEXT, "track": 0, "solution": "t0.c1", "score": 0.69, **graded},
        {"stage": "candidate", "message": "kernel", "track": 1, "solution": "t1.c1", "score": 0.66, **graded},
        {
            "stage": "candidate",
            "message": MARKUP,
            "track": 0,
            "verdict": "error",
            "problem": MARKUP,
            "solution": "t0.c2",
        },
        {"stage": "merge", "message": LONG, "track": 0, "solution": "t0.m1", "score": 0.72, **graded},
        {"stage": "plan", "message": "step", "track": 0, "work": "step", "phase": "begin", "work_id": "s", "outer": 1},
        {"stage": "ask", "message": "asking the planner", "track": 1, "work": "call", "phase": "begin", "work_id": "c"},
    ]
    script = {
        "stage": "refine",
        "message": "t0.r1.1",
        "track": 0,
        "work": "execution",
        "phase": "begin",
        "work_id": "e",
    }
    script |= {"limit": 600.0, "solution": "t0.r1.1", "plan": f"Search the threshold {MARKUP}", "outer": 1, "inner": 2}
    script |= {"spend": Spending(model_calls=21, tokens=96_000, usd=1.31, executions=12)}
    end = {"stage": "run", "message": "has ended", "work": "run", "phase": "end", "status": ended}
    everything = [*events, script, *([end] if ended else [])]
    folder.events.write_bytes(b"".join(to_line(Event.model_validate(event)) for event in everything))
