import ast
import random
import textwrap

import pytest

from mlestar.agents.blocks import locate, replace_block
from mlestar.agents.replies import parse_code
from mlestar.agents.script import ScriptError, check_script, reported_score
from mlestar.agents.whole import check_whole
from mlestar.state import Brief

SCRIPT = '''"""A script."""
import os


def features(frame):
    total = frame["a"] + frame["b"]
    return total


def model(x):
    if x:
        y = 1
    else:
        y = 2
    return y


print("Final Validation Performance:", model(1))
open("submission.csv", "w").close()
'''


def test_prose_around_the_fence_is_dropped() -> None:
    assert parse_code("Sure!\n```python\nx = 1\n```\nHope it helps.") == "x = 1\n"


def test_two_different_fences_are_refused() -> None:
    with pytest.raises(ScriptError, match="2 different code fences"):
        parse_code("```python\na = 1\n```\n```python\nb = 2\n```")


def test_a_python_fence_takes_precedence_over_other_fences() -> None:
    assert parse_code("```bash\nls\n```\n```python\nb = 2\n```") == "b = 2\n"


def test_an_open_fence_with_whole_code_is_accepted() -> None:
    assert parse_code("```python\nx = 1\n").strip() == "x = 1"


def test_an_open_fence_with_broken_code_is_refused_for_both_reasons() -> None:
    with pytest.raises(ScriptError, match="not closed, and the code does not compile"):
        parse_code("```python\nx = (1,\n")


def test_prose_without_code_is_refused() -> None:
    with pytest.raises(ScriptError, match="no ```python fence"):
        parse_code("I cannot help with that.")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "empty"),
        ("x = (", "does not compile"),
        ("open('submission.csv')", "never prints"),
        ("print('Final Validation Performance: 1')", "never writes"),
    ],
    ids=["empty", "syntax", "no score", "no submission"],
)
def test_a_script_that_breaks_the_contract_is_refused(code: str, reason: str) -> None:
    with pytest.raises(ScriptError, match=reason):
        check_script(code)


@pytest.mark.parametrize(
    ("line", "score"),
    [
        ("0.85", 0.85),
        ("0.85 (RMSE)", 0.85),
        ("12,345.6", 12345.6),
        ("-1e-3", -0.001),
        ("nan", None),
        ("inf", None),
        ("good", None),
    ],
)
def test_the_score_line_is_read(line: str, score: float | None) -> None:
    assert reported_score(f"noise\nFinal Validation Performance: {line}\n") == score


def test_the_last_score_line_counts() -> None:
    assert reported_score("Final Validation Performance: 1\nFinal Validation Performance: 2\n") == 2


def test_output_without_a_score_line_has_no_score() -> None:
    assert reported_score("OOF Accuracy: 0.9") is None


def test_a_block_is_found_with_other_white_space() -> None:
    assert locate(SCRIPT, 'total = frame["a"] + frame["b"]\nreturn total') == (
        '    total = frame["a"] + frame["b"]\n    return total'
    )


@pytest.mark.parametrize(
    ("block", "reason"),
    [("", "empty"), ("y = 3", "does not occur"), ("return", "does not occur"), (SCRIPT * 2, "does not occur")],
    ids=["empty", "absent", "part of a line", "too long"],
)
def test_a_block_that_does_not_occur_is_refused(block: str, reason: str) -> None:
    with pytest.raises(ScriptError, match=reason):
        locate(SCRIPT, block)


def test_an_ambiguous_block_is_refused() -> None:
    with pytest.raises(ScriptError, match="2 times"):
        locate("a = 1\nb = 2\na = 1\n", "a = 1")


def test_nearly_the_whole_script_is_no_block() -> None:
    script = "\n".join(f"x{i} = {i}" for i in range(60))
    with pytest.raises(ScriptError, match="nearly the whole"):
        locate(script, "\n".join(f"x{i} = {i}" for i in range(50)))


