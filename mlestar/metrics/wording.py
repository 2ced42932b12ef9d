"""Which metric a description means."""

import re
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import zip_longest

from mlestar.metrics.definition import Metric, Parameter
from mlestar.metrics.metric import METRICS
from mlestar.metrics.parameters import bind, read_argument
from mlestar.metrics.qualifiers import LACKING, joins_names, qualified, weighted
from mlestar.metrics.translations import TRANSLATIONS

_EVALUATION = re.compile(
    r"[e\u00e9]valua|avalia|valutazione|metri[ck]|m[\u00e9e]tric|scor|judg|grading|leaderboard|bewert|auswert|kriterium"
    r"|\u8bc4|\u8a55|\u043c\u0435\u0442\u0440\u0438\u043a|\u043e\u0446\u0435\u043d\u043a",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"^[ \t]*(?:#+[ \t]*(?P<hash>[^\n]+)|\*\*(?P<bold>[^*\n]+)\*\*:?[ \t]*|(?P<under>\S[^\n]*)\n[-=]{3,}[ \t]*"
    r"|(?P<plain>(?:evaluation|metric|scoring|grading|bewertung|auswertung|metrik)(?: \w+){0,2}:?)[ \t]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_CUE = re.compile(
    r"\b(?:evaluat\w*|metrics?|scored?|scoring|judged?|graded?|measured?|ranked|leaderboard|bewertet|gemessen|Metrik"
    r"|Bewertung|G\u00fctema\u00df)\b",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"\b(?:not|never|no|instead of|rather than|unlike|nor|isn't|without|nicht|keine?|statt|anstelle|anstatt)\b"
    r"[^.,;:\n]{0,40}$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(
    r"^[\s*`]*(?:score )?(?:is|was|are|would|will)(?: be)? (?:not|never|misleading|irrelevant)\b", re.IGNORECASE
)
_WEIGHTED = re.compile(r"\bweighted[\s*_`-]+$", re.IGNORECASE)
_VAGUE = 0.5
"""Taken off the weight of a name that is an ordinary word; chosen by judgement, not measured."""


_NEAR_CUE = 120
"""Characters from a cue word within which an ambiguous name still counts; chosen by judgement, not measured."""
_AROUND = 160
"""Characters around a name in which what belongs to it is read; chosen by judgement, not measured."""
_Pattern = tuple[Metric | None, str, re.Pattern[str]]
"""A metric, or None with the name of one that is not in the table; and what finds it."""


@dataclass(frozen=True)
class Mention:
    """A metric that a description names."""

    metric: str
    """Its name, with the parameter where the description has one; empty where the table lacks it."""
    phrase: str
    section: str
    """The heading above it, empty at the top."""
    weight: float
    """How likely it is the metric of the task, on a scale without unit."""


@dataclass(frozen=True)
class _Match:
    """Where a pattern matches a section."""

    pattern: _Pattern
    start: int
    end: int


def find_metrics(description: str) -> list[Mention]:
    """Return the metrics a description names, the likeliest first; denied ones ("not accuracy") are left out.

    A mention without a metric is one that the table lacks, such as "partial AUC"; its phrase says which.
    """
    description = re.sub(r"R\^?(?:2\b|\u00b2)|R\$\^2\$", "R2", description)
    patterns = _patterns(tuple(METRICS.values()))
    mentions: list[Mention] = []
    for start, end, section in _sections(description):
        position = start / (len(description) + 1)
        mentions += _find_mentions(description[start:end], section, patterns, position=position)
    mentions = _explained(mentions)
    best: dict[str, Mention] = {}
    for mention in sorted(mentions, key=lambda mention: -mention.weight):
        best.setdefault(mention.metric or mention.phrase, mention)
    return list(best.values())


