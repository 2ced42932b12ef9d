"""What a run can start from: scripts, notebooks and solutions of earlier runs; what it refuses, in one line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlestar.errors import SettingsError
from mlestar.settings import Settings
from mlestar.start import read_start
from mlestar.start.masking import mask_keys
from mlestar.start.notebook import without_shell
from mlestar.store import RunFolder


def write(folder: Path, name: str, text: str | bytes) -> str:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return str(path)


def notebook(*cells: str, language: str = "python", **other: object) -> str:
    sources = [{"cell_type": "code", "source": cell.splitlines(keepends=True), "outputs": []} for cell in cells]
    text = {"cell_type": "markdown", "source": ["# Titanic"]}
    return json.dumps({"cells": [text, *sources], "metadata": {"language_info": {"name": language}}, **other})


def refusal(start: str, folder: Path) -> str:
    with pytest.raises(SettingsError) as raised:
        read_start(start, folder)
    message = str(raised.value)
    assert "\n" not in message
    return message


def test_a_notebook_becomes_a_script(tmp_path: Path) -> None:
    cells = (
        "%matplotlib inline\nimport pandas as pd\n!pip install -q lightgbm",
        "%%time\nframe = pd.DataFrame({'a': [1, 2]})\nframe.head()\nframe?",
        "%%bash\nls /kaggle/input",
        "files = !ls\nif files:\n    !echo yes\nshare = 7 \\\n    % 4",
        "display(frame)",
    )
    text = read_start(write(tmp_path, "mine.ipynb", notebook(*cells)), tmp_path)
    assert text.name == "mine.ipynb"
    assert not {"%matplotlib", "!pip", "frame?", "%%", "!ls", "!echo"} & {word for word in text.code.split()}
    values: dict[str, object] = {}
    exec(compile(text.code, "mine.py", "exec"), values)
    assert values["share"] == 3
    assert values["files"] == []
    assert any("cells of the notebook were joined" in note for note in text.notes)


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("%time model.fit(X, y)", "model.fit(X, y)\n"),
        ("%time out = f(X)\n!ls", "out = f(X)\npass\n"),
        ("out = %time f(X)", "out = f(X)\n"),
        ("!pip install a \\\n    b\nx = 1", "pass\n\nx = 1\n"),
        ("x = '''\n%sure\n!not\n'''\n%matplotlib inline", "x = '''\n%sure\n!not\n'''\npass\n"),
        ("x = ('%s'\n     %name)\n%matplotlib inline", "x = ('%s'\n     %name)\npass\n"),
    ],
)
def test_what_a_cell_executes_stays(cell: str, code: str, tmp_path: Path) -> None:
    assert read_start(write(tmp_path, "mine.ipynb", notebook(cell)), tmp_path).code == code


def test_what_was_left_out_is_named_without_its_arguments(tmp_path: Path) -> None:
    cells = ("%env SOME_KEY=hunter2hunter2\n!kaggle config set -v hunter2hunter2\nout = !echo hunter2hunter2\nx = 1",)
    text = read_start(write(tmp_path, "mine.ipynb", notebook(*cells)), tmp_path)
    assert "hunter2" not in repr(text)
    assert "left out: %env, !kaggle, !echo" in text.notes


@pytest.mark.parametrize(
    "content",
    [{"cells": 5}, {"worksheets": [{"cells": 5}]}, {"cells": [{"cell_type": "code", "source": None}]}, {"cells": [3]}],
)
def test_a_notebook_of_an_impossible_form_is_refused(content: dict[str, object], tmp_path: Path) -> None:
    assert "no code cell" in refusal(write(tmp_path, "mine.ipynb", json.dumps(content)), tmp_path)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        ({"kernelspec": {"name": "my-environment"}}, ""),
        ({"kernelspec": {"name": "python3"}}, ""),
        ({"kernelspec": {"name": "julia-1.9"}}, "a notebook in Julia"),
        ({"kernelspec": {"name": "ir"}}, "a notebook in R"),
        ({"kernelspec": {"name": "mine", "language": "scala"}}, "a notebook in Scala"),
        ({"language_info": {"name": "ruby"}}, "a notebook in ruby"),
        ({"language_info": {"name": ["python"]}}, ""),
    ],
)
def test_the_language_of_a_notebook_is_no_name_of_an_environment(
    metadata: dict[str, object], words: str, tmp_path: Path
) -> None:
    start = write(tmp_path, "mine.ipynb", notebook("x = 1", metadata=metadata))
    if words:
        assert words in refusal(start, tmp_path)
    else:
        assert read_start(start, tmp_path).code == "x = 1\n"


def test_a_notebook_with_large_outputs_is_refused_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "mine.ipynb"
    path.touch()
    os.truncate(path, 2**27)
    assert "clear its outputs" in refusal(str(path), tmp_path)


def test_notebooks_of_an_old_format_are_read(tmp_path: Path) -> None:
    sheet = {"cells": [{"cell_type": "code", "input": ["x = 1\n", "y = 2"]}]}
    text = read_start(write(tmp_path, "old.ipynb", json.dumps({"worksheets": [sheet]})), tmp_path)
    assert text.code == "x = 1\ny = 2\n"


def test_a_notebook_saved_as_a_script_calls_no_ipython() -> None:
    notes: list[str] = []
    code = (
        "# In[1]:\nget_ipython().run_line_magic('matplotlib', 'inline')\nout = get_ipython().getoutput('ls')\nx = 1\n"
    )
    assert without_shell(code, notes) == "# In[1]:\npass\nout = []\nx = 1\n"
    assert notes


@pytest.mark.parametrize(
    ("code", "without"),
    [
        (
            "get_ipython().run_cell_magic('time', '', 'm.fit(X)\\np = m.predict(T)\\n')\n",
            "m.fit(X)\np = m.predict(T)\n",
        ),
        ("get_ipython().run_line_magic('time', 'm.fit(X)')\n", "m.fit(X)\n"),
        ("get_ipython().magic('time m.fit(X)')\n", "m.fit(X)\n"),
        ("if x: get_ipython().system('ls')\ny = 2\n", "if x: pass\ny = 2\n"),
        ("x = 1; get_ipython().system('ls'); y = 2\n", "x = 1; pass; y = 2\n"),
        ("get_ipython().run_cell_magic('bash', '', 'ls')\n", "pass\n"),
        ("if x:\n    get_ipython().run_cell_magic('time', '', 'a\\nb\\n')\n", "if x:\n    a\n    b\n"),
    ],
)
def test_what_such_a_script_executes_through_ipython_stays(code: str, without: str) -> None:
    assert without_shell(code, []) == without


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.py", "x = (1,\n", "line 1"),
        ("b.py", "print 'hello'\n", "Python 2"),
        ("c.R", "x <- 1\n", "a script in R"),
        ("d.ipynb", notebook("x <- 1", language="R"), "a notebook in R"),
        ("e.ipynb", notebook(), "no code cell"),
        ("f.ipynb", "{", "no notebook"),
        ("g.py", "\n\n", "empty"),
        ("h.txt", "x = 1\n", "give a script"),
        ("i.py", b"# caf\xe9\nx = 1\n", "UTF-8"),
        ("j.py", "#" * (2**18 + 1), "larger than"),
        ("k.ipynb", notebook("#" * (2**18 + 1)), "more than 262,144 bytes of code"),
        ("l.ipynb", "[1]", "no code cell"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(
    name: str, content: str | bytes, words: str, tmp_path: Path
) -> None:
    message = refusal(write(tmp_path, name, content), tmp_path)
    assert words in message
    assert name in message


def test_what_does_not_exist_is_refused(tmp_path: Path) -> None:
    assert "no such file, and no such run" in refusal("mine.py", tmp_path)
    assert "is a folder" in refusal(str(tmp_path), tmp_path / "runs")
    assert "File name too long" in refusal("x" * 5000, tmp_path)
    assert len(refusal("x" * 5000, tmp_path)) < 200
    assert "home directory" in refusal("~nobody-of-this-name/x.py", tmp_path)
    assert "hunter2" not in refusal("import os\npassword = 'hunter2'\n", tmp_path)


def test_other_encodings_and_control_characters(tmp_path: Path) -> None:
    coded = "# -*- coding: latin-1 -*-\nname = 'caf\xe9\x1b[31m'  # \x1b[2J\r\n".encode("latin-1")
    text = read_start(write(tmp_path, "a.py", coded), tmp_path)
    assert text.code == "# -*- coding: utf-8 -*-\nname = 'caf\xe9\\u001b[31m'  # \n"
    marked = read_start(write(tmp_path, "b.py", "\ufeffx = 1\u200b\r\n"), tmp_path)
    assert marked.code == "x = 1\n"


def test_a_script_in_another_encoding_has_the_same_texts_when_it_is_executed(tmp_path: Path) -> None:
    start = write(tmp_path, "a.py", "# coding: gbk\nprint(ascii('\u4e2d'))\n".encode("gbk"))
    (tmp_path / "main.py").write_text(read_start(start, tmp_path).code, encoding="utf-8")
    printed = subprocess.run([sys.executable, "main.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert printed.stdout == "'\\u4e2d'\n"


@pytest.mark.parametrize("mark", ["\x0b", "\x85", "\u2028", "\u200b", "\x1b"])
def test_texts_with_characters_that_nobody_sees_keep_their_value(mark: str, tmp_path: Path) -> None:
    code = read_start(write(tmp_path, "a.py", f"x = 'a{mark}b'\n"), tmp_path).code
    assert mark not in code
    values: dict[str, object] = {}
    exec(compile(code, "a.py", "exec"), values)
    assert values["x"] == f"a{mark}b"


def test_keys_are_masked_and_code_is_not() -> None:
    code = (
        'API_KEY = "9f8e7d6c5b4a39281706f5e4d3c2b1a0"\n'
        "os.environ['KAGGLE_KEY'] = 'abcdef0123456789abcdef0123456789'\n"
        'connect(user="anna", password="hunter2")\n'
        'client = Client(token="sk-abcdefghijklmnop1234567890")\n'
        "# old key: sk-zyxwvutsrqponmlk0987654321\n"
        'key = operator.itemgetter("PassengerId")\n'
        'KEY_COLUMN = "customer_identifier_1"\n'
        "frame = frame.sort_values(key=lambda column: column.str.lower())\n"
        'token_column = "tokens_of_the_text_12"\n'
    )
    masked = mask_keys(code)
    for secret in ("9f8e7d", "abcdef01", "hunter2", "sk-abcdef", "sk-zyx"):
        assert secret not in masked
    assert masked.splitlines()[5:] == code.splitlines()[5:]
    compile(masked, "masked.py", "exec")


SECRET = "a9f8e7d6c5b4a39281706f5e4d3c2b1a"
HOLDERS = {
    "argument": f'os.environ.setdefault("API_KEY", "{SECRET}")',
    "default of a variable": f'key = os.getenv("API_KEY", "{SECRET}")',
    "option": f'parser.add_argument("--api-key", default="{SECRET}")',
    "dictionary": f'token = {{"username": "ann", "key": "{SECRET}"}}',
    "bytes": f'API_KEY = b"{SECRET}"',
    "two parts": f'API_KEY = "{SECRET[:12]}" "{SECRET[12:]}"',
    "sum": f'API_KEY = "{SECRET[:12]}" + "{SECRET[12:]}"',
    "escape": 'password = "hunter2\\x41bcd"',
    "pair": f'user, api_key = "ann", "{SECRET}"',
    "default of a parameter": f'def connect(user="ann", api_key="{SECRET}"):\n    pass',
    "choice": f'API_KEY = None if x else "{SECRET}"',
    "call": f'API_KEY = str("{SECRET}")',
    "list": f'API_KEYS = ["{SECRET}"]',
    "f-string": f'API_KEY = f"{SECRET}"',
    "name in an expression": f'if (api_key := "{SECRET}"):\n    pass',
    "digits": 'API_KEY = "123456789012345678901234"',
    "letters": 'API_KEY = "abcdefghijklmnopqrstuvwx"',
    "comparison": 'assert password == "hunter2"',
    "token of a chat": 'client = WebClient("xoxb-123456789012-abcdefABCDEF")',
    "text between marks": 'K = """-----BEGIN PRIVATE KEY-----\nMIIEpAIBAAKCAQEA1234\n-----END PRIVATE KEY-----"""',
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_a_key_is_masked_wherever_a_script_has_it(holder: str) -> None:
    masked = mask_keys(HOLDERS[holder] + "\n")
    hidden = (SECRET[:12], SECRET[12:], "hunter2", "123456789012", "abcdefghijkl", "MIIEpAIB")
    assert not [secret for secret in hidden if secret in masked]
    assert "[masked]" in masked
    compile(masked, "masked.py", "exec")


@pytest.mark.parametrize(
    "code",
    [
        'archive.extractall(pwd="train")\nframe = pd.read_csv("./input/train.csv")\n',
        'frame["password"] = "weak"\nother = "weak"\n',
        'frame = frame.rename(columns={"password": "pass_text"})\n',
        'rows = query("select * from a join b on a.store_key = b.customer_store_number")\n',
        'store = pd.read_hdf(path, key="table_of_rows_12")\n',
        'client_key = "customer_id"\n',
        'frame = frame[["sk_id_of_customer", "key_figure_2020", "Basic Education"]]\n',
        'moved = Moved("PasswordManager", "urllib.request")\n',
    ],
)
def test_what_is_no_key_stays(code: str) -> None:
    assert mask_keys(code) == code


def finished_run(runs_dir: Path, name: str, **solutions: str) -> None:
    folder = RunFolder(runs_dir, name)
    folder.create()
    folder.record_settings(runs_dir, Settings().model_dump(mode="json"))
    rows = []
    for identity, code in solutions.items():
        folder.blobs.mkdir(exist_ok=True)
        (folder.blobs / identity).write_text(code, encoding="utf-8")
        rows.append({"id": identity, "script": f"blobs/{identity}"})
    folder.write_json(folder.result, {"winner": "best", "solutions": rows})


def test_a_run_continues_from_a_solution_of_an_earlier_one(tmp_path: Path) -> None:
    finished_run(tmp_path, "first", best="x = 1\n", other="x = 2\n")
    winner = read_start("first", tmp_path)
    assert (winner.name, winner.code) == ("first", "x = 1\n")
    assert read_start("first:other", tmp_path).code == "x = 2\n"
    assert "did you mean 'other'?" in refusal("first:othr", tmp_path)


def test_a_run_without_a_result_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "open")
    folder.create()
    folder.record_settings(tmp_path, Settings().model_dump(mode="json"))
    assert "mlestar resume open" in refusal("open", tmp_path)
    (tmp_path / "empty").mkdir()
    assert "no run empty" in refusal("empty", tmp_path)


def test_a_script_outside_of_its_run_is_refused(tmp_path: Path) -> None:
    finished_run(tmp_path, "first", best="x = 1\n")
    folder = RunFolder(tmp_path, "first")
    (tmp_path / "secret.py").write_text("x = 3\n", encoding="utf-8")
    folder.write_json(folder.result, {"winner": "best", "solutions": [{"id": "best", "script": "../secret.py"}]})
    assert "has no script in the run folder" in refusal("first", tmp_path)
