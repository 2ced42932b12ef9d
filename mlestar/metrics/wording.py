"""How people write metrics: their aliases, and which one a description means."""

import re
from dataclasses import dataclass

ALIASES: dict[str, tuple[str, ...]] = {
    "accuracy": ("classification accuracy", "accuracy score", "acc"),
    "balanced_accuracy": ("balanced accuracy score", "mean recall", "macro recall", "unweighted average recall"),
    "f1": ("f1 score", "f1 measure", "binary f1", "f score", "f measure"),
    "macro_f1": ("f1 macro", "macro f1 score", "macro averaged f1", "macro averaged f1 score", "macro average f1"),
    "micro_f1": ("f1 micro", "micro f1 score", "micro averaged f1", "micro averaged f1 score", "micro average f1"),
    "weighted_f1": ("f1 weighted", "weighted f1 score", "weighted averaged f1", "weighted average f1"),
    "mcc": ("matthews correlation coefficient", "matthews correlation", "matthews corrcoef", "phi coefficient"),
    "qwk": (
        "quadratic weighted kappa",
        "quadratically weighted kappa",
        "quadratic kappa",
        "weighted kappa",
        "cohen kappa with quadratic weights",
    ),
    "auroc": (
        "auc",
        "auc score",
        "roc auc",
        "auc roc",
        "roc auc score",
        "area under the roc",
        "area under the roc curve",
        "area under roc curve",
        "area under the curve",
        "area under the receiver operating characteristic",
        "area under the receiver operating characteristic curve",
        "roc auc ovr",
    ),
    "mean_auroc": (
        "mean column wise auroc",
        "mean column wise auc",
        "mean column wise roc auc",
        "mean column wise area under the roc curve",
        "column wise roc auc",
        "column wise auc",
        "mean roc auc",
        "mean auc",
        "average auc",
    ),
    "average_precision": (
        "average precision score",
        "mean average precision",
        "pr auc",
        "auc pr",
        "auprc",
        "area under the precision recall curve",
    ),
    "log_loss": (
        "logarithmic loss",
        "multi class log loss",
        "multi class logarithmic loss",
        "binary log loss",
        "cross entropy",
        "cross entropy loss",
        "binary cross entropy",
        "negative log likelihood",
    ),
    "brier": ("brier score", "brier loss", "brier score loss"),
    "rmse": ("root mean squared error", "root mean square error", "root mean squared deviation", "rms error", "rmsd"),
    "mcrmse": (
        "mean column wise rmse",
        "mean column wise root mean squared error",
        "mean column wise root mean square error",
    ),
    "mse": ("mean squared error", "mean square error"),
    "mae": ("mean absolute error", "mean absolute deviation", "average absolute error"),
    "medae": ("median absolute error",),
    "mape": ("mean absolute percentage error", "mean absolute percent error"),
    "smape": ("symmetric mean absolute percentage error", "symmetric mape"),
    "rmsle": (
        "root mean squared logarithmic error",
        "root mean square logarithmic error",
        "root mean squared log error",
        "root mean square log error",
        "rmse of the logarithms",
    ),
    "r2": ("r squared", "r2 score", "coefficient of determination"),
    "spearman": ("spearman correlation", "spearman rank correlation", "spearman rho", "rank correlation"),
    "pearson": ("pearson correlation", "pearson correlation coefficient", "pearson r", "pearsonr"),
    "exact_match": ("exact match accuracy", "exact match ratio", "exactly equal", "sequence accuracy"),
    "word_error_rate": ("wer", "word error"),
}

_SENTENCES: tuple[tuple[str, str], ...] = (
    (
        "exact_match",
        r"(?:share|fraction|percentage|proportion)\b[^.;\n]{0,120}\b(?:equals?|match(?:es)?)\b[^.;\n]{0,60}\bexactly",
    ),
    (
        "exact_match",
        r"(?:share|fraction|percentage|proportion)\b[^.;\n]{0,120}\bexactly\b[^.;\n]{0,40}\b(?:equals?|match)",
    ),
    ("accuracy", r"(?:share|fraction|percentage|proportion|rate) of (?:\w+ ){0,5}?(?:right|correct|correctly)\b"),
    ("mean_auroc", r"(?:average|mean) of the (?:individual )?(?:roc )?aucs?\b"),
    ("macro_f1", r"f1(?:[\s-]*scores?)?[\s,(]*(?:macro|unweighted|averaged over (?:the |all )?classes)"),
    ("weighted_f1", r"f1(?:[\s-]*scores?)?[\s,(]*weighted"),
    ("micro_f1", r"f1(?:[\s-]*scores?)?[\s,(]*micro"),
    (
        "rmsle",
        r"(?:root[\s-]+mean[\s-]+squared?[\s-]+error(?: \(rmse\))?|rmse) (?:between|of) (?:the )?(?:natural )?log",
    ),
)
"""Metrics that are told in a sentence instead of named."""

