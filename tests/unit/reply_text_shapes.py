"""Shapes of replies with a JSON object, and of replies in plain text."""

import json
import random
import re

from mlestar.llm import ModelReply
from tests.unit.reply_code_shapes import fence
from tests.unit.reply_materials import Material
from tests.unit.reply_shape import Shape, accepted, asked_again, refused

FORM = '{"leak": true or false}'
QUOTING = ("extractor", "leakage_checker")
"""Roles that quote a block of a script."""


def _object(m: Material) -> dict[str, object]:
    value: dict[str, object] = json.loads(m.content)
    return value


def _with(m: Material, **values: object) -> str:
    return json.dumps({**_object(m), **values}, indent=2)


def _quoted_block(m: Material) -> str:
    return str(_object(m)["block"])


def _distorted(m: Material, draw: random.Random) -> str:
    """Return the object with one letter of its block changed, so that the block occurs nowhere."""
    block = _quoted_block(m)
    position = draw.choice([match.start() for match in re.finditer(r"[a-z]", block)])
    return _with(m, block=f"{block[:position]}Q{block[position + 1 :]}")


def _raw_breaks(m: Material) -> str:
    """Return the object with line breaks inside its texts, as a model writes code into JSON."""
    return m.content.replace("\\n", "\n")


def _fenced_field(m: Material) -> str:
    return _with(m, block=fence(_quoted_block(m)))


def _single_quotes(m: Material) -> str:
    return repr(_object(m))


def _triple_quotes(m: Material) -> str:
    block = _quoted_block(m).replace('"""', '\\"\\"\\"')
    return _with(m, block="HERE").replace('"HERE"', f'"""{block}"""')


