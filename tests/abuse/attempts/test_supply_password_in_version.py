"""A script names a variable with the password of the package index as a version, so that pip's message reveals it.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from mlestar.runners.supply.needs import NeedsError, read_needs
from mlestar.runners.supply.packages.lock import PackageError
from mlestar.runners.supply.packages.policy import make_policy
from tests.abuse.attempts.helpers_supply import NAME, docker_runner, make_links, request, write_block, write_wheel


def test_no_name_of_a_variable_reaches_an_installer() -> None:
    with pytest.raises(NeedsError, match="write `==` and a version"):
        read_needs(write_block("timm===${PIP_INDEX_URL}"))
    needs = read_needs(write_block("timm>1; os_name != '${PIP_INDEX_URL}'"))
    assert make_policy("auto", ["timm"]).missing(needs.dependencies, {"numpy": "1"}) == ("timm>1",)


@pytest.mark.docker
@pytest.mark.parametrize("before", ["", "_"])
async def test_a_message_of_pip_shows_no_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: str) -> None:
    write_wheel(make_links(tmp_path, monkeypatch), {"tool.py": ""})
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://me:word-of-the-user@index.example/simple")
    async with docker_runner(tmp_path) as runner:
        with pytest.raises(PackageError, match="ADDRESS") as caught:
            await runner.resolve(request(f"{NAME}==={before}${{PIP_EXTRA_INDEX_URL}}"))
    assert "word-of-the-user" not in str(caught.value)
