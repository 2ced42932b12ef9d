"""A script keeps the block that declares its packages and weights, whoever rewrites it."""

import time

import pytest

from mlestar.agents.ablator import ask_for_study
from mlestar.agents.blocks import replace_block
from mlestar.agents.context import AgentContext
from mlestar.agents.debugging import repair_script
from mlestar.agents.declarations import add_needs, declare, pin_needs
from mlestar.agents.ensembling import Member, ask_for_ensemble
from mlestar.agents.merger import merge_scripts
from mlestar.agents.script import ScriptError
from mlestar.agents.usage_checker import check_usage
from mlestar.llm.caller import ModelReply
from mlestar.prompts import Prompts
from mlestar.runners.supply import Needs, read_needs
from mlestar.state import Brief

END = 'print("Final Validation Performance:", 0.5)\nopen("./submission.csv", "w").close()\n'
BLOCK = '# /// script\n# requires-python = ">=3.11"\n# dependencies = ["pytabkit>=1.7"]\n# ///\n'
USES = f"import pytabkit\n\n\ndef model():\n    return pytabkit.RealMLP()\n\n\nmodel()\n{END}"
SCRIPT = BLOCK + USES
OTHER = f'# /// script\n# dependencies = ["scikit-survival"]\n# ///\nimport sksurv\n\nsksurv.__version__\n{END}'
WEIGHTS = f"""# /// script
# dependencies = [
#     "timm[extra]>=1",  # a comment with ]
# ]
#
# [tool.other]
# dependencies = 1
#
# [tool.mlestar]
# weights = ["hf:timm/vit_base@0123", "hf:timm/resnet18@4567"]
# ///
import timm

timm.create_model("vit_base", pretrained=True)
timm.create_model("timm/resnet18", pretrained=True)
{END}"""


def answering(brief: Brief, code: str) -> AgentContext:
    async def call(role: str, prompt: str, sample: tuple[int, int]) -> ModelReply:
        return ModelReply(text=f"```python\n{code}\n```")

    return AgentContext(call=call, prompts=Prompts(), brief=brief)


async def rewrite(brief: Brief, kind: str, code: str) -> str | None:
    agent = answering(brief, code)
    if kind == "merger":
        return await merge_scripts(agent, SCRIPT, USES)
    if kind == "ensembler":
        members = [Member(id=name, title="a", score=0.5, code=SCRIPT) for name in "ab"]
        return await ask_for_ensemble(agent, members, "Average.", 60)
    if kind == "debugger":
        return await repair_script(agent, SCRIPT, "It fails.", [])
    if kind == "usage_checker":
        return await check_usage(agent, SCRIPT)
    return await ask_for_study(agent, SCRIPT, [])


@pytest.mark.parametrize("kind", ["merger", "ensembler", "debugger", "usage_checker", "ablator"])
async def test_an_agent_that_forgets_the_block_does_not_lose_it(brief: Brief, kind: str) -> None:
    code = USES.replace("model()\n", 'model()\nprint("variants")\n')
    rewritten = await rewrite(brief, kind, code)
    assert rewritten is not None
    assert read_needs(rewritten).dependencies == ("pytabkit>=1.7",)
    assert rewritten.rstrip("\n").endswith(code.rstrip("\n"))


async def test_an_agent_that_no_longer_imports_a_package_drops_it(brief: Brief) -> None:
    assert read_needs(await repair_script(answering(brief, END), SCRIPT, "It is unavailable.", [])) == Needs()


async def test_a_repair_may_drop_a_package_that_no_import_names(brief: Brief) -> None:
    unnamed = SCRIPT.replace("pytabkit>=1.7", "no-such-plugin")
    assert read_needs(await repair_script(answering(brief, USES), unnamed, "It is unavailable.", [])) == Needs()
    assert read_needs(add_needs(USES, unnamed)).dependencies == ("no-such-plugin",)


def test_two_scripts_that_are_merged_declare_what_both_need() -> None:
    merged = f"import pytabkit\nimport sksurv\n{END}"
    assert read_needs(add_needs(merged, SCRIPT, OTHER)).dependencies == ("scikit-survival", "pytabkit>=1.7")


def test_a_script_with_its_own_block_gets_what_it_still_imports_and_keeps_its_version() -> None:
    own = f'# /// script\n# dependencies = ["pytabkit==1.8"]\n# ///\nimport pytabkit\nimport sksurv\n{END}'
    assert {*read_needs(add_needs(own, SCRIPT, OTHER)).dependencies} == {"pytabkit==1.8", "scikit-survival"}
    own = f'# /// script\n# dependencies = ["pytabkit==1.8"]\n# ///\nimport pytabkit\n{END}'
    assert add_needs(own, SCRIPT, OTHER) == own


def test_a_weight_is_kept_while_the_script_names_it() -> None:
    body = WEIGHTS[WEIGHTS.index("import timm") :]
    without = body.replace('timm.create_model("timm/resnet18", pretrained=True)\n', "")
    kept = read_needs(add_needs(without, WEIGHTS))
    assert kept == Needs(dependencies=("timm[extra]>=1",), weights=("hf:timm/vit_base@0123",))


