"""Shapes of replies with code."""

import ast
import html
import random
import re
import textwrap

from tests.unit.reply_materials import Material
from tests.unit.reply_shape import Shape, accepted, asked_again, refused

STATIC = ("initializer", "merger", "ensembler", "debugger", "usage_checker", "coder", "leakage_fixer")
"""Roles whose code sets no names at run time, as a study does."""
THOUGHT = "Okay, I should be careful.\n\n```python\nmodel = fit(x)\n```\n\nWait, that is not enough.\n"
DRAFT = "First idea:\n\n```python\n{other}```\n\nI can do better.\n"


def fence(code: str, info: str = "python", mark: str = "```") -> str:
    return f"{mark}{info}\n{code.rstrip()}\n{mark}"


def _indent(text: str, prefix: str) -> str:
    return "".join(f"{prefix}{line}" if line.strip() else line for line in text.splitlines(keepends=True))


def _inside_string(code: str) -> str:
    return f'{code.rstrip()}\n\n\ndef _usage():\n    return """Run it so:\n```bash\npython main.py\n```\n"""\n'


def _parts(m: Material, draw: random.Random) -> str:
    """Return the code in two fences, divided before one of its functions."""
    tree = ast.parse(m.content)
    statement = draw.choice([node for node in tree.body[1:] if isinstance(node, ast.FunctionDef)])
    decorators = getattr(statement, "decorator_list", [])
    line = min([statement.lineno, *(decorator.lineno for decorator in decorators)]) - 1
    lines = m.content.split("\n")
    first, second = "\n".join(lines[:line]), "\n".join(lines[line:])
    return f"Step 1:\n\n{fence(first)}\n\nStep 2:\n\n{fence(second)}"


def _diff(m: Material, draw: random.Random) -> str:
    lines = "\n".join(f"+{line}" for line in m.content.split("\n"))
    return fence(f"--- a/main.py\n+++ b/main.py\n@@ -1,3 +1,9 @@\n import os\n{lines}", "diff")


