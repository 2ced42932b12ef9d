"""Which model answers which role, and why; what is missing is one line."""

import sys
from pathlib import Path
from typing import Any

import pytest
from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.messages import BaseMessage
from langchain_core.outputs import ChatResult
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import AzureChatOpenAI, ChatOpenAI

from mlestar.agents.roles import ROLES, groups
from mlestar.errors import ModelError, SettingsError
from mlestar.llm import ScriptedModel, Transport, choose_models, wrap_model
from mlestar.llm.provider import PROVIDERS
from mlestar.llm.speed import MAX_STRETCH
from mlestar.llm.transport import BrokenOffError
from mlestar.offline import OfflineEngineer
from mlestar.settings import Settings

KEYS = [variable for provider in PROVIDERS.values() for variable in provider.keys]


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.delenv(key, raising=False)


def scripted() -> ScriptedModel:
    return ScriptedModel(answer=lambda role, prompt: "")


def test_without_a_key_the_offline_engineer_answers_and_the_reason_is_given() -> None:
    models = choose_models(Settings())
    assert (models.title, models.trusted) == ("offline", True)
    assert "no provider key is set" in models.default.why


@pytest.mark.parametrize(
    ("keys", "title"),
    [
        (["OPENAI_API_KEY"], "openai:gpt-5.1"),
        (["ANTHROPIC_API_KEY", "GEMINI_API_KEY"], "google_genai:gemini-2.5-pro"),
        (["ANTHROPIC_API_KEY", "OPENAI_API_KEY"], "openai:gpt-5.1"),
    ],
)
def test_the_first_provider_whose_key_is_set_is_chosen(
    monkeypatch: pytest.MonkeyPatch,
    keys: list[str],
    title: str,
) -> None:
    for key in keys:
        monkeypatch.setenv(key, "x")
    models = choose_models(Settings())
    assert (models.title, models.trusted) == (title, False)
    assert models.default.why.endswith("_API_KEY is set")


def test_a_key_without_its_package_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    chosen = choose_models(Settings()).default
    assert chosen.name == "offline"
    assert isinstance(chosen.model, OfflineEngineer)
    assert (
        "ANTHROPIC_API_KEY is set, but langchain_anthropic is not installed: pip install langchain-anthropic"
        in chosen.why
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"model": "gemini"}, "write `offline` or `provider:name`"),
        ({"model": "nobody:x"}, "LangChain has no provider 'nobody'"),
        ({"model": "nobody:x"}, "one of the providers google_genai, openai"),
        ({"model": "xai:grok"}, "model 'xai:grok' needs a package: pip install langchain-xai"),
        ({"model": "azure_openai:gpt"}, "model 'azure_openai:gpt' cannot be set up"),
        ({"model": "openai:gpt-5.1"}, "needs a key: set OPENAI_API_KEY"),
        ({"model": "google_genai:gemini-2.5-pro"}, "set GOOGLE_API_KEY or GEMINI_API_KEY"),
        ({"model": "offline", "models": {"planer": "offline"}}, "no role is called 'planer'"),
        ({"model": "offline", "models": {"planner": "anthropic:claude-x"}}, "needs a key: set ANTHROPIC_API_KEY"),
        ({"model": "offline", "temperatures": {"writer": 1}}, "no role is called 'writer'"),
    ],
)
def test_what_is_missing_is_one_line(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingsError) as raised:
        choose_models(Settings(**settings))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(SettingsError, match="needs a package: pip install langchain-ollama"):
        choose_models(Settings(model="ollama:qwen"))


def test_a_provider_that_only_langchain_knows_gets_plain_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", "x")
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    settings = Settings(model="azure_openai:gpt-4o", model_seconds=7, max_output_tokens=1000)
    chosen = choose_models(settings).of("planner")
    assert isinstance(chosen.model, AzureChatOpenAI)
    assert (chosen.name, chosen.provider, chosen.retries) == ("azure_openai:gpt-4o", "azure_openai", 2)
    assert (chosen.model.temperature, chosen.model.request_timeout, chosen.model.max_tokens) == (
        1.0,
        7 * MAX_STRETCH,
        1000,
    )


FIREWORKS = """
from langchain_core.language_models import FakeListChatModel


class ChatFireworks(FakeListChatModel):
    model: str
    timeout: float | None = None
    responses: list[str] = ["yes"]
"""


