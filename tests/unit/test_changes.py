"""What a leakage check of a changed script sees, and when none is needed."""

import ast
from pathlib import Path

import pytest

from mlestar.agents.changes import find_change, only_settings_differ
from mlestar.agents.script import parse_tree
from tests.unit.results import by_id
from tests.unit.scenario import FULL, SMALL, Scenario, block, fence, script, solve

BEFORE = '''"""A script."""
import pandas as pd
from lightgbm import LGBMRegressor

train = pd.read_csv("input/train.csv")
test = pd.read_csv("input/test.csv")
target = "y"
columns = [name for name in train if name != target]


def unrelated(frame):
    total = 0
    for value in frame["a"]:
        total += value
    return total


def features(frame):
    # the features
    return frame[columns]


def fit(seed):
    model = LGBMRegressor(learning_rate=0.05, n_estimators=400, random_state=seed)
    return model.fit(features(train), train[target])


print("Final Validation Performance:", 1)
print(unrelated(train))
'''
LAG = '    frame = frame.assign(lag=frame[target].shift(1))\n    return frame[[*columns, "lag"]]'
AFTER = BEFORE.replace("    return frame[columns]", LAG)


@pytest.mark.parametrize(
    ("old", "new", "same"),
    [
        ("learning_rate=0.05", "learning_rate=0.01", True),
        ("n_estimators=400", "n_estimators=-1", True),
        ("# the features", "# features of a row", True),
        ("def fit(seed):", "def fit(\n    seed,\n):", True),
        ("n_estimators=400", "n_estimators=400, num_leaves=8", False),
        ("n_estimators=400", "n_estimators=train[target].max()", False),
        ("n_estimators=400", "n_estimators=True", False),
        ("total = 0", "total = 1", False),
        ('read_csv("input/test.csv")', 'read_csv("input/test.csv", skiprows=0)', False),
        ("if name != target", "", False),
        ("import pandas as pd", "import pandas as pd as", False),
    ],
)
def test_settings_of_models_and_layout_need_no_check(old: str, new: str, *, same: bool) -> None:
    assert only_settings_differ(BEFORE, BEFORE.replace(old, new)) is same


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('frame.groupby("a")["y"].shift(periods=1)', 'frame.groupby("a")["y"].shift(periods=0)'),
        ("frame.y.rolling(window=3, center=0)", "frame.y.rolling(window=3, center=1)"),
        ("make(frame, drop_fold=0)", "make(frame, drop_fold=1)"),
        ("TimeSeriesSplit(gap=7)", "TimeSeriesSplit(gap=0)"),
        ("Lags(first=1)", "Lags(first=0)"),
    ],
)
def test_numbers_that_decide_which_rows_are_read_are_checked(old: str, new: str) -> None:
    head = "from sklearn.model_selection import TimeSeriesSplit\nclass Lags: ...\n"
    assert not only_settings_differ(f"{head}x = {old}\n", f"{head}x = {new}\n")


def test_the_shared_tree_of_a_script_is_left_alone() -> None:
    tree = parse_tree(BEFORE)
    assert tree is not None
    shown = ast.unparse(tree)
    assert only_settings_differ(BEFORE, BEFORE)
    assert ast.unparse(tree) == shown


FOLDS = """import pandas as pd
from sklearn.model_selection import KFold

full = pd.concat([train, test])
labels = full["y"]
stats = labels.groupby(full["a"]).mean()
other = 1
for fit, check in KFold(5).split(train, labels):
    means = 0
    model.fit(train.iloc[fit])
    print(other)


class Encoder:
    def fit_values(self, frame):
        values = frame["a"]
        return values


encoder = Encoder()
table = encoder.fit_values(full)
frame = frame.drop(columns="y")
model.fit(frame)
a, b, c, d = 1, 2, 3, 4
e, f, g, h = a, b, c, d
i, j, k, l = 1, 2, 3, 4
m, n, o, p = 1, 2, 3, 4
q, r, s, t = 1, 2, 3, 4
"""


