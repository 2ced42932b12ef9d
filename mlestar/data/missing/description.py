"""Codes that a description names: "missing values are tagged with -200", "999 means not recorded"."""

import re
from collections.abc import Sequence

from mlestar.data.missing.codes import MissingRules

_MAX_WORDS = 8
"""Words between a code and what it means. Chosen by judgement; not measured."""
_MISSING = re.compile(
    r"""\b(?:missing|misses|absent|unknown|unavailable|unrecorded|unmeasured|unspecified|invalid|fill[- ]?value|sentinel
    |placeholder|nan|null|n/a|fehlend\w*|fehlt|unbekannt\w*|manquant\w*|faltante\w*)\b
    |\b(?:not|never|nothing|cannot|could\ not|wasn't|isn't|without)\s+
      (?:(?:been|be|was|is|were|previously|yet|a|any)\s+)*
      (?:recorded|record|available|measured|measurement|known|observed|reported|applicable|provided|collected|given
        |contacted|answered|stated|specified|present|asked|taken|filled|entered|determined|valid|reading|value|data)\b
    |\bno\s+(?:valid\s+|such\s+|previous\s+|prior\s+)?
      (?:data|values?|measurements?|readings?|records?|response|answer|observations?|information|contact)\b
    |\b(?:sensors?|reading|device|station|instrument|probe)\s+(?:(?:was|were|is|had|has|that)\s+)*
      (?:fail\w*|faults?|off(?:line)?|errors?|outages?|down|drop-?outs?)\b
    |\bfaults?\s+of\b""",
    re.IGNORECASE | re.VERBOSE,
)
_CODE = re.compile(
    r"""[`'"\u2018\u201c](?P<quoted>[^`'"\u2018\u2019\u201c\u201d\n]{1,20})[`'"\u2019\u201d]
    |(?<![\w.,])(?P<number>[-\u2212\u2013]?\d+(?:\.\d+)?)(?![\w,]|\.\d)
    |(?<!\w)(?P<mark>\?)(?=\W*\s\w|\W*$)""",
    re.VERBOSE,
)
_LINK = re.compile(
    r"""=|:|\(|\u2192|->|\b(?:means?|meaning|indicat\w+|denot\w+|stands?\s+for|marks?|marked|marking|represent\w*|signals?
    |flag\w*|codes?|coded|encod\w+|kodiert|codiert|tagged|recorded\s+as|written|stored|filled|replaced\s+(?:by|with)
    |shown\s+as|entered|appears?\s+as|given\s+as|labell?ed|noted|used\s+(?:for|when|if|where)|if|when|where|reported\s+as)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_NEGATED = re.compile(r"\b(?:not|no|never|isn't|aren't|doesn't|don't|nor)\b", re.IGNORECASE)
_COUNTED_AFTER = re.compile(
    r"""\s*(?:%|percent|(?:of|in|to|and|different|other|more|or\s+more|new)\b
    |(?:rows?|columns?|features?|records?|cells?|cases?|samples?|days?|hours?|minutes?|seconds?|years?|months?|weeks?|times?
    |stations?|entries|observations?|patients?|customers?|lines?|neighbou?rs?|classes|files?|targets?|points?)\b)""",
    re.IGNORECASE | re.VERBOSE,
)
_COUNTED_BEFORE = re.compile(
    r"\b(?:about|over|under|up\s+to|at\s+(?:least|most)|in|to|from|since|until|until|top|first|last|of|all|these|the)\s*\(?$",
    re.IGNORECASE,
)
_VALUE_OF = re.compile(r"\b(?:value|values|code|number|reading|readings|score)\s+(?:of\s+)?$", re.IGNORECASE)
_SHAPED = re.compile(r"[-\u2212\u2013]\d|\d*(?:99|88|77)\d*(?:\.\d+)?$|\?$")
_SENTENCE = re.compile(r"(?<=[.;!?])\s+(?=\S)")
_LEAD = re.compile(
    r"^\s*(?:[-*+\u2022]\s+|\d+[.)]\s+|\|\s*)?[`*_\"']*(?P<name>[^|:=`*\"]+?)[`*_\"']*\s*(?:[|:=(\u2013\u2014]|\s-\s)"
)


def read_rules(description: str, columns: Sequence[str], setting: tuple[str, ...] | None = None) -> MissingRules:
    """Return the codes that a description names, for all columns or for some.

    Args:
        description: the author's text.
        columns: the columns of train.
        setting: the codes that the user set; the description is not read then.
    """
    if setting is not None:
        return MissingRules(setting=setting)
    everywhere: dict[str, None] = {}
    by_column: dict[str, dict[str, None]] = {}
    names = {_fold(column): column for column in columns}
    for line in _paragraph_lines(description):
        leading = _leading_column(line, names)
        for sentence in _SENTENCE.split(line):
            codes = [code for code in _codes(sentence) if _fold(code) not in names]
            scope = leading or (_named_columns(sentence, columns) if codes else [])
            for name in scope:
                by_column.setdefault(name, {}).update(dict.fromkeys(codes))
            # Zero is a number like any other unless one column is named.
            everywhere |= {} if scope else dict.fromkeys(code for code in codes if code.strip("-0.") != "")
    found = {name: tuple(codes) for name, codes in by_column.items() if codes}
    return MissingRules(everywhere=tuple(everywhere), by_column=found)


def _paragraph_lines(text: str) -> list[str]:
    """Return the lines of a text; a line that only continues a sentence is joined to the one before."""
    lines: list[str] = []
    for line in text.splitlines():
        continues = lines and lines[-1].strip() and re.match(r"\s*[a-z0-9\u2212-]", line) and not _LEAD.match(line)
        ended = lines and re.search(r"[.:;!?|]\s*$", lines[-1])
        if continues and not ended:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _codes(sentence: str) -> list[str]:
    """Return the codes that a sentence names."""
    phrases = [match.span() for match in _MISSING.finditer(sentence)]
    codes: dict[str, None] = {}
    for match in _CODE.finditer(sentence) if phrases else ():
        if any(_is_linked(sentence, match, phrase) for phrase in phrases):
            text = next(group for group in match.groups() if group)
            codes[re.sub("^[\u2212\u2013]", "-", text.strip())] = None
    return list(codes)


def _is_linked(sentence: str, code: re.Match[str], phrase: tuple[int, int]) -> bool:
    """Return whether a sentence says that a code stands for missing values."""
    if code.start() < phrase[1] and phrase[0] < code.end():
        return False
    before = code.end() <= phrase[0]
    between = sentence[code.end() : phrase[0]] if before else sentence[phrase[1] : code.start()]
    if len(between.split()) > _MAX_WORDS or _NEGATED.search(between):
        return False
    counted = _COUNTED_AFTER.match(sentence, code.end()) or _COUNTED_BEFORE.search(sentence[: code.start()])
    if counted and not _VALUE_OF.search(sentence[: code.start()]):
        return False
    shaped = code["quoted"] is None and _SHAPED.match(code[0]) is not None
    return shaped or _LINK.search(between) is not None


def _leading_column(line: str, names: dict[str, str]) -> list[str]:
    """Return the column that a line of a list or of a table is about."""
    match = _LEAD.match(line)
    name = names.get(_fold(match["name"])) if match else None
    return [name] if name else []


def _named_columns(sentence: str, columns: Sequence[str]) -> list[str]:
    """Return the columns that a sentence names, in quotes or after a word that introduces a column."""
    return [column for column in columns if column.strip() and column in sentence and _is_named(column, sentence)]


def _is_named(column: str, sentence: str) -> bool:
    name = re.escape(column)
    quoted = rf"[`'\"*\u2018\u201c]{name}[`'\"*\u2019\u201d]"
    introduced = rf"(?:\b(?:in|of|for|column|feature|variable|field|and|columns|features)\s+){name}(?![\w(])"
    unusual = rf"(?<!\w){name}(?!\w)" if re.search(r"[^a-z]", column) and len(column) > 1 else "(?!)"
    return re.search(f"{quoted}|{introduced}|{unusual}", sentence) is not None


def _fold(name: str) -> str:
    return name.strip().lower()
