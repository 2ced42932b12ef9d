"""Dropping what a script does not need."""

import pytest

from mlestar.agents.names import undefined_names
from mlestar.offline.merging import merge_models
from mlestar.offline.surgery import functions, used, without_pass_through, without_unused


@pytest.mark.parametrize(
    ("script", "kept"),
    [
        ("import os\nimport re\n\nprint(os.getcwd())\n", "import os\n\nprint(os.getcwd())\n"),
        ("from a import b, c as d\n\nprint(d)\n", "from a import c as d\n\nprint(d)\n"),
        ("import a.b, c\n\nprint(a.b)\n", "import a.b\n\nprint(a.b)\n"),
        ("from __future__ import annotations\n\nA = 1\nprint(2)\n", "from __future__ import annotations\n\nprint(2)\n"),
        ("# One.\nONE = 1\n# Two.\nTWO = 2\nprint(TWO)\n", "# Two.\nTWO = 2\nprint(TWO)\n"),
        ("NAMES = [\n    1,\n    2,\n]\nprint('NAMES')\n", "print('NAMES')\n"),
        ("def a():\n    return b()\ndef b():\n    return 1\nprint(a())\n", None),
        ("def a():\n    return b()\ndef b():\n    return a()\nprint(1)\n", "print(1)\n"),
        ("@decorate\ndef a():\n    pass\nprint(1)\n", "print(1)\n"),
        ("def helper():\n    pass\ndef main():\n    helper()\n", None),
        ("A = 1; print(2)\n", None),
        ("A = 1\nprint(globals())\n", None),
        ("A = 1\nprint(vars()['A'])\n", None),
        ("def main(:\n", None),
        ("LIST = []\nLIST.append(1)\n", None),
        ("COUNT = 0\nCOUNT += 1\n", None),
        ("COUNT = 0\ndef add():\n    global COUNT\n    COUNT += 1\nadd()\n", None),
        ("COUNT = 0\ndel COUNT\n", None),
        ('TEXT = """\n# 1"""\nONE = 1\nprint(TEXT)\n', 'TEXT = """\n# 1"""\nprint(TEXT)\n'),
        ("ITEMS = 1\n\ndef f(x: ITEMS):\n    '''Say ITEMS.'''  # and why\n    return x\n\nf(1)\n", None),
    ],
)
def test_only_what_runs_and_what_it_needs_stays(script: str, kept: str | None) -> None:
    assert without_unused(script) == (script if kept is None else kept)


def test_a_script_without_code_that_runs_keeps_its_functions() -> None:
    script = '"""Helpers."""\n\nimport os\n\n\ndef helper():\n    return os.getcwd()\n'
    assert without_unused(script) == script


def test_a_function_that_returns_what_it_takes_is_not_called() -> None:
    same = 'def same(x, *others):\n    """Change nothing."""\n    return [x, *others]\n\n\n'
    fit = "def fit(x, others):\n    x, *others = same(x, *others)\n    return [len(x), *others]\n"
    assert without_pass_through(same + fit) == "\n\ndef fit(x, others):\n    return [len(x), *others]\n"
    called_elsewhere = f"{same}{fit}\n\nprint(same(1))\n"
    assert without_pass_through(called_elsewhere) == called_elsewhere
    called_sometimes = same + fit.replace("    x,", "    if others:\n        x,")
    assert without_pass_through(called_sometimes) == called_sometimes
    changed = same.replace("    return", "    x = x + 1\n    return") + fit
    assert without_pass_through(changed) == changed


def test_a_name_that_is_local_to_a_function_is_not_used() -> None:
    text = "def find(text):\n    for run in text:\n        yield run, SIZE, make(run)\n\n\nROWS = read()\n"
    assert used(text) == {"SIZE", "make", "read"}


def test_a_merge_brings_the_functions_that_compute_constants() -> None:
    base = "def fit_predict(x, y, others, seed):\n    return [x]\n\n\ndef run():\n    return 1\n"
    reference = (
        "def read_words():\n    return set()\n\n\nWORDS = read_words()\n\n\n"
        "def fit_predict(x, y, others, seed):\n    for run in others:\n        WORDS.add(run)\n    return [x]\n\n\n"
        "def run():\n    return 2\n"
    )
    for first, second in ((base, reference), (reference, base), (reference, reference)):
        merged = merge_models(first, second)
        assert merged is not None
        assert undefined_names(merged) == {"np"}
        assert functions(merged)["run"] == functions(first)["run"]
        assert list(functions(merged)).count("read_words") == 1
