"""Settings from a caller, the environment and mlestar.toml, in this order of precedence."""

import json
from pathlib import Path

import pytest

import mlestar
from mlestar.errors import SettingsError
from mlestar.settings import Settings
from mlestar.settings.sources import choose_settings, read_layers
from tests.unit.command_line import call
from tests.unit.scenario import SMALL, Scenario, make_task


@pytest.fixture(autouse=True)
def working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(text: str) -> None:
    Path("mlestar.toml").write_text(text, encoding="utf-8")


def test_a_caller_precedes_the_environment_and_that_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    write('profile = "paper"\nseed = 1\ntracks = 5\nmax_usd = 9\n')
    monkeypatch.setenv("MLESTAR_SEED", "2")
    monkeypatch.setenv("MLESTAR_TRACKS", "4")
    settings = choose_settings({"seed": 3}, {})
    assert (settings.seed, settings.tracks, settings.max_usd) == (3, 4, 9)
    assert settings.outer_steps == Settings(profile="paper").outer_steps


def test_a_profile_replaces_the_numbers_of_a_weaker_profile_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    write('profile = "paper"\ntracks = 5\n')
    settings = choose_settings(None, {"profile": "quick"})
    assert settings == Settings(profile="quick", tracks=5)


def test_complete_settings_leave_the_environment_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLESTAR_SEED", "2")
    assert choose_settings(Settings(), {}) == Settings()
    assert Settings.of({"profile": "quick"}).seed == 0


ENVIRONMENT: list[tuple[dict[str, str], Settings]] = [
    ({"MLESTAR_PROFILE": "quick"}, Settings(profile="quick")),
    ({"mlestar_profile": "quick"}, Settings(profile="quick")),
    ({"MLESTAR_REVIEW": "plan, models"}, Settings(review=frozenset({"plan", "models"}))),
    ({"MLESTAR_FALLBACK": "openai:a,offline"}, Settings(fallback=("openai:a", "offline"))),
    ({"MLESTAR_FALLBACK": '["openai:a"]'}, Settings(fallback=("openai:a",))),
    ({"MLESTAR_MODELS__PLANNER": "offline"}, Settings(models={"planner": "offline"})),
    ({"MLESTAR_MODELS": '{"planner": "offline"}'}, Settings(models={"planner": "offline"})),
    ({"MLESTAR_TEMPERATURES__DEFAULT": "0.5"}, Settings(temperatures={"default": 0.5})),
    ({"MLESTAR_RETRIEVAL": "none"}, Settings.resolve({"retrieval": "none"})),
    (
        {"MLESTAR_RETRIEVAL__EXCLUDE_TERMS": "a,b"},
        Settings.resolve({"retrieval": {"exclude_terms": ["a", "b"]}}),
    ),
    ({"MLESTAR_TARGET": "price, in EUR"}, Settings(target=("price, in EUR",))),
    ({"MLESTAR_NETWORK": "true"}, Settings(network=True)),
    ({"MLESTAR_SEED": ""}, Settings()),
    ({"MLESTAR_LOG": "debug", "MLESTAR_POSTGRES_DSN": "x"}, Settings()),
]


