"""Replies that are unusual in form, or large, are read like ordinary ones."""

from contextlib import suppress
from typing import Any

import pytest

from mlestar.agents.blocks import locate
from mlestar.agents.coder import CODER
from mlestar.agents.context import read_reply
from mlestar.agents.extractor import EXTRACTOR
from mlestar.agents.initializer import INITIALIZER
from mlestar.agents.leakage import LEAKAGE_CHECKER
from mlestar.agents.planner import PLANNER
from mlestar.agents.reasoning import clean_reply
from mlestar.agents.retriever import RETRIEVER
from mlestar.agents.role import Parsed, Role
from mlestar.agents.script import ScriptError
from mlestar.agents.summarizer import SUMMARIZER
from mlestar.agents.usage_checker import USAGE_CHECKER
from mlestar.llm import ModelReply

PLAN = "Replace the imputer by medians per title of the fold."


def test_null_in_a_list_of_cards_is_dropped() -> None:
    cards = RETRIEVER.parse('```json\n[{"name": "LightGBM", "libraries": ["lightgbm", null]}, null]\n```').cards
    assert [(card.name, card.libraries) for card in cards] == [("LightGBM", ("lightgbm",))]


@pytest.mark.parametrize("tail", ["3", '"text"', "true"])
def test_a_list_without_any_card_is_refused(tail: str) -> None:
    with pytest.raises(ScriptError):
        RETRIEVER.parse(f"```json\n{{}}\n[{tail}]\n```")


@pytest.mark.parametrize(
    "reasoning",
    ["x</think>\n" * 5000, "<think>\nabc\n</think>\n" * 5000, "<think>\n```python\nx = 1\n```\n</think>\n" * 2000],
    ids=["closing tags", "parts", "parts with fences"],
)
def test_any_number_of_parts_of_reasoning_is_dropped(reasoning: str) -> None:
    assert PLANNER.parse(reasoning + PLAN) == PLAN


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        ("<think>a</think><think>b</think>" + PLAN, PLAN),
        ("```\n<think>\n</think>\n```\n" + PLAN, "```\n<think>\n</think>\n```\n" + PLAN),
        ("a\n```\nb\n</think>\n```\n</think>\n```\nx\n```", "\n```\nx\n```"),
        ("a</think>```\n</think>\n```", "```\n</think>\n```"),
    ],
    ids=["adjacent parts", "tags in a fence", "a fence in the reasoning", "a fence at the tag"],
)
def test_tags_inside_a_fence_are_content(reply: str, answer: str) -> None:
    assert clean_reply(reply) == answer


def read(role: Role[Parsed], text: str) -> Parsed:
    return read_reply(role, ModelReply(text=text))


LEAKAGE_JSON = '{"leak": false, "block": "", "reason": "Folds are clean."}'


@pytest.mark.parametrize(
    "prose", ["I don't see any leakage.", "I can't find any leakage.", "I will not change it.", "Sorry for the delay."]
)
def test_prose_before_an_accepted_object_is_no_refusal(prose: str) -> None:
    assert not read(LEAKAGE_CHECKER, f"{prose}\n\n{LEAKAGE_JSON}").leak


@pytest.mark.parametrize(
    ("role", "text"),
    [
        (PLANNER, "Please provide per-title medians of Age, computed in each fold."),
        (PLANNER, "I won't touch the folds; instead, average three seeds of the model."),
        (PLANNER, "I will not change the encoder. Replace the median of Age by one per title."),
        (SUMMARIZER, "I cannot confirm an effect of the imputation; work on add_features."),
        (SUMMARIZER, "I don't see any effect beyond noise for no_title. Work on add_features."),
    ],
)
def test_an_answer_that_begins_with_a_negation_is_no_refusal(role: Role[str], text: str) -> None:
    assert read(role, text) == text


@pytest.mark.parametrize(
    "text", ["I cannot assist with that.", "Unfortunately, I can't help you here.", "I won't write this script."]
)
def test_a_refusal_is_named(text: str) -> None:
    roles: tuple[Role[Any], ...] = (PLANNER, LEAKAGE_CHECKER, USAGE_CHECKER)
    for role in roles:
        with pytest.raises(ScriptError, match="declines the task"):
            read(role, text)


SCRIPT = "print('Final Validation Performance: 1')\nopen('submission.csv')\n"


@pytest.mark.parametrize(
    "text",
    [
        "I don't see any column that is left out.\n\nALL USED",
        "<think>\n```python\ndf['a']\n```\n</think>\n\nALL USED",
        "```\nALL USED\n```",
        "**Answer:** ALL USED",
        "`ALL USED`",
        "ALL USED: no column is left out.",
        "ALL USED - every column reaches the model.",
    ],
)
def test_everything_is_used(text: str) -> None:
    assert read(USAGE_CHECKER, text) is None


@pytest.mark.parametrize(
    "text",
    [
        f"<think>\nIs it\nall used?\nNo, Ticket is missing.\n</think>\n{SCRIPT}",
        f"# all used\n{SCRIPT}",
        f"ALL USED\n```python\n{SCRIPT}```",
    ],
)
def test_a_script_is_not_read_as_all_used(text: str) -> None:
    assert SCRIPT in (read(USAGE_CHECKER, text) or "")