OBJECT: tuple[Shape, ...] = (
    accepted("JSON fence", lambda m, d: fence(m.content, "json")),
    accepted("prose around", lambda m, d: f"Here it is:\n\n{fence(m.content, 'json')}\n\nLet me know!"),
    accepted("bare object", lambda m, d: m.content),
    accepted("object in prose", lambda m, d: f"My answer is {m.content} as you asked."),
    accepted("unnamed fence", lambda m, d: fence(m.content, "")),
    accepted("python fence", lambda m, d: fence(_single_quotes(m))),
    accepted("assignment in a python fence", lambda m, d: fence(f"answer = {_single_quotes(m)}")),
    accepted("name in capitals", lambda m, d: fence(m.content, "JSON")),
    accepted("tilde fence", lambda m, d: fence(m.content, "json", "~~~")),
    accepted("indented fence", lambda m, d: "\n".join(f"    {line}" for line in fence(m.content, "json").split("\n"))),
    accepted(
        "fence in a quotation", lambda m, d: "\n".join(f"> {line}" for line in fence(m.content, "json").split("\n"))
    ),
    accepted("not closed", lambda m, d: f"```json\n{m.content}"),
    accepted("closed on the last line", lambda m, d: f"```json\n{m.content}```"),
    accepted("on the line of the fence", lambda m, d: f"```json {json.dumps(_object(m))}```"),
    accepted("answer tags", lambda m, d: f"<answer>\n{m.content}\n</answer>"),
    accepted(
        "think with an object", lambda m, d: f"<think>\nPerhaps {m.other}?\nNo.\n</think>\n{fence(m.content, 'json')}"
    ),
    accepted("think not closed", lambda m, d: f"<think>\nPerhaps.\n\n{fence(m.content, 'json')}"),
    accepted("only the closing tag", lambda m, d: f"Perhaps {m.other}? No.\n</think>\n\n{m.content}"),
    accepted(
        "comments", lambda m, d: fence(m.content.replace("{\n", "{\n  // the answer\n  /* in full */\n", 1), "json")
    ),
    accepted("comment of Python", lambda m, d: fence(m.content.replace("{\n", "{  # the answer\n", 1), "json")),
    accepted("trailing comma", lambda m, d: fence(re.sub(r"\n\}$", ",\n}", m.content), "json")),
    accepted("trailing comma and comment", lambda m, d: fence(re.sub(r"\n\}$", ",  // end\n}", m.content), "json")),
    accepted(
        "keys without quotes",
        lambda m, d: fence(re.sub(r'^  "(\w+)":', r"  \1:", m.content, flags=re.MULTILINE), "json5"),
    ),
    accepted("literal of Python", lambda m, d: _single_quotes(m)),
    accepted("null for what is left out", lambda m, d: _with(m, note=None)),
    accepted("further field", lambda m, d: _with(m, confidence=0.9)),
    accepted("object in an object", lambda m, d: json.dumps({"answer": _object(m)})),
    accepted(
        "typographic quotes",
        lambda m, d: "{\u201cleak\u201d: false}",
        roles=("leakage_checker",),
        expected=lambda m: '{"leak": false}',
    ),
    accepted(
        "HTML entities",
        lambda m, d: "{&quot;leak&quot;: false}",
        roles=("leakage_checker",),
        expected=lambda m: '{"leak": false}',
    ),
    accepted("list of one", lambda m, d: fence(f"[{m.content}]", "json")),
    accepted(
        "another object before",
        lambda m, d: f"{fence(chr(123) + chr(34) + 'step' + chr(34) + ': 1}', 'json')}\n\n{fence(m.content, 'json')}",
    ),
    accepted(
        "form before the answer",
        lambda m, d: f"Form:\n{fence(FORM, 'json')}\nAnswer:\n{fence(m.content, 'json')}",
    ),
    accepted("the same object twice", lambda m, d: f"{fence(m.content, 'json')}\n\nSo:\n\n{m.content}"),
    accepted("python fence beside", lambda m, d: f"{fence('x = 1')}\n\n{fence(m.content, 'json')}"),
    accepted("line breaks in texts", lambda m, d: fence(_raw_breaks(m), "json")),
    accepted("windows line ends", lambda m, d: fence(m.content, "json").replace("\n", "\r\n")),
    accepted("byte order mark", lambda m, d: "\ufeff" + m.content),
    accepted(
        "hard spaces",
        lambda m, d: fence(
            re.sub(r"^ +", lambda found: "\u00a0" * len(found[0]), m.content, flags=re.MULTILINE), "json"
        ),
    ),
    accepted("end token", lambda m, d: f"{fence(m.content, 'json')}<|eot_id|>"),
    accepted("block in a fence", lambda m, d: fence(_fenced_field(m), "json"), roles=QUOTING),
    accepted("block in a raw fence", lambda m, d: fence(_fenced_field(m).replace("\\n", "\n"), "json"), roles=QUOTING),
    accepted("block in triple quotes", lambda m, d: fence(_triple_quotes(m), "json"), roles=QUOTING),
    accepted(
        "block without indentation",
        lambda m, d: _with(m, block=re.sub(r"(?m)^ +", "", _quoted_block(m))),
        roles=QUOTING,
    ),
    accepted(
        "null for an empty block",
        lambda m, d: '{"leak": false, "block": null, "reason": null}',
        roles=("leakage_checker",),
        expected=lambda m: '{"leak": false}',
    ),
    accepted(
        "true beside a regular expression",
        lambda m, d: _with(m, reason="R").replace('"R"', r'"It reads r\"\d+\.csv\"."'),
        roles=("leakage_checker",),
        expected=lambda m: _with(m, reason=r'It reads r"\d+\.csv".'),
    ),
    accepted("bare list", lambda m, d: fence(json.dumps(_object(m)["cards"]), "json"), roles=("retriever",)),
    asked_again(
        "two objects",
        lambda m, d: f"{fence(m.content, 'json')}\nOr:\n{fence(m.other, 'json')}",
        "2 different JSON objects",
    ),
    asked_again("list of two", lambda m, d: fence(f"[{m.content}, {m.other}]", "json"), "list"),
    asked_again("cut in the middle", lambda m, d: f"```json\n{m.content[: len(m.content) // 2]}", "not closed"),
    asked_again(
        "cut at the token limit", lambda m, d: ModelReply(text=m.content, problem="the reply was cut off"), "cut off"
    ),
    asked_again(
        "quotes not escaped",
        lambda m, d: fence(_with(m, extra="E").replace('"E"', '"df["a"] is used"'), "json"),
        "cannot be read",
    ),
    asked_again(
        "block that occurs nowhere",
        lambda m, d: fence(_distorted(m, d), "json"),
        r"nearest lines.*\n.*[-+]",
        roles=QUOTING,
    ),
    asked_again(
        "block shortened",
        lambda m, d: fence(_with(m, block=_quoted_block(m).split("\n")[0] + "\n    ..."), "json"),
        "does not occur",
        roles=QUOTING,
    ),
    refused("empty", lambda m, d: "\n", "no complete JSON object"),
    refused("prose", lambda m, d: "I would look at the features first. They matter.", "no complete JSON object"),
    refused("refusal", lambda m, d: "I'm sorry, but I can't assist with that.", "declines"),
    refused("only reasoning", lambda m, d: f"<think>\nPerhaps {m.other}\n</think>", "only reasoning"),
    refused("another task's", lambda m, d: fence(m.foreign, "json"), "none of the fields"),
    refused("code", lambda m, d: fence("options = {}\nprint(options)"), "no complete JSON object"),
    refused("list of texts", lambda m, d: '["a", "b"]', "no complete JSON object"),
)

