"""An MCP client names runs as `../x`, `.`, with NUL, line feeds or escape codes, in tools and resources.

Outcome: prevented.
"""

from pathlib import Path

import pytest
from mcp import Client, MCPError

from mlestar.integrations.clients import ClientRules
from mlestar.integrations.mcp import make_server
from mlestar.settings import Settings
from tests.unit.hostile import hidden_marks
from tests.unit.mcp_client import refusal
from tests.unit.scenario import Scenario, solve

NAMES = ("../run", "..", ".", "run/../run", "\0", "run\n", "run\x1b[2J", "\u202erun", "a" * 200, "/etc", "", "run%2f..")
TOOLS = ("status", "result", "resume", "cancel", "wait", "next_model_call")


async def test_no_name_leads_anywhere(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario())
    (tmp_path / "run").mkdir()
    settings = Settings.resolve({"runs_dir": tmp_path / "runs", "model": "offline", "runner": "local"})
    before = sorted(path for path in tmp_path.rglob("*") if "blobs" not in path.parts)
    async with Client(make_server(settings, ClientRules().with_roots((tmp_path,)))) as client:
        for name in NAMES:
            for tool in TOOLS:
                assert hidden_marks(await refusal(client, tool, run_id=name)) == []
            for file in ("script", "submission", "report"):
                with pytest.raises(MCPError):
                    await client.read_resource(f"mlestar://runs/{name}/{file}")
    assert sorted(path for path in tmp_path.rglob("*") if "blobs" not in path.parts) == before
