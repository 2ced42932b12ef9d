"""An MCP client sends folders with NUL or unknown users, settings of wrong names and types, and a goal of megabytes.

Outcome: succeeded; prevented since. Odd folders crashed the tool; long goals took minutes.
"""

from pathlib import Path
from typing import Any

import pytest
from mcp import Client

from mlestar.errors import SettingsError
from mlestar.integrations.clients import ClientRules
from mlestar.integrations.mcp import make_server
from mlestar.settings import Settings
from tests.abuse.attempts.helpers_host import write_task
from tests.unit.mcp_client import refusal

OPERATOR = Settings.resolve({"model": "offline", "runner": "local", "max_usd": 2.0, "max_hours": 1.0})
FOLDERS = ("\0", "~nobody-has-this-name/x", "~root", "x" * 5000, "/dev/stdin", "", "/proc/self/cwd", "/proc/self/root")
REFUSED: tuple[dict[str, Any], ...] = (
    {"max_usd": float("nan")},
    {"max_usd": "inf"},
    {"max_usd": None},
    {"max_usd": -1},
    {"MAX_USD": 1},
    {"max-usd": 1},
    {"max_usd ": 1},
    {"caps": {"max_usd": 1}},
    {"settings": {"runner": "local"}},
    {"models.default": "openai:gpt-5.1"},
    {"model": ["ask"]},
    {"model": {"default": "ask"}},
    {"metric": ["metric.py:x"]},
    {"__class__": 1},
    {"tracks": 10**6},
    {"resamples": 10**9},
    {"script_seconds": float("nan")},
    {"max_hours": 10**400},
)


@pytest.mark.parametrize("values", REFUSED, ids=str)
def test_a_setting_of_another_name_or_type_is_refused(values: dict[str, Any]) -> None:
    with pytest.raises(SettingsError) as raised:
        ClientRules().limit(OPERATOR, values)
    assert "\n" not in str(raised.value)


@pytest.mark.timeout(60)
async def test_odd_folders_and_goals_are_refused_with_a_message(tmp_path: Path) -> None:
    task = write_task(tmp_path / "task")
    settings = OPERATOR.change({"runs_dir": tmp_path / "runs"})
    async with Client(make_server(settings, ClientRules().with_roots((tmp_path,)))) as client:
        for tool in ("check", "run"):
            for folder in (*FOLDERS, f"{task}\0", f"{task}/../../.."):
                assert "folder" in (await refusal(client, tool, folder=folder)).removeprefix("Error executing tool ")
            reason = await refusal(client, tool, folder=str(task), goal="RMSE " * 2_000_000)
            assert "the goal has 10,000,000 characters" in reason
    assert not (tmp_path / "runs").exists()
