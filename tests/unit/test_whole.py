"""Whole scripts: complete ones are accepted in every form, and those that do nothing or are of another task refused."""

from pathlib import Path

import pandas as pd
import pytest

from mlestar.agents.script import ScriptError
from mlestar.agents.whole import check_whole
from mlestar.state import Brief
from tests.unit.offline_context import brief_of, write_task

BODY = """import pandas as pd
train = pd.read_csv("./input/train.csv")
test = pd.read_csv("./input/test.csv")
sample = pd.read_csv("./input/sample_submission.csv")
{}
score = (train[TARGET] == 0).mean()
sample.iloc[:, 1] = 0
sample.to_csv("submission.csv", index=False)
print("Final Validation Performance:", score)
"""
GENERIC = (
    "TARGET = [c for c in train.columns if c not in test.columns][0]",
    "TARGET = next(c for c in train if c not in test)",
    "TARGET = (set(train) - set(test)).pop()",
    "TARGET = list(train.columns)[-1]",
    "id_col, TARGET = list(sample)",
    "TARGET = sample.keys()[1]",
    'train.columns = train.columns.str.lower()\nTARGET = "survived"\ntrain["sum"] = train["age"] + train["fare"]',
)
RUN = """import pandas as pd


class Pipeline:
    def run(self):
        train = pd.read_csv("./input/train.csv")
        score = (train["Survived"] == 0).mean()
        train[["id", "Survived"]].to_csv("./submission.csv", index=False)
        print("Final Validation Performance:", score)


"""
MAIN = "import warnings\n" + RUN.replace("class Pipeline:\n    def run(self):", "if True:\n    def main():")
MAIN += 'warnings.filterwarnings("ignore")\n'


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Brief:
    folder: Path = tmp_path_factory.mktemp("task") / "first"
    rows = pd.DataFrame({"id": range(80), "Age": range(80), "Fare": [1.5, 2.5] * 40, "Survived": [0, 1] * 40})
    return brief_of(write_task(folder, rows, "Survived", "accuracy"))


@pytest.mark.parametrize("line", GENERIC)
def test_a_script_that_finds_the_target_by_itself_is_accepted(brief: Brief, line: str) -> None:
    assert check_whole(brief)(BODY.format(line))


def test_a_study_that_runs_the_script_is_accepted(brief: Brief) -> None:
    code = 'names = {}\nexec(open("main.py").read(), names)\nnames["sub"].to_csv("variants/baseline.csv")\n'
    assert check_whole(brief)(code)


@pytest.mark.parametrize("line", ['TARGET = "price"', 'COLUMNS = ["price", "rooms"]\nx = train[COLUMNS]\nTARGET = 0'])
def test_a_script_that_reads_columns_of_another_task_is_refused(brief: Brief, line: str) -> None:
    with pytest.raises(ScriptError, match="no target column of this task"):
        check_whole(brief)(BODY.format(line))


@pytest.mark.parametrize("end", ["score = Pipeline().run()\n", "PIPELINES = {0: Pipeline}\nPIPELINES[0]().run()\n"])
def test_the_method_of_a_class_is_run(brief: Brief, end: str) -> None:
    assert check_whole(brief)(RUN + end)


@pytest.mark.parametrize("end", ["main()\n", 'globals()["main"]()\n', 'if __name__ == "__main__":\n    main()\n'])
def test_a_function_that_is_called_is_run(brief: Brief, end: str) -> None:
    assert check_whole(brief)(MAIN + end)


@pytest.mark.parametrize("end", ["", 'if __name__ == "__main__":\n    pass\n', "def more():\n    main()\n"])
def test_a_script_that_calls_nothing_that_prints_the_score_is_refused(brief: Brief, end: str) -> None:
    with pytest.raises(ScriptError, match="nothing calls `main`, so that the script does not print the score"):
        check_whole(brief)(MAIN + end)
