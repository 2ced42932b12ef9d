"""A wheel states small files that unpack to much more, to pass the limit on its unpacked size.

Outcome: prevented.
"""

import struct
from hashlib import sha256
from pathlib import Path

import pytest

from mlestar.runners.supply.packages.lock import InstallLimits, Lock, LockedPackage, PackageError
from tests.abuse.attempts.helpers_supply import NAME, docker_runner, local_runner, make_links, write_wheel

SIZE = 3 * 2**20


def write_false_wheel(links: Path) -> Lock:
    write_wheel(links, {"big.txt": "0" * SIZE})
    (path,) = links.iterdir()
    content = path.read_bytes()
    assert content.count(struct.pack("<I", SIZE)) == 2
    path.write_bytes(content.replace(struct.pack("<I", SIZE), struct.pack("<I", 100)))
    return Lock((LockedPackage(name=NAME, version="1.0", hashes=(sha256(path.read_bytes()).hexdigest(),)),))


@pytest.mark.docker
async def test_the_builder_refuses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = write_false_wheel(make_links(tmp_path, monkeypatch))
    async with docker_runner(tmp_path) as runner:
        with pytest.raises(PackageError, match="cannot be added"):
            await runner.install(lock, InstallLimits())


async def test_the_local_runner_refuses_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = write_false_wheel(make_links(tmp_path, monkeypatch))
    runner = local_runner(tmp_path)
    with pytest.raises(PackageError, match="cannot be added"):
        await runner.install(lock, InstallLimits())
    await runner.aclose()