@pytest.mark.parametrize(("variables", "settings"), ENVIRONMENT, ids=[" ".join(names) for names, _ in ENVIRONMENT])
def test_a_variable_sets_a_setting(
    variables: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert choose_settings(None, {}) == settings


def test_parts_of_a_setting_come_from_several_places(monkeypatch: pytest.MonkeyPatch) -> None:
    write('[models]\nplanner = "openai:a"\nwriters = "openai:a"\n')
    monkeypatch.setenv("MLESTAR_MODELS__PLANNER", "openai:b")
    settings = choose_settings({"models": {"default": "offline"}}, {})
    assert settings.models == {"planner": "openai:b", "writers": "openai:a", "default": "offline"}


def test_a_file_with_a_byte_order_mark_is_read() -> None:
    write('\ufeffprofile = "quick"\n')
    assert choose_settings(None, {}).profile == "quick"


BAD_VARIABLES = [
    ("MLESTAR_PROFIL", "quick", "MLESTAR_PROFIL is no setting: did you mean MLESTAR_PROFILE?"),
    ("MLESTAR_TRACKS", "many", "environment: setting 'tracks': "),
    ("MLESTAR_MODELS", "{planner", "environment: .*models"),
    ("MLESTAR_RETRIEVAL__SOURCE", "none", "did you mean 'retrieval.sources'"),
]


@pytest.mark.parametrize(("name", "value", "message"), BAD_VARIABLES, ids=[name for name, _, _ in BAD_VARIABLES])
def test_a_bad_variable_is_one_line(name: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message) as raised:
        choose_settings(None, {})
    assert "\n" not in str(raised.value)


BAD_FILES = [
    ("profil = 'quick'", r"mlestar.toml: setting 'profil' is unknown: did you mean 'profile'\?"),
    ("tracks = 'many'", "mlestar.toml: setting 'tracks'"),
    ("profile = ", "mlestar.toml cannot be read"),
    ("openai_api_key = 'abc'", "mlestar.toml: openai_api_key looks like a secret"),
    ("[models]\nplanner = 'sk-proj-abcdef123456789'", "mlestar.toml: models.planner looks like a secret"),
    ("base_url = 'https://user:password1@host.example/v1'", "mlestar.toml: base_url looks like a secret"),
    ("fallback = ['openai:a', 'sk-proj-abcdef123456789']", "mlestar.toml: fallback looks like a secret"),
]


@pytest.mark.parametrize(("text", "message"), BAD_FILES, ids=[text for text, _ in BAD_FILES])
def test_a_bad_file_is_one_line_without_the_secret(text: str, message: str) -> None:
    write(text)
    with pytest.raises(SettingsError, match=message) as raised:
        choose_settings(None, {})
    assert "\n" not in str(raised.value)
    assert "abcdef" not in str(raised.value)
    assert "password1" not in str(raised.value)


def test_a_file_may_cap_tokens() -> None:
    write("max_tokens = 1000\nmax_output_tokens = 500\n")
    assert choose_settings(None, {}).max_tokens == 1000


async def test_the_environment_does_not_change_a_resumed_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    task = make_task(tmp_path / "signs", rows=200)
    values = {**SMALL, "outer_steps": 0, "model_backoff": 0}
    first = await mlestar.asolve(task, settings=values, run_id="run", **Scenario().options())
    recorded = Path("runs/run/settings.json").read_text(encoding="utf-8")
    Path("runs/run/result.json").unlink()
    monkeypatch.setenv("MLESTAR_SEED", "5")
    monkeypatch.setenv("MLESTAR_METRIC", "f1")
    resumed = await mlestar.aresume("run", **Scenario().options())
    assert (resumed.metric, resumed.winner) == (first.metric, first.winner)
    assert Path("runs/run/settings.json").read_text(encoding="utf-8") == recorded


def test_the_command_line_uses_the_same_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write('profile = "paper"\nseed = 1\nruns_dir = "elsewhere"\n')
    monkeypatch.setenv("MLESTAR_SEED", "2")
    shown = json.loads(call("settings", "--set", "tracks=4", "--json").stdout)
    assert shown["tracks"] == {"value": 4, "from": "command line"}
    assert shown["seed"] == {"value": 2, "from": "environment"}
    assert shown["profile"] == {"value": "paper", "from": "mlestar.toml"}
    assert shown["outer_steps"] == {"value": 4, "from": "profile paper"}
    assert shown["gpus"] == {"value": 0, "from": "default"}
    assert "no runs in elsewhere" in call("runs").stdout
    assert "elsewhere" in call("resume", "none").stderr


def test_the_settings_are_shown_as_a_table() -> None:
    shown = call("settings", "--profile", "quick").stdout
    assert "profile quick" in shown
    assert read_layers({"profile": "quick"}).origin("profile") == "command line"
