"""The code and the commands on the pages run, and the pages build without a warning."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from mlestar.data.examples import load_example, write_example
from mlestar.lessons import write_lessons
from tests.integration.command import mlestar_command
from tests.integration.stub_gemini import MODEL
from tests.unit.lesson_runs import facts, idea, lessons
from tests.unit.paths import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^(```+|~~~+)(\w*)\n(.*?)^\1\s*$", re.MULTILINE | re.DOTALL)
FOLDERS = ("path/to/folder", "churn", "FOLDER")
"""Task folders that the pages name."""
RUN = "a-run"
QUICK = ["--profile", "quick", "--set", "retrieved_models=1", "--set", "cpus=1"]
FAST = {"run": [*QUICK, "--set", "outer_steps=0"]}
BASELINE = """import pandas as pd
from sklearn.linear_model import LogisticRegression

train = pd.read_csv("data/train.csv").drop(columns="bottle")
test = pd.read_csv("data/test.csv")
model = LogisticRegression(max_iter=5000).fit(train.drop(columns="grower"), train["grower"])
test["grower"] = model.predict(test.drop(columns="bottle"))
test[["bottle", "grower"]].to_csv("submission.csv", index=False)
"""
NOTEBOOK = {"cells": [{"cell_type": "code", "source": BASELINE}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
FILES = {
    "baseline.py": BASELINE,
    "notebook.ipynb": json.dumps(NOTEBOOK),
    "realmlp.md": "# Extra trees\n\nlibraries: scikit-learn\n",
    "instruction.txt": "Work on the model.",
    "answers.json": "[]",
    "customers.csv": "customer,visits,churned\n"
    + "".join(f"c{n},{n * 37 % 101},{n * 37 % 101 // 51}\n" for n in range(300)),
}
"""Files that the commands name."""
NEEDS = re.compile(r"needs a key|set \w+_KEY|needs a Gemini model|pip install|no Docker engine answers")
"""Messages of valid commands that need a key, a package or an engine, which these tests do not have."""
HELP = {"mcp", "ui", "sandbox", "weights", "demo", "bench"}
"""Commands that serve, build an image, fetch files or run for minutes: only their options are checked."""
pytestmark = pytest.mark.slow


def fences(language: str) -> list[tuple[str, str]]:
    """Return the blocks of all pages in a language, with their page, without blocks inside other blocks."""
    blocks_by_page = ((page.name, FENCE.findall(page.read_text(encoding="utf-8"))) for page in PAGES)
    return [(page, body) for page, blocks in blocks_by_page for _, kind, body in blocks if kind == language]


def commands() -> list[str]:
    lines = (line.split("#")[0].strip() for _, body in fences("sh") for line in body.splitlines())
    return sorted({line for line in lines if line})


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with the task folders of the pages, a finished run, and lessons of it and of another run."""
    folder = tmp_path_factory.mktemp("pages")
    for name in FOLDERS:
        write_example("wine", folder / name)
    customers = load_example("wine").train.rename(columns={"grower": "churned"})
    customers.to_csv(folder / "customers.csv", index=False)
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    shutil.copyfile(folder / "churn/input/test.csv", folder / "new.csv")
    run(folder, [sys.executable, str(ROOT / "examples/layouts.py"), "layouts"])
    houses = facts(problem="regression", metric="rmse", direction="minimize", prediction="value")
    write_lessons(folder / "lessons", "houses-00000000.json", lessons("houses", idea("Bin it."), facts=houses))
    options = ("--model", "offline", "--run-id", RUN, "--lessons", "~/lessons")
    run(folder, mlestar_command("run", "churn", *options, *QUICK))
    return folder


def run(folder: Path, command: list[str], *, may_need_more: bool = False) -> str:
    """Run a command without keys and without an engine; with `may_need_more` it may fail for lack of those."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    environment |= {"DOCKER_HOST": "unix:///nowhere/docker.sock", "PYTHONPATH": str(ROOT), "COLUMNS": "300"}
    environment["HOME"] = str(folder)
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=250, check=False
    )
    output = f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert done.returncode == 0 or (may_need_more and NEEDS.search(output)), f"{command}\n{output}"
    return done.stdout


@pytest.mark.parametrize(
    ("page", "code"), [pytest.param(*block, id=f"{block[0]}-{n}") for n, block in enumerate(fences("python"))]
)
def test_code_on_a_page_runs(tmp_path: Path, page: str, code: str) -> None:
    for name in FOLDERS:
        write_example("wine", tmp_path / name)
    run(tmp_path, [sys.executable, "-c", code])


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("mlestar ")])
def test_a_command_on_a_page_runs(workspace: Path, command: str) -> None:
    words = shlex.split(command)[1:]
    flags = list(takewhile(lambda word: word.startswith("-"), words))
    verb, *rest = words[len(flags) :]
    if verb in HELP:
        subcommand = [word for word in rest[:1] if not word.startswith("-")]
        options = run(workspace, mlestar_command(verb, *subcommand, "--help"))
        assert [word for word in rest if word.startswith("--") and word not in options] == []
        return
    winner = json.loads((workspace / "runs" / RUN / "result.json").read_text())["winner"]
    values = {
        "RUN": RUN,
        MODEL: "offline",
        "submission:t0.r1.2": f"submission:{winner}",
        "RUN:t0.r1.2": f"{RUN}:{winner}",
        "outer_steps=4": "outer_steps=2",
    }
    arguments = [values.get(word, word) for word in rest]
    external = any(":" in word or "retrieval=" in word for word in arguments if not word.startswith("--"))
    run(
        workspace,
        mlestar_command(*flags, verb, *arguments, *FAST.get(verb, [])),
        may_need_more=external and verb != "fork",
    )


@pytest.mark.parametrize("command", [line for line in commands() if line.startswith("make ")])
def test_a_target_on_a_page_exists(command: str) -> None:
    subprocess.run(["make", "-n", *command.split()[1:]], cwd=ROOT, capture_output=True, check=True)


def test_every_command_on_a_page_is_of_a_known_kind() -> None:
    assert [line for line in commands() if line.split()[0] not in (".", "mlestar", "make", "pip", "python")] == []


def test_the_pages_build_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    run(ROOT, command)
    assert "Solve a task and return the result" in (tmp_path / "site/reference/index.html").read_text()
    assert 'class="mermaid"' in (tmp_path / "site/graphs/index.html").read_text()


def test_the_external_model_of_the_examples_runs(tmp_path: Path) -> None:
    output = run(tmp_path, [sys.executable, str(ROOT / "examples/external.py")])
    assert "leakage_checker" in output
    assert "solved: accuracy" in output.splitlines()[-1]


def test_the_agent_of_the_examples_runs(workspace: Path) -> None:
    output = run(workspace, [sys.executable, str(ROOT / "examples/agent.py")])
    assert "fresh" in output.split("tool: ")[1]
