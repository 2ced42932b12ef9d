"""The log is quiet unless it is asked for, and no key reaches it."""

import logging
import subprocess
import sys
from pathlib import Path

import pytest

import mlestar
from mlestar.cli.logs import configure_logging
from mlestar.errors import ModelError, mask_secrets
from tests.unit.command_line import call
from tests.unit.scenario import SMALL, Scenario, signs

SECRETS = {
    "GOOGLE_API_KEY": "AIzaSyA-google-0123456789abcdef",
    "OPENAI_API_KEY": "sk-proj-openai0123456789",
    "ANTHROPIC_API_KEY": "plain-anthropic-value",
    "TAVILY_API_KEY": "tvly-0123456789abcdef",
    "MLESTAR_POSTGRES_DSN": "postgresql://user:pass-word-1@db.example/runs",
}
IN_ARGUMENTS = "argument-key-0123456789"
IN_ADDRESS = "address-key-0123456789"
TEXTS = [
    "key GOOGLE {GOOGLE_API_KEY} was refused",
    "POST https://example.org/v1/models:generate?key={address}&alt=sse: 403",
    "https://user:{address}@example.org/v1",
    "headers {{'Authorization': 'Bearer {argument}'}}",
    "ChatOpenAI(api_key='{argument}', model='x')",
    '{{"x-api-key": "{argument}", "model": "x"}}',
    "connection to {MLESTAR_POSTGRES_DSN} failed",
    "Incorrect API key provided: {OPENAI_API_KEY}. {TAVILY_API_KEY} {ANTHROPIC_API_KEY}",
]
HIDDEN = [*SECRETS.values(), IN_ARGUMENTS, IN_ADDRESS, "pass-word-1"]


@pytest.fixture
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)


def fill(text: str) -> str:
    return text.format(**SECRETS, argument=IN_ARGUMENTS, address=IN_ADDRESS)


def secrets_in(text: str) -> list[str]:
    return [secret for secret in HIDDEN if secret in text]


def test_a_secret_that_begins_like_another_is_masked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_API_KEY", "abcdefgh1234")
    monkeypatch.setenv("B_API_KEY", "abcdefgh1234-second-half")
    assert mask_secrets("x abcdefgh1234-second-half y") == "x [masked] y"


@pytest.mark.parametrize(
    "secret",
    [
        "gsk_0123456789abcdef",
        "hf_0123456789abcdef",
        "xai-0123456789abcdef",
        "ghp_0123456789abcdef",
        "AKIAABCDEFGH12345678",
        "eyJhbGciOiJIUzI1.eyJzdWIiOiIx.c2lnbmF0dXJl",
        "Basic dXNlcjpwYXNz",
        "postgresql://user:pa/ss@host/db",
    ],
)
def test_what_looks_like_a_key_is_masked(secret: str) -> None:
    assert secret not in mask_secrets(f"failed with {secret} there")


@pytest.mark.parametrize("text", ["skip_connection_layers", "key_of_execution", "keyword_arguments_given"])
def test_a_name_is_no_key(text: str) -> None:
    assert mask_secrets(text) == text


@pytest.mark.parametrize("text", TEXTS)
def test_a_secret_in_a_text_is_masked(keys: None, text: str) -> None:
    assert secrets_in(fill(text))
    masked = mask_secrets(fill(text))
    assert secrets_in(masked) == []
    assert "[masked]" in masked


@pytest.mark.parametrize(
    "text",
    [
        "run signs-1: models offline, retrieval catalogue",
        "t0.c1 on search: ok (recorded)",
        "key: t0",
        "https://a.b/c?d=e",
    ],
)
def test_an_ordinary_line_stays_as_it_is(keys: None, text: str) -> None:
    assert mask_secrets(text) == text


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_no_handler_sees_a_secret_in_a_message_an_argument_or_a_traceback(
    keys: None,
    caplog: pytest.LogCaptureFixture,
    level: str,
) -> None:
    log = logging.getLogger("mlestar.llm")
    with caplog.at_level(logging.DEBUG, "mlestar"):
        for text in TEXTS:
            getattr(log, level)(fill(text))
            getattr(log, level)("failed: %s", RuntimeError(fill(text)))
            try:
                raise RuntimeError(fill(text))
            except RuntimeError:
                getattr(log, level)("failed", exc_info=True)
    assert len(caplog.records) == 3 * len(TEXTS)
    assert secrets_in(caplog.text) == []
    assert "RuntimeError" in caplog.text


async def test_a_run_whose_provider_repeats_its_key_logs_none_at_debug(
    tmp_path: Path,
    keys: None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def refuse(prompt: str) -> str:
        raise ConnectionError(fill(" ".join(TEXTS)))

    scenario = Scenario(planner=refuse)
    settings: dict[str, object] = {**SMALL, "runs_dir": tmp_path / "runs", "model_attempts": 2, "model_backoff": 0}
    settings["base_url"] = f"https://user:{IN_ADDRESS}@example.org/v1?key={IN_ADDRESS}"
    with caplog.at_level(logging.DEBUG), pytest.raises(ModelError):
        await mlestar.asolve(signs(), settings=settings, run_id="run", model=scenario.model(), runner=scenario.runner())
    lines = [record for record in caplog.records if record.name.startswith("mlestar")]
    assert len(lines) > 5
    assert secrets_in("\n".join(record.getMessage() + (record.exc_text or "") for record in lines)) == []


def test_the_log_is_quiet_by_default_and_root_is_left_alone() -> None:
    code = "import logging, mlestar; logging.getLogger('mlestar.x').warning('trouble'); print(logging.root.handlers)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize(
    ("verbose", "variable", "lines"),
    [
        (0, "", []),
        (1, "", ["step", "trouble"]),
        (2, "", ["detail", "step", "trouble"]),
        (0, "warning", ["trouble"]),
        (0, "DEBUG", ["detail", "step", "trouble"]),
        (1, "debug", ["step", "trouble"]),
    ],
)
def test_the_option_and_the_variable_choose_the_level(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
    verbose: int,
    variable: str,
    lines: list[str],
) -> None:
    caplog.set_level(logging.NOTSET, "mlestar")  # which restores the level at the end
    monkeypatch.setenv("MLESTAR_LOG", variable)
    root = logging.getLogger("mlestar")
    monkeypatch.setattr(root, "handlers", [*root.handlers])
    configure_logging(verbose)
    log = logging.getLogger("mlestar.x")
    log.debug("detail")
    log.info("step")
    log.warning("trouble")
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().err.splitlines()] == lines


def test_a_command_takes_the_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.NOTSET, "mlestar")
    root = logging.getLogger("mlestar")
    monkeypatch.setattr(root, "handlers", [*root.handlers])
    assert call("-vv", "runs", "--runs-dir", tmp_path).exit_code == 0
    assert root.level == logging.DEBUG


def test_an_unknown_level_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLESTAR_LOG", "loud")
    done = call("runs")
    assert (done.exit_code, done.stderr) == (2, "mlestar: MLESTAR_LOG=loud: choose one of debug, info, warning\n")
