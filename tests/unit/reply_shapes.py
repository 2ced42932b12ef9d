"""The table of reply shapes: what becomes of each way in which a model may write each role's answer.

python -m tests.unit.reply_shapes [SEED]
"""

import ast
import asyncio
import random
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from mlestar.agents.context import AgentContext, ReplyError
from mlestar.llm import ModelReply
from mlestar.prompts import Prompts
from tests.unit.reply_code_shapes import BLOCK, CODE, SCRIPT
from tests.unit.reply_materials import Material, materials
from tests.unit.reply_shape import Outcome, Shape
from tests.unit.reply_text_shapes import OBJECT, PLAN, PROSE

REFUSAL = re.compile(r"<refusal>\n(.*)\n</refusal>", re.DOTALL)
FORMS = {"script": "```python\n{}\n```", "block": "```python\n{}\n```", "object": "```json\n{}\n```", "prose": "{}"}
"""The form that the prompts ask for."""

_EXPECTED: dict[tuple[str, str], object] = {}


@dataclass(frozen=True)
class Case:
    """One role and one shape of its reply."""

    material: Material
    shape: Shape


@dataclass(frozen=True)
class Finding:
    """What became of a reply."""

    case: Case
    outcome: Outcome
    reason: str = ""
    """That the model read."""
    same: bool = True
    """The value is that of the reply in the form that the prompt asks for."""

    @property
    def fault(self) -> str:
        """What is wrong with it; empty when nothing is."""
        shape = self.case.shape
        if self.outcome == "accepted":
            return "" if shape.outcome == "accepted" and self.same else "wrong accept"
        if shape.outcome == "accepted":
            return "needless refusal"
        true = re.search(shape.reason, self.reason, re.DOTALL)
        return "" if true and self.outcome == shape.outcome else "untrue reason"


class Answers:
    """Answers with a first reply, and then always with another one."""

    def __init__(self, first: str | ModelReply, then: str) -> None:
        self.first = first if isinstance(first, ModelReply) else ModelReply(text=first)
        self.then = ModelReply(text=then)
        self.prompts: list[str] = []

    async def __call__(self, role: str, prompt: str, sample: tuple[int, int]) -> ModelReply:
        self.prompts.append(prompt)
        return self.first if len(self.prompts) == 1 else self.then


def cases() -> Iterator[Case]:
    """Yield every role with every shape of its kind."""
    for material in materials():
        shapes = {"script": (*CODE, *SCRIPT), "block": (*CODE, *BLOCK), "object": OBJECT, "prose": PROSE}[material.kind]
        plans = PLAN if material.role.endswith("planner") else ()
        for shape in (*shapes, *plans):
            if not shape.roles or material.role in shape.roles:
                yield Case(material, shape)


async def judge(case: Case, seed: int) -> Finding:
    """Return what becomes of a reply when a role is asked."""
    material, shape = case.material, case.shape
    reply = shape.make(material, random.Random(f"{seed} {material.role} {shape.name}"))
    content = shape.expected(material) if shape.expected else material.content
    plain = FORMS[material.kind].format(content)
    expected = await _expected(material, plain)
    useless = reply if isinstance(reply, str) and shape.outcome == "refused" else plain
    answers = Answers(reply, useless)
    try:
        value = await _ask(material, answers)
    except ReplyError as error:
        return Finding(case, "refused", str(error))
    if len(answers.prompts) == 1:
        return Finding(case, "accepted", same=_comparable(value) == _comparable(expected))
    reason = REFUSAL.search(answers.prompts[1])
    return Finding(case, "asked again", _unescape(reason[1]) if reason else "")


async def _expected(material: Material, plain: str) -> object:
    """Return the value of a reply in the form that the prompt asks for."""
    key = (material.role, plain)
    if key not in _EXPECTED:
        _EXPECTED[key] = await _ask(material, Answers(plain, plain))
    return _EXPECTED[key]


async def _ask(material: Material, answers: Answers) -> object:
    return await material.ask(AgentContext(call=answers, prompts=Prompts(), brief=material.brief))


def _comparable(value: object) -> object:
    """Return the syntax tree of code, other values unchanged: comments and spaces do not count."""
    try:
        return ast.dump(ast.parse(value)) if isinstance(value, str) else value
    except SyntaxError:
        return value


def _unescape(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


async def judge_all(seed: int) -> list[Finding]:
    return [await judge(case, seed) for case in cases()]


def main() -> None:
    """Print the table and its summary."""
    findings = asyncio.run(judge_all(int(sys.argv[1]) if sys.argv[1:] else 0))
    for finding in findings:
        case = finding.case
        reason = finding.reason.replace("\n", " ")[:110]
        print(f"{case.material.role:20} {case.shape.name:36} {finding.outcome:12} {finding.fault:17} {reason}".rstrip())
    faults = Counter(finding.fault for finding in findings)
    shapes = {(finding.case.material.kind, finding.case.shape.name) for finding in findings}
    roles = {finding.case.material.role for finding in findings}
    print(f"\n{len(findings)} replies: {len(roles)} roles, {len(shapes)} shapes")
    print(", ".join(f"{count} {outcome}" for outcome, count in Counter(f.outcome for f in findings).items()))
    print(", ".join(f"{name} {faults[name]}" for name in ("wrong accept", "needless refusal", "untrue reason")))


if __name__ == "__main__":
    main()
