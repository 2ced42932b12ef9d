"""A script declares addresses, local folders, options and names that look like an allowed one.

Outcome: prevented.
"""

import pytest

from mlestar.runners.supply.needs import NeedsError, read_needs
from mlestar.runners.supply.packages.lock import PackageError
from mlestar.runners.supply.packages.policy import make_policy
from tests.abuse.attempts.helpers_supply import write_block


@pytest.mark.parametrize(
    "text",
    [
        *("-e .", "--index-url=https://x.example", "-r /etc/passwd", "./timm", "/opt/timm", "file:///opt/timm.whl", ""),
        *("timm @ file:///opt/timm.whl", "timm @ git+https://x.example/timm", "git+https://x.example/timm"),
        *("timm\n--index-url=https://x.example", "timm; os_name != '\n--pre\n'", "timm --hash=sha256:00", "timm \\"),
        *("t\u0456mm", "tim\u043c", "timm\u200b", "\u202etimm", "\uff54imm"),
    ],
)
def test_what_is_no_name_and_version_is_refused(text: str) -> None:
    with pytest.raises(NeedsError, match=r"is not a requirement|names an address"):
        read_needs(write_block(text))


@pytest.mark.parametrize("text", ["t1mm", "tim_m", "timm-nightly", "TIMN[all]"])
def test_a_similar_name_is_not_allowed(text: str) -> None:
    with pytest.raises(PackageError, match=r"did you mean|may not be added"):
        make_policy("auto", ["timm"]).missing(read_needs(write_block(text)).dependencies, {"numpy": "1"})
