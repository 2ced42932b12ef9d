"""Mechanical faults of generated code: what an editor, a notebook or a web page did to it, never what it computes."""

import ast
import io
import re
import textwrap
import tokenize
import warnings

from mlestar.agents.script import ScriptError, parse_tree
from mlestar.syntax import parse

TAGS = (
    "script",
    "code",
    "python",
    "python_code",
    "tool_code",
    "block",
    "study",
    "answer",
    "final_answer",
    "solution",
    "antArtifact",
    "artifact",
    "pre",
)
WRAPPED = re.compile(rf"\A\s*<({'|'.join(TAGS)})\b[^>\n]*>[ \t]*\n(.*?)\n?[ \t]*</\1>\s*\Z", re.DOTALL | re.IGNORECASE)
OPENING_TAG = re.compile(rf"^[ \t]*<({'|'.join(TAGS)})\b[^>\n]*>[ \t]*\n", re.MULTILINE)
TITLE = re.compile(
    r"\A\s*(?:(?:file(?:name)?|path)\s*:\s*`?[\w./-]+`?|(?:\#[ \t]*)?[\w./-]*\w\.py|python|py)\s*:?\s*\n", re.IGNORECASE
)
"""A first line that names the file or the language."""
MAGIC = re.compile(r"^[ \t]*(?:%%?|!|\?)[ \t]*([A-Za-z]\w*)")
HARMLESS_MAGIC = re.compile(
    r"^[ \t]*(?:"
    r"[%!][ \t]*(?:pip3?|conda|mamba|apt|apt-get|python3? -m pip)[ \t]+(?:install|update|upgrade)\b.*"
    r"|pip3? install\b.*"
    r"|%(?:matplotlib|config|load_ext|reload_ext|autoreload)\b.*"
    r"|%%(?:time|capture)[ \t]*"
    r")$"
)
"""Lines that install a package, which scripts may not, or set up a notebook."""
LOOKALIKES = str.maketrans(
    {
        **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033\uff02", '"'),
        **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032\uff07", "'"),
        **dict.fromkeys("\u00a0\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u202f\u205f\u3000", " "),
        **dict.fromkeys("\u200b\u200c\u200d\u2060\ufeff\u200e\u200f", ""),
        **dict.fromkeys("\u2212\u2013\u2010\u2011", "-"),
        **dict(zip("\uff08\uff09\uff0c\uff1a\uff1b\uff1d\uff3b\uff3d", "(),:;=[]", strict=True)),
    }
)
"""Characters that word processors and keyboards put in place of those that Python reads."""
INVALID_CHARACTER = re.compile(r"invalid (?:non-printable )?character")
ENTITIES = {"&lt;": "<", "&gt;": ">", "&quot;": '"', "&#39;": "'", "&#x27;": "'", "&apos;": "'", "&amp;": "&"}
MAX_LINES = 100
"""Lines in which lookalikes are replaced one by one, each after parsing the script. Chosen by judgement; not
measured."""
LITERAL_OR_LOOKALIKES = re.compile(
    r"(?P<literal>\"{3}(?:\\.|[^\\])*?\"{3}|'{3}(?:\\.|[^\\])*?'{3}"
    r"|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'|\#[^\n]*)"
    rf"|[{''.join(map(chr, LOOKALIKES))}]+",
    re.DOTALL,
)
"""Strings and comments, in which lookalikes are content, and lookalikes."""


def clean_code(text: str) -> str:
    """Return code without wrapping tags, file names, notebook commands, HTML entities and lookalike characters.

    Each repair is made only to code that does not compile without it, or that would compute something else.

    Raises:
        ScriptError: it has notebook commands that do something.
    """
    wrapped = WRAPPED.match(text)
    code = wrapped[2] + "\n" if wrapped else text
    code = _drop_title(code)
    if parse_tree(code) and not _has_entities(code):
        return code
    for repair in (_dedent, _unescape, _replace_lookalikes, _drop_magics, _dedent):
        code = repair(code)
    return code


def tagged_code(reply: str) -> list[str]:
    """Return what a reply has between tags that hold code."""
    codes: list[str] = []
    unclosed: set[str] = set()
    position = 0
    while opening := OPENING_TAG.search(reply, position):
        tag, position = opening[1], opening.end()
        closing = None if tag in unclosed else re.compile(rf"^[ \t]*</{tag}>", re.MULTILINE).search(reply, position)
        if closing is None:
            unclosed.add(tag)
            continue
        codes.append(reply[position : closing.start()])
        position = closing.end()
    return codes