@pytest.mark.parametrize(
    ("old", "new", "shown"),
    [
        (
            "means = 0",
            "means = labels.iloc[fit].mean()",
            ["for fit, check in KFold", 'labels = full["y"]', "pd.concat"],
        ),
        ("other = 1", "other = test.map(stats)", ["stats = labels", 'labels = full["y"]']),
        ('values = frame["a"]', 'values = frame["y"]', ["class Encoder", "def fit_values", "encoder.fit_values(full)"]),
        ('frame = frame.drop(columns="y")\n', "", ["model.fit(frame)"]),
    ],
)
def test_the_context_has_the_lines_that_decide_about_leakage(old: str, new: str, shown: list[str]) -> None:
    change = find_change(FOLDS, FOLDS.replace(old, new))
    assert change is not None
    assert [line for line in shown if line not in change.context] == []
    assert "q, r, s, t" not in change.context


def test_a_change_shows_what_defines_the_names_that_it_uses() -> None:
    change = find_change(BEFORE, AFTER)
    assert change is not None
    assert change.added == LAG
    assert change.removed == "    return frame[columns]"
    assert 'target = "y"' in change.context
    assert "columns = [name for" in change.context
    assert "def features(frame):" in change.context
    assert "return model.fit(features(train), train[target])" in change.context
    assert "unrelated" not in change.context


def test_what_was_removed_is_shown_with_what_it_was_in() -> None:
    change = find_change(BEFORE, BEFORE.replace("    model = LGBM", "    LGBM").replace("if name != target", ""))
    assert change is not None
    only_removed = find_change(BEFORE, BEFORE.replace("        total += value\n", "        pass\n"))
    assert only_removed is not None
    assert "def unrelated(frame):" in only_removed.context
    deleted = find_change(BEFORE, BEFORE.replace("    # the features\n", ""))
    assert deleted is not None
    assert (deleted.removed, deleted.added) == ("    # the features", "")
    assert "def features(frame):" in deleted.context


@pytest.mark.parametrize("after", ["print(1)\n", "def broken(:\n", AFTER.upper()])
def test_a_new_or_a_broken_script_has_to_be_seen_whole(after: str) -> None:
    assert find_change(BEFORE, after) is None


async def test_a_change_of_a_comment_is_not_asked_about(tmp_path: Path) -> None:
    same = fence("def load():\n    # quality 0.9\n    return 1")
    scenario = Scenario(coder=same)
    result = await solve(tmp_path, scenario, SMALL, inner_plans=1)
    assert (result.winner, len(scenario.prompts["leakage_checker"])) == ("t0.r1.1", 3 + 1)


async def test_a_change_is_asked_about_without_the_files_and_the_description(tmp_path: Path) -> None:
    scenario = Scenario(initializer=fence(script(0.6) + "\n".join(f"x{n} = {n}" for n in range(30))))
    await solve(tmp_path, scenario, SMALL, inner_plans=1, retrieved_models=1)
    whole, change, finalist = scenario.prompts["leakage_checker"]
    assert ["<files>" in prompt for prompt in (whole, change, finalist)] == [True, False, True]
    assert "<script>" not in change
    assert len(change) < len(whole) / 2


async def test_a_finalist_whose_whole_script_leaks_does_not_win(tmp_path: Path) -> None:
    """Each change alone looks clean."""

    def accuse(prompt: str) -> str:
        leaks = "<script>" in prompt and "return '0.9'" in prompt
        fields = '"leak": true, "block": "    return \'0.9\'", "reason": "both together"' if leaks else '"leak": false'
        return fence(f"{{{fields}}}", "json")

    scenario = Scenario(
        initializer=fence(script(0.6) + "\n".join(f"x{n} = {n}" for n in range(30))),
        coder=[block(0.9), block(0.8)],
        leakage_checker=accuse,
    )
    result = await solve(tmp_path, scenario, FULL, tracks=1, ensemble_rounds=0, outer_steps=1, inner_plans=2)
    rescorings = {row.solution: row for row in result.rescorings}
    best = max(by_id(result).values(), key=lambda row: row.score.holdout or 0)
    assert rescorings[best.id].failed
    assert "the check of the whole script found leakage: both together" in rescorings[best.id].message
    assert result.winner != best.id
    assert result.status == "solved"
