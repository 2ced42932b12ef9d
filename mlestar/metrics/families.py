"""The metrics that need a parameter, such as `pinball@0.9`: one row for each, with all its facts."""

from mlestar.metrics import lists, parameters, ranking, scoring, values
from mlestar.metrics.definition import Formula, Metric, Parameter

_QUANTILE = Parameter(
    "a quantile", "pinball@0.9", parameters.bind_quantile, parameters.QUANTILE_PATTERNS, parameters.QUANTILES
)
_RANKED = (
    "the K labels that fit best, the likeliest first, in one cell, "
    "separated by blanks (by commas where labels contain blanks)"
)
_ABSOLUTE = "float(np.mean(np.abs(y - decided)))"
_SQUARED = "float(np.mean((y - decided) ** 2))"
_LOGARITHMIC = "float(np.sqrt(np.mean((np.log1p(np.maximum(decided, 0)) - np.log1p(y)) ** 2)))"
_RANKS = "float(pd.Series(decided).corr(pd.Series(y), method='spearman'))"
_EQUAL = "np.mean(names == decided)"
OVER_ROWS = (
    r"(?:(?:over|across|per|by|of|on|for)[\s-]+(?:the |all |each |every )*"
    r"(?:rows?|samples?|examples?|instances?|records?|documents?)\b)"
)
_F_BETA = r"F[\s_-]?(?:[2-9]|\d?\.\d+)(?:[\s-]*(?:scores?|measure))?[\s,(]*"
_AT_K = r"\s*(?:@|at)\s*(?:k\b|\d+(?!\.?\d))"


def _count(example: str) -> Parameter:
    return Parameter("the number of labels that count", example, parameters.bind_count, parameters.COUNT_PATTERNS)


def _count_and_query(example: str) -> Parameter:
    what = "the number of rows that count and the column of the query"
    return Parameter(what, example, parameters.bind_count_and_query, parameters.COLUMN_PATTERNS)


def _column(example: str) -> Parameter:
    return Parameter("the column of the weights", example, parameters.bind_column, parameters.COLUMN_PATTERNS)


def _series(name: str, power: int) -> Parameter:
    what = "the column of time and, where there are several series, the columns that name one"
    return Parameter(what, f"{name}@date,store", parameters.bind_series(power), parameters.COLUMN_PATTERNS)