@pytest.mark.parametrize("text", ["All used, except Ticket.", "All used? No."])
def test_a_limited_answer_is_refused(text: str) -> None:
    with pytest.raises(ScriptError):
        read(USAGE_CHECKER, text)


WORDS = "the model is robust and "
LARGE: dict[str, tuple[Role[Any], str]] = {
    "a fence's mark in a long line": (PLANNER, f"{WORDS * 8000}```x y {WORDS * 8000}"),
    "braces": (LEAKAGE_CHECKER, "\n".join(f"cfg{i} = {{'a': {i}}}" for i in range(9000))),
    "fences that do not compile": (
        INITIALIZER,
        "\n".join(f"```python\ny = 1\nx = = {i}\n{'z = 1' * 20}\n```" for i in range(900)),
    ),
    "opening tags": (CODER, "<code>\n" * 30000),
    "removed lines": (CODER, "```python\ndef f(:\n" + "-a\n / b\n" * 25000 + "```"),
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", LARGE)
def test_the_work_for_a_large_reply_is_bounded(name: str) -> None:
    role, text = LARGE[name]
    with suppress(ScriptError):
        role.parse(text)


@pytest.mark.timeout(60)
def test_typographic_quotes_are_replaced_in_every_line_and_kept_in_strings() -> None:
    code = "d = {}\n" + "".join(f"d[\u201ccol{i}\u201d] = '\u201cx\u201d'  # \u2013\n" for i in range(4000))
    plain = "d = {}\n" + "".join(f"d[\"col{i}\"] = '\u201cx\u201d'  # \u2013\n" for i in range(4000))
    assert CODER.parse(f"```python\n{code}```") == plain


def test_a_diff_is_refused() -> None:
    with pytest.raises(ScriptError, match="diff"):
        CODER.parse("```python\n x = 1\n-y = 2\n z = 3\n+y = 3\n```")


@pytest.mark.parametrize(
    "reply",
    [
        '{"model_cards": [{"name": "A"}, {"name": "B"}]}',
        '```json\n{"name": "A"}\n{"name": "B"}\n```',
        '{"cards": [{"name": "A"}, {"title": "no name"}, 3, {"name": "B"}]}',
    ],
    ids=["another name", "an object per line", "bad cards"],
)
def test_cards_are_read_as_models_write_them(reply: str) -> None:
    assert [card.name for card in RETRIEVER.parse(reply).cards] == ["A", "B"]


def test_the_fields_of_a_card_are_read_as_models_write_them() -> None:
    libraries = '[{"name": "lightgbm", "version": "4"}, {"name": "xgboost", "version": ">=2"}, "numpy"]'
    reply = f'{{"cards": [{{"name": "A", "example_code": ["import a", "x = 1"], "libraries": {libraries}}}]}}'
    card = RETRIEVER.parse(reply).cards[0]
    assert (card.example_code, card.libraries) == ("import a\nx = 1", ("lightgbm", "xgboost>=2", "numpy"))


def test_one_card_is_a_list_of_one() -> None:
    assert [card.name for card in RETRIEVER.parse('{"name": "A"}').cards] == ["A"]


def test_a_reply_of_bad_cards_only_is_refused() -> None:
    with pytest.raises(ScriptError, match="name"):
        RETRIEVER.parse('{"cards": [{"title": "no name"}]}')


@pytest.mark.parametrize(
    ("reply", "plan"),
    [
        ("So let us replace the imputer by medians per title.", None),
        ("{Title, Pclass} interactions: add one column that joins both.", None),
        (f"**Reasoning:** The imputer ignores titles.\n\n**Plan:** {PLAN}", PLAN),
        (f"## Rationale\nThe imputer ignores titles.\n\n## Plan\n{PLAN}", PLAN),
    ],
)
def test_a_plan_is_read(reply: str, plan: str | None) -> None:
    assert PLANNER.parse(reply) == (plan or reply)


@pytest.mark.parametrize(
    "reply",
    [
        "Hmm, what about target encoding? Maybe not. Let me think about seeds. Final plan: average five seeds.",
        "Looking at the attempts, depth hurt. Maybe not. Let me think about seeds. Final plan: average five seeds.",
        "So let me think about the imputer, which ignores titles.",
        "So, let's see what the imputer does with titles.",
        "**Reasoning:** The imputer ignores titles, so something else may help.",
    ],
)
def test_reasoning_without_tags_is_no_plan(reply: str) -> None:
    with pytest.raises(ScriptError, match="reasoning"):
        PLANNER.parse(reply)


def test_a_block_may_be_a_list_of_lines() -> None:
    reply = f'{{"block": ["x = 1", "y = 2"], "plan": "{PLAN}"}}'
    assert EXTRACTOR.parse(reply).block == "x = 1\ny = 2"


@pytest.mark.parametrize(
    "line",
    [r'titles = re.findall(r"\bMr\b", text)', r'train = read("train.csv", sep="\t")', r'print(f"\nFinal {score}")'],
    ids=["word boundary", "tab", "line break"],
)
def test_escapes_that_json_read_as_characters_are_restored_to_locate_a_block(line: str) -> None:
    script = f"import re\n{line}  # it's one\nx = 1\n"
    quoted = (line + "  # it's one").replace('"', '\\"')
    block = EXTRACTOR.parse(f'{{"block": "{quoted}\\nx = 1", "plan": "{PLAN}"}}').block
    assert block not in script
    assert locate(script, block) == f"{line}  # it's one\nx = 1"
