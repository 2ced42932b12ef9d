"""What a client of the MCP server cannot do, whatever it sends: the operator's settings hold."""

from pathlib import Path
from typing import Any

import pytest

from mlestar.data.examples import write_example
from mlestar.errors import SettingsError, UserError
from mlestar.integrations.clients import CAPS, HARMLESS, ClientRules
from mlestar.integrations.runs import Runs
from mlestar.settings import Settings
from tests.unit.scenario import Scenario, solve

OPERATOR = {"model": "offline", "runner": "docker", "max_usd": 2.0, "max_hours": 1.0, "max_tokens": 1000}
HOSTILE: dict[str, Any] = {
    "runner": "local",
    "network": True,
    "image": "python:3",
    "gpus": -1,
    "gpu_share": 4,
    "runtime": "runc",
    "warm": 16,
    "model": "openai:gpt-5.1",
    "models": {"default": "openai:gpt-5.1"},
    "fallback": ["openai:gpt-5.1"],
    "base_url": "http://attacker.example",
    "effort": {"default": "max"},
    "prices": "/etc/passwd",
    "cards": ["/etc/passwd"],
    "prompts": "/etc",
    "retrieval": "tavily",
    "checkpoints": "postgres",
    "runs_dir": "/tmp",
    "max_usd": 3.0,
    "max_hours": 2.0,
    "max_tokens": 2000,
    "memory_mb": 10**6,
    "max_output_tokens": 10**6,
    "model_attempts": 20,
    "model_parallel": 256,
    "metric": "metric.py:score",
    "script_seconds": 10**6,
}


def make_runs(folder: Path, rules: ClientRules | None = None) -> Runs:
    operator = Settings.resolve({**OPERATOR, "runs_dir": folder / "runs"})
    return Runs(operator, (rules or ClientRules()).with_roots((folder,)))


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_client_cannot_set_what_the_operator_decides(tmp_path: Path, name: str) -> None:
    folder = write_example("wine", tmp_path / "wine")
    with pytest.raises(SettingsError, match=name):
        await make_runs(tmp_path).start(str(folder), {name: HOSTILE[name]})
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("name", ["max_usd", "max_hours", "max_tokens"])
async def test_a_client_cannot_raise_a_cap_of_a_run_that_it_resumes(tmp_path: Path, name: str) -> None:
    await solve(tmp_path, Scenario())
    with pytest.raises(SettingsError, match=f"may set {name} to"):
        await make_runs(tmp_path).resume("run", {name: HOSTILE[name]}, {})


def test_every_setting_is_harmless_a_cap_or_decided_by_the_operator() -> None:
    decided = set(Settings.model_fields) - set(HARMLESS) - set(CAPS)
    assert decided == {
        *("runner", "network", "image", "gpus", "gpu_share", "runtime", "warm", "base_url"),
        *("prices", "cards", "prompts", "start", "lessons", "trackers"),
        *("model", "models", "fallback", "effort", "temperatures", "retrieval", "checkpoints", "runs_dir"),
        *("model_seconds", "model_attempts", "model_backoff", "model_parallel", "max_output_tokens", "give_up_after"),
        *("packages", "packages_dir", "package_mb", "package_seconds", "package_count", "source_builds"),
        *("weights", "weights_dir", "weights_folder", "weight_hosts", "weight_mb"),
        *("isolation", "link_above_mb", "max_graded", "grading_seconds", "trust"),
    }


def test_caps_are_ceilings_whatever_profile_a_client_chooses() -> None:
    operator = Settings.resolve(OPERATOR)
    limited = operator.change(ClientRules(caps={"max_executions": 7}).limit(operator, {"profile": "paper"}))
    assert (limited.profile, limited.outer_steps) == ("paper", 4)
    assert (limited.max_hours, limited.max_usd, limited.max_tokens, limited.max_executions) == (1.0, 2.0, 1000, 7)
    assert limited.script_seconds == operator.script_seconds
    lower = operator.change(ClientRules().limit(operator, {"max_usd": 0.5, "model": "ask"}))
    assert (lower.max_usd, lower.model) == (0.5, "ask")


def test_the_rules_of_the_operator_allow_more(tmp_path: Path) -> None:
    path = tmp_path / "clients.toml"
    path.write_text('roots = ["tasks"]\nallow = ["image"]\nmodels = ["openai:gpt-5.1"]\n[caps]\nmax_usd = 1\n')
    rules, operator = ClientRules.read(path).with_roots(()), Settings.resolve(OPERATOR)
    assert rules.roots == (tmp_path / "tasks",)
    assert rules.limit(operator, {"image": "torch", "model": "openai:gpt-5.1"})["max_usd"] == 1
    with pytest.raises(SettingsError, match="max_usd to 1 at most"):
        rules.limit(operator, {"max_usd": 1.5})


@pytest.mark.parametrize("text", ['allow = ["nothing"]', "[caps]\nseed = 1", "roots = 1", "allow =", "other = 1"])
def test_a_file_that_cannot_be_used_is_one_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clients.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        ClientRules.read(path)
    assert "\n" not in str(raised.value)
    assert str(path) in str(raised.value)


@pytest.mark.parametrize("path", ["/etc", "/", "{folder}/../elsewhere", "{folder}/link"])
async def test_task_folders_are_opened_below_the_roots_only(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "tasks"
    write_example("wine", tmp_path / "elsewhere")
    folder.mkdir()
    (folder / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="--root"):
        await make_runs(folder).start(path.format(folder=folder), {})


async def test_files_of_a_run_that_are_links_are_not_returned(tmp_path: Path) -> None:
    await solve(tmp_path, Scenario())
    runs, run = make_runs(tmp_path), tmp_path / "runs" / "run"
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret text")
    summary = await runs.result("run")
    assert summary.report is not None
    assert "<html" in await runs.read_file("run", summary.report, "report")
    (run / "report.html").unlink()
    (run / "report.html").symlink_to(secret)
    for path in (summary.report, str(secret), str(run / ".." / ".." / "secret.txt")):
        with pytest.raises(UserError, match="of its own"):
            await runs.read_file("run", path, "report")
    (run / "result.json").unlink()
    (run / "result.json").symlink_to(secret)
    with pytest.raises(UserError) as raised:
        await runs.result("run")
    assert "a secret text" not in str(raised.value)
