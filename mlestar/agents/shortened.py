"""Blocks that a model shortened: a rewritten block compared with what the script did before."""

import ast
import io
import re
import tokenize
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence

from mlestar.agents.calls import find_broken_call, functions, is_used
from mlestar.agents.items import find_lost_item
from mlestar.agents.names import early_names, undefined_names
from mlestar.agents.script import Function, ScriptError, parse_tree
from mlestar.agents.unfilled import find_unfilled

PLACEHOLDER = re.compile(
    r"\b(rest|remainder)\b.*\b(code|script|function|block|method|class|logic|pipeline|implementation|body)"
    r"|\b(unchanged|omitted|elided|abbreviated|truncated)\b"
    r"|\b(same|identical) (code |logic )?(as|to) (before|above|(in )?the original|original|earlier|previous)"
    r"|\bas (before|above|in the original)\b"
    r"|\b(existing|previous|original|remaining|other) (code|logic|implementation|lines|body|statements)"
    r"|\b(your|add|insert|put)\b.*\b(code|logic|implementation)\b.*\bhere\b"
    r"|\bfor brevity\b|\bto be implemented\b",
    re.IGNORECASE,
)
"""Comments that may be placeholders for code."""
SHORT_PLACEHOLDER = re.compile(
    r"\b(rest|remainder)\b.*\b(steps?|features?)"
    r"|\b(existing|previous|original|remaining|other) (steps|features)"
    r"|\bno changes?\b|\b(stays?|remains?|kept|keep)\b.*\b(the same|as (it )?is)\b",
    re.IGNORECASE,
)
"""Phrases that are placeholders when they are the whole comment; longer comments with them explain the code."""
SHORT_WORDS = 8
"""The most words of a comment that is such a phrase. Chosen by judgement; not measured."""
FURTHER_WORDS = 3
"""The most words of it besides the phrase. Chosen by judgement; not measured."""
BRACKETS = re.compile(r"#\s*[\[(<{]\s*\w+(\s+[\w-]+){2,}\s*[\])>}]\.?\s*$")
"""A comment of three words or more that is wholly in brackets, as in `# (training loop with early stopping)`."""
EXPLAINS = re.compile(r"\b(no|not|without|because|since|instead|only)\b", re.IGNORECASE)
"""Words of comments that say why code is as it is."""
ABSTRACT = re.compile(r"\b(Protocol|ABC|ABCMeta)\b")
"""Bases of classes that declare methods."""
DOTS = re.compile(r"#\s*[\[(<{]?\s*(\.{3}|\u2026)")
"""A comment that begins with dots, as in `# ... rest`."""
OUTSIDE_LINES = 5
"""Fewer lines around a block say nothing about whether a reply repeats them. Chosen by judgement; not measured."""
REPEATED_SHARE = 0.5
"""Share of the lines around a block from which on a reply is the script and not the block. Chosen by judgement; not
measured."""

Compound = Function | ast.ClassDef | ast.For | ast.While | ast.If | ast.With


def check_complete(script: str, block: str, new_block: str, patched: str, columns: Collection[str] = ()) -> None:
    """Refuse a new block that leaves out code, with or without a placeholder, or with which the script must fail.

    Args:
        script: as it was.
        block: its lines that are replaced.
        new_block: what replaces them, as the model wrote it.
        patched: the script with the new block.
        columns: of the task's files; a column that is none of them must be made by the script. Not checked without any.

    Raises:
        ScriptError: with what is missing.
    """
    before, after = parse_tree(script), parse_tree(patched)
    if before is None or after is None:
        return
    checks = (
        _find_repetition(script, block, new_block),
        _find_ellipsis(before, after),
        _find_placeholder(script, patched, before, after),
        _find_emptied_body(before, after),
        _find_undefined(script, patched),
        _find_early(before, after),
        find_broken_call(before, after),
        find_unfilled(before, after),
        find_lost_item(before, after, columns) if columns else "",
    )
    problem = next(filter(None, checks), "")
    if problem:
        raise ScriptError(problem)


def find_gap(code: str) -> str:
    """Return what stands in place of code in a script of which nothing else is known; empty when it has no gap."""
    tree = parse_tree(code)
    if tree is None:
        return ""
    declared = set(_declared(tree))
    for _, node in _compounds(tree):
        if not isinstance(node, Function) or node in declared or node.decorator_list:
            continue
        if any(map(_is_ellipsis, node.body)):
            return f"the body of `def {node.name}` is `...`; write the script in full"
    for _, text in _comments(code):
        if DOTS.match(text) and _is_placeholder(text):
            return f"the comment `{text[:80]}` stands in place of code; write the script in full"
    return ""


def _find_repetition(script: str, block: str, new_block: str) -> str:
    """Find out whether a reply is the whole script instead of the block."""
    own = {line.strip() for line in block.split("\n")}
    around = {line.strip() for line in script.split("\n") if len(line.strip()) > 3} - own
    repeated = around & {line.strip() for line in new_block.split("\n")}
    if len(around) >= OUTSIDE_LINES and len(repeated) > REPEATED_SHARE * len(around):
        return "the reply repeats the script around the block; answer with only the new block"
    return ""


def _find_ellipsis(before: ast.Module, after: ast.Module) -> str:
    if _count_ellipses(after) > _count_ellipses(before):
        return "the new block has `...` in place of code; write it in full"
    return ""


def _count_ellipses(tree: ast.Module) -> int:
    """Count `...` in place of code, without the methods that are only declared."""
    declared = sum(_is_ellipsis(node) for method in _declared(tree) for node in method.body)
    return sum(_is_ellipsis(node) for node in ast.walk(tree)) - declared