def _drop_title(code: str) -> str:
    title = TITLE.match(code)
    return code[title.end() :] if title else code


def _dedent(code: str) -> str:
    """Return the code at the margin when that makes it compile; lines of strings may be at the margin already."""
    if parse_tree(code):
        return code
    dedented = textwrap.dedent(code)
    if parse_tree(dedented):
        return dedented
    first = next((line for line in code.split("\n") if line.strip()), "")
    indent = first[: len(first) - len(first.lstrip())]
    shifted = "\n".join(line.removeprefix(indent) for line in code.split("\n"))
    return shifted if indent and _same_strings(code, shifted) else code


def _same_strings(indented: str, shifted: str) -> bool:
    """Return whether removing the indentation left the content of every string as it was."""
    before, after = parse_tree(f"if True:\n{indented}"), parse_tree(shifted)
    return before is not None and after is not None and _strings(before) == _strings(after)


def _strings(tree: ast.AST) -> list[object]:
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]


def _has_entities(code: str) -> bool:
    """Return whether code outside strings and comments has an HTML entity, as `a &lt; b`, which Python can parse."""
    if not re.search(r"&(?:lt|gt|amp|quot|apos);", code):
        return False
    try:
        tokens = [token.string for token in tokenize.generate_tokens(io.StringIO(code).readline)]
    except (tokenize.TokenError, SyntaxError):
        return True
    triples = zip(tokens, tokens[1:], tokens[2:], strict=False)
    return any(
        first == "&" and name in ("lt", "gt", "amp", "quot", "apos") and last == ";" for first, name, last in triples
    )


def _unescape(code: str) -> str:
    """Return code without HTML escapes; the escape of a character that also occurs unescaped stays.

    Raises:
        ScriptError: only some of it was escaped, so that escapes in strings cannot be distinguished from those in code.
    """
    if not _has_entities(code):
        return code
    plain = code
    for entity, character in ENTITIES.items():
        remaining = re.sub(r"&(?:\w+|#\w+);", "", plain)
        if entity != "&amp;" and character not in remaining:
            plain = plain.replace(entity, character)
    if "&" not in re.sub(r"&(?:\w+|#\w+);", "", code):
        plain = plain.replace("&amp;", "&")
    if not _has_entities(plain):
        return plain
    msg = "the code has HTML entities such as &lt; in it; write the characters themselves"
    raise ScriptError(msg)


def _replace_lookalikes(code: str) -> str:
    """Replace lookalike characters in the lines that Python refuses because of them."""
    error = _error(code)
    if error is None or not INVALID_CHARACTER.search(error.msg):
        return code
    plain = LITERAL_OR_LOOKALIKES.sub(lambda match: match["literal"] or match[0].translate(LOOKALIKES), code)
    if parse_tree(plain):
        return plain
    lines = code.split("\n")
    for _ in range(MAX_LINES):
        error = _error("\n".join(lines))
        if error is None or not INVALID_CHARACTER.search(error.msg) or not error.lineno:
            break
        line = lines[error.lineno - 1]
        replaced = line.translate(LOOKALIKES)
        if replaced == line:
            break
        lines[error.lineno - 1] = replaced
    return "\n".join(lines)


def _error(code: str) -> SyntaxError | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parse(code)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError):
        return None
    return None


def _drop_magics(code: str) -> str:
    """Return code without the lines that set up a notebook or install a package.

    Raises:
        ScriptError: it has notebook commands that do more.
    """
    if parse_tree(code):
        return code
    lines = [line for line in code.split("\n") if not HARMLESS_MAGIC.match(line)]
    kept = "\n".join(lines)
    if parse_tree(textwrap.dedent(kept)):
        return kept
    magics = [line.strip() for line in lines if MAGIC.match(line)]
    without = "\n".join(line for line in lines if not MAGIC.match(line))
    if magics and parse_tree(textwrap.dedent(without)):
        msg = f"the script has the notebook command `{magics[0][:60]}`; write plain Python"
        raise ScriptError(msg)
    return code
