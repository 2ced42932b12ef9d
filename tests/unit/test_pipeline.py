"""The whole machine, played through with scripted replies and a scripted sandbox."""

import pandas as pd
import pytest

import mlestar
from tests.unit.play import Play, cards, fence, make_task, script


async def solve(tmp_path, play, **settings):
    task = make_task(tmp_path / "signs")
    given = {"profile": "quick", "runs_dir": tmp_path / "runs", "search": "none", **settings}
    return await mlestar.asolve(task, settings=given, run_id="run", model=play.model(), runner=play.runner())


def by_id(result):
    return {row.id: row for row in result.solutions}


async def test_the_best_script_is_handed_in(tmp_path):
    result = await solve(tmp_path, Play())
    assert (result.status, result.metric, result.direction) == ("solved", "accuracy", "maximize")
    assert result.winner == "t0.m1"
    assert len(pd.read_csv(result.submission)) == 100
