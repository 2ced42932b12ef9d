"""A script keeps ids and labels in comments, names of variables, parameters and attributes instead of literals.

Outcome: succeeded; prevented since.
"""

import pytest

from mlestar.agents.memorizing import find_memorizing
from tests.unit.test_memorizing import BITS, HASHES, TASKS

PAIRS = list(zip(HASHES, BITS, strict=True))
SCRIPTS = {
    "comments": "\n".join(f"# {row} {bit}" for row, bit in PAIRS),
    "arguments": f"known = dict({', '.join(f'{row}={bit}' for row, bit in PAIRS)})",
    "attributes": "\n".join(f"K.{row} = {bit}" for row, bit in PAIRS),
    "variables": "\n".join(f"{row}_{bit} = 0" for row, bit in PAIRS),
    "functions": "\n".join(f"def {row}(): return {bit}" for row, bit in PAIRS),
    "parameters": f"def known({', '.join(f'{row}={bit}' for row, bit in PAIRS[:250])}): return locals()",
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_names_and_comments_count_as_literals(name: str) -> None:
    memorizing = find_memorizing(f"import pandas as pd\n{SCRIPTS[name]}\n", TASKS["bits by hash"])
    assert memorizing is not None


def test_comments_and_names_of_an_ordinary_script_are_no_rows() -> None:
    code = "\n".join(f"# step {n}: fit model {n}\nmodel_{n} = fit(seed={n}, depth={n % 7})" for n in range(400))
    assert find_memorizing(code, TASKS["bits by hash"]) is None
    assert find_memorizing(code, TASKS["bits by number"]) is None
