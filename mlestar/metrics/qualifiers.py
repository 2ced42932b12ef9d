"""Words around a metric's name that make it another metric, and names of metrics that are not in the table.

A description that says "partial AUC" does not mean the AUC: what is not in the table is refused by name, because a
similar metric would be optimised in silence.
"""

import re

_GROUP = (
    r"(?:users?|customers?|clients?|groups?|subgroups?|quer(?:y|ies)|stores?|patients?|subjects?|series|items?|products?"
    r"|sessions?|races?|regions?|countr(?:y|ies)|locations?|stations?|cit(?:y|ies)|departments?|assets?|stocks?"
    r"|molecules?|types?|days?|weeks?|months?|quarters?|horizons?|strat(?:a|um)|Gruppen?|Kunden?|Nutzer|Filialen?)"
)
_BEFORE = re.compile(
    r"(?:^|(?<![\w-]))(?P<qualifier>"
    r"(?:re)?weighted|cost[\s-]+sensitive|partial|adjusted|adj\.?|(?:un)?normali[sz]ed|standardi[sz]ed|scaled|relative"
    r"|trimmed|capped|clipped|truncated|winsori[sz]ed|skill|quantile|symmetric(?:al)?|asymmetric(?:al)?|penali[sz]ed"
    r"|discounted|smoothed|bounded|restricted|hierarchical|generali[sz]ed|interpolated|cumulative|time[\s-]+dependent"
    r"|integrated|pairwise|masked|log(?:arithmic)?[\s-]+transformed|log|top[\s-]*(?:k\b|\d+)|percentage|geometric(?:[\s-]+mean)?"
    r"|harmonic(?:[\s-]+mean)?|median|worst[\s-]+(?:group|case)|range[\s-]+normali[sz]ed"
    r"|(?:per|within)[\s-]+"
    + _GROUP
    + r"|(?:group|user|patient|subject|customer|query|session|pixel|subgroup|class)[\s-]*"
    r"(?:wise|level|averaged|weighted)"
    r"|gewichtete[rnsm]?|normierte[rnsm]?|normalisierte[rnsm]?|partielle[rnsm]?|bereinigte[rnsm]?|adjustierte[rnsm]?"
    r"|korrigierte[rnsm]?|relative[rnsm]|skalierte[rnsm]?|symmetrische[rnsm]?|getrimmte[rnsm]?"
    r")[\s*_`-]+(?P<between>(?:(?:mean|average|sum|version|variant|form|combination)(?:\s+of)?\s+(?:the\s+|all\s+)?)?)$",
    re.IGNORECASE,
)
_LOG_OF = re.compile(r"\b(?P<qualifier>log(?:arithm)?(?:\s+of)?\s+(?:the\s+)?)$", re.IGNORECASE)
_COMBINED_BEFORE = re.compile(
    r"\b(?P<qualifier>(?:(?:harmonic |geometric |weighted )?(?:mean|average)|sum|product|combination|mixture|ratio)"
    r"\s+of\s+(?:the\s+)?)$",
    re.IGNORECASE,
)
_NAME_END = r"^(?:['\u2019]s)?[*_`]*(?:[\s-]+(?:scores?|loss|metric|value))?(?:\s*\([^()\n]{1,40}\))?[*_`]*"
_AFTER = re.compile(
    _NAME_END + r"[\s,]*(?P<qualifier>"
    r"@\s*(?:k\b|\[|\d)"
    r"|at\s+(?:a\s+|the\s+)?(?:fixed\s+|given\s+)?(?:\d+(?:\.\d+)?\s*%|(?:\w+\s+){0,2}?(?:iou|specificity|sensitivity|recall|"
    r"precision|fpr|tpr|false[\s-]+positive)\b)"
    r"|(?:above|below|under|over|up to)\s+(?:an?\s+)?\d+(?:\.\d+)?\s*%?\s*(?:(?:of\s+)?(?:tpr|fpr|true|false|recall|"
    r"sensitivity|specificity))"
    r"|(?:for|where|with|when)\s+(?:the\s+|an?\s+)?(?:(?:bounded|limited|max(?:imum)?|low)\s+)?(?:fpr|tpr|false[\s-]+positive|"
    r"true[\s-]+positive)"
    r"|(?:restricted|limited|bounded|truncated|capped|clipped|trimmed|winsori[sz]ed)\s+(?:to|at|by|above|below)\b"
    r"|(?:normali[sz]ed|divided|scaled)\s+(?:by|with|to)\b|relative\s+to\b"
    r"|skill\b|within\s+(?:\u00b1\s*)?\d"
    r"|(?:(?:sym[\u00e9e]tr|asym[\u00e9e]tr)ique|normalis[\u00e9e]e?|ajust[\u00e9e]e?|partielle|relative|tronqu[\u00e9e]e?"
    r"|normalizad[oa]|ajustad[oa]|relativ[oa]|sim[\u00e9e]tric[oa]|parcial|normalizzat[oa]|aggiustat[oa])\b"
    r"|(?:is|are|was)?\s*(?:computed|calculated|measured|evaluated|taken)\s+(?:separately\s+)?(?:for|per|within)\s+"
    r"(?!(?:(?:each|every|all|the)\s+)*(?:\w+\s+)?(?:class|label|target|column|output)(?:e?s)?\b)[\w\s-]{1,40}?,?\s+(?:and\s+)?(?:then\s+)?averaged\b"
    r"|(?:on|of|in|over|for)\s+the\s+(?:top|best|worst|first|largest|smallest)\s+\d+\s*%"
    r"|of\s+the\s+(?:natural\s+)?log(?:arithm)?s?\b"
    r"|(?:(?:is|are|was|which|score)\s+)*(?:computed|calculated|measured|evaluated|taken)?\s*(?:separately\s+|first\s+)?"
    r"(?:(?:(?:macro[\s-]+)?averaged?|mean)\s+(?:over|across|by|per)|per|for\s+each|of\s+each|within\s+each)\s+"
    r"(?:(?:all|the|each|every|different)\s+)*`?" + _GROUP + r"\b"
    r")",
    re.IGNORECASE,
)
_WEIGHTED_AFTER = re.compile(
    _NAME_END
    + r"[\s,]*(?:(?:which|that|where)\s+(?:is|are)\s+)?(?:each\s+row\s+)?(?P<qualifier>weighted\s+(?:by|with|according)"
    r"|pond[\u00e9e]r[\u00e9e]e?s?\b|ponderad[oa]s?\b|ponderat[oa]\b|with\s+(?:\w+\s+){0,2}weights\b)",
    re.IGNORECASE,
)
_COMBINED_AFTER = re.compile(_NAME_END + r"\s*(?:,|and|und|\+|/|&)\s*$", re.IGNORECASE)
# A hundred only makes a percentage.
_FACTOR_BEFORE = re.compile(
    r"(?<![\d.])(?P<qualifier>(?!(?:100|1)\s*[*\u00d7\u00b7])\d+(?:\.\d+)?\s*[*\u00d7\u00b7]\s*)$"
)
_FACTOR_AFTER = re.compile(r"^[`)]*\s*(?P<qualifier>(?:\u00d7|\u00b7|\*(?!\*)|\+)\s*(?!100\b)\d)")

