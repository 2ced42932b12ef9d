"""A file of allowed packages has options and addresses, and changes after the run has read it.

Outcome: succeeded; prevented since. A line with an address allowed every version of that name on the index.
"""

from pathlib import Path

import pytest

from mlestar.errors import SettingsError
from mlestar.runners.supply.packages.lock import PackageError
from mlestar.runners.supply.packages.policy import make_policy


@pytest.mark.parametrize("line", ["timm @ https://x.example/timm.whl", "-e .", "--index-url https://x.example", "a/b"])
def test_a_line_that_is_no_name_and_versions_is_a_wrong_setting(tmp_path: Path, line: str) -> None:
    path = tmp_path / "allowed.txt"
    path.write_text(f"numpy\n{line}\n")
    with pytest.raises(SettingsError, match="line 2 of"):
        make_policy(str(path), [])


def test_a_later_change_of_the_file_allows_nothing(tmp_path: Path) -> None:
    path = tmp_path / "allowed.txt"
    path.write_text("timm<1\n")
    policy = make_policy(str(path), ["lightgbm"])
    path.write_text("timm\nlightgbm\n")
    assert policy.missing(["timm"], {"numpy": "1"}) == ("timm<1",)
    with pytest.raises(PackageError, match="not in the file"):
        policy.missing(["lightgbm"], {"numpy": "1"})