def _declared(tree: ast.Module) -> Iterator[Function]:
    """Yield the methods that need no body: those of protocols and abstract classes, and those that others override."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    names = Counter(part.name for node in classes for part in node.body if isinstance(part, Function))
    for node in classes:
        bases = " ".join(ast.unparse(base) for base in (*node.bases, *(word.value for word in node.keywords)))
        is_base = any(node.name in map(ast.unparse, other.bases) for other in classes)
        for part in node.body:
            overridden = is_base and isinstance(part, Function) and names[part.name] > 1
            if isinstance(part, Function) and (overridden or ABSTRACT.search(bases)):
                yield part


def _is_ellipsis(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def _find_placeholder(script: str, patched: str, before: ast.Module, after: ast.Module) -> str:
    """Find a new comment that stands where code was."""
    former = {text for _, text in _comments(script)}
    comments = [(line, text) for line, text in _comments(patched) if text not in former]
    if not comments:
        return ""
    statements = _statements(before)
    lost = bool(statements - _statements(after))
    fewer = _size(after) < _size(before)
    sizes = {path: _size(node) for path, node in functions(before)}
    for line, text in comments:
        if _is_placeholder(text) and any(line in lines for lines in _stub_lines(after, sizes)):
            return f"the comment `{text[:80]}` stands in place of code; write the block in full"
        shorter = fewer or any(
            _size(node) < sizes.get(path, 0) and line in range(node.lineno, (node.end_lineno or 0) + 2)
            for path, node in functions(after)
        )
        if lost and (DOTS.match(text) or (shorter and (_is_placeholder(text) or _is_in_brackets(text)))):
            return f"the comment `{text[:80]}` stands in place of code of the block; write the block in full"
    return ""


def _is_placeholder(comment: str) -> bool:
    """Return whether a comment may stand for code."""
    if PLACEHOLDER.search(comment):
        return True
    phrase = SHORT_PLACEHOLDER.search(comment)
    if not phrase or ":" in comment:
        return False
    words = len(re.findall(r"\w+", comment))
    return words <= SHORT_WORDS and words - len(re.findall(r"\w+", phrase[0])) <= FURTHER_WORDS


def _is_in_brackets(comment: str) -> bool:
    return bool(BRACKETS.match(comment)) and not EXPLAINS.search(comment)


def _stub_lines(tree: ast.Module, sizes: Mapping[str, int]) -> Iterator[range]:
    """Yield the lines of each new function that has at most one statement."""
    for path, node in functions(tree):
        if path not in sizes and _size(node) <= 2:
            yield range(node.lineno, (node.end_lineno or 0) + 2)


def _comments(code: str) -> list[tuple[int, str]]:
    """Return the line and text of each comment."""
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return []
    return [(token.start[0], token.string) for token in tokens if token.type == tokenize.COMMENT]


def _statements(tree: ast.AST) -> Counter[str]:
    """Return the simple statements of a tree as text that does not depend on their position."""
    return Counter(
        ast.dump(node) for node in ast.walk(tree) if isinstance(node, ast.stmt) and not isinstance(node, Compound)
    )


def _size(tree: ast.AST) -> int:
    """Return the number of statements, without imports, which a new block may move."""
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.stmt)]
    return sum(
        not isinstance(node, ast.Import | ast.ImportFrom | ast.Pass) and not _is_ellipsis(node) for node in nodes
    )


def _find_emptied_body(before: ast.Module, after: ast.Module) -> str:
    """Find a function, a loop or a branch that kept its head and lost its body."""
    filled = {head for head, node in _compounds(before) if not _is_empty(node.body)}
    known = {path for path, _ in functions(before)}
    declared = {node for path, node in functions(after) if path not in known} & set(_declared(after))
    empty = [head for head, node in _compounds(after) if _is_empty(node.body) and node not in declared]
    empty_before = {head for head, node in _compounds(before) if _is_empty(node.body)}
    for head in empty:
        if head in filled and head not in empty_before:
            return f"the body of `{head}` is missing in the new block; write it in full"
    for path, node in functions(after):
        if path not in known and node not in declared and _is_empty(node.body) and is_used(node.name, after):
            return f"the body of `def {node.name}` is missing; write it in full"
    return ""


def _compounds(tree: ast.AST) -> Iterator[tuple[str, Compound]]:
    """Yield every statement that has a body, with its head."""
    for node in ast.walk(tree):
        if isinstance(node, Function):
            yield f"def {node.name}", node
        elif isinstance(node, ast.ClassDef):
            yield f"class {node.name}", node
        elif isinstance(node, ast.For):
            yield f"for {ast.unparse(node.target)} in {ast.unparse(node.iter)}", node
        elif isinstance(node, ast.While | ast.If):
            yield f"{type(node).__name__.lower()} {ast.unparse(node.test)}", node
        elif isinstance(node, ast.With):
            yield f"with {', '.join(map(ast.unparse, node.items))}", node


def _is_empty(body: Sequence[ast.stmt]) -> bool:
    """Return whether a body does nothing."""
    return all(_does_nothing(statement) for statement in body)


def _does_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Raise) and statement.exc:
        return "NotImplemented" in ast.unparse(statement.exc)
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass)


def _find_undefined(script: str, patched: str) -> str:
    names = undefined_names(patched) - undefined_names(script)
    if not names:
        return ""
    listed = ", ".join(sorted(names))
    return f"the new block uses {listed}, which neither it nor the rest of the script defines or imports"


def _find_early(before: ast.Module, after: ast.Module) -> str:
    early = sorted(early_names(after) - early_names(before))
    if not early:
        return ""
    path, name = early[0]
    where = f"in `{path}`, " if path else ""
    return f"with the new block, {where}{name} is used before it is set"
