"""Every prompt, rendered for one small task; run this file to write the golden copies again.

python -m tests.unit.golden_prompts
"""

from collections.abc import Mapping
from pathlib import Path

from mlestar.agents.ensembling import Member
from mlestar.agents.roles import ROLES
from mlestar.data.statistics import ColumnStatistics, FileStatistics
from mlestar.data.task import TaskSpec
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.prompts import Prompts
from mlestar.state import (
    Attempt,
    Brief,
    ConfirmedIdea,
    KnownFailure,
    Measured,
    ModelCard,
    PromptLessons,
    StepFacts,
    Supply,
    TriedIdea,
    TriedModel,
    Variant,
)

FOLDER = Path(__file__).parent / "golden"

SCRIPT = """import pandas as pd

train = pd.read_csv("./input/train.csv")


def features(frame):
    return frame[["radius"]] < 3


print("Final Validation Performance:", 0.5)
open("./submission.csv", "w").close()
"""
BLOCK = 'def features(frame):\n    return frame[["radius"]] < 3'
CARD = ModelCard(name="LightGBM", description="Boosted trees.", example_code="import lightgbm", libraries=("lightgbm",))
MEASURED = Measured(seconds=12, peak_memory_mb=310)
TOOK = Measured(seconds=14)
ATTEMPTS = [
    Attempt(
        plan="Take the logarithm of the radius.",
        solution="t0.r1.1",
        score=0.125,
        status="ok",
        measured=TOOK,
    ),
    Attempt(plan="Bin the radius.", solution="t0.r1.2", score=None, status="timeout"),
]
VARIANTS = (Variant(name="baseline", score=0.25, claimed=0.2, seconds=3.5), Variant(name="no_radius", score=None))
MEMBERS = [
    Member(id="t0.r1.1", title="LightGBM", score=0.125, code=SCRIPT, measured=Measured(seconds=20, peak_memory_mb=420)),
    Member(id="t1.c1", title="Logistic regression", score=0.25, code=SCRIPT),
]
SPEC = TaskSpec(
    name="tumours",
    problem="binary",
    metric="log_loss",
    direction="minimize",
    target=("benign",),
    id="id",
    train="train.csv",
    test="test.csv",
    sample_submission="sample_submission.csv",
    prediction_columns=("benign",),
    prediction_kind="probability",
    classes=("0", "1"),
    pos_label="1",
    train_only=("biopsy",),
    train_rows=398,
    test_rows=171,
)
STATISTICS = FileStatistics(
    file="train.csv",
    size=8192,
    rows=398,
    columns=(
        ColumnStatistics(
            name="radius",
            kind="float",
            distinct=390,
            missing=0.02,
            minimum="1.5",
            maximum="9.75",
            quantiles=(2, 3, 4, 6, 8),
        ),
        ColumnStatistics(name="benign", kind="int", distinct=2, missing=0, examples=("1", "0"), shares=(0.63, 0.37)),
    ),
)
SPLIT = SplitPlan(kind="stratified", fraction=0.3, evidence=("no column tells test from train",))
BRIEF = Brief(
    spec=SPEC,
    description="Predict the probability that a mass is benign.\n\nEvaluation: logarithmic loss.",
    statistics=(STATISTICS,),
    split=SPLIT,
    python="3.11.7",
    packages={"lightgbm": "4.7.0", "pandas": "3.0.1", "scikit-learn": "1.9.1"},
    image="sha256:0",
    cpus=2,
    memory_mb=8192,
    gpu="",
    seconds=120,
    subsample_rows=30_000,
    seed=0,
)

SUPPLIED = BRIEF.model_copy(
    update={
        "distributions": {**BRIEF.packages, "tqdm": "4.70.1", "pip": "26.1"},
        "supply": Supply(
            packages="auto",
            weights="auto",
            stored_weights=("hf:timm/resnet18.a1_in1k@0123456789abcdef",),
            allowed=("efficientnet-lite-pytorch", "torch"),
            folders=("backbones",),
        ),
    }
)
"""The brief of a run that adds packages and weights."""
WITH_SUPPLY = ("initializer", "coder", "retriever", "web_retriever")