def _explained(mentions: list[Mention]) -> list[Mention]:
    """Return the mentions with "mean F1" as that of the rows, and "F1" as the average, that its own section names."""
    explained: dict[tuple[str, str], str] = {}
    averages: dict[str, set[str]] = {}
    for mention in mentions:
        bare, _, argument = mention.metric.partition("@")
        if bare in ("row_f1", "row_f_beta"):
            plain = bare.removeprefix("row_") + (f"@{argument}" if argument else "")
            explained[mention.section, plain] = mention.metric
        if bare in ("micro_f1", "macro_f1", "weighted_f1"):
            averages.setdefault(mention.section, set()).add(bare)
        if bare in ("f_beta", "row_f_beta"):
            explained.setdefault((mention.section, "fscore"), mention.metric)
    for section, names in averages.items():
        if len(names) == 1:
            explained.setdefault((section, "f1"), names.pop())
    return [replace(mention, metric=_explanation(mention, explained)) for mention in mentions]


def _explanation(mention: Mention, explained: dict[tuple[str, str], str]) -> str:
    """Return the metric that the section of a mention explains it to be; a bare "F score" is the F2 beside it."""
    phrase = re.sub(r"[\W_]+", "", mention.phrase.lower())
    by_phrase = explained.get((mention.section, phrase), mention.metric)
    return explained.get((mention.section, by_phrase), by_phrase)


def describes_score(description: str) -> str:
    """Return the first words of what a description says about scoring, empty where it says nothing of it."""
    for start, end, section in _sections(description):
        body = _HEADING.sub("", description[start:end], count=1).strip()
        if section and _EVALUATION.search(section) and re.search(r"\w", body):
            return body.split("\n")[0]
    stated = re.search(
        r"\b(?:(?:evaluated|scored|judged|graded) (?:by|using|with)\b|metric\b[^.\n]{0,20}?(?: is\b|:))[^.\n]*",
        description,
        re.IGNORECASE,
    )
    return stated.group() if stated else ""


def _sections(description: str) -> list[tuple[int, int, str]]:
    """Return (start, end, heading); a heading belongs to its own section, because it may name the metric."""
    heads = [(match.start(), match.group(match.lastgroup or 0).strip()) for match in _HEADING.finditer(description)]
    starts = [(0, ""), *heads]
    ends = [*(start for start, _ in heads), len(description)]
    return [(start, end, title) for (start, title), end in zip(starts, ends, strict=True)]


def _find_mentions(text: str, section: str, patterns: tuple[_Pattern, ...], *, position: float) -> list[Mention]:
    """Return the mentions of one section, each word counted for the first pattern that matches it."""
    mentions: list[Mention] = []
    cues = [match.start() for match in _CUE.finditer(text)]
    evaluation = _EVALUATION.search(section) is not None
    # A name that was made another metric by a qualifier is that metric further on, too: "partial AUC ... the AUC".
    qualified_names: dict[str, str] = {}
    matches = _matches(text, patterns)
    for match, following in zip_longest(matches, matches[1:]):
        metric, title, _ = match.pattern
        before, phrase, after = _context(text, match)
        if _DENIED_BEFORE.search(before) or _DENIED_AFTER.search(after):
            continue
        names_follow = following is not None and joins_names(
            text[match.end : min(following.start, match.end + _AROUND)]
        )
        name, shown = _name(metric, before, phrase, after, names_follow=names_follow)
        distance = _distance(cues, match.start)
        vague = metric is not None and phrase.lower() in metric.common_words
        if (metric is None or (vague and not name)) and not (evaluation or distance <= _NEAR_CUE):
            continue
        if metric is None:
            shown = title
        elif not name:
            qualified_names[metric.name] = shown
        elif metric.name in qualified_names:
            name, shown = "", qualified_names[metric.name]
        weight = _weight(match.start, distance, evaluation=evaluation) - position - _VAGUE * vague
        mentions.append(Mention(name, shown, section, weight))
    return mentions


def _context(text: str, match: _Match) -> tuple[str, str, str]:
    """Return the text before a name, the name, and the text after it."""
    before = text[max(match.start - _AROUND, 0) : match.start]
    return before, text[match.start : match.end], text[match.end : match.end + _AROUND]


