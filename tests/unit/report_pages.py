"""Results of runs that were never executed, for tests of the report."""

import io
import wave
from typing import Any, Literal

from PIL import Image

from mlestar.evaluation.outcome import Outcome
from mlestar.report import Result, Score
from mlestar.report.baselines import BaselineRow
from mlestar.report.examples import ExampleRow, ExamplesRow
from mlestar.report.history import ExecutionRow, History, PointRow, StudyRow, TrialRow
from mlestar.report.outcome import OutcomeRow
from mlestar.report.result import CapRow, MemberRow, ModelRow, SolutionRow
from mlestar.report.start import StartRow
from mlestar.state import ColumnImportance, Export, Gain, Importance, Source, Variant
from mlestar.store.rows import RoleSpend
from tests.unit.read_runs import make_result, row

HOSTILE = "<script>alert(1)</script>\x1b[31m"


def solution(name: str, holdout: float | None = 0.5, **changed: Any) -> SolutionRow:
    return row(name, holdout, **{"title": "LightGBM", **changed})


def result(*solutions: SolutionRow, **changed: Any) -> Result:
    score = Score(holdout=0.5, holdout_se=0.01, fresh=0.52, fresh_se=0.02, blind=True)
    return make_result(*solutions, **{"metric": "rmse", "direction": "minimize", "score": score, **changed})


def baseline(gain: float, error: float | None) -> BaselineRow:
    return BaselineRow(name="simple", how="linear model", winner_gain=gain, winner_gain_se=error)


def history(*solutions: SolutionRow) -> History:
    gain = Gain(difference=0.02, standard_error=0.005)
    variants = (Variant(name="baseline", score=0.5), Variant(name=HOSTILE, score=0.4, gain=gain))
    return History(
        seconds=60.0,
        executions=(ExecutionRow(label=HOSTILE, kind="execution", status="ok", started=1.0, seconds=3.0),),
        points=tuple(
            PointRow(solution=one.id, seconds=float(place), executions=place) for place, one in enumerate(solutions)
        ),
        studies=(StudyRow(label=HOSTILE, track=0, variants=variants),),
        trials=(TrialRow(solution="t0.r1.1", track=0, component="model", plan=HOSTILE, status="ok", gain=gain),),
    )


def importance(**changed: Any) -> Importance:
    """Return an importance of columns with one that matters, one within noise, and one with a hostile name."""
    long = "a_column_whose_name_does_not_end_" * 4
    rows = (
        ColumnImportance(column="size", loss=0.31, loss_se=0.02),
        ColumnImportance(column=HOSTILE, loss=0.01, loss_se=0.02),
        ColumnImportance(column=long, loss=-0.001, loss_se=0.004),
    )
    known = {"solution": "t0.c1", "columns": rows, "rows": 200, "blind": True, "score": 0.5, "seconds": 3.2}
    return Importance.model_validate({**known, "left_out": (long, HOSTILE), "constant": (HOSTILE,), **changed})


PICTURE, CLIP = "a" * 64, "b" * 64


def make_media() -> dict[str, bytes]:
    """Return a small picture and a short clip by their blobs."""
    picture, clip = io.BytesIO(), io.BytesIO()
    Image.new("RGB", (120, 80), (200, 90, 40)).save(picture, "PNG")
    with wave.open(clip, "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))
    return {PICTURE: picture.getvalue(), CLIP: clip.getvalue()}


def examples(kind: Literal["image", "audio", "text"]) -> ExamplesRow:
    """Return examples with hostile and long labels and texts, and one whose picture is gone."""
    long = "a_label_that_does_not_end_" * 5
    media = {"image": PICTURE, "audio": CLIP, "text": ""}[kind]
    texts = (f"{HOSTILE} {long} and some more words. " * 3, HOSTILE) if kind == "text" else ()
    common = {"texts": texts, "media": media}
    rows = (
        ExampleRow(group="right", true=HOSTILE, predicted=HOSTILE, **common),
        ExampleRow(group="right", true="cat", predicted="cat", **common),
        ExampleRow(group="wrong", true=long, predicted="dog", **common),
        ExampleRow(group="wrong", true="cat", predicted="gone", media="c" * 64),
    )
    return ExamplesRow(kind=kind, target="y", rows_of="fresh", blind=True, rows=rows)


def full_result(kind: Literal["image", "audio", "text"] = "image") -> Result:
    """Return a result with everything that a report shows, with hostile and long texts."""
    long = "a_name_that_does_not_end_" * 6
    rows = [
        solution("t0.c1", title=HOSTILE, plan=HOSTILE),
        solution("t0.c2", None, status="error", message=f"KeyError: {long}"),
        solution("t0.r1.1", 0.48, parent="t0.c1", plan="Search the threshold. " * 20, title=long),
        solution("t0.r1.2", 0.49, parent="t0.c1"),
        solution(
            "b1", 0.47, members=(MemberRow(solution="t0.r1.1", weight=0.6), MemberRow(solution="t0.c1", weight=0.4))
        ),
    ]
    roles = (RoleSpend(role="planner", calls=3, seconds=4.0, input_tokens=9000, output_tokens=800, usd=0.02),)
    outcome = Outcome(
        kind="labels", target="y", rows=40, classes=("a", long, "other"), counts=((9, 1, 0), (2, 20, 1), (3, 2, 2))
    )
    return result(
        *rows,
        history=history(*rows).model_copy(update={"roles": roles}),
        baselines=(baseline(0.3, 0.1),),
        outcome=OutcomeRow(rows_of="fresh", blind=True, outcome=outcome),
        importance=importance(),
        examples=examples(kind),
        start=StartRow(name=long, notes=(HOSTILE,), solution="t0.c1", holdout=0.5, holdout_se=0.01, warning=long),
        sources=(Source(address=f"https://example.org/{long}", title=HOSTILE, found_by="web", cards=("a",)),),
        exports=(Export(solution="t0.c1", submission=None, message=HOSTILE, seconds=1.0),),
        models=(ModelRow(model=long, replies={"planner": 3}, refused={"planner": 1}),),
        weak_models=(HOSTILE,),
        caps=(CapRow(cap="max_hours", limit=0.5, stopped=(long,)),),
        message=long,
        warnings=(long,),
    )


def scripts_of(shown: Result) -> dict[str, str]:
    return {
        row.id: f"value = {row.score.holdout}\n" + "print('a long line of a script') " * 9 for row in shown.solutions
    }
