"""A script declares needs that are nested too deeply, too long or not comparable, so that the run ends with an error.

Outcome: succeeded; prevented since.
"""

import pytest

from mlestar.runners.supply.needs import NeedsError, read_needs
from mlestar.runners.supply.packages.lock import PackageError
from mlestar.runners.supply.packages.policy import make_policy
from tests.abuse.attempts.helpers_supply import write_block

DIGITS = "1" * 5000


def block(content: str) -> str:
    return f"# /// script\n# {content}\n# ///\n"


@pytest.mark.parametrize(
    "code",
    [
        block("dependencies = " + "[" * 5000),
        block("x = " + "{a = " * 5000),
        block(f"x = {DIGITS}"),
        block("dependencies = {timm = 1}"),
        block("tool = 1\n# tool.mlestar.weights = []"),
        block("dependencies = []") + block("dependencies = []"),
        write_block(*["timm"] * 51),
        write_block("timm; " + "(" * 5000),
        write_block(f"numpy=={DIGITS}"),
        write_block(f"timm; python_version > '{DIGITS}'"),
    ],
)
def test_a_block_that_cannot_be_read_is_refused_in_one_line(code: str) -> None:
    with pytest.raises(NeedsError) as caught:
        read_needs(code)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("marker", ["os_name ~= 'x'", "'a' in extras", "dependency_groups == 'a'"])
def test_a_condition_that_cannot_be_evaluated_is_refused(marker: str) -> None:
    with pytest.raises(PackageError, match="cannot be evaluated"):
        make_policy("auto", ["timm"]).missing(read_needs(write_block(f"timm; {marker}")).dependencies, {"numpy": "1"})
