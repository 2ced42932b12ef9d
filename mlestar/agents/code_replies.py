"""Code of a reply: in fences, between tags, or bare."""

import re
from collections.abc import Sequence
from functools import partial

from mlestar.agents.choices import Candidate
from mlestar.agents.cleaning import clean_code, tagged_code
from mlestar.agents.fences import Fence, read_fences
from mlestar.agents.names import defined_names, undefined_names
from mlestar.agents.reasoning import clean_reply
from mlestar.agents.script import ScriptError, is_code, parse_tree, syntax_error

NO_CODE = "the reply has no ```python fence with code"
MIXED_LINES = re.compile(r"^@@ .*@@|^--- .*\n\+\+\+ |^-[^-\n].*\n(?:.*\n)*?\+[^+\n]", re.MULTILINE)
"""Lines of a diff."""


def read_code(reply: str) -> list[list[Candidate[str]]]:
    """Return the code of a reply: in Python fences, else in unnamed ones, else between tags, else the bare reply.

    Raises:
        ScriptError: there is no code.
    """
    text = clean_reply(reply)
    fences = read_fences(text)
    if not fences:
        return _bare_code(text)
    groups = [_fences_of(fences, "python"), _fences_of(fences, "")]
    if any(groups):
        return [group for group in groups if group]
    if any(fence.language in ("diff", "patch") for fence in fences):
        msg = "the reply is a diff; answer with the whole code in one ```python fence"
        raise ScriptError(msg)
    raise ScriptError(NO_CODE)


def _fences_of(fences: Sequence[Fence], language: str) -> list[Candidate[str]]:
    named = [fence for fence in fences if fence.language == language]
    return [partial(_whole_code, fence, named) for fence in named]


def _whole_code(fence: Fence, fences: Sequence[Fence]) -> str:
    """Return the code of a fence.

    Raises:
        ScriptError: it cannot be read, or it is a part that needs another fence.
    """
    code = _fenced_code(fence)
    if len(fences) == 1:
        return code
    others = set().union(*(defined_names(other.text) for other in fences if other != fence))
    if undefined_names(code, at_run_time=False) & others:
        msg = "the code fences are parts of one code; put all of it into one ```python fence"
        raise ScriptError(msg)
    return code


def _bare_code(text: str) -> list[list[Candidate[str]]]:
    """Return the code of a reply without fences."""
    tagged = tagged_code(text)
    if tagged:
        return [[partial(clean_code, code) for code in tagged]]
    if is_code(clean_code(text)):
        return [[partial(clean_code, text)]]
    raise ScriptError(NO_CODE)


def _fenced_code(fence: Fence) -> str:
    """Return the code of a fence; it need not compile by itself.

    Raises:
        ScriptError: it is empty, a diff, or neither closed nor complete.
    """
    inner = [nested for nested in read_fences(fence.text) if nested.language == "python"]
    text = inner[0].text if len(inner) == 1 and not parse_tree(fence.text) else fence.text
    code = clean_code(text)
    if not code.strip():
        msg = "the code fence is empty"
        raise ScriptError(msg)
    if MIXED_LINES.search(code) and not parse_tree(code):
        msg = "the code fence contains a diff; answer with the whole code"
        raise ScriptError(msg)
    if not fence.closed and not parse_tree(code):
        msg = f"the code fence is not closed, and {syntax_error(code)}; answer with the whole code and close the fence"
        raise ScriptError(msg)
    return code
