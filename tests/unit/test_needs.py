"""Tests of what a script declares that it needs."""

import pytest

from mlestar.runners.supply import Needs, NeedsError, read_needs

SCRIPT = """# /// script
# requires-python = ">=3.11"
# dependencies = ["timm", "pytabkit>=1.7"]
#
# [tool.mlestar]
# weights = ["hf:timm/efficientnet_b0.ra_in1k@0123abc"]
# ///
import timm
"""


def test_packages_and_weights_are_read() -> None:
    needs = read_needs(SCRIPT)
    assert needs == Needs(dependencies=("timm", "pytabkit>=1.7"), weights=("hf:timm/efficientnet_b0.ra_in1k@0123abc",))


@pytest.mark.parametrize(
    "code", ["", "import numpy\n", "# /// other\n# a = 1\n# ///\n", "# /// script\nimport numpy\n"]
)
def test_scripts_without_a_declaration_need_nothing(code: str) -> None:
    assert read_needs(code) == Needs()


def test_line_ends_of_windows_and_a_block_at_the_end_are_read() -> None:
    assert read_needs(SCRIPT.replace("\n", "\r\n")) == read_needs(SCRIPT)
    assert read_needs('# /// script\n# dependencies = ["timm"]\n# ///') == Needs(dependencies=("timm",))


@pytest.mark.parametrize(
    ("block", "problem"),
    [
        ("# dependencies = [\n", "TOML"),
        ("# dependencies = 'timm'\n", "list of texts"),
        ("# dependencies = [1]\n", "list of texts"),
        ("# dependencies = ['not a name']\n", "not a requirement"),
        ("# dependencies = ['x @ https://example.org/x.whl']\n", "names an address"),
        ("# dependencies = ['../x']\n", "not a requirement"),
        ("# tool.mlestar = 3\n", "list of texts"),
        (f"# dependencies = {['a'] * 51}\n", "at most 50"),
    ],
)
def test_unusable_declarations_say_why(block: str, problem: str) -> None:
    with pytest.raises(NeedsError, match=problem):
        read_needs(f"# /// script\n{block}# ///\n")


def test_a_second_block_is_refused() -> None:
    with pytest.raises(NeedsError, match="more than one"):
        read_needs(SCRIPT + SCRIPT)
