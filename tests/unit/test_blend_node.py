"""A blend in the graph: made when it helps, submitted as it was scored, left out when it does not fit."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import numpy as np
import pandas as pd
import pytest

import mlestar
from mlestar.evaluation.blending.script import Part, read_members, write_blend
from mlestar.evaluation.blending.weights import MAX_CANDIDATES
from mlestar.nodes.blend import choose_candidates, seconds_left
from mlestar.nodes.leakage import checked_scripts
from mlestar.report import Result
from mlestar.runners import Execution, Job
from mlestar.runtime.context import RunContext
from mlestar.settings import Settings
from mlestar.state import NO_TRACK, BlendMember, Draft, Solution, Verdict
from mlestar.store import Ledger
from tests.unit.scenario import SMALL, Scenario, as_json, fence, resume, script, success

ROWS = 600
SOURCES = [script(quality, f"{quality}") for quality in (0.6, 0.7)]


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> mlestar.Task:
    folder = tmp_path_factory.mktemp("numbers")
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"id": np.arange(ROWS), "x": draw.normal(size=ROWS).round(6)})
    train, test = frame.iloc[: ROWS * 3 // 4].assign(y=frame["x"]), frame.iloc[ROWS * 3 // 4 :]
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(y=0.5).to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.toml").write_text('metric = "rmse"\nsplit = "random"\n', encoding="utf-8")
    return mlestar.Task.load(folder)


class Errors(Scenario):
    """Every script predicts the target with an error of its own; a blend averages those of its members."""

    seconds = 1.0

    def run(self, job: Job) -> Execution:
        self.scripts[job.name] = job.script
        self.ran.append(job.name)
        sources = read_members(job.script) or {"": job.script}
        table = pd.read_csv(job.input / "test.csv")
        errors = [self.error(source, len(table)) for source in sources.values()]
        table.assign(y=table["x"] + np.mean(errors, axis=0))[["id", "y"]].to_csv(
            job.collect / "submission.csv", index=False
        )
        ended = success(("submission.csv",), "Final Validation Performance: 0.5\n")
        return Execution(**{**vars(ended), "seconds": self.seconds * len(sources)})

    def error(self, source: str, rows: int) -> np.ndarray:
        """Return the errors of a script, which follow from its text."""
        seed = sum(map(ord, source))
        return 0.5 * np.random.default_rng(seed).normal(size=rows)


class Alike(Errors):
    """All scripts make the same errors."""

    def error(self, source: str, rows: int) -> np.ndarray:
        return 0.5 * np.random.default_rng(0).normal(size=rows)


async def solve(folder: Path, scenario: Scenario, task: mlestar.Task, **more: object) -> Result:
    values = {**SMALL, "outer_steps": 0, "runs_dir": folder / "runs", "model_backoff": 0, **more}
    return await mlestar.asolve(task, settings=Settings.resolve(values), run_id="run", **scenario.options())


async def test_a_blend_that_helps_is_rescored_and_submitted(tmp_path: Path, task: mlestar.Task) -> None:
    scenario = Errors(initializer=[fence(source) for source in SOURCES])
    result = await solve(tmp_path, scenario, task)
    row = next(row for row in result.solutions if row.id == "blend")
    assert (result.winner, row.origin, row.status) == ("blend", "ensemble", "ok")
    assert sum(member.weight for member in row.members) == pytest.approx(1.0)
    assert {member.solution for member in row.members} <= {row.id for row in result.solutions}
    assert row.score.holdout is not None
    singles = [one.score.holdout for one in result.solutions if one.id != "blend" and one.score.holdout is not None]
    assert row.score.holdout < min(singles)
    assert "blend-fresh" in " ".join(scenario.ran)
    assert scenario.ran[-1] == "blend-export"
    assert read_members(Path(result.solution or "").read_text(encoding="utf-8"))
    report = Path(result.report or "").read_text(encoding="utf-8")
    assert row.title in report


async def test_scripts_without_errors_of_their_own_are_not_blended(tmp_path: Path, task: mlestar.Task) -> None:
    result = await solve(tmp_path, Alike(), task)
    assert result.status == "solved"
    assert "blend" not in {row.id for row in result.solutions}


async def test_a_blend_that_fails_does_not_end_the_run(
    tmp_path: Path, task: mlestar.Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*values: object) -> str:
        raise ValueError(values)

    monkeypatch.setattr("mlestar.nodes.blend.cross_fitted", fail)
    result = await solve(tmp_path, Errors(initializer=[fence(source) for source in SOURCES]), task)
    assert result.status == "solved"
    assert "blend" not in {row.id for row in result.solutions}


async def test_the_setting_turns_it_off(tmp_path: Path, task: mlestar.Task) -> None:
    result = await solve(tmp_path, Errors(), task, blend=False)
    assert "blend" not in {row.id for row in result.solutions}


async def test_scripts_too_slow_for_one_limit_together_are_not_blended(tmp_path: Path, task: mlestar.Task) -> None:
    scenario = Errors()
    scenario.seconds = 3.0
    result = await solve(tmp_path, scenario, task, script_seconds=6)
    assert result.status == "solved"
    assert "blend" not in {row.id for row in result.solutions}


async def test_no_blend_without_executions_for_it(tmp_path: Path, task: mlestar.Task) -> None:
    result = await solve(tmp_path, Errors(), task, max_executions=5)
    assert "blend" not in {row.id for row in result.solutions}


async def test_each_member_is_checked_as_a_finalist(tmp_path: Path, task: mlestar.Task) -> None:
    asked: list[str] = []

    def check(prompt: str) -> str:
        asked.append(prompt)
        return fence('{"leak": false}', "json")

    await solve(tmp_path, Errors(leakage_checker=check), task)
    assert not any("MEMBERS" in prompt for prompt in asked)


async def test_a_winning_blend_loses_the_subsampling_of_its_members(tmp_path: Path, task: mlestar.Task) -> None:
    block, whole = "def load():\n    return 1", "def load():\n    return 'all rows'"
    scenario = Errors(
        initializer=[fence(source) for source in SOURCES],
        subsampling_extractor=as_json(block=block),
        subsampling_remover=fence(whole),
    )
    result = await solve(tmp_path, scenario, task, subsample_rows=100)
    row = next(row for row in result.solutions if row.id == "blend.whole")
    assert (row.origin, row.status, result.winner) == ("whole data", "ok", "blend.whole")
    members = read_members(scenario.scripts["blend.whole"])
    assert set(members) == {member.solution for member in row.members}
    assert all(whole in source and block not in source for source in members.values())
    assert "blend.whole-fresh" in " ".join(scenario.ran)


class Texts:
    """Scripts by their blobs."""

    def __init__(self, texts: dict[str, str]) -> None:
        self.services, self.texts = self, texts

    async def text(self, blob: str) -> str:
        return self.texts[blob]


@pytest.mark.parametrize(("held", "checked"), [("x = 1", "member"), ("x = 2", "blend")])
async def test_members_are_checked_in_place_of_a_blend_that_runs_just_these(held: str, checked: str) -> None:
    code = write_blend([Part("t0.c1", held, 1)], columns=["y"], scale="value")
    ctx = cast("RunContext", Texts({"blend": code, "member": "x = 1"}))
    members = (BlendMember(solution="t0.c1", script="member", weight=1),)
    blend = Draft(id="blend", origin="ensemble", track=NO_TRACK, title="", script="blend", members=members)
    assert await checked_scripts(ctx, blend) == (checked,)


async def test_a_run_that_stops_after_the_blend_continues_with_it(tmp_path: Path, task: mlestar.Task) -> None:
    class Broken(Errors):
        def run(self, job: Job) -> Execution:
            if job.name.startswith("blend"):
                raise ZeroDivisionError
            return super().run(job)

    with pytest.raises(ZeroDivisionError):
        await solve(tmp_path, Broken(), task)
    second = Errors()
    result = await resume(tmp_path, second)
    assert result.winner == "blend"
    assert all(name.startswith("blend") or "-export" in name or "-fresh" in name for name in second.ran)


async def test_a_repeated_run_blends_by_the_time_that_was_left_at_first(tmp_path: Path) -> None:
    left = iter([50.0, 5.0])

    async def finalist_seconds(finalists: Sequence[float]) -> float:
        assert finalists == [3.0]
        return next(left)

    services = SimpleNamespace(
        ledger=Ledger(tmp_path / "ledger.sqlite"), budget=SimpleNamespace(finalist_seconds=finalist_seconds)
    )
    ctx = cast("RunContext", SimpleNamespace(services=services))
    assert [await seconds_left(ctx, [3.0]), await seconds_left(ctx, [3.0])] == [50.0, 50.0]
    services.ledger.close()


def test_scripts_that_are_too_slow_leave_the_quick_ones_their_places() -> None:
    def timed(name: str, seconds: float) -> Solution:
        verdict = Verdict(status="ok", holdout=0.5, seconds=seconds)
        return Solution(id=name, origin="refinement", track=0, title=name, script=name, verdict=verdict)

    slow = [timed(f"slow{number}", 60.0) for number in range(MAX_CANDIDATES)]
    quick = [timed(f"quick{number}", 5.0) for number in range(MAX_CANDIDATES + 1)]
    # The slow ones stay: the blend is compared with the best of all.
    assert choose_candidates([*slow, *quick], 30.0) == [*slow, *quick[:-1]]
    assert choose_candidates([*quick, *slow], 30.0) == quick[:-1]
