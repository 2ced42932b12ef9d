"""A card is left out only for a library that the sandbox does not have, by whatever name the card asks for it."""

from pathlib import Path

import pytest

import mlestar
from mlestar.agents.retriever import CardProposal
from mlestar.retrieval import find_missing
from mlestar.runners import Environment, ScriptedRunner
from mlestar.runners.local.runner import LocalRunner
from mlestar.state import Brief, ModelCard, Supply
from tests.unit.scenario import Scenario, as_json, fence, script, signs
from tests.unit.test_failures import ONE, FixedRetriever

PACKAGES = {"scikit-learn": "1.9.1", "xgboost": "3.2.0", "torch": "2.6.0+cpu"}
DISTRIBUTIONS = {
    **PACKAGES,
    "pillow": "13.0.0",
    "opencv-python-headless": "4.12.0",
    "pyyaml": "6.0.3",
    "beautifulsoup4": "4.14.0",
    "python-dateutil": "4.0.0",
    "ruamel-yaml": "0.18.0",
    "odd": "of today",
    "strange-name": "1.0",
}
MODULES = {"sklearn": "scikit-learn", "PIL": "pillow", "cv2": "opencv-python-headless", "oddly": "strange-name"}


@pytest.fixture
def sandbox(brief: Brief) -> Brief:
    facts = {"python": "3.12.4", "packages": PACKAGES, "distributions": DISTRIBUTIONS, "modules": MODULES}
    return brief.model_copy(update=facts)


@pytest.mark.parametrize(
    "library",
    [
        "scikit-learn",
        "Scikit_Learn",
        "sklearn",
        "sklearn.ensemble",
        "from sklearn.ensemble import RandomForestClassifier",
        "import xgboost as xgb",
        "pip install -U xgboost",
        "`xgboost`",
        "xgboost>=2.0",
        "xgboost (>=2.0)",
        "xgboost>=2,<4",
        "xgboost 2.0",
        "xgboost[dask]>=2.0",
        "xgboost==1.7.6",
        "xgboost==1.7.*",
        "xgboost~=2.1",
        "torch>=2.6",
        "PyTorch",
        "PIL",
        "pil",
        "Pillow",
        "cv2",
        "opencv-python",
        "yaml",
        "bs4",
        "dateutil",
        "ruamel.yaml",
        "oddly",
        "odd>=1",
        "json",
        "xml.etree.ElementTree",
        "collections",
        "python>=3.9",
        "tensorflow; python_version < '3.8'",
        "none",
        "",
        "lightgbm or xgboost",
        "lightgbm / xgboost",
        "sklearn, xgboost>=2",
        "xgboost<2",
        "xgboost<=2.0",
        "xgboost>=1.7,<3.0",
        "python>=3.8,<3.12",
        "none required",
        "None (only numpy)",
        "No external libraries",
        "Standard library: re, os",
        "re (standard library)",
        "built-in json",
        "sklearn (RandomForestRegressor, StratifiedKFold)",
        "!pip install xgboost",
        "%pip install -q 'xgboost>=2' torch",
        "conda install -c conda-forge xgboost",
        "scikit learn",
        "optuna (optional)",
        "xgboost, optuna (optional)",
    ],
)
def test_what_the_sandbox_has_is_recognized(sandbox: Brief, library: str) -> None:
    assert find_missing(ModelCard(name="x", libraries=(library,)), sandbox) == []


@pytest.mark.parametrize(
    ("library", "reason"),
    [
        ("hosted-api", "hosted-api (not in the sandbox; --packages ask would ask about it)"),
        ("lightgbm", "lightgbm (not in the sandbox; --packages auto would add it)"),
        ("lightgbm or catboost", "lightgbm (not in the sandbox; --packages auto would add it)"),
        ("sklearn, lightgbm>=4", "lightgbm (not in the sandbox; --packages auto would add it)"),
        ("xgboost>=9.0", "xgboost>=9.0 (the sandbox has 3.2.0)"),
        ("xgboost==9.0", "xgboost==9.0 (the sandbox has 3.2.0)"),
        ("xgboost>=4,<5", "xgboost<5,>=4 (the sandbox has 3.2.0)"),
        ("!pip install -q xgboost lightgbm", "lightgbm (not in the sandbox; --packages auto would add it)"),
        ("lightgbm (LGBMClassifier)", "lightgbm (not in the sandbox; --packages auto would add it)"),
        ("Standard library and lightgbm", "lightgbm (not in the sandbox; --packages auto would add it)"),
        ("(lightgbm", "lightgbm (not in the sandbox; --packages auto would add it)"),
        ("nolds", "nolds (not in the sandbox; --packages ask would ask about it)"),
        ("no-such-library", "no-such-library (not in the sandbox; --packages ask would ask about it)"),
        ("sklearn>=2", "sklearn>=2 (the sandbox has 1.9.1)"),
        ("python>=3.14", "python>=3.14 (the sandbox has 3.12.4)"),
        ("sklearn-pandas", "sklearn-pandas (not in the sandbox; --packages ask would ask about it)"),
    ],
)
def test_what_it_does_not_have_is_named_with_the_version_that_is_there(
    sandbox: Brief, library: str, reason: str
) -> None:
    card = ModelCard(name="x", libraries=("sklearn", library))
    assert find_missing(card, sandbox) == [reason]


@pytest.mark.parametrize("library", ["sklearn", "xgboost>=2.0", "PyTorch", "json", "torch.nn"])
def test_names_are_resolved_for_a_runner_that_lists_only_its_packages(sandbox: Brief, library: str) -> None:
    sandbox = sandbox.model_copy(update={"distributions": {}, "modules": {}})
    assert find_missing(ModelCard(name="x", libraries=(library,)), sandbox) == []
    assert find_missing(ModelCard(name="x", libraries=("PIL",)), sandbox) == [
        "PIL (not in the sandbox; --packages ask would ask about it)"
    ]