def _distance(cues: list[int], start: int) -> int:
    """Return the characters between a name and the nearest cue word; the positions of cues are in order."""
    place = bisect_left(cues, start)
    return min((abs(cue - start) for cue in cues[max(place - 1, 0) : place + 1]), default=10**6)


def _matches(text: str, patterns: tuple[_Pattern, ...]) -> list[_Match]:
    """Return where names stand, in the order of the text; no two overlap."""
    matches: list[_Match] = []
    taken = bytearray(len(text))
    for pattern in patterns:
        for match in pattern[2].finditer(text):
            start, end = match.span()
            if not any(taken[start:end]):
                taken[start:end] = b"\x01" * (end - start)
                matches.append(_Match(pattern, start, end))
    return sorted(matches, key=lambda match: match.start)


def _name(metric: Metric | None, before: str, phrase: str, after: str, *, names_follow: bool) -> tuple[str, str]:
    """Return the name of the metric that is meant, empty where the table lacks it, and how the description calls it."""
    if metric is None:
        return "", phrase
    if metric.name.startswith("weighted_"):
        before = _WEIGHTED.sub("", before)
    if metric.parameter is None and weighted(before, after) and (other := METRICS.get(f"weighted_{metric.name}")):
        metric = other
    elif metric.parameter is None and (shown := qualified(before, phrase, after, names_follow=names_follow)):
        return "", shown
    if metric.parameter is None:
        return metric.name, phrase
    return _bound_name(metric, metric.parameter, before, phrase, after), phrase


def _bound_name(metric: Metric, parameter: Parameter, before: str, phrase: str, after: str) -> str:
    """Return a metric's name with the parameter that the description gives; without it where it gives none."""
    argument = read_argument(parameter, phrase, after, before[-_AROUND // 2 :])
    try:
        return bind(metric, argument).name
    except ValueError:
        return f"{metric.name}@{argument}" if argument else metric.name


def _weight(start: int, distance: int, *, evaluation: bool) -> float:
    """Weigh a mention by what is around it.

    An evaluation heading counts most, then a cue word nearby, then an early position. The weights were chosen by
    judgement on the descriptions of `tests/unit/test_metrics.py`; not measured.
    """
    return 4.0 * evaluation + 2.0 / (1 + distance / 40) + 1.0 / (1 + start / 200)


@lru_cache(maxsize=8)
def _patterns(metrics: tuple[Metric, ...]) -> tuple[_Pattern, ...]:
    """Return all patterns: sentences, translations, what the table lacks, then names, a longer one before a shorter."""
    sentences = [(metric, sentence) for metric in metrics for sentence in metric.sentences]
    names = [(metric, name) for metric in metrics for name in _names(metric)]
    names.sort(key=lambda pair: -len(pair[1]))
    own = {metric.name: metric for metric in metrics}
    described = [_pattern(metric, rf"\b{sentence}") for metric, sentence in sentences]
    translated = [_pattern(own[name], pattern) for name, pattern in TRANSLATIONS if name in own]
    lacking = [_pattern(None, pattern, name) for name, pattern in LACKING]
    named = [(metric, "", _name_pattern(name)) for metric, name in names]
    return (*described, *translated, *lacking, *named)


def _names(metric: Metric) -> list[str]:
    names = (metric.name.replace("_", " "), *metric.aliases)
    return [name for name in names if name not in metric.abbreviations]


def _pattern(metric: Metric | None, pattern: str, name: str = "") -> _Pattern:
    return metric, name, re.compile(pattern, re.IGNORECASE)


def _name_pattern(name: str) -> re.Pattern[str]:
    words = r"(?:['\u2019]s)?[\s_*`-]*".join(re.escape(word) for word in name.split())
    return re.compile(rf"(?<![A-Za-z0-9_]){words}(?![A-Za-z0-9])", re.IGNORECASE)
