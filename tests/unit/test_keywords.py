"""Keywords that do not exist are refused by name, and so are settings; a model may be given by its name."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest

import mlestar
from mlestar.errors import SettingsError
from mlestar.llm import ScriptedModel
from mlestar.runtime.options import LiveOptions
from mlestar.session.keywords import SolveKeywords
from mlestar.settings import Settings
from tests.unit.scenario import SMALL, Scenario, make_task, signs, solve

UNKNOWN: list[tuple[dict[str, object], str]] = [
    ({"metrik": "accuracy"}, "unknown keyword 'metrik': did you mean 'metric'?"),
    ({"max_usd": 0.01, "on_evnt": print}, "unknown keyword 'on_evnt': did you mean 'on_event'?"),
    ({"max_us": 1}, "unknown keyword 'max_us': did you mean 'max_usd'?"),
    ({"colour": "red"}, "unknown keyword 'colour'"),
    ({"options": {}}, "unknown keyword 'options'"),
    ({"setting": {}}, "unknown keyword 'setting': did you mean 'settings'?"),
]
UNKNOWN_IDS = [" ".join(keywords) for keywords, _ in UNKNOWN]


def follow(task: Path, **keywords: Any) -> list[mlestar.Event | mlestar.Result]:
    """Read the stream of a run to its end; the keywords may be none that exist."""

    async def work() -> list[mlestar.Event | mlestar.Result]:
        return [part async for part in mlestar.astream(task, **keywords)]

    return asyncio.run(work())


CALLS: dict[str, Callable[..., object]] = {
    "solve": mlestar.solve,
    "asolve": lambda task, **more: asyncio.run(mlestar.asolve(task, **more)),
    "astream": follow,
    "resume": lambda task, **more: mlestar.resume("run", runs_dir=task.parent / "runs", **more),
    "aresume": lambda task, **more: asyncio.run(mlestar.aresume("run", runs_dir=task.parent / "runs", **more)),
    "fork": lambda task, **more: mlestar.fork("run", at="settings", runs_dir=task.parent / "runs", **more),
    "afork": lambda task, **more: asyncio.run(
        mlestar.afork("run", at="settings", runs_dir=task.parent / "runs", **more)
    ),
    "as_tool": lambda task, **more: mlestar.as_tool(**more),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS.keys())
@pytest.mark.parametrize(("keywords", "message"), UNKNOWN, ids=UNKNOWN_IDS)
def test_an_unknown_keyword_is_refused_by_name_with_the_nearest_known_one(
    tmp_path: Path,
    call: Callable[..., object],
    keywords: dict[str, object],
    message: str,
) -> None:
    task = make_task(tmp_path / "signs", rows=40)
    with pytest.raises(SettingsError) as raised:
        call(task, **keywords)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)
    assert [path.name for path in tmp_path.iterdir()] == ["signs"]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"max_uds": 1}, "setting 'max_uds' is unknown: did you mean 'max_usd'?"),
        ({"colour": "red"}, "setting 'colour' is unknown"),
        ({"retrieval": {"source": "none"}}, "setting 'retrieval.source' is unknown: did you mean 'retrieval.sources'?"),
        ({"tracks": "many"}, "setting 'tracks': "),
    ],
)
def test_a_mistyped_setting_is_refused_with_the_nearest_known_one(
    values: dict[str, object],
    message: str,
) -> None:
    with pytest.raises(SettingsError) as raised:
        Settings.resolve(values)
    assert str(raised.value).startswith(message)


async def test_a_mistyped_setting_of_a_resume_is_unknown_and_not_unchangeable(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario(), outer_steps=0)
    (tmp_path / "runs/run/result.json").unlink()
    with pytest.raises(SettingsError, match="'max_uds' is unknown: did you mean 'max_usd'"):
        await mlestar.aresume("run", runs_dir=tmp_path / "runs", settings={"max_uds": 1})


async def test_the_name_of_a_model_is_the_setting_and_is_kept(tmp_path: Path) -> None:
    settings = {**SMALL, "runs_dir": tmp_path / "runs", "max_executions": 1}
    result = await mlestar.asolve(signs(), settings=settings, run_id="run", model="offline", runner=Scenario().runner())
    assert result.model == "offline"
    recorded = json.loads((tmp_path / "runs/run/settings.json").read_text(encoding="utf-8"))
    assert recorded["settings"]["model"] == "offline"
    (tmp_path / "runs/run/result.json").unlink()
    with pytest.raises(SettingsError, match="model cannot change"):
        await mlestar.aresume("run", runs_dir=tmp_path / "runs", model="offline")
    forked = await mlestar.afork(
        "run", at="settings", runs_dir=tmp_path / "runs", model="offline", runner=Scenario().runner()
    )
    assert forked.model == "offline"


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (["offline"], "model: give a chat model, its name, or either by role"),
        ({"planner": 5}, "model: give a chat model, its name, or either by role"),
        ({"planner": "offline", "default": 5}, "model: give a chat model, its name, or either by role"),
    ],
)
async def test_a_value_that_is_no_model_is_refused_in_one_line(
    tmp_path: Path,
    model: object,
    message: str,
) -> None:
    with pytest.raises(SettingsError) as raised:
        await mlestar.asolve(make_task(tmp_path / "signs", rows=40), model=cast("str", model))
    assert message in str(raised.value)


CONTRADICTIONS: list[tuple[dict[str, Any], str]] = [
    ({"tracks": 0}, "setting 'tracks': "),
    ({"max_usd": "much"}, "setting 'max_usd': "),
    ({"settings": {"seed": 1}, "profile": "fast"}, "setting 'profile': "),
]


@pytest.mark.parametrize(("keywords", "message"), CONTRADICTIONS)
def test_a_setting_as_a_keyword_is_checked(tmp_path: Path, keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=message) as raised:
        mlestar.solve(tmp_path, runs_dir=tmp_path / "runs", **keywords)
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "runs").exists()


def test_every_setting_is_a_keyword_of_solve() -> None:
    assert set(Settings.model_fields) | {"id"} == SolveKeywords.__optional_keys__ - LiveOptions.__optional_keys__


async def test_settings_as_keywords_precede_values_and_are_recorded(tmp_path: Path) -> None:
    result = await mlestar.asolve(
        signs(),
        settings={**SMALL, "max_executions": 5, "seed": 3},
        run_id="run",
        runs_dir=tmp_path / "runs",
        max_executions=1,
        model={"default": "offline"},
        runner=Scenario().runner(),
        retrieval="none",
    )
    recorded = json.loads((tmp_path / "runs/run/settings.json").read_text(encoding="utf-8"))["settings"]
    assert (recorded["max_executions"], recorded["seed"]) == (1, 3)
    assert (recorded["models"], recorded["retrieval"]["sources"]) == ({"default": "offline"}, ["none"])
    assert result.model == "offline"


def test_a_tool_may_be_given_a_model_by_name(tmp_path: Path) -> None:
    settings = {**SMALL, "runs_dir": tmp_path / "runs", "max_executions": 1}
    tool = mlestar.as_tool(settings, model="offline", runner=Scenario().runner())
    assert "no solution" in tool.invoke({"folder": str(signs().folder)})


def test_models_may_be_given_by_role(tmp_path: Path) -> None:
    scenario = Scenario()
    models = {"default": scenario.model(), "planner": ScriptedModel(answer=scenario.answer)}
    settings = {**SMALL, "runs_dir": tmp_path / "runs", "outer_steps": 0}
    assert mlestar.solve(signs(), settings=settings, model=models, runner=scenario.runner()).status == "solved"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"runner": "dokcer"}, "choose auto, docker, local or package.module:Name"),
        ({"runner": 5}, "runner: give a Runner"),
        ({"answers": [1]}, "answers: give answers by the ids"),
        ({"on_event": 5}, "on_event: give a function"),
    ],
)
def test_an_option_of_the_wrong_kind_is_refused(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(message)):
        mlestar.solve(tmp_path / "task", settings={"runs_dir": tmp_path / "runs"}, **options)
    assert not (tmp_path / "runs").exists()
