"""A wheel depends on source code by its address, so that resolving executes its build code beside the index's password.

Outcome: succeeded; prevented since.
"""

from pathlib import Path

import pytest

from mlestar.runners.supply.packages.lock import PackageError
from tests.abuse.attempts.helpers_supply import (
    OTHER,
    docker_runner,
    local_runner,
    make_links,
    request,
    write_source,
    write_wheel,
)


@pytest.mark.docker
async def test_the_resolver_builds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links = make_links(tmp_path, monkeypatch)
    source = write_source(links, "raise SystemExit('executed')")
    write_wheel(links, {"tool.py": ""}, requires=[f"{OTHER} @ {source.as_uri()}"])
    async with docker_runner(tmp_path) as runner:
        with pytest.raises(PackageError, match="depends on source code at an address, which is not built"):
            await runner.resolve(request())


async def test_nor_does_the_local_runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    links, mark = make_links(tmp_path, monkeypatch), tmp_path / "executed"
    source = write_source(links, f"open({str(mark)!r}, 'w')")
    write_wheel(links, {"tool.py": ""}, requires=[f"{OTHER} @ {source.as_uri()}"])
    runner = local_runner(tmp_path)
    with pytest.raises(PackageError, match="URL dependency"):
        await runner.resolve(request())
    assert not mark.exists()
    await runner.aclose()
