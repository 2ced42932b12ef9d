"""Lines that behave differently with pandas 3 are found before a script runs; others are left alone."""

import contextlib
import re
import warnings
from pathlib import Path

import pandas as pd
import pytest

from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.debugging import repair_script
from mlestar.agents.initializer import ask_for_candidate
from mlestar.agents.pandas_lint import MAX_FINDINGS, advise_on_pandas, describe_old_pandas, find_old_pandas
from mlestar.llm.caller import ModelReply
from mlestar.prompts import Prompts
from tests.unit.golden_prompts import BRIEF, CARD
from tests.unit.offline_context import brief_of, candidate, mixed_rows, write_task

HEAD = "import numpy as np\nimport pandas as pd\ntrain = pd.read_csv('./input/train.csv')\n"
OLD = [
    "train['Age'].fillna(0, inplace=True)",
    "train.Age.fillna(0, inplace=True)",
    "for name in ['a', 'b']:\n    train[name].fillna('x', inplace=True)",
    "def clean(df):\n    df['Age'].replace(0, 1, inplace=True)\n    return df",
    "for df in [train]:\n    df['Fare'].clip(0, 9, inplace=True)",
    "train[['a', 'b']].fillna(0, inplace=True)",
    "train.loc[:, 'a'].ffill(inplace=True)",
    "train['a'][train['b'] > 3] = 0",
    "train['a'][train['b'].isna()] = 0",
    "train['a'].loc[train['b'] > 3] = 0",
    "train[train['b'] > 3]['a'] = 0",
    "train.loc[train['b'] > 3]['a'] += 1",
    "names = [c for c in train.columns if train[c].dtype == 'object']",
    "names = [c for c in train if train[c].dtype == object]",
    "names = train.columns[train.dtypes == np.object_]",
    "if train['a'].dtype.name in ['object', 'category']:\n    pass",
    "if str(train['a'].dtype) != 'object':\n    pass",
    "if train.dtypes['a'] == 'O':\n    pass",
    "train = train.applymap(str)",
    "train = train.fillna(method='ffill')",
]
FINE = [
    "train.fillna(0, inplace=True)",
    "train['Age'] = train['Age'].fillna(0)",
    "tables = {'train': train}\ntables['train'].fillna(0, inplace=True)",
    "def clean(data):\n    data['train'].fillna(0, inplace=True)",
    "class Data:\n    def clean(self):\n        self.df.fillna(0, inplace=True)",
    "frames = [train]\nfor i in range(1):\n    frames[i].fillna(0, inplace=True)",
    "column = train['a'].copy()\ncolumn.fillna(0, inplace=True)",
    "train.rename(columns={'a': 'b'}, inplace=True)",
    "train.loc[train['b'] > 3, 'a'] = 0",
    "train.loc[train['b'] > 3].loc[:, 'a']",
    "scores = {}\nscores['a'] = {}\nscores['a']['b'] = 1",
    "def add(config):\n    config['model']['depth'] = 3",
    "oof = {'lgb': np.zeros(3)}\nrows = np.array([1])\noof['lgb'][rows] = 1",
    "oof = np.zeros((3, 2))\noof[0][1] = 1",
    "tables = {'train': train}\ntables['train'].loc[train['b'] > 3, 'a'] = 0",
    "names = train.select_dtypes(include=['object', 'category']).columns",
    "names = [c for c in train if train[c].dtype == 'object' or train[c].dtype == 'str']",
    "text = pd.api.types.is_string_dtype(train['a'])\nif train['b'].dtype == object:\n    pass",
    "train = train.astype(object)\nif train['b'].dtype == object:\n    pass",
    "values = train['a'].to_numpy()\nif values.dtype == object:\n    pass",
    "if train['a'].dtype == 'float64':\n    pass",
    "if train['a'].dtype.kind == 'O':\n    pass",
    "train = train.map(str)",
    "this is no code",
]


@pytest.mark.parametrize("code", OLD)
def test_a_line_that_behaves_differently_with_pandas_3_is_found(code: str) -> None:
    (finding,) = find_old_pandas(HEAD + code)
    assert finding.code in code
    assert (HEAD + code).split("\n")[finding.line - 1].strip() == finding.code


@pytest.mark.parametrize("code", FINE)
def test_a_line_that_does_what_it_says_is_left_alone(code: str) -> None:
    assert find_old_pandas(HEAD + code) == []


