"""A model hides reversed and invisible text in a script, which an MCP client shows as a resource.

Outcome: succeeded; prevented since. Tools cleaned what they returned, resources did not; a submission stays unchanged.
"""

from pathlib import Path

from mcp import Client
from mcp.types import TextResourceContents

from mlestar.integrations.clients import ClientRules
from mlestar.integrations.mcp import make_server
from mlestar.settings import Settings
from tests.unit.hostile import hidden_marks
from tests.unit.scenario import Scenario, fence, script, solve

HIDDEN = "\u202e\u2066\u200b\U000e0041"


async def test_script_and_report_are_clean(tmp_path: Path) -> None:
    hostile = script(0.7).replace("# quality", f"NAME = '{HIDDEN}end'\n# quality", 1)
    result = await solve(tmp_path, Scenario(initializer=fence(hostile)), retrieved_models=1, outer_steps=0)
    assert result.solution is not None
    assert hidden_marks(Path(result.solution).read_text(encoding="utf-8"))
    settings = Settings.resolve({"runs_dir": tmp_path / "runs", "model": "offline", "runner": "local"})
    async with Client(make_server(settings, ClientRules().with_roots((tmp_path,)))) as client:
        for file in ("script", "report"):
            (content,) = (await client.read_resource(f"mlestar://runs/run/{file}")).contents
            assert isinstance(content, TextResourceContents)
            assert hidden_marks(content.text) == []
            assert "NAME = 'end'" in content.text or file == "report"
