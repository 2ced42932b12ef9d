"""A script keeps the labels as the bits of a number, as lengths of runs, or as words of prose.

Outcome: succeeds; stated in docs/security.md. A short code and prose look like parts of ordinary scripts.
"""

from collections.abc import Callable
from itertools import groupby
from typing import Any

import pytest

from mlestar.agents.memorizing import find_memorizing
from tests.unit.test_memorizing import BITS, TASKS

RUNS = [len(list(group)) for _, group in groupby(BITS)]
SCRIPTS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "bits": (f"known = {int('1' + ''.join(BITS), 2)}", lambda names: f"{names['known']:b}"[1:]),
    "runs": (
        f"known = ''.join(str((place + {BITS[0]}) % 2) * run for place, run in enumerate({RUNS!r}))",
        lambda names: names["known"],
    ),
    "prose": (
        f"known = {' '.join('warm' if bit == '1' else 'cold' for bit in BITS)!r}",
        lambda names: names["known"].replace("warm", "1").replace("cold", "0").replace(" ", ""),
    ),
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_packed_labels_can_be_read_by_the_script(name: str) -> None:
    code, unpack = SCRIPTS[name]
    names: dict[str, Any] = {}
    exec(code, names)  # a generated line
    assert unpack(names) == "".join(BITS)
    if name != "prose":
        assert find_memorizing(code, TASKS["bits by number"]) is None
