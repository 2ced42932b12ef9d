"""No node blocks the event loop: the dev server refuses such calls, and parallel branches would wait for them."""

from pathlib import Path

from blockbuster import blockbuster_ctx

import mlestar
from mlestar.settings import Settings
from tests.unit.scenario import Scenario, signs


async def test_a_whole_run_never_blocks_the_loop(tmp_path: Path) -> None:
    settings = Settings(profile="quick", retrieval="none", tracks=2, ensemble_rounds=1, runs_dir=tmp_path / "runs")
    task, scenario = signs(), Scenario()
    with blockbuster_ctx():
        result = await mlestar.asolve(
            task,
            settings=settings,
            run_id="run",
            model=scenario.model(),
            runner=scenario.runner(),
            on_event=lambda event: None,
        )
    assert result.status == "solved"