LACKING = (
    ("continuous ranked probability score", r"(?:continuous )?ranked probability (?:skill )?score|\bCRPS\b|\bRPSS?\b"),
    ("Brier skill score", r"\bBSS\b"),
    ("partial AUC", r"\bpAUC\b"),
    ("normalised RMSE", r"\b(?:N|R)-?RMSE\b|\bNRMSD\b"),
    ("normalised MAE", r"\bN-?MAE\b|\bRMAE\b"),
    ("normalised MSE", r"\bNMSE\b"),
    ("weighted RMSSE", r"\bW-?RMSSE\b|\bWSPL\b"),
    ("adjusted R2", r"\badj(?:usted|\.)?[\s-]*R(?:-?\s?squared|2)\b|\bR2[\s_-]*adj\w*|\bR2_?a\b"),
    ("average precision of detected objects", r"\bmAP\s*@\s*(?:\[|0?\.\d|IoU)"),
    ("Gini coefficient", r"(?:normali[sz]ed )?gini(?: coefficient| index| score)?\b"),
    ("precision at k", r"\bprecision\s*(?:@|at k\b|at \d)|\bP@(?:k|\d+)\b"),
    ("recall at k", r"\brecall\s*(?:@|at k\b|at \d)|\bR@(?:k|\d+)\b|\bhit[\s-]*rate\b"),
    ("mean reciprocal rank", r"mean reciprocal rank\b|\bMRR\b"),
    ("global average precision", r"global average precision\b|\bGAP@?\d*\b(?=.{0,40}metric)"),
    ("label ranking average precision", r"label[\s-]+ranking average precision\b|\bl(?:wl)?rap\b"),
    ("Kendall's tau", r"kendall(?:['\u2019]?s)?(?:[\s-]+(?:rank|tau|correlation)|\s*\u03c4)"),
    ("Hamming loss", r"hamming (?:loss|score|distance)\b"),
    ("BLEU", r"\b(?:sacre)?BLEU\b"),
    ("ROUGE", r"\bROUGE(?:-?[12L])?\b"),
    ("METEOR", r"\bMETEOR(?: score)?\b"),
    ("chrF", r"\bchrF\b"),
    ("character error rate", r"character error rate\b|\bCER\b"),
    ("edit distance", r"(?:levenshtein|edit)[\s-]+distance\b|levenshtein\b"),
    ("equal error rate", r"equal error rate\b|\bEER\b"),
    ("Kolmogorov-Smirnov statistic", r"kolmogorov[\s-]+smirnov\b|\bKS[\s-]+statistic\b"),
    ("Youden's index", r"youden(?:['\u2019]?s)?\b"),
    ("G-mean", r"\bG-?mean\b|geometric mean of (?:the )?(?:recall|sensitivit|precision)\w*"),
    ("Hausdorff distance", r"hausdorff\b"),
    ("SSIM", r"\bSSIM\b|structural similarity\b"),
    ("PSNR", r"\bPSNR\b|peak signal[\s-]+to[\s-]+noise\b"),
    ("perplexity", r"perplexity\b"),
    ("Huber loss", r"huber(?: loss)?\b|\blog-?cosh\b"),
    ("deviance", r"(?:(?:poisson|gamma|tweedie)[\s-]+)?deviance\b|(?:poisson|tweedie) loss\b"),
    ("explained variance", r"explained variance\b"),
    ("maximum error", r"max(?:imum|imal)?[\s-]+(?:absolute[\s-]+)?error\b"),
    ("interval score", r"(?:winkler|interval) score\b|\bMWIS\b"),
    ("calibration error", r"(?:expected )?calibration error\b|\bECE\b"),
    ("focal loss", r"focal loss\b"),
    ("hinge loss", r"hinge loss\b"),
    ("Kullback-Leibler divergence", r"kullback[\s-]+leibler\b|\bKL[\s-]+divergence\b|jensen[\s-]+shannon\b"),
    ("Wasserstein distance", r"wasserstein\b|earth mover\w*"),
    ("cosine similarity", r"cosine (?:similarity|distance)\b"),
    ("Sharpe ratio", r"sharpe ratio\b"),
    ("Tversky index", r"tversky\b"),
    ("approximate median significance", r"approximate median significance\b"),
    ("top-k error", r"top[\s-]*(?:k|\d+)[\s-]+error\b"),
    ("precision", r"precision score\b|(?:macro|micro|weighted)[\s-]+(?:averaged?[\s-]+)?precision\b"),
    ("recall", r"recall score\b|(?:micro|weighted)[\s-]+(?:averaged?[\s-]+)?recall\b"),
    ("laplace log likelihood", r"laplace log[\s-]+likelihood\b"),
)
"""What descriptions ask for and the table lacks: a name, and a regular expression that finds it."""