FAMILIES = (
    Metric(
        "pinball",
        "minimize",
        "value",
        values.pinball,
        aliases=("pinball loss", "quantile loss", "mean pinball loss", "pinball score", "quantile regression loss"),
        parameter=_QUANTILE,
        absolute=True,
        form="the QUANTILE quantile of the target",
        formula=Formula("float(np.mean(np.maximum(QUANTILE * (y - decided), (QUANTILE - 1) * (y - decided))))"),
    ),
    Metric(
        "row_f_beta",
        "maximize",
        "text",
        lists.row_f_beta,
        aliases=("mean f beta over rows", "samples averaged f beta"),
        sentences=(
            rf"(?:mean|average|averaged)[\s-]+{_F_BETA}{OVER_ROWS}",
            rf"{_F_BETA}(?:is |are |was )?(?:computed |calculated |averaged |average )?(?:separately )?{OVER_ROWS}",
            rf"(?:samples?|row|example|instance)s?[\s-]+(?:wise[\s-]+)?averaged?[\s-]+(?:mean[\s-]+)?{_F_BETA}",
        ),
        parameter=Parameter("a beta", "row_f_beta@2", parameters.bind_beta, parameters.BETA_PATTERNS),
        several_labels=True,
        form="all labels of the row in one cell, separated by blanks (by commas where labels contain blanks)",
        formula=Formula(
            "np.mean([(1 + BETA**2) * len(true & set(guess)) / max(BETA**2 * len(true) + len(guess), 1e-9)"
            " for true, guess in rows])"
        ),
    ),
    Metric(
        "f_beta",
        "maximize",
        "label",
        scoring.f_beta,
        aliases=("f beta score", "f beta", "fbeta", "fbeta score"),
        sentences=(r"F[\s_-]?(?:[2-9]|\d?\.\d+)(?![\w.])(?:[\s-]*(?:scores?|measure))?", r"F[\s_-]?\u03b2\b"),
        parameter=Parameter("a beta", "f_beta@2", parameters.bind_beta, parameters.BETA_PATTERNS),
        multiclass="macro_f_beta",
        multilabel="row_f_beta",
        formula=Formula(
            "(1 + BETA**2) * np.sum(true & found) / max(BETA**2 * np.sum(true) + np.sum(found), 1e-9)",
            lines=("true, found = names == CLASSES[POSITIVE], decided == CLASSES[POSITIVE]",),
            decision="threshold",
        ),
    ),
    Metric(
        "macro_f_beta",
        "maximize",
        "label",
        scoring.macro_f_beta,
        aliases=("macro f beta score", "macro averaged f beta"),
        sentences=(r"macro[\s-]+(?:averaged?[\s-]+)?F[\s_-]?(?:[2-9]|\d?\.\d+)(?![\w.])(?:[\s-]*scores?)?",),
        parameter=Parameter("a beta", "macro_f_beta@2", parameters.bind_beta, parameters.BETA_PATTERNS),
        formula=Formula(
            'metrics.fbeta_score(names, decided, beta=BETA, average="macro", zero_division=0)', decision="prior"
        ),
    ),
    Metric(
        "map",
        "maximize",
        "text",
        lists.by_row_at(lists.precision_of_row),
        aliases=("mean average precision at k",),
        abbreviations=("map",),
        sentences=(rf"(?:mean average precision\s*(?:\(MAP\))?|m?ap){_AT_K}",),
        parameter=_count("map@3"),
        several_labels=True,
        form=_RANKED,
        formula=Formula(
            "np.mean([sum((hit + 1) / (place + 1) for hit, place in enumerate("
            "[place for place, name in enumerate(guess[:K_LABELS]) if name in true])) / min(len(true), K_LABELS)"
            " for true, guess in rows])"
        ),
    ),
    Metric(
        "ndcg",
        "maximize",
        "text",
        lists.by_row_at(lists.ndcg_of_row),
        aliases=("normalized discounted cumulative gain", "normalised discounted cumulative gain"),
        parameter=_count("ndcg@5"),
        several_labels=True,
        form=_RANKED,
        formula=Formula(
            "np.mean([sum(1 / np.log2(place + 2) for place, name in enumerate(guess[:K_LABELS]) if name in true)"
            " / sum(1 / np.log2(place + 2) for place in range(min(len(true), K_LABELS))) for true, guess in rows])"
        ),
    ),
    Metric(
        "top_k_accuracy",
        "maximize",
        "text",
        lists.by_row_at(lists.hit_of_row),
        aliases=("top k categorical accuracy", "top k accuracy score"),
        sentences=(
            r"top[\s-]*\d+[\s-]+(?:categorical[\s-]+|classification[\s-]+)?accuracy",
            r"(?:categorical |classification )?accuracy\s*@\s*(?:k\b|\d+(?!\.?\d))",
        ),
        parameter=_count("top_k_accuracy@5"),
        probabilities="top_k_probability",
        several_labels=True,
        form=_RANKED,
        formula=Formula("np.mean([bool(true & set(guess[:K_LABELS])) for true, guess in rows])"),
    ),
    Metric(
        "top_k_probability",
        "maximize",
        "probability",
        lists.top_probabilities,
        aliases=("top k accuracy of probabilities",),
        parameter=_count("top_k_probability@5"),
        formula=Formula(
            "float(np.mean(truth * decided))",
            class_columns="float(np.mean((decided >= (decided * truth).sum(axis=1)[:, None]).sum(axis=1) <= K_LABELS))",
        ),
    ),
    Metric(
        "query_ndcg",
        "maximize",
        "value",
        ranking.query_ndcg,
        aliases=("ndcg per query",),
        parameter=_count_and_query("query_ndcg@10,query"),
        form="a number: the rows of a query are ranked by it, the highest first",
        formula=Formula(_RANKS),
    ),
    Metric(
        "query_map",
        "maximize",
        "value",
        ranking.query_map,
        aliases=("map per query",),
        parameter=_count_and_query("query_map@10,query"),
        form="a number: the rows of a query are ranked by it, the highest first",
        formula=Formula(_RANKS),
    ),
    Metric(
        "weighted_mae",
        "minimize",
        "value",
        values.mean_weighted(values.weighted_mae),
        aliases=("weighted mean absolute error", "wmae"),
        parameter=_column("weighted_mae@weight"),
        absolute=True,
        formula=Formula(_ABSOLUTE),
    ),
    Metric(
        "weighted_mse",
        "minimize",
        "value",
        values.mean_weighted(values.weighted_mse),
        aliases=("weighted mean squared error", "weighted mean square error", "wmse"),
        parameter=_column("weighted_mse@weight"),
        formula=Formula(_SQUARED),
    ),
    Metric(
        "weighted_rmse",
        "minimize",
        "value",
        values.mean_weighted(values.weighted_rmse),
        aliases=("weighted root mean squared error", "weighted root mean square error", "wrmse"),
        parameter=_column("weighted_rmse@weight"),
        formula=Formula(f"{_SQUARED} ** 0.5"),
    ),
    Metric(
        "weighted_rmsle",
        "minimize",
        "value",
        values.mean_weighted(values.weighted_rmsle),
        aliases=(
            "weighted root mean squared logarithmic error",
            "weighted root mean square logarithmic error",
            "normalized weighted root mean squared logarithmic error",
            "nwrmsle",
            "wrmsle",
        ),
        parameter=_column("weighted_rmsle@weight"),
        non_negative=True,
        logarithmic=True,
        formula=Formula(_LOGARITHMIC),
    ),
    Metric(
        "weighted_accuracy",
        "maximize",
        "label",
        values.weighted_accuracy,
        aliases=("sample weighted accuracy", "weighted classification accuracy"),
        parameter=_column("weighted_accuracy@weight"),
        formula=Formula(_EQUAL),
    ),
    Metric(
        "mase",
        "minimize",
        "value",
        values.mase,
        aliases=("mean absolute scaled error",),
        parameter=_series("mase", 1),
        absolute=True,
        formula=Formula(_ABSOLUTE),
    ),
    Metric(
        "rmsse",
        "minimize",
        "value",
        values.rmsse,
        aliases=("root mean squared scaled error", "root mean square scaled error"),
        parameter=_series("rmsse", 2),
        formula=Formula(f"{_SQUARED} ** 0.5"),
    ),
)
"""Their names lack the parameter; `get_metric` binds it. Formulas of weighted metrics leave the weights out, because
scripts may not have the column."""
