"""Things added from outside the package, each with no more than the architecture page says, and run end to end."""

from pathlib import Path

from langgraph.runtime import Runtime

import mlestar
from mlestar.data.task import Task
from mlestar.graph import Pipeline, build_graph, compile_evaluation, insert_stage
from mlestar.runtime.context import close_context, find_context, open_context
from mlestar.settings import Settings
from mlestar.state import NO_TRACK, Draft, EvaluationInput, PipelineInput, PipelineState
from tests.unit.scenario import SMALL, Scenario, count_rows, make_task, script, signs


async def polish(state: PipelineState, runtime: Runtime[Settings]) -> PipelineState:
    """Write one more script and evaluate it, as a stage that a user adds."""
    ctx = await find_context(state, runtime)
    code = await ctx.services.keep(script(0.97, "polished"))
    draft = Draft(id="p1", origin="polish", track=NO_TRACK, title="polished", script=code)
    start: EvaluationInput = {"run_id": state["run_id"], "brief": state["brief"], "draft": draft}
    evaluated = await compile_evaluation().ainvoke(start, context=runtime.context)
    return {"solutions": evaluated["solutions"]}


def pipeline_with_polish() -> Pipeline:
    graph = build_graph()
    insert_stage(graph, "polish", polish, after="ensemble")
    return graph


async def test_a_stage_is_one_node_one_wiring_line_and_one_origin(tmp_path: Path) -> None:
    scenario = Scenario()
    result = await mlestar.asolve(
        signs(),
        settings={**SMALL, "runs_dir": tmp_path / "runs"},
        run_id="run",
        **scenario.options(graph=pipeline_with_polish()),
    )
    assert (result.winner, result.status) == ("p1", "solved")
    assert [row.origin for row in result.solutions][-1] == "polish"
    assert "p1-fresh1" in scenario.ran


async def test_a_stage_runs_where_another_program_compiles_the_graph(tmp_path: Path) -> None:
    settings = Settings.resolve({**SMALL, "runs_dir": tmp_path / "runs"})
    folder, scenario = count_rows(make_task(tmp_path / "signs")), Scenario()
    ctx = await open_context(settings, "run", folder, scenario.options(), Task.load(folder))
    try:
        start = PipelineInput(task=str(folder), run_id="run")
        state = await pipeline_with_polish().compile().ainvoke(start, context=settings)
        result = mlestar.Result.read(ctx.folder.result)
    finally:
        await close_context(ctx)
    assert (state["winner"], result.status) == ("p1", "solved")