@pytest.mark.parametrize(
    ("supply", "missing"),
    [
        (Supply(), ["timm (not in the sandbox; --packages ask would ask about it)"]),
        (Supply(packages="ask"), []),
        (Supply(packages="auto", allowed=("timm",)), []),
        (
            Supply(packages="auto", allowed=("einops",)),
            ["timm (not in the sandbox; --packages ask would ask about it)"],
        ),
        (Supply(packages="file", allowed=("timm>=1",)), []),
    ],
)
def test_a_library_that_may_be_added_is_not_missing(sandbox: Brief, supply: Supply, missing: list[str]) -> None:
    sandbox = sandbox.model_copy(update={"supply": supply})
    assert find_missing(ModelCard(name="x", libraries=("timm>=1.0",)), sandbox) == missing
    too_new = find_missing(ModelCard(name="x", libraries=("xgboost>=9",)), sandbox)
    assert too_new == ["xgboost>=9 (the sandbox has 3.2.0)"]


@pytest.mark.parametrize(
    ("supply", "has"),
    [
        (Supply(), False),
        (Supply(weights="auto"), True),
        (Supply(weights="ask"), True),
        (Supply(stored_weights=("hf:timm/resnet18@0123",)), True),
        (Supply(stored_weights=("hf:timm/resnet50@0123",)), False),
    ],
)
@pytest.mark.parametrize("address", ["hf:timm/resnet18@0123", "hf:timm/resnet18"])
def test_weights_that_may_not_be_fetched_name_the_setting(
    sandbox: Brief, supply: Supply, has: bool, address: str
) -> None:
    sandbox = sandbox.model_copy(update={"supply": supply})
    missing = [] if has else [f"{address} (not in the store; --weights auto would fetch it)"]
    assert find_missing(ModelCard(name="x", weights=(address,)), sandbox) == missing


@pytest.mark.parametrize(
    "library",
    [
        "xgboost==2.0+cpu",
        "xgboost===3.2.0",
        "xgboost>=abc",
        "xgboost; python_version < 'abc'",
        "xgboost; extra == 'gpu'",
        "xgboost @ https://example.org/x.whl",
        "xgboost\u2265 2.0",
        "xgboost" + " " * 5000,
        ">=2",
        "\U0001f999",
        "`",
    ],
)
def test_text_that_is_not_a_requirement_does_not_end_the_run(sandbox: Brief, library: str) -> None:
    assert find_missing(ModelCard(name="x", libraries=(library,)), sandbox) == []


@pytest.mark.parametrize(("written", "read"), [(None, ()), ("numpy, pandas", ("numpy, pandas",)), (["a"], ("a",))])
def test_a_card_may_list_its_libraries_in_any_form(written: object, read: tuple[str, ...]) -> None:
    assert CardProposal.model_validate({"name": "x", "libraries": written}).libraries == read


async def test_the_local_sandbox_names_its_modules_and_versions(tmp_path: Path) -> None:
    runner = LocalRunner()
    environment = await runner.environment()
    await runner.aclose()
    assert environment.modules["sklearn"] == "scikit-learn"
    assert environment.distributions["scikit-learn"] == environment.packages["scikit-learn"]
    assert "jinja2" in environment.distributions


async def test_a_card_that_is_left_out_is_in_the_result_and_the_report_with_its_reason(tmp_path: Path) -> None:
    proposals = as_json(
        cards=[{"name": "Old", "libraries": ["xgboost>=9"]}, {"name": "Trees", "libraries": ["sklearn", "json"]}]
    )
    scenario = Scenario(retriever=proposals, initializer=fence(script(0.6, "A")))
    environment = Environment(
        runner="scripted", image="none", python="3.12.0", packages=PACKAGES, cpus=1, memory_mb=4096, network=False
    )
    spare = FixedRetriever(ModelCard(name="Spare", source="https://example.org/spare"))
    options = scenario.options(runner=ScriptedRunner(scenario.run, environment), retrieval=spare)
    settings = {**ONE, "retrieved_models": 2, "runs_dir": tmp_path / "runs"}
    result = await mlestar.asolve(signs(), settings=settings, run_id="run", **options)
    assert [row.title for row in result.solutions if row.origin == "candidate"] == ["Trees", "Spare"]
    reason = "needs xgboost>=9 (the sandbox has 3.2.0)"
    assert [(source.title, source.dropped) for source in result.sources if source.dropped] == [("Old", reason)]
    assert "(the sandbox has 3.2.0)" in Path(result.report or "").read_text(encoding="utf-8")


@pytest.mark.parametrize(("revision", "has"), [("a" * 40, True), ("b" * 40, False), ("", True)])
def test_a_card_with_a_commit_needs_that_commit(sandbox: Brief, revision: str, has: bool) -> None:
    sandbox = sandbox.model_copy(update={"supply": Supply(stored_weights=(f"hf:timm/resnet18@{'a' * 40}",))})
    address = f"hf:timm/resnet18@{revision}".rstrip("@")
    assert bool(find_missing(ModelCard(name="x", weights=(address,)), sandbox)) != has


@pytest.mark.parametrize("text", ["none", "None (inside the library)", " ", "n/a"])
def test_a_card_that_says_in_words_that_it_needs_no_weights_needs_none(sandbox: Brief, text: str) -> None:
    assert find_missing(ModelCard(name="x", weights=(text,)), sandbox) == []