def test_a_block_is_replaced_once_and_reindented() -> None:
    patched = replace_block(SCRIPT, "    if x:\n        y = 1\n    else:\n        y = 2", "y = 3 if x else 4")
    assert "def model(x):\n    y = 3 if x else 4\n    return y" in patched


def test_imports_of_a_new_block_go_to_the_top() -> None:
    new = 'import numpy as np\ntotal = np.add(frame["a"], frame["b"])'
    patched = replace_block(SCRIPT, '    total = frame["a"] + frame["b"]', new)
    assert patched.startswith('"""A script."""\nimport numpy as np\nimport os')
    assert '    total = np.add(frame["a"], frame["b"])' in patched


def test_a_replacement_that_breaks_the_script_is_refused() -> None:
    with pytest.raises(ScriptError, match="does not compile"):
        replace_block(SCRIPT, "    return total", "return (")


def replaced(script: str, block: str, replacement: str) -> str:
    """Patch a script; the result must compile."""
    patched = replace_block(script, block, replacement)
    compile(patched, "patched", "exec")
    return patched


@pytest.mark.parametrize("seed", range(25))
def test_any_run_of_statements_is_located_and_replaced_by_itself(seed: int) -> None:
    draw = random.Random(seed)
    lines = SCRIPT.split("\n")
    first = draw.choice([i for i, line in enumerate(lines) if line.strip()])
    last = draw.randint(first + 1, min(first + 6, len(lines)))
    block = "\n".join(lines[first:last]).rstrip()
    messy = "\n".join(line + " " * draw.randint(0, 3) for line in block.split("\n"))
    assert locate(SCRIPT, textwrap.dedent(messy)).rstrip() == block
    assert replaced(SCRIPT, messy, block).rstrip() == SCRIPT.rstrip()


SCOPES = {
    "spaces": "    ",
    "tab": "\t",
    "two spaces": "  ",
}


@pytest.mark.parametrize("indent", SCOPES.values(), ids=SCOPES.keys())
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_replacement_gets_the_indentation_of_its_block(indent: str, depth: int) -> None:
    heads = "".join(f"{indent * level}if True:\n" for level in range(depth))
    script = f"{heads}{indent * depth}x = 1\n{indent * depth}print(x)\n"
    patched = replaced(script, "x = 1", f"for x in range(2):\n{indent}y = x")
    assert f"{indent * depth}for x in range(2):\n{indent * (depth + 1)}y = x\n{indent * depth}print" in patched


@pytest.mark.parametrize(
    "replacement",
    ["y = 2\nz = y", "    y = 2\n    z = y", "y = 2\n    z = y", "\n\n    y = 2\n    z = y\n\n", "\ty = 2\n\tz = y"],
    ids=["flush left", "unchanged", "first line stripped", "blank lines around", "tabs"],
)
def test_indentation_of_models_is_understood(replacement: str) -> None:
    patched = replaced("def f(x):\n    y = x\n    return y\n", "    y = x", replacement)
    assert patched == "def f(x):\n    y = 2\n    z = y\n    return y\n"


def test_carriage_returns_do_not_hide_a_block() -> None:
    patched = replaced("a = 1\r\nb = 2\r\nc = 3\r\n", "a = 1\nb = 2", "a = 3\r\nb = 4")
    assert patched == "a = 3\nb = 4\nc = 3\n"


def test_a_block_at_the_end_without_a_newline_is_replaced() -> None:
    assert replaced("a = 1\nb = 2", "b = 2", "b = 3") == "a = 1\nb = 3"


def test_text_beyond_ascii_is_matched() -> None:
    assert replaced("größe = '漢字'\nprint(größe)\n", "größe = '漢字'", "größe = 'né'").startswith("größe = 'né'")


