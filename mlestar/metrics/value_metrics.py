"""The metrics of predicted values: one row for each, with all its facts."""

from dataclasses import replace

from sklearn import metrics as sk

from mlestar.metrics import ranking, scoring, values
from mlestar.metrics.definition import Formula, Metric
from mlestar.metrics.scoring import by_column

_TIMES = "time, event, risk = y[few, 0], y[few, 1] == 1, -decided[few]"
_CONCORDANCE = Formula(
    "concordant / max(comparable.sum(), 1)",
    lines=(
        "few = slice(None, None, max(1, len(y) // 2000))",
        "time, event, risk = y[few, 0], y[few, 1] == 1, decided[few]",
        "later = (time[:, None] < time) | ((time[:, None] == time) & ~event)",
        "comparable = event[:, None] & later",
        "concordant = (comparable * ((risk[:, None] > risk) + 0.5 * (risk[:, None] == risk))).sum()",
    ),
)
_RMSE = "float(np.mean(np.sqrt(np.mean((y - decided) ** 2, axis=0))))"

VALUE_METRICS = (
    Metric(
        "rmse",
        "minimize",
        "value",
        by_column(sk.root_mean_squared_error),
        aliases=(
            "root mean squared error",
            "root mean square error",
            "root mean squared deviation",
            "rms error",
            "rmsd",
        ),
        formula=Formula(_RMSE),
    ),
    Metric(
        "mcrmse",
        "minimize",
        "value",
        by_column(sk.root_mean_squared_error),
        aliases=(
            "mean column wise rmse",
            "mean column wise root mean squared error",
            "mean column wise root mean square error",
        ),
        formula=Formula(_RMSE),
    ),
    Metric(
        "mse",
        "minimize",
        "value",
        by_column(sk.mean_squared_error),
        aliases=("mean squared error", "mean square error"),
        formula=Formula("float(np.mean((y - decided) ** 2))"),
    ),
    Metric(
        "mae",
        "minimize",
        "value",
        by_column(sk.mean_absolute_error),
        aliases=("mean absolute error", "mean absolute deviation", "average absolute error"),
        absolute=True,
        formula=Formula("float(np.mean(np.abs(y - decided)))"),
    ),
    Metric(
        "medae",
        "minimize",
        "value",
        by_column(sk.median_absolute_error),
        aliases=("median absolute error",),
        absolute=True,
        formula=Formula("float(np.mean(np.median(np.abs(y - decided), axis=0)))"),
    ),
    Metric(
        "mape",
        "minimize",
        "value",
        by_column(sk.mean_absolute_percentage_error),
        aliases=("mean absolute percentage error", "mean absolute percent error", "mean absolute relative error"),
        absolute=True,
        logarithmic=True,
        formula=Formula("float(np.mean(np.abs(y - decided) / np.maximum(np.abs(y), 1e-9)))"),
    ),
    Metric(
        "wape",
        "minimize",
        "value",
        by_column(values.wape),
        aliases=(
            "weighted absolute percentage error",
            "weighted mean absolute percentage error",
            "weighted mape",
            "wmape",
        ),
        absolute=True,
        formula=Formula("float(np.sum(np.abs(y - decided)) / max(np.sum(np.abs(y)), 1e-9))"),
    ),
    Metric(
        "rmspe",
        "minimize",
        "value",
        by_column(values.rmspe),
        aliases=(
            "root mean square percentage error",
            "root mean squared percentage error",
            "root mean squared relative error",
        ),
        logarithmic=True,
        formula=Formula("float(np.sqrt(np.mean(((y - decided) / np.maximum(np.abs(y), 1e-9)) ** 2)))"),
    ),
    Metric(
        "msle",
        "minimize",
        "value",
        by_column(values.msle),
        aliases=("mean squared logarithmic error", "mean squared log error"),
        non_negative=True,
        logarithmic=True,
        formula=Formula("float(np.mean((np.log1p(np.maximum(decided, 0)) - np.log1p(y)) ** 2))"),
    ),
    Metric(
        "smape",
        "minimize",
        "value",
        by_column(scoring.smape),
        aliases=("symmetric mean absolute percentage error", "symmetric mape"),
        absolute=True,
        logarithmic=True,
        formula=Formula("float(2 * np.mean(np.abs(y - decided) / np.maximum(np.abs(y) + np.abs(decided), 1e-9)))"),
    ),
    Metric(
        "mcrmsle",
        "minimize",
        "value",
        by_column(scoring.rmsle),
        aliases=(
            "mean column wise rmsle",
            "mean rmsle over targets",
            "mean column wise root mean squared logarithmic error",
            "column wise root mean squared logarithmic error",
        ),
        non_negative=True,
        logarithmic=True,
        formula=Formula(
            "float(np.mean(np.sqrt(np.mean((np.log1p(np.maximum(decided, 0)) - np.log1p(y)) ** 2, axis=0))))"
        ),
    ),
    Metric(
        "rmsle",
        "minimize",
        "value",
        by_column(scoring.rmsle),
        aliases=(
            "root mean squared logarithmic error",
            "root mean square logarithmic error",
            "root mean squared log error",
            "root mean square log error",
            "rmse of the logarithms",
        ),
        sentences=(
            r"(?:root[\s-]+mean[\s-]+squared?[\s-]+error(?: \(rmse\))?|rmse) (?:between|of) (?:the )?(?:natural )?log",
        ),
        non_negative=True,
        logarithmic=True,
        formula=Formula("float(np.sqrt(np.mean((np.log1p(np.maximum(decided, 0)) - np.log1p(y)) ** 2)))"),
    ),
    Metric(
        "r2",
        "maximize",
        "value",
        by_column(scoring.r2),
        aliases=("r squared", "r2 score", "coefficient of determination"),
        formula=Formula("metrics.r2_score(y, decided)"),
    ),
    Metric(
        "c_index",
        "maximize",
        "value",
        ranking.concordance,
        aliases=("concordance index", "c index", "c statistic", "harrells c", "harrell c index", "harrells c index"),
        single_prediction="risk",
        form="a risk: the higher it is, the earlier the event is expected",
        formula=_CONCORDANCE,
    ),
    Metric(
        "c_index_of_times",
        "maximize",
        "value",
        ranking.concordance_of_times,
        aliases=("concordance index of times",),
        single_prediction="time",
        form="a time: the higher it is, the later the event is expected",
        formula=replace(_CONCORDANCE, lines=(*_CONCORDANCE.lines[:1], _TIMES, *_CONCORDANCE.lines[2:])),
    ),
    Metric(
        "spearman",
        "maximize",
        "value",
        by_column(scoring.spearman),
        aliases=("spearman correlation", "spearman rank correlation", "spearman rho", "rank correlation"),
        formula=Formula("float(pd.Series(decided).corr(pd.Series(y), method='spearman'))"),
    ),
    Metric(
        "pearson",
        "maximize",
        "value",
        by_column(scoring.pearson),
        aliases=("pearson correlation", "pearson correlation coefficient", "pearson r", "pearsonr"),
        formula=Formula("float(np.corrcoef(y, decided)[0, 1])"),
    ),
)