def test_arguments_that_a_class_does_not_take_are_left_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "langchain_fireworks.py").write_text(FIREWORKS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    model = choose_models(Settings(model="fireworks:llama", model_seconds=7)).default.model
    fields = vars(model)
    assert (type(model).__name__, fields["model"], fields["timeout"]) == ("ChatFireworks", "llama", 7 * MAX_STRETCH)
    with pytest.raises(SettingsError, match="'fireworks:llama': its class ChatFireworks takes no base_url"):
        choose_models(Settings(model="fireworks:llama", base_url="http://127.0.0.1:1"))


def test_a_server_of_ones_own_needs_no_key() -> None:
    model = choose_models(Settings(model="openai:qwen", base_url="http://127.0.0.1:1/v1")).default.model
    assert isinstance(model, ChatOpenAI)
    assert (str(model.openai_api_base), model.max_retries) == ("http://127.0.0.1:1/v1", 0)


def test_the_address_belongs_to_the_provider_of_the_default_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_API_KEY", "x")
    planners = {"planners": "google_genai:gemini-2.5-pro"}
    models = choose_models(Settings(model="openai:qwen", base_url="http://127.0.0.1:1/v1", models=planners))
    gemini = models.of("planner").model
    assert isinstance(gemini, ChatGoogleGenerativeAI)
    assert gemini.base_url is None
    with pytest.raises(SettingsError, match="set OPENAI_API_KEY"):
        choose_models(Settings(base_url="http://127.0.0.1:1", models={"coder": "openai:qwen"}))


def test_a_role_takes_precedence_over_its_group_and_its_group_over_the_default() -> None:
    named = {"planner": "offline", "planners": "openai:b", "default": "openai:a"}
    models = choose_models(Settings(models=named, base_url="http://127.0.0.1:1/v1"))
    assert [models.of(role).name for role in ("planner", "extractor", "coder")] == ["offline", "openai:b", "openai:a"]
    assert models.title == "openai:a; openai:b as extractor, ensemble_planner; offline as planner"
    assert not models.trusted


def test_models_that_are_passed_in_take_precedence_over_the_settings() -> None:
    one, other = scripted(), scripted()
    assert choose_models(Settings(model="nobody:x"), one).of("coder").model is one
    models = choose_models(Settings(model="offline"), {"debuggers": other})
    assert models.of("debugger").model is other
    assert models.of("coder").name == "offline"


def test_a_model_that_is_passed_in_is_named_with_its_provider_and_its_own_retries() -> None:
    gemini = wrap_model(ChatGoogleGenerativeAI(model="gemini-2.5-pro", api_key="x"))
    openai = wrap_model(ChatOpenAI(model="gpt-5.1", api_key="x"))
    assert (gemini.name, gemini.retries) == ("google_genai:gemini-2.5-pro", 5)
    assert (openai.name, openai.retries) == ("openai:gpt-5.1", 2)
    assert (wrap_model(scripted()).name, wrap_model(scripted()).provider) == ("ScriptedModel", "")


@pytest.mark.parametrize("name", ["openai:gpt-5", "anthropic:claude-opus-5"])
def test_a_model_that_takes_no_temperature_gets_none(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    monkeypatch.setenv("ANTHROPIC_API_KEY", "x")
    models = [choose_models(Settings(model=name)).of(role).model for role in ROLES]
    assert {vars(model)["temperature"] for model in models} == {None}


KEY = "sk-a-secret-that-is-never-logged"


class FailingModel(ScriptedModel):
    """A model whose client repeats its key in an error."""

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        msg = f"cannot use the key {KEY} for http://127.0.0.1/v1?key={KEY}"
        raise RuntimeError(msg)


async def test_a_key_in_an_error_never_reaches_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="mlestar")
    chosen = wrap_model(FailingModel(answer=lambda role, prompt: ""))
    with pytest.raises(BrokenOffError) as raised:
        await Transport().ask("planner", chosen, [])
    final = raised.value.final
    assert isinstance(final, ModelError)
    assert "refused as planner: RuntimeError: cannot use the key [masked]" in str(final)
    assert str(final) in caplog.text
    assert KEY not in caplog.text + str(final)


def test_the_model_of_each_role_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="mlestar.llm")
    choose_models(Settings(model="offline", models={"planners": "openai:b"}, base_url="http://127.0.0.1:1/v1"))
    assert "model offline: it was asked for" in caplog.messages
    assert "role planner: model openai:b of 'planners', temperature 1" in caplog.messages
    assert "role coder: model offline of 'default', temperature 0" in caplog.messages


def test_the_groups_are_those_the_setting_names() -> None:
    described = Settings.model_fields["models"].description or ""
    assert all(group in described for group in groups())


EFFORTS = [
    ("openai:gpt-5.1", "high", {"reasoning_effort": "high"}),
    ("anthropic:claude-sonnet-4-5", "medium", {"thinking": {"type": "enabled", "budget_tokens": 8192}}),
    ("anthropic:claude-sonnet-4-5", "5000", {"thinking": {"type": "enabled", "budget_tokens": 5000}}),
    ("anthropic:claude-sonnet-4-5", "none", {"thinking": None}),
    ("anthropic:claude-opus-4-7", "xhigh", {"reasoning_effort": "xhigh", "thinking": None}),
    ("google_genai:gemini-2.5-pro", "low", {"thinking_budget": 1024, "reasoning_effort": None}),
    ("google_genai:gemini-2.5-flash", "none", {"thinking_budget": 0}),
    ("google_genai:gemini-3-pro-preview", "high", {"reasoning_effort": "high", "thinking_budget": None}),
    ("ollama:qwen3", "high", {"reasoning": True}),
    ("ollama:qwen3", "none", {"reasoning": False}),
    ("ollama:gpt-oss:20b", "low", {"reasoning": "low"}),
]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for key in KEYS:
        monkeypatch.setenv(key, "x")