LESSONS = PromptLessons(
    runs=3,
    ideas=(
        TriedIdea(
            idea="pairs: Add the ratio and the difference of every two of the numeric columns that vary most",
            component="build_features",
            ids=("tables/build_features/pairs",),
            runs=2,
            helped=1,
            effect=1.4,
            weight=1.7,
            similarity=0.9,
            times=1.2,
        ),
    ),
    parts=(TriedIdea(idea="fewer_rounds", runs=2, hurt=2, effect=-2.5, weight=1.7, similarity=0.9),),
    models=(TriedModel(model="LightGBM", runs=2, best=2, effect=1.5, similarity=0.9),),
    failures=(
        KnownFailure(
            error="ValueError: could not convert string to float",
            met=3,
            fixed_by="model.fit(rows, y) became model.fit(numbers, y)",
            similarity=0.9,
        ),
    ),
)
WITH_LESSONS = ("initializer", "extractor", "planner", "debugger")
"""Roles whose prompts contain lessons of earlier runs."""
FACTS = StepFacts(left={"time": "three quarters of 2 hours"}, errors=("KeyError: 'radius' (met 2 times)",))
CONFIRMED = ConfirmedIdea(track=1, component="features", plan="Bin the radius.", gain=0.02, gain_error=0.01)
TAUGHT: dict[str, object] = {
    "brief": BRIEF.model_copy(update={"lessons": LESSONS}),
    "facts": FACTS.model_copy(update={"confirmed": (CONFIRMED,)}),
}
"""The values of a prompt of a run with lessons, in which another track has confirmed a plan."""
VALUES: dict[str, dict[str, object]] = {
    "analyst": {},
    "web_retriever": {"count": 2},
    "retriever": {"results": [CARD], "count": 2},
    "initializer": {"card": CARD},
    "adapter": {
        "script": SCRIPT,
        "outcome": {"status": "error", "message": "FileNotFoundError: train.csv", "lacks": "no score line"},
        "measured": MEASURED,
    },
    "merger": {"base": SCRIPT, "reference": SCRIPT, "measured": {"base": MEASURED, "reference": None}},
    "usage_checker": {"script": SCRIPT, "measured": MEASURED},
    "leakage_checker": {
        "script": SCRIPT,
        "evidence": "The script reports log_loss 0.01 but scores 0.5.",
        "change": None,
    },
    "leakage_fixer": {"script": SCRIPT, "block": BLOCK, "reason": "It reads the target."},
    "ablator": {"script": SCRIPT, "summaries": ["The radius helps."], "measured": MEASURED},
    "summarizer": {
        "study": SCRIPT,
        "output": "Ablation baseline: 0.2",
        "graded": VARIANTS,
        "noise": "0.03",
        "measured": MEASURED,
    },
    "extractor": {
        "script": SCRIPT,
        "summary": "The radius helps.",
        "graded": VARIANTS,
        "blocks": [BLOCK],
        "measured": MEASURED,
    },
    "planner": {"block": BLOCK, "attempts": ATTEMPTS, "baseline": 0.25, "measured": MEASURED},
    "coder": {"block": BLOCK, "plan": "Take the logarithm of the radius."},
    "ensemble_planner": {"solutions": MEMBERS, "attempts": ATTEMPTS},
    "ensembler": {"solutions": MEMBERS, "plan": "Average the probabilities.", "seconds": 180.0},
    "packager": {"script": SCRIPT, "failure": "`fit` failed: KeyError: 'radius'"},
    "bug_summarizer": {"script": SCRIPT, "problem": "KeyError: 'radius'", "measured": MEASURED},
    "debugger": {
        "script": SCRIPT,
        "bug": "There is no column radius.",
        "failed_fixes": [SCRIPT],
        "study": False,
        "measured": None,
    },
    "subsampling_extractor": {"script": SCRIPT},
    "subsampling_remover": {"block": BLOCK},
}
"""The values of each role's prompt besides the brief."""


def render(
    role: str, changed: Mapping[str, object] | None = None, /, *, prompts: Prompts | None = None, **values: object
) -> str:
    """Render a role's prompt; `changed` and `values` replace some of its values, or the brief."""
    common = {"role": role, "brief": BRIEF, "facts": FACTS, "track": 0, "attempt": 0, "refusal": ""}
    return (prompts or Prompts()).render(ROLES[role].prompt, **{**common, **VALUES[role], **(changed or {}), **values})


def golden_copies() -> dict[str, str]:
    """Return the content of each golden file: all prompts, some where packages and weights may be declared, and
    those with lessons."""
    plain = {f"{role}.md": render(role) for role in VALUES}
    supplied = {f"{role}.supply.md": render(role, brief=SUPPLIED) for role in WITH_SUPPLY}
    return plain | supplied | {f"{role}.lessons.md": render(role, TAUGHT) for role in WITH_LESSONS}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, text in golden_copies().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
