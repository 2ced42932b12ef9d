import pytest

from mlestar.script import ScriptError, check_script, extract_code, locate, replace_block, reported_score

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


def test_prose_around_the_fence_is_dropped():
    assert extract_code("Sure!\n```python\nx = 1\n```\nHope it helps.") == "x = 1\n"


def test_two_fences_are_refused():
    with pytest.raises(ScriptError, match="2 code fences"):
        extract_code("```python\na = 1\n```\n```python\nb = 2\n```")


def test_a_python_fence_wins_over_other_fences():
    assert extract_code("```bash\nls\n```\n```python\nb = 2\n```") == "b = 2\n"


def test_an_open_fence_is_named_as_cut_off():
    with pytest.raises(ScriptError, match="cut off"):
        extract_code("```python\nx = 1\n")


def test_prose_without_code_is_refused():
    with pytest.raises(ScriptError, match="no ```python fence"):
        extract_code("I cannot help with that.")


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
def test_a_script_that_cannot_keep_the_contract_is_refused(code, reason):
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
def test_the_score_line_is_read(line, score):
    assert reported_score(f"noise\nFinal Validation Performance: {line}\n") == score


def test_the_last_score_line_counts():
    assert reported_score("Final Validation Performance: 1\nFinal Validation Performance: 2\n") == 2


def test_output_without_a_score_line_has_no_score():
    assert reported_score("OOF Accuracy: 0.9") is None


def test_a_block_is_found_with_other_white_space():
    assert locate(SCRIPT, 'total = frame["a"] + frame["b"]\nreturn total') == (
        '    total = frame["a"] + frame["b"]\n    return total'
    )


@pytest.mark.parametrize(
    ("block", "reason"),
    [("", "empty"), ("y = 3", "does not occur"), ("return", "does not occur"), (SCRIPT * 2, "does not occur")],
    ids=["empty", "absent", "part of a line", "too long"],
)
def test_a_block_that_is_not_there_is_refused(block, reason):
    with pytest.raises(ScriptError, match=reason):
        locate(SCRIPT, block)


def test_an_ambiguous_block_is_refused():
    with pytest.raises(ScriptError, match="2 times"):
        locate("a = 1\nb = 2\na = 1\n", "a = 1")


def test_nearly_the_whole_script_is_no_block():
    script = "\n".join(f"x{i} = {i}" for i in range(60))
    with pytest.raises(ScriptError, match="nearly the whole"):
        locate(script, "\n".join(f"x{i} = {i}" for i in range(50)))


def test_a_block_is_replaced_once_and_reindented():
    patched = replace_block(SCRIPT, "    if x:\n        y = 1\n    else:\n        y = 2", "y = 3 if x else 4")
    assert "def model(x):\n    y = 3 if x else 4\n    return y" in patched


def test_imports_of_a_new_block_go_to_the_top():
    new = 'import numpy as np\ntotal = np.add(frame["a"], frame["b"])'
    patched = replace_block(SCRIPT, '    total = frame["a"] + frame["b"]', new)
    assert patched.startswith('"""A script."""\nimport numpy as np\nimport os')
    assert '    total = np.add(frame["a"], frame["b"])' in patched


def test_a_replacement_that_breaks_the_script_is_refused():
    with pytest.raises(ScriptError, match="does not compile"):
        replace_block(SCRIPT, "    return total", "return (")
