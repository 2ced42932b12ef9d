"""What a real engine's images have: the variant that `auto` picks, and libraries that cannot be imported."""

import asyncio
import io
import tarfile
from collections.abc import Iterator

import docker
import pytest

from mlestar.runners import ContainerOptions, DockerRunner, Environment
from mlestar.runners.docker.image import image_tag
from tests.integration.command import run_mlestar

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
TAG = "mlestar-test-environment:broken"
DOCKERFILE = """FROM {base}
USER 0
RUN python -c "import pathlib, sysconfig as s; root = pathlib.Path(s.get_path('purelib')); \\
    (root / 'brokenlib.py').write_text('import absent'); info = root / 'brokenlib-1.0.dist-info'; info.mkdir(); \\
    (info / 'METADATA').write_text('Metadata-Version: 2.1\\nName: brokenlib\\nVersion: 1.0\\n\\
Requires-Dist: numpy\\nRequires-Dist: absent\\n'); (info / 'top_level.txt').write_text('brokenlib'); \\
    (info / 'RECORD').write_text('brokenlib.py,,\\n')"
USER 10001:10001
"""


async def describe(image: str, data: str = "") -> tuple[Environment, list[str]]:
    lines: list[str] = []
    runner = DockerRunner(ContainerOptions(image=image, data=data), on_progress=lines.append)
    try:
        return await runner.environment(), lines
    finally:
        await runner.aclose()


@pytest.fixture
def broken_image() -> Iterator[str]:
    base, _ = asyncio.run(describe("base"))
    text = DOCKERFILE.format(base=base.image).encode()
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        member = tarfile.TarInfo("Dockerfile")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    context.seek(0)
    client = docker.from_env()
    try:
        client.images.build(fileobj=context, custom_context=True, tag=TAG, rm=True, forcerm=True)
        yield TAG
    finally:
        client.images.remove(TAG, force=True)
        client.close()


async def test_auto_says_which_image_it_picked_and_how_large_it_is() -> None:
    environment, lines = await describe("auto", "table")
    client = docker.from_env()
    image = client.images.get(image_tag("base"))
    client.close()
    assert environment.image == image.id
    size = f"{image.attrs['Size'] / 1e9:.1f} GB"
    assert lines[0] in (
        f"image auto: base (table data, no GPU), {size}, already built",
        "image auto: base (table data, no GPU), 1.6 GB, built now, once, which takes minutes",
    )


async def test_the_sandbox_lists_every_distribution_and_libraries_for_data_with_versions() -> None:
    environment, _ = await describe("base")
    for_data = {"catboost", "lightgbm", "numpy", "pandas", "pillow", "pyarrow", "scikit-learn", "scipy", "xgboost"}
    assert for_data <= set(environment.packages)
    assert {"kiwisolver", "joblib", "pip"} <= set(environment.distributions)
    assert environment.broken == {}


def test_a_library_that_cannot_be_imported_is_left_out_and_named_by_the_doctor(broken_image: str) -> None:
    environment, _ = asyncio.run(describe(broken_image))
    reason = "ModuleNotFoundError: No module named 'absent'"
    assert environment.broken == {"brokenlib": reason}
    assert "brokenlib" not in environment.distributions
    shown = " ".join(run_mlestar("doctor", "--set", f"image={broken_image}").stdout.split())
    assert f"cannot be imported: brokenlib ({reason})" in shown
