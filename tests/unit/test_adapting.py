"""The offline engineer adapts scripts in the styles of other people to the contract."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mlestar.agents.adapter import find_breach
from mlestar.data.frames import TableInput, write_table_task
from mlestar.offline.adapting.libraries import replace_libraries
from mlestar.offline.adapting.outputs import write_submission_file
from mlestar.offline.adapting.paths import read_input
from mlestar.offline.adapting.scoring import add_score
from mlestar.offline.refinement import foreign_block
from mlestar.state import Brief
from tests.unit.foreign_scripts import FOREIGN
from tests.unit.offline_context import brief_of, code, facts_of, mixed_rows, reply, run, write_task

OUTCOME = {"status": "error", "message": "FileNotFoundError", "lacks": "no score line"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_task(tmp_path_factory.mktemp("signs") / "task", mixed_rows(), "label", "accuracy")


@pytest.fixture(scope="module")
def brief(folder: Path) -> Brief:
    return brief_of(folder)


@pytest.mark.parametrize("habit", FOREIGN)
def test_a_foreign_script_runs_on_the_input_and_writes_the_submission(
    habit: str, folder: Path, brief: Brief, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = code("adapter", brief, script=FOREIGN[habit], outcome=OUTCOME)
    assert find_breach(script, brief) == ""
    assert "/kaggle" not in script.split("# --- The score")[0]
    monkeypatch.setenv("VALIDATION_OF_START", "1")
    run(script, folder, tmp_path / "work")
    submission = pd.read_csv(tmp_path / "work" / "submission.csv")
    assert list(submission) == ["id", "label"]
    assert len(submission) == 40


OF_ONE_TABLE = """import pandas as pd
rows = pd.read_csv("../data/signs.csv")
new = pd.read_csv("signs_new.csv")
new.assign(label="yes")[["label"]].to_csv("predictions.csv", index=False)
"""


def test_a_script_that_reads_one_table_and_new_rows_by_their_own_names_is_adapted(tmp_path: Path) -> None:
    path = tmp_path / "signs.csv"
    mixed_rows().to_csv(path, index=False)
    folder = write_table_task(tmp_path / "signs", TableInput(path), ("label",))
    (folder / "task.toml").write_text('target = "label"\n', encoding="utf-8")
    adapted = code("adapter", brief_of(folder), script=OF_ONE_TABLE, outcome=OUTCOME)
    assert 'rows = pd.read_csv("./input/train.csv")' in adapted
    assert 'new = pd.read_csv("./input/test.csv")' in adapted


@pytest.mark.parametrize("habit", FOREIGN)
def test_the_model_stays(habit: str, brief: Brief) -> None:
    adapted = code("adapter", brief, script=FOREIGN[habit], outcome=OUTCOME)
    model = [line for line in FOREIGN[habit].splitlines() if '["x"]' in line]
    assert model
    assert set(model) <= set(adapted.splitlines())


def test_a_person_s_script_is_not_replaced_by_a_recipe(brief: Brief) -> None:
    values: dict[str, Any] = {
        "script": FOREIGN["pathlib"],
        "bug": "ValueError: what is this?",
        "failed_fixes": [],
        "study": False,
    }
    assert "def fit_predict" in code("debugger", brief, **values)
    assert code("debugger", brief, own=True, **values).strip() == FOREIGN["pathlib"].strip()
    repaired = code("debugger", brief, own=True, **values | {"bug": "TypeError: unexpected keyword argument 'index'"})
    assert "index=False" not in repaired
    assert reply("usage_checker", brief, script=FOREIGN["pathlib"]) == "ALL USED"


def test_the_block_to_refine_is_never_of_the_added_score(brief: Brief) -> None:
    adapted = code("adapter", brief, script=FOREIGN["packed files"] + "m = Forest(n_estimators=50)\n", outcome=OUTCOME)
    assert foreign_block(adapted)[0] == "m = Forest(n_estimators=50)"
    adapted = code("adapter", brief, script=FOREIGN["packed files"], outcome=OUTCOME)
    assert "def " not in foreign_block(adapted)[0]


def test_a_study_of_a_script_that_executes_its_own_file(tmp_path: Path, brief: Brief, folder: Path) -> None:
    script = (
        'from pathlib import Path\ntext = Path(__file__).read_text()\nassert "own file" in text  # own file\n'
        'open("submission.csv", "w").close()\nprint("Final Validation Performance: 0.5")\n'
    )
    printed = run(code("ablator", brief, script=script, summaries=[]), folder, tmp_path / "work")
    assert "Ablation baseline: 0.5" in printed


def test_a_script_that_prints_its_score_keeps_it(brief: Brief) -> None:
    script = FOREIGN["packed files"] + 'print("Final Validation Performance:", 0.5)\n'
    adapted = code("adapter", brief, script=script, outcome=OUTCOME)
    assert adapted.count("Final Validation Performance") == 1


def test_where_rows_cannot_be_divided_the_score_is_unknown(brief: Brief) -> None:
    spec = brief.spec.model_copy(update={"train": "train.parquet"})
    facts = facts_of(brief.model_copy(update={"spec": spec}))
    assert add_score("x = 1\n", facts).rstrip().endswith('print("Final Validation Performance: nan")')


def test_another_file_than_those_of_the_task_is_not_taken_for_one_of_them(brief: Brief) -> None:
    script = 'a = read_csv("../x/train.csv")\nb = read_csv("../y/train_extra.csv")\nc = read_csv("../x/test_v2.csv")\n'
    adapted = read_input(script, facts_of(brief))
    assert adapted.split('"')[1::2] == ["./input/train.csv", "../y/train_extra.csv", "./input/test.csv"]


@pytest.mark.parametrize(
    ("script", "submission"),
    [
        ('p.to_csv("final.csv")\nx.to_csv("cleaned.csv")\ny = read_csv("cleaned.csv")\n', "final.csv"),
        ('a.to_csv("oof_submission.csv")\nb.to_csv("out.csv")\n', "out.csv"),
        ('b.to_csv("out.csv")\na.to_csv("train_predictions.csv")\n', "out.csv"),
        ('a.to_csv("train_predictions.csv")\n', "train_predictions.csv"),
    ],
)
def test_the_submission_is_no_step_before_it(script: str, submission: str) -> None:
    assert write_submission_file(script) == script.replace(submission, "./submission.csv")


def test_a_table_that_is_no_submission_keeps_its_name() -> None:
    script = 'a.to_csv("oof.csv")\nb.to_csv("results/final_sub.csv")\nc.to_csv("log.csv")\n'
    assert write_submission_file(script).splitlines() == [
        'a.to_csv("oof.csv")',
        'b.to_csv("./submission.csv")',
        'c.to_csv("log.csv")',
    ]


def test_installed_libraries_are_imported() -> None:
    script = "import numpy as np\nimport seaborn as sns\n"
    assert replace_libraries(script, frozenset({"numpy", "seaborn"})) == script
    replaced = replace_libraries(script, frozenset({"numpy"}))
    assert "sns = Unavailable()" in replaced
    assert ast.parse(replaced)
    progress = "from tqdm.notebook import tqdm\nfrom tqdm.auto import trange\n"
    replaced = replace_libraries(progress, frozenset({"tqdm"}))
    assert replaced.endswith("tqdm = Progress()\nfrom tqdm.auto import trange\n")


def test_the_added_score_is_that_of_rows_that_the_script_does_not_see(
    folder: Path, brief: Brief, tmp_path: Path
) -> None:
    truth = "truth = dict(zip(train['id'], train['label']))\n"
    reading = FOREIGN["packed files"].replace("labels = [", f"{truth}labels = [")
    knowing = reading.replace('"yes" if x > cut else "no" for x in test["x"]', 'truth.get(n, "no") for n in test["id"]')
    script = code("adapter", brief, script=knowing, outcome=OUTCOME)
    work = tmp_path / "work"
    work.mkdir()
    (work / "input").symlink_to(folder)
    (work / "main.py").write_text(script, encoding="utf-8")
    ended = subprocess.run([sys.executable, "main.py"], cwd=work, capture_output=True, text=True, check=True)
    score = float(ended.stdout.split("Final Validation Performance:")[1])
    share = (pd.read_csv(folder / "train.csv")["label"] == "no").mean()
    assert score == pytest.approx(share, abs=0.03)
    assert sorted(path.name for path in work.iterdir()) == ["input", "main.py", "submission.csv"]