@pytest.mark.parametrize(("name", "effort", "fields"), EFFORTS)
@pytest.mark.usefixtures("keys")
def test_the_effort_of_a_group_is_sent_as_the_provider_takes_it(
    name: str, effort: str, fields: dict[str, object]
) -> None:
    models = choose_models(Settings(model=name, effort={"planners": effort}))
    planner, coder = models.of("planner").model, models.of("coder").model
    assert {field: getattr(planner, field) for field in fields} == fields
    assert {getattr(coder, field) for field in fields if field != "thinking"} <= {None}
    assert getattr(coder, "thinking", None) is None


@pytest.mark.usefixtures("keys")
def test_a_model_that_thinks_by_a_budget_of_anthropic_samples_at_its_own_temperature() -> None:
    models = choose_models(Settings(model="anthropic:claude-sonnet-4-5", effort={"planner": "high"}))
    assert vars(models.of("planner").model)["temperature"] is None
    assert vars(models.of("coder").model)["temperature"] == 0


@pytest.mark.parametrize(
    ("name", "effort", "message"),
    [
        ("openai:gpt-5.1", "enormous", "'enormous' is not a level: write one of none, minimal, low"),
        ("openai:gpt-5.1", "max", "openai:gpt-5.1 knows the levels none, low, medium, high, not 'max'"),
        ("openai:gpt-5.1", "4000", "openai:gpt-5.1 cannot be asked to think 4000"),
        ("google_genai:gemini-2.5-pro", "max", "google_genai:gemini-2.5-pro cannot be asked to think max"),
        ("fireworks:llama", "high", "fireworks:llama cannot be asked to think high"),
    ],
)
@pytest.mark.usefixtures("keys")
def test_an_effort_that_a_model_cannot_be_asked_for_is_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, effort: str, message: str
) -> None:
    (tmp_path / "langchain_fireworks.py").write_text(FIREWORKS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(SettingsError) as raised:
        choose_models(Settings(model=name, effort={"planners": effort}))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_offline_engineer_and_a_model_that_was_passed_in_have_no_effort() -> None:
    one = scripted()
    assert choose_models(Settings(model="offline", effort={"default": "high"})).title == "offline"
    assert choose_models(Settings(effort={"default": "high"}), one).of("coder").model is one
    with pytest.raises(SettingsError, match="setting effort: no role is called 'writer'"):
        choose_models(Settings(model="offline", effort={"writer": "high"}))


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mistral:large", "mistralai:large"),
        ("azure:gpt-5.1", "azure_openai:gpt-5.1"),
        ("gemini:gemini-2.5-pro", "google_genai:gemini-2.5-pro"),
        ("openruoter:x", "openrouter:x"),
    ],
)
def test_a_provider_that_is_not_known_comes_with_the_one_that_is_meant(written: str, meant: str) -> None:
    with pytest.raises(SettingsError, match=f"LangChain has no provider .*; did you mean '{meant}'") as raised:
        choose_models(Settings(model=written))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("groq:llama", "langchain-groq"),
        ("mistralai:large", "langchain-mistralai"),
        ("openrouter:qwen/qwen3", "langchain-openrouter"),
        ("bedrock_converse:anthropic.claude-sonnet-4-5-v1:0", "langchain-aws"),
        ("azure_ai:gpt-5.1", "langchain-azure-ai"),
        ("xai:grok", "langchain-xai"),
    ],
)
def test_the_package_of_a_provider_that_is_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    monkeypatch.setitem(sys.modules, package.replace("-", "_"), None)
    with pytest.raises(SettingsError, match=f"model '{name}' needs a package: pip install {package}$"):
        choose_models(Settings(model=name))


def test_the_key_of_a_listed_provider_without_a_default_model_chooses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROQ_API_KEY", "x")
    assert choose_models(Settings()).title == "offline"


WHOLE_SECONDS = """
from langchain_core.language_models import FakeListChatModel


class ChatTogether(FakeListChatModel):
    model: str
    timeout: int | None = None
    responses: list[str] = ["yes"]
"""


def test_a_class_that_takes_whole_seconds_gets_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "langchain_together.py").write_text(WHOLE_SECONDS, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert vars(choose_models(Settings(model="together:x", model_seconds=0.1)).default.model)["timeout"] == 2


@pytest.mark.parametrize(
    ("name", "seconds", "timeout"), [("openrouter", 7.5, 7500), ("mistralai", 7.5, 8), ("groq", 7.5, 7.5)]
)
def test_a_time_limit_is_in_the_unit_of_the_provider(name: str, seconds: float, timeout: float) -> None:
    assert PROVIDERS[name].timeout(seconds) == {"timeout": timeout}