def weighted(before: str, after: str) -> bool:
    """Return whether the words around a name make it a weighted one."""
    match = _BEFORE.search(before)
    return bool(
        (match and re.match(r"weighted|gewichtet", match["qualifier"], re.IGNORECASE)) or _WEIGHTED_AFTER.match(after)
    )


def qualified(before: str, phrase: str, after: str, *, names_follow: bool) -> str:
    """Return a name with the words that make it another metric, empty where nothing does.

    Args:
        before: the text before the name.
        phrase: the name.
        after: the text after it.
        names_follow: another metric is named right after "and", a comma or a plus.
    """
    for pattern in (_BEFORE, _LOG_OF, _FACTOR_BEFORE):
        if match := pattern.search(before):
            return _tidy(before[match.start("qualifier") :] + phrase)
    for pattern in (_AFTER, _WEIGHTED_AFTER, _FACTOR_AFTER):
        if match := pattern.match(after):
            return _tidy(phrase + after[: match.end("qualifier")])
    if names_follow and (match := _COMBINED_BEFORE.search(before)):
        return _tidy(before[match.start("qualifier") :] + phrase + " and others")
    return ""


def joins_names(between: str) -> bool:
    """Return whether the text between two names only joins them."""
    return _COMBINED_AFTER.match(between) is not None


def _tidy(text: str) -> str:
    return re.sub(r"[\s*_`]+", " ", text).strip()