def test_strings_of_several_lines_keep_their_spaces() -> None:
    script = "def f():\n    q = 1\n    return q\n"
    new = 'q = """select\n  a\n\nfrom t"""'
    patched = replaced(script, "    q = 1", new)
    (text,) = [node.value for node in ast.walk(ast.parse(patched)) if isinstance(node, ast.Constant)]
    assert text == "select\n  a\n\nfrom t"


def test_a_string_at_the_margin_does_not_stop_its_block_from_being_indented() -> None:
    new = '        q = """a\nb"""\n        r = q'
    patched = replaced("def f():\n    q = 1\n    return q\n", "    q = 1", new)
    assert patched == 'def f():\n    q = """a\nb"""\n    r = q\n    return q\n'


def test_a_string_of_several_lines_is_part_of_a_block() -> None:
    script = 'q = """a\n\n  b"""\nprint(q)\n'
    assert replaced(script, 'q = """a\n\n  b"""', "q = 2") == "q = 2\nprint(q)\n"


@pytest.mark.parametrize("again", ["@cache\n", ""], ids=["repeated", "left out"])
def test_a_decorator_above_the_block_is_not_repeated(again: str) -> None:
    script = "from functools import cache\n\n\n@cache\ndef f():\n    return 1\n\n\nprint(f())\n"
    patched = replaced(script, "def f():\n    return 1", f"{again}def f():\n    return 2")
    assert patched.count("@cache") == 1


def test_future_imports_come_first() -> None:
    new = "import os\nfrom __future__ import annotations\nfrom math import pi\n\nx = pi"
    patched = replaced('"""Doc."""\nimport sys\n\nx = 1\nprint(x)\n', "x = 1", new)
    assert patched.startswith(
        '"""Doc."""\nfrom __future__ import annotations\nimport os\nfrom math import pi\nimport sys'
    )


def test_an_import_inside_a_function_does_not_replace_one_at_the_top() -> None:
    script = "def f():\n    import os\n    return os\n\n\nx = 1\nprint(x)\n"
    assert replaced(script, "x = 1", "import os\nx = os.sep").startswith("import os\ndef f")


def test_imports_over_several_lines_stay_with_the_block() -> None:
    new = "from math import (\n    pi,\n    e,\n)\nx = pi + e"
    assert "x = pi + e" in replaced("def f():\n    x = 1\n    return x\n", "    x = 1", new)


@pytest.mark.parametrize(
    ("block", "new"),
    [("a = 1\nb = 2", "def improved():\n    a = 1\n    b = 3"), ("def f(x):\n    return x", "def g(x):\n    return x")],
    ids=["statements wrapped in a function", "function renamed"],
)
def test_a_name_that_the_script_needs_must_stay(block: str, new: str) -> None:
    script = "a = 1\nb = 2\n\n\ndef f(x):\n    return x\n\n\nprint(f(a + b))\n"
    with pytest.raises(ScriptError, match="no longer defines"):
        replace_block(script, block, new)


def test_a_name_that_nothing_else_needs_may_go() -> None:
    assert replaced("a = 1\nb = 2\nprint(b)\n", "a = 1\nb = 2", "b = 3") == "b = 3\nprint(b)\n"


def test_a_return_that_lost_its_function_does_not_compile() -> None:
    with pytest.raises(ScriptError, match="'return' outside function"):
        replace_block("x = 1\nprint(x)\n", "x = 1", "x = 1\nreturn x")


@pytest.mark.parametrize("reply", ["ok", "Done", "yes, no"])
def test_a_word_is_not_code(reply: str) -> None:
    with pytest.raises(ScriptError, match="no ```python fence"):
        parse_code(reply)


def test_a_script_that_only_defines_functions_is_refused(brief: Brief) -> None:
    code = "SEED = 1\n\n\ndef main():\n    print('Final Validation Performance: 1')\n    open('submission.csv')\n"
    with pytest.raises(ScriptError, match="runs none of them"):
        check_whole(brief)(code)
    assert check_whole(brief)(f"{code}\n\nmain()\n")
