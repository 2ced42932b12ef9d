"""Code of a reply: in fences, between tags, or bare."""

import re
from collections.abc import Callable, Collection, Sequence
from functools import cache, partial

from mlestar.agents.choices import Candidate
from mlestar.agents.cleaning import clean_code, tagged_code
from mlestar.agents.fences import Fence, read_fences
from mlestar.agents.names import defined_names, undefined_names
from mlestar.agents.reasoning import clean_reply
from mlestar.agents.script import ScriptError, is_code, parse_tree, syntax_error

NO_CODE = "the reply has no ```python fence with code"
DIFF_HEADER = re.compile(r"^@@ .*@@|^--- .*\n\+\+\+ ", re.MULTILINE)
REMOVED_LINE = re.compile(r"^-[^-\n]", re.MULTILINE)
ADDED_LINE = re.compile(r"^\+[^+\n]", re.MULTILINE)


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
    names = cache(defined_names)
    return [partial(_whole_code, fence, named, names) for fence in named]


def _whole_code(fence: Fence, fences: Sequence[Fence], names: Callable[[str], Collection[str]]) -> str:
    """Return the code of a fence; `names` returns what the code of one defines.

    Raises:
        ScriptError: it cannot be read, or it is a part that needs another fence.
    """
    code = _fenced_code(fence)
    if len(fences) == 1:
        return code
    others = set().union(*(names(other.text) for other in fences if other != fence))
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
    if not parse_tree(code) and _is_diff(code):
        msg = "the code fence contains a diff; answer with the whole code"
        raise ScriptError(msg)
    if not fence.closed and not parse_tree(code):
        msg = f"the code fence is not closed, and {syntax_error(code)}; answer with the whole code and close the fence"
        raise ScriptError(msg)
    return code


def _is_diff(code: str) -> bool:
    """Return whether code has the header of a diff, or a line that is removed before one that is added."""
    if DIFF_HEADER.search(code):
        return True
    removed = REMOVED_LINE.search(code)
    return bool(removed and ADDED_LINE.search(code, removed.end()))