def test_what_else_a_block_says_is_kept() -> None:
    more = declare(WEIGHTS, '# /// script\n# dependencies = ["einops"]\n# ///')
    assert read_needs(more).dependencies == ("timm[extra]>=1", "einops")
    assert read_needs(more).weights == read_needs(WEIGHTS).weights
    assert "# [tool.other]\n# dependencies = 1\n" in more
    assert '# requires-python = ">=3.11"\n' in declare(SCRIPT, "# /// script\n# dependencies = []\n# ///")


def test_a_script_whose_block_cannot_be_read_stays_as_it_is() -> None:
    broken = f"# /// script\n# dependencies = [1]\n# ///\n{END}"
    assert add_needs(broken, SCRIPT) == broken


def test_a_rewritten_block_may_declare_a_package() -> None:
    new = '# /// script\n# dependencies = ["einops"]\n# ///\nimport einops\n\ndef model():\n    return einops\n'
    patched = replace_block(SCRIPT, "def model():\n    return pytabkit.RealMLP()", new)
    assert read_needs(patched).dependencies == ("pytabkit>=1.7", "einops")
    assert patched.index("# ///") < patched.index("import einops") < patched.index("def model")


def test_a_replaced_block_that_covers_the_declaration_keeps_it() -> None:
    block = f"{BLOCK}import pytabkit"
    assert read_needs(replace_block(SCRIPT, block, "import pytabkit\nimport numpy")).dependencies == ("pytabkit>=1.7",)


def test_a_declaration_of_a_block_that_cannot_be_read_is_refused() -> None:
    with pytest.raises(ScriptError, match="must be a list"):
        replace_block(SCRIPT, "model()\n", '# /// script\n# dependencies = "einops"\n# ///\nmodel()\n')


def test_a_script_without_a_declaration_gets_its_imports_at_its_top_and_no_block() -> None:
    patched = replace_block(
        "def model():\n    return 1\n\n\nmodel()\n", "    return 1", "import numpy\n    return numpy.pi"
    )
    assert patched.startswith("import numpy\ndef model():")


VERSIONS = {"numpy": "2.4.6", "scikit-learn": "1.9.1", "torch": "2.13.0+cpu", "timm": "1.0.31"}
MODULES = {"numpy": "numpy", "sklearn": "scikit-learn", "torch": "torch"}


def pin(code: str) -> str:
    return pin_needs(code, python="3.11.7", versions=VERSIONS, modules=MODULES)


def test_what_a_script_imports_is_declared_in_the_version_that_was_there() -> None:
    pinned = pin("import json\nimport numpy as np\nfrom sklearn.svm import SVC\nimport torch, unknown\n")
    dependencies = ("numpy==2.4.6", "scikit-learn==1.9.1", "torch==2.13.0")
    assert read_needs(pinned) == Needs(dependencies=dependencies)
    assert '# requires-python = "==3.11.*"' in pinned
    assert pinned.endswith("import json\nimport numpy as np\nfrom sklearn.svm import SVC\nimport torch, unknown\n")


def test_declared_packages_are_pinned_and_the_rest_of_the_block_stays() -> None:
    code = """# /// script
# requires-python = ">=3.10"
# dependencies = ["timm[extra]>=1", "other<2"]
#
# [tool.mlestar]
# weights = ["hf:timm/tiny@0123"]
# ///
import timm
"""
    needs = read_needs(pin(code))
    assert needs == Needs(dependencies=("timm[extra]==1.0.31", "other<2"), weights=("hf:timm/tiny@0123",))
    assert 'requires-python = ">=3.10"' in pin(code)
    assert "==3.11" not in pin(code)
    assert pin(pin(code)) == pin(code)


@pytest.mark.parametrize(
    "code", ["print(1)\n", "import unknown\n", "# /// script\n# dependencies = [\n# ///\nimport numpy\n"]
)
def test_scripts_without_a_known_import_or_with_a_broken_block_stay(code: str) -> None:
    assert pin(code) == code


@pytest.mark.parametrize(
    "table", ['[tool.mlestar] # mine\n# weights = ["hf:a/b@c"]', 'tool.mlestar.weights = ["hf:a/b@c"]']
)
def test_a_block_in_another_form_of_toml_is_written_so_that_it_can_be_read(table: str) -> None:
    code = f'# /// script\n# dependencies = ["timm"]\n# {table}\n# ///\nimport timm\n'
    assert read_needs(pin(code)) == Needs(dependencies=("timm==1.0.31",), weights=("hf:a/b@c",))
    assert pin(code).endswith("# ///\nimport timm\n")


def test_a_version_that_is_none_of_todays_is_not_pinned() -> None:
    pinned = pin_needs("import old\n", python="3.11.9", versions={"old": "2004-custom_x"}, modules={"old": "old"})
    assert read_needs(pinned) == Needs(dependencies=("old",))


def test_many_openings_of_a_block_are_read_in_time() -> None:
    started = time.monotonic()
    assert read_needs("# /// script\n" * 20_000 + "x = 1\n") == Needs()
    assert time.monotonic() - started < 2
