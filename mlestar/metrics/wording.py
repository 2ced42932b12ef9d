"""Which metric a description means."""

import re
from dataclasses import dataclass
from functools import lru_cache

from mlestar.metrics.definition import Metric
from mlestar.metrics.metric import METRICS

_EVALUATION = re.compile(r"evaluat|metric|scor|judg|grading|leaderboard", re.IGNORECASE)
_HEADING = re.compile(
    r"^[ \t]*(?:#+[ \t]*(?P<hash>[^\n]+)|\*\*(?P<bold>[^*\n]+)\*\*:?[ \t]*|(?P<under>[^\n]+)\n[-=]{3,}[ \t]*"
    r"|(?P<plain>(?:evaluation|metric|scoring|grading)(?: \w+){0,2}:?)[ \t]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_CUE = re.compile(
    r"\b(?:evaluat\w*|metrics?|scored?|scoring|judged?|graded?|measured?|ranked|leaderboard)\b", re.IGNORECASE
)
_DENIED_BEFORE = re.compile(
    r"\b(?:not|never|no|instead of|rather than|unlike|nor|isn't|without)\b[^.,;:\n]{0,40}$", re.IGNORECASE
)
_DENIED_AFTER = re.compile(
    r"^[\s*`]*(?:score )?(?:is|was|are|would|will)(?: be)? (?:not|never|misleading|irrelevant)\b", re.IGNORECASE
)
_VAGUE = 0.5
"""Taken off the weight of a name that is an ordinary word; chosen by judgement, not measured."""


@dataclass(frozen=True)
class Mention:
    """A metric that a description names."""

    metric: str
    phrase: str
    section: str
    """The heading above it, empty at the top."""
    weight: float
    """How likely it is the metric of the task, on a scale without unit."""


def find_metrics(description: str) -> list[Mention]:
    """Return the metrics a description names, the likeliest first; denied ones ("not accuracy") are left out."""
    description = re.sub(r"R\^?(?:2\b|\u00b2)|R\$\^2\$", "R2", description)
    patterns = _patterns(tuple(METRICS.values()))
    mentions: list[Mention] = []
    for start, end, section in _sections(description):
        position = start / (len(description) + 1)
        mentions += _find_mentions(description[start:end], section, patterns, position=position)
    best: dict[str, Mention] = {}
    for mention in sorted(mentions, key=lambda mention: -mention.weight):
        best.setdefault(mention.metric, mention)
    return list(best.values())


def _sections(description: str) -> list[tuple[int, int, str]]:
    """Return (start, end, heading); a heading belongs to its own section, because it may name the metric."""
    heads = [(match.start(), match.group(match.lastgroup or 0).strip()) for match in _HEADING.finditer(description)]
    starts = [(0, ""), *heads]
    ends = [*(start for start, _ in heads), len(description)]
    return [(start, end, title) for (start, title), end in zip(starts, ends, strict=True)]


def _find_mentions(
    text: str, section: str, patterns: tuple[tuple[Metric, re.Pattern[str]], ...], *, position: float
) -> list[Mention]:
    """Return the mentions of one section, each word counted for the first pattern that matches it."""
    mentions: list[Mention] = []
    spans: list[tuple[int, int]] = []
    for metric, pattern in patterns:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < other_end and other_start < end for other_start, other_end in spans):
                continue
            spans.append((start, end))
            if _DENIED_BEFORE.search(text[:start]) or _DENIED_AFTER.search(text[end:]):
                continue
            vague = match.group().lower() in metric.common_words
            weight = _weight(text, start, section) - position - _VAGUE * vague
            mentions.append(Mention(metric.name, match.group(), section, weight))
    return mentions


def _weight(text: str, start: int, section: str) -> float:
    """Weigh a mention by what is around it.

    An evaluation heading counts most, then a cue word nearby, then an early position. The weights were chosen by
    judgement on the descriptions of `tests/unit/test_metrics.py`; not measured.
    """
    cues = [abs(match.start() - start) for match in _CUE.finditer(text)]
    closeness = 2.0 / (1 + min(cues, default=10**6) / 40)
    return 4.0 * bool(_EVALUATION.search(section)) + closeness + 1.0 / (1 + start / 200)


@lru_cache(maxsize=8)
def _patterns(metrics: tuple[Metric, ...]) -> tuple[tuple[Metric, re.Pattern[str]], ...]:
    """Return the patterns of all metrics: sentences, then names, a longer one before a shorter one inside it."""
    sentences = [(metric, sentence) for metric in metrics for sentence in metric.sentences]
    names = [(metric, name) for metric in metrics for name in (metric.name.replace("_", " "), *metric.aliases)]
    names.sort(key=lambda pair: -len(pair[1]))
    described = [(metric, re.compile(rf"\b{sentence}", re.IGNORECASE)) for metric, sentence in sentences]
    named = [(metric, _name_pattern(name)) for metric, name in names]
    return (*described, *named)


def _name_pattern(name: str) -> re.Pattern[str]:
    words = r"(?:['\u2019]s)?[\s_*`-]*".join(re.escape(word) for word in name.split())
    return re.compile(rf"(?<![A-Za-z0-9_]){words}(?![A-Za-z0-9])", re.IGNORECASE)