PROSE: tuple[Shape, ...] = (
    accepted("plain", lambda m, d: m.content),
    accepted("blank lines around", lambda m, d: f"\n\n{m.content}\n\n"),
    accepted("think before", lambda m, d: f"<think>\nHmm, perhaps trees.\n</think>\n\n{m.content}"),
    accepted("think with a fence", lambda m, d: f"<think>\n```python\nx = 1\n```\n</think>\n\n{m.content}"),
    accepted("thinking in one line", lambda m, d: f"<thinking>Perhaps trees.</thinking>{m.content}"),
    accepted("only the closing tag", lambda m, d: f"Perhaps trees.\n</think>\n\n{m.content}"),
    accepted(
        "channels",
        lambda m, d: (
            f"<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>{m.content}"
        ),
    ),
    accepted("text fence", lambda m, d: fence(m.content, "text")),
    accepted("unnamed fence", lambda m, d: fence(m.content, "")),
    accepted("markdown fence", lambda m, d: fence(m.content, "markdown")),
    accepted("windows line ends", lambda m, d: f"{m.content}\r\n"),
    accepted("byte order mark", lambda m, d: f"\ufeff{m.content}"),
    accepted("end token", lambda m, d: f"{m.content}<|im_end|>"),
    asked_again("JSON", lambda m, d: json.dumps({"plan": m.content}), "plain text"),
    asked_again("JSON fence", lambda m, d: fence(json.dumps({"plan": m.content}), "json"), "code fence"),
    asked_again("only code in a fence", lambda m, d: fence("model = fit(x)"), "code fence"),
    asked_again("code with a heading", lambda m, d: f"The improved code:\n\n{fence('model = fit(x)')}", "code fence"),
    asked_again(
        "cut at the token limit", lambda m, d: ModelReply(text=m.content, problem="the reply was cut off"), "cut off"
    ),
    asked_again("think not closed", lambda m, d: f"<think>\n{m.content}", "never closes"),
    refused("only reasoning", lambda m, d: "<think>\nHmm, perhaps trees.\n</think>", "only reasoning"),
    refused("empty", lambda m, d: " ", "plain text"),
    refused("signs", lambda m, d: "---", "plain text"),
    refused("refusal", lambda m, d: "I'm unable to help with this.", "declines"),
    refused("refusal after reasoning", lambda m, d: "<think>\nHm.\n</think>\nI'm sorry, I can't help.", "declines"),
    refused("question", lambda m, d: "Please provide the code block.", "declines"),
)
PLAN: tuple[Shape, ...] = (
    asked_again("bare code", lambda m, d: "model = fit(x)\nprint(model)", "is code"),
    asked_again("plan with code", lambda m, d: f"{m.content}\n\n{fence('model = fit(x)')}", "code fence"),
    asked_again("reasoning without tags", lambda m, d: f"Okay, let me think about this. {m.content}", "reasoning"),
    asked_again("reasoning about the user", lambda m, d: f"The user wants a plan. {m.content}", "reasoning"),
    refused("a word", lambda m, d: "Done.", "too short"),
)