@pytest.mark.parametrize("code", [code for code in OLD if "\n" not in code and "=" in code and "names" not in code])
def test_the_rules_hold_in_the_installed_pandas(code: str) -> None:
    """A line that is found changes nothing, or fails."""
    table = pd.DataFrame({"a": [1.0, None, 9.0], "b": [1.0, None, 5.0], "Age": [None, 1.0, 2.0]})
    before = table.copy()
    with warnings.catch_warnings(), contextlib.suppress(AttributeError, TypeError):
        warnings.simplefilter("ignore")
        exec(code, {"train": table, "pd": pd})
    pd.testing.assert_frame_equal(table, before)


def test_advice_is_about_the_lines_of_the_agent_and_the_pandas_of_the_sandbox() -> None:
    old, packages = HEAD + OLD[0], {"pandas": "3.0.1"}
    assert re.search(r"line 4, `train\['Age'\]\.fillna.*changes nothing", advise_on_pandas(packages)(old))
    assert advise_on_pandas(packages, base=old)(old) == ""
    assert advise_on_pandas({"pandas": "2.3.3"})(old) == ""
    assert advise_on_pandas({})(old) == ""
    assert advise_on_pandas(packages)(None) == ""


def test_many_findings_are_counted() -> None:
    script = HEAD + "\n".join(f"train['c{number}'].fillna(0, inplace=True)" for number in range(9))
    assert f"and {9 - MAX_FINDINGS} more" in describe_old_pandas(script, {"pandas": "3.0.1"})


def test_the_scripts_of_the_offline_engineer_are_left_alone(tmp_path: Path) -> None:
    script = candidate(brief_of(write_task(tmp_path, mixed_rows(), "label", "accuracy")))
    assert find_old_pandas(script) == []


def whole(code: str) -> str:
    last = "y = train['benign']\nprint('Final Validation Performance:', 1)\nopen('submission.csv')"
    return f"```python\n{HEAD}{code}\n{last}\n```"


def asked(replies: list[str | Exception]) -> tuple[AgentContext, list[str]]:
    """Return an agent that gets these replies in turn, and the prompts that it sends."""
    prompts: list[str] = []

    async def call(role: str, prompt: str, sample: tuple[int, int]) -> ModelReply:
        prompts.append(prompt)
        reply = replies[len(prompts) - 1]
        if isinstance(reply, Exception):
            raise reply
        return ModelReply(text=reply)

    return AgentContext(call=call, prompts=Prompts(), brief=BRIEF), prompts


async def test_an_agent_is_told_of_such_lines_and_asked_once_more() -> None:
    agent, prompts = asked([whole(OLD[0]), whole("train['Age'] = train['Age'].fillna(0)")])
    assert "inplace" not in await ask_for_candidate(agent, CARD)
    assert len(prompts) == 2
    assert "changes nothing" in prompts[1]


@pytest.mark.parametrize("later", [["no code", "no code"], [ReplyError("no budget")]], ids=["useless", "refused"])
async def test_a_script_with_such_lines_is_used_when_nothing_better_comes(later: list[str | Exception]) -> None:
    agent, _ = asked([whole(OLD[0]), *later])
    assert OLD[0] in await ask_for_candidate(agent, CARD)


async def test_the_last_attempt_is_accepted_as_it_is() -> None:
    agent, prompts = asked(["no code", "no code", whole(OLD[0])])
    assert OLD[0] in await ask_for_candidate(agent, CARD)
    assert len(prompts) == 3


async def test_the_debugger_is_told_of_such_lines_in_the_failing_script() -> None:
    agent, prompts = asked([whole("train['Age'] = train['Age'].fillna(0)")])
    await repair_script(agent, HEAD + OLD[0], "It has missing values.", [])
    assert "It has missing values.\n\nNote: with pandas 3.0.1" in prompts[0]


def test_a_comparison_that_is_always_true_is_called_so() -> None:
    different, equal = find_old_pandas(
        "import pandas as pd\na = [c for c in df if df[c].dtype != 'object']\nb = df['a'].dtype == object\n"
    )
    assert different.advice.startswith("it is always true")
    assert equal.advice.startswith("it is never true")


def test_a_dictionary_is_no_table() -> None:
    code = "import pandas as pd\ndef f(configs, store):\n    configs['lr'].replace(1, 2, inplace=True)\n"
    assert not find_old_pandas(f"{code}    store['oof'][store['oof'] > 1] = 1\n")