def _cut(m: Material, draw: random.Random) -> str:
    """Return an open fence that ends in the middle of a call."""
    openings = [match.end() for match in re.finditer(r"\w\(", m.content)]
    tail = openings[len(openings) // 2 :]
    positions = [end for end in tail if _breaks(m.content[:end])]
    return f"```python\n{m.content[: draw.choice(positions)]}"


def _breaks(code: str) -> bool:
    try:
        ast.parse(code)
    except SyntaxError:
        return True
    return False


def _shorten(m: Material, draw: random.Random, body: str) -> str:
    """Return the code with the body of the longest function replaced."""
    tree = ast.parse(m.content)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    function = max(functions, key=lambda node: (node.end_lineno or 0) - node.lineno)
    lines = m.content.split("\n")
    first = function.body[0].lineno - 1
    lines[first : function.end_lineno] = textwrap.indent(body, " " * function.body[0].col_offset).split("\n")
    return fence("\n".join(lines))


def _lookalikes(code: str) -> str:
    """Return the code with typographic quotes around its plain texts, as a word processor writes them."""
    return re.sub(r'(?<![\w"\'\\])"([\w ./-]+)"(?!")', "\u201c\\1\u201d", code)


def _hard_spaces(code: str) -> str:
    return "\n".join(re.sub(r"^ +", lambda match: "\u00a0" * len(match[0]), line) for line in code.split("\n"))


def _notebook(code: str) -> str:
    return f"%matplotlib inline\n!pip install -q lightgbm\n{code}"


CODE: tuple[Shape, ...] = (
    accepted("python fence", lambda m, d: fence(m.content)),
    accepted("prose around", lambda m, d: f"Sure! Here is it:\n\n{fence(m.content)}\n\nIt uses folds. Hope it helps!"),
    accepted("heading and list around", lambda m, d: f"# Solution\n\n{fence(m.content)}\n\n## Notes\n- fast\n- simple"),
    accepted("bare code", lambda m, d: m.content),
    accepted("unnamed fence", lambda m, d: fence(m.content, "")),
    *(
        accepted(f"language {name}", lambda m, d, name=name: fence(m.content, name))  # type: ignore[misc]
        for name in ("tool_code", "python3", "Python", "py", "ipython", "{python}", "python title=main.py", "main.py")
    ),
    accepted("tilde fence", lambda m, d: fence(m.content, mark="~~~")),
    accepted("four backticks", lambda m, d: fence(m.content, mark="````")),
    accepted("fence in markdown fence", lambda m, d: fence(f"Here:\n{fence(m.content)}", "markdown", "````")),
    accepted("fence in equal markdown fence", lambda m, d: fence(fence(m.content), "markdown")),
    accepted("fence twice", lambda m, d: fence(fence(m.content), "")),
    accepted("indented fence", lambda m, d: _indent(fence(m.content), "    ")),
    accepted("fence in a list item", lambda m, d: f"1. The code:\n\n{_indent(fence(m.content), '   ')}\n\n2. Run it."),
    accepted("fence with a list mark", lambda m, d: f"- {_indent(fence(m.content), '  ').lstrip()}"),
    accepted("fence in a quotation", lambda m, d: "\n".join(f"> {line}" for line in fence(m.content).split("\n"))),
    accepted("fence after prose on its line", lambda m, d: f"Here is the code: {fence(m.content)}"),
    accepted("fence in details", lambda m, d: f"<details>\n<summary>code</summary>\n\n{fence(m.content)}\n</details>"),
    accepted("not closed", lambda m, d: f"```python\n{m.content}"),
    accepted("closed on the last line", lambda m, d: f"```python\n{m.content.rstrip()}```"),
    accepted("closed on the last line, then prose", lambda m, d: f"```python\n{m.content.rstrip()}```\nIt uses folds."),
    accepted("artifact", lambda m, d: f'<antArtifact type="application/vnd.ant.code">\n{m.content}\n</antArtifact>'),
    accepted("think with a fence", lambda m, d: f"<think>\n{THOUGHT}</think>\n\n{fence(m.content)}"),
    accepted(
        "think with an answer", lambda m, d: f"<think>\n{DRAFT.format(other=m.other)}</think>\n{fence(m.content)}"
    ),
    accepted("thinking tags", lambda m, d: f"<thinking>{THOUGHT}</thinking>\nHere:\n{fence(m.content)}"),
    accepted("reasoning tags", lambda m, d: f"<reasoning>\n{THOUGHT}\n</reasoning>\n\n{fence(m.content)}"),
    accepted("only the closing tag", lambda m, d: f"{THOUGHT}</think>\n\n{fence(m.content)}"),
    accepted("think with half a fence", lambda m, d: f"<think>\nSo:\n```python\nx = 1\n</think>\n{fence(m.content)}"),
    accepted("think not closed", lambda m, d: f"<think>\nI use folds. Then the code is this.\n\n{fence(m.content)}"),
    accepted(
        "channels",
        lambda m, d: (
            f"<|channel|>analysis<|message|>{THOUGHT}<|end|><|start|>assistant<|channel|>final<|message|>{fence(m.content)}<|return|>"
        ),
    ),
    accepted("end token", lambda m, d: f"{fence(m.content)}<|im_end|>"),
    accepted("shell fence beside", lambda m, d: f"```bash\npip install lightgbm\n```\n\n{fence(m.content)}"),
    accepted(
        "output fence beside",
        lambda m, d: f"{fence(m.content)}\n\nOutput:\n```\nFinal Validation Performance: 0.9\n```",
    ),
    accepted("python fence that installs", lambda m, d: f"```python\n!pip install lightgbm\n```\n\n{fence(m.content)}"),
    accepted(
        "python fence with an excerpt",
        lambda m, d: f"{fence(m.content)}\n\nThe key line is:\n{fence('model = fit(table')}",
    ),
    accepted("same fence twice", lambda m, d: f"{fence(m.content)}\n\nAgain, for copying:\n\n{fence(m.content)}"),
    accepted("windows line ends", lambda m, d: fence(m.content).replace("\n", "\r\n")),
    accepted("byte order mark", lambda m, d: "\ufeff" + fence("\ufeff" + m.content)),
    accepted("hard spaces", lambda m, d: fence(_hard_spaces(m.content))),
    accepted("typographic quotes", lambda m, d: fence(_lookalikes(m.content))),
    accepted("HTML entities", lambda m, d: fence(html.escape(m.content, quote=False))),
    accepted("tags in the fence", lambda m, d: fence(f"<script>\n{m.content}</script>")),
    accepted("tags without a fence", lambda m, d: f"<code>\n{m.content}\n</code>"),
    accepted("tags around the fence", lambda m, d: f"<answer>\n{fence(m.content)}\n</answer>"),
    accepted("file name line", lambda m, d: fence(f"File: main.py\n{m.content}")),
    accepted("language on its own line", lambda m, d: fence(f"python\n{m.content}", "")),
    accepted("file name comment", lambda m, d: f"**main.py**\n{fence(f'# main.py{chr(10)}{m.content}')}"),
    accepted("notebook commands", lambda m, d: fence(_notebook(m.content))),
    accepted("blank lines and spaces", lambda m, d: f"\n\n```python   \n\n\n{m.content}\n\n\n```   \n\n"),
    accepted(
        "fence in a string", lambda m, d: fence(_inside_string(m.content)), expected=lambda m: _inside_string(m.content)
    ),
    asked_again(
        "two versions",
        lambda m, d: f"{fence(m.content)}\n\nHere is an improved one:\n\n{fence(m.other)}",
        "2 different code fences",
    ),
    asked_again(
        "parts that form it",
        _parts,
        "none of the 2 code fences|the code fence|does not compile|neither|no longer|never|defines",
    ),
    asked_again("diff", _diff, "diff"),
    asked_again("cut in the middle", _cut, "not closed"),
    asked_again("body is dots", lambda m, d: _shorten(m, d, "..."), r"`\.\.\.`|never"),
    asked_again(
        "body is a comment",
        lambda m, d: _shorten(m, d, "# ... rest of the code unchanged ...\npass"),
        "stands in place of code|is missing|never",
    ),
    asked_again(
        "notebook command that matters", lambda m, d: fence(f"!unzip data.zip\n{m.content}"), "notebook command"
    ),
    asked_again(
        "undefined name",
        lambda m, d: fence(f"{m.content.rstrip()}\n\n\ndef _more(x):\n    return mystery_table.merge(x)\n"),
        "mystery_table",
        roles=STATIC,
    ),
    refused("empty", lambda m, d: " \n", "no ```python fence"),
    refused("empty fence", lambda m, d: "```python\n\n```", "no ```python fence|empty"),
    refused(
        "prose",
        lambda m, d: "The solution loads the data and fits a model. It should score well.",
        "no ```python fence",
    ),
    refused("refusal", lambda m, d: "I'm sorry, but I can't help with that.", "declines the task"),
    refused("question", lambda m, d: "Could you please provide the columns of the table?", "declines the task"),
    refused("only reasoning", lambda m, d: f"<think>\n{THOUGHT}</think>\n", "only reasoning"),
    refused("reasoning that never ends", lambda m, d: f"<think>\n{THOUGHT}I still wonder.", "never closes"),
    refused("another task's", lambda m, d: fence(m.foreign), "target column|uses|no longer"),
    refused("JSON", lambda m, d: '```json\n{"code": "x = 1"}\n```', "no ```python fence"),
    refused("a word", lambda m, d: "Done.", "no ```python fence"),
    refused("another language", lambda m, d: "```r\nx <- read.csv('train.csv')\n```", "no ```python fence"),
)
SCRIPT: tuple[Shape, ...] = (
    asked_again(
        "only its end",
        lambda m, d: fence("\n".join(m.content.rstrip().split("\n")[-12:])),
        "defines|never|does not compile",
    ),
    asked_again(
        "one fence of several parts",
        lambda m, d: fence("import pandas as pd\ntrain = pd.read_csv('train.csv')"),
        "never",
    ),
)
BLOCK: tuple[Shape, ...] = (
    accepted(
        "old block before the new one",
        lambda m, d: f"Before:\n{fence(m.original)}\nAfter:\n{fence(m.content)}",
        roles=("coder", "leakage_fixer"),
    ),
    accepted("indented block", lambda m, d: fence(_indent(m.content, "    "))),
    asked_again("body is pass", lambda m, d: _shorten(m, d, "pass"), "is missing|no longer"),
    asked_again(
        "body is a placeholder",
        lambda m, d: _shorten(m, d, "# same as before\nreturn others"),
        "stands in place|before",
    ),
    asked_again("no result", lambda m, d: fence(m.original.replace("return ", "result = ")), "no longer returns"),
    asked_again("other name", lambda m, d: fence(m.original.replace("def ", "def new_")), "no longer defines"),
    asked_again(
        "other arguments",
        lambda m, d: fence(re.sub(r"def (\w+)\(.*?\):", r"def \1(table):", m.original).replace("others", "table")),
        "arguments|uses|before",
    ),
    asked_again(
        "lost statement",
        lambda m, d: fence("\n".join(line for line in m.original.split("\n") if "make_model" not in line)),
        "uses model|model is used",
    ),
)