_EVALUATION = re.compile(r"evaluat|metric|scor|judg|grading|leaderboard", re.IGNORECASE)
_HEADING = re.compile(
    r"^[ \t]*(?:#+[ \t]*(?P<hash>[^\n]+)|\*\*(?P<bold>[^*\n]+)\*\*:?[ \t]*|(?P<under>[^\n]+)\n[-=]{3,}[ \t]*"
    r"|(?P<plain>(?:evaluation|metric|scoring|grading)(?: \w+){0,2}:?)[ \t]*)$",
    re.MULTILINE | re.IGNORECASE,
)
_CUE = re.compile(
    r"\b(?:evaluat\w*|metrics?|scored?|scoring|graded?|graded?|measured?|ranked|leaderboard)\b", re.IGNORECASE
)
_DENIED_BEFORE = re.compile(
    r"\b(?:not|never|no|instead of|rather than|unlike|nor|isn't|without)\b[^.,;:\n]{0,40}$", re.IGNORECASE
)
_DENIED_AFTER = re.compile(
    r"^[\s*`]*(?:score )?(?:is|was|are|would|will)(?: be)? (?:not|never|misleading|irrelevant)\b", re.IGNORECASE
)
_VAGUE = 0.5


@dataclass(frozen=True)
class Mention:
    """A metric that a description names."""

    metric: str
    phrase: str
    section: str
    """Heading it stands under, empty at the top."""
    weight: float
    """How likely it is the one that counts."""


def find_metrics(description: str) -> list[Mention]:
    """Return the metrics a description names, the likeliest first; denied ones ("not accuracy") are left out."""
    description = re.sub(r"R\^?(?:2\b|\u00b2)|R\$\^2\$", "R2", description)
    sections = _sections(description)
    mentions = [
        mention
        for start, end, section in sections
        for mention in _mentions(description[start:end], section, share=start / (len(description) + 1))
    ]
    best: dict[str, Mention] = {}
    for mention in sorted(mentions, key=lambda mention: -mention.weight):
        best.setdefault(mention.metric, mention)
    return list(best.values())


def _sections(description: str) -> list[tuple[int, int, str]]:
    """Return (start, end, heading); a heading belongs to its own section, for it may name the metric."""
    heads = [(match.start(), match.group(match.lastgroup or 0).strip()) for match in _HEADING.finditer(description)]
    starts = [(0, ""), *heads]
    ends = [*(start for start, _ in heads), len(description)]
    return [(start, end, title) for (start, title), end in zip(starts, ends, strict=True)]


def _mentions(text: str, section: str, *, share: float) -> list[Mention]:
    found = []
    taken: list[tuple[int, int]] = []
    for metric, pattern in _PATTERNS:
        for match in pattern.finditer(text):
            start, end = match.span()
            if any(start < other_end and other_start < end for other_start, other_end in taken):
                continue
            taken.append((start, end))
            if not _DENIED_BEFORE.search(text[:start]) and not _DENIED_AFTER.search(text[end:]):
                weight = _weight(text, start, section) - share - _VAGUE * (match.group().lower() == "accuracy")
                found.append(Mention(metric, match.group(), section, weight))
    return found


def _weight(text: str, start: int, section: str) -> float:
    """Weigh a mention: an evaluation heading counts most, then a cue word near by, then headline first."""
    cues = [abs(match.start() - start) for match in _CUE.finditer(text)]
    near = 2.0 / (1 + min(cues, default=10**6) / 40)
    return 4.0 * bool(_EVALUATION.search(section)) + near + 1.0 / (1 + start / 200)


def _pattern(phrase: str) -> re.Pattern[str]:
    words = r"(?:['\u2019]s)?[\s_*`-]*".join(re.escape(word) for word in phrase.split())
    return re.compile(rf"(?<![A-Za-z0-9_]){words}(?![A-Za-z0-9])", re.IGNORECASE)


def _patterns() -> list[tuple[str, re.Pattern[str]]]:
    """Order the phrases so that a longer one claims its words before a shorter one inside it."""
    phrases = [(name, phrase) for name, words in ALIASES.items() for phrase in (name.replace("_", " "), *words)]
    phrases.sort(key=lambda pair: -len(pair[1]))
    told = [(name, re.compile(rf"\b{sentence}", re.IGNORECASE)) for name, sentence in _SENTENCES]
    return told + [(name, _pattern(phrase)) for name, phrase in phrases if phrase != "acc"]


_PATTERNS = _patterns()
