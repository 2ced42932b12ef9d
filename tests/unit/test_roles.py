"""The role table, and a role that is added from outside the package: an agent file, a prompt and a row."""

import importlib
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from mlestar.agents.analyst import ANALYST
from mlestar.agents.roles import ROLES, add_role, groups
from mlestar.errors import SettingsError
from mlestar.llm import ScriptedModel, choose_models
from mlestar.prompts import Prompts
from mlestar.runtime.context import close_context, open_context
from mlestar.settings import Settings
from mlestar.state import Brief
from tests.unit.paths import ROOT
from tests.unit.scenario import make_task

AGENT = '''
"""Critic: names the weakest part of a script."""

from mlestar.agents.replies import parse_prose
from mlestar.agents.role import EXACT, Role

CRITIC = Role("critic", "checkers", EXACT, parse_prose)


async def criticize(agent, script):
    return await agent.ask(CRITIC, script=script)
'''
PROMPT = '<script>\n{{ script | code }}\n</script>\n\nName the weakest part.\n\n{% include "_request.md" %}\n'


@pytest.fixture
def critic(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Add the role for one test."""
    (tmp_path / "own_agents").mkdir()
    (tmp_path / "own_agents" / "critic_agent.py").write_text(AGENT, encoding="utf-8")
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "critic.md").write_text(PROMPT, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path / "own_agents")
    module = importlib.import_module("critic_agent")
    add_role(module.CRITIC)
    yield module
    del ROLES["critic"]


def test_the_documentation_lists_the_groups_of_the_table() -> None:
    page = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\w, ]+) \|$", page, re.MULTILINE)
    assert {group: tuple(names.split(", ")) for group, names in rows} == groups()


async def test_a_role_from_outside_is_asked_like_the_built_in_ones(
    critic: ModuleType, tmp_path: Path, brief: Brief
) -> None:
    prompts: list[str] = []

    def answer(role: str, prompt: str) -> str:
        prompts.append(prompt)
        return "The features." if len(prompts) > 1 else "{}"

    settings = Settings(model="offline", prompts=tmp_path / "prompts", runs_dir=tmp_path / "runs")
    models = {"critic": ScriptedModel(answer=answer)}
    ctx = await open_context(settings, "run", make_task(tmp_path / "task"), {"model": models})
    try:
        assert await critic.criticize(ctx.services.agent(brief), "x = 1") == "The features."
        spend = ctx.services.ledger.spend()
    finally:
        await close_context(ctx)
    assert spend.model_calls == len(prompts) == 2
    assert "<role>critic</role>" in prompts[0]
    assert "answer with sentences of plain text" in prompts[1]


def test_settings_name_a_role_from_outside_by_itself_and_by_its_group(critic: ModuleType) -> None:
    server = {"model": "openai:a", "base_url": "http://127.0.0.1:1/v1"}
    models = choose_models(Settings(**server, models={"critic": "openai:b"}, temperatures={"critic": 0.25}))
    chosen = models.of("critic")
    assert (chosen.name, vars(chosen.model)["temperature"]) == ("openai:b", 0.25)
    models = choose_models(Settings(**server, models={"checkers": "openai:c"}))
    chosen = models.of("critic")
    assert (chosen.name, vars(chosen.model)["temperature"]) == ("openai:c", 0.0)


def test_a_role_without_a_prompt_is_one_line(critic: ModuleType) -> None:
    with pytest.raises(SettingsError, match=r"prompt critic\.md is missing") as raised:
        Prompts(None, [role.prompt for role in ROLES.values()])
    assert "\n" not in str(raised.value)


def test_a_role_without_a_row_has_no_prompt_to_override(tmp_path: Path) -> None:
    (tmp_path / "critic.md").write_text(PROMPT, encoding="utf-8")
    with pytest.raises(SettingsError, match="no such prompt to override"):
        Prompts(tmp_path, [role.prompt for role in ROLES.values()])


def test_a_name_is_used_once() -> None:
    with pytest.raises(ValueError, match="has a role 'analyst'"):
        add_role(ANALYST)
