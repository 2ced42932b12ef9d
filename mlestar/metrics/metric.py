"""The table of metrics: one row for each, with all its facts."""

from sklearn import metrics as sk

from mlestar.metrics import scoring
from mlestar.metrics.definition import Decision, Formula, Metric
from mlestar.metrics.scoring import by_class, by_column, label_score

_SHARE = r"(?:share|fraction|percentage|proportion)"
_F1 = r"f1(?:[\s-]*scores?)?[\s,(]*"
_EQUAL = "np.mean(names == decided)"
_F1_TARGETS = "metrics.f1_score(y, decided, average='macro', zero_division=0)"
_RMSE = "float(np.mean(np.sqrt(np.mean((y - decided) ** 2, axis=0))))"


def _f1_formula(average: str) -> Formula:
    decision: Decision = "prior" if average == "macro" else "likeliest"
    code = f'metrics.f1_score(names, decided, average="{average}", zero_division=0)'
    return Formula(code, target_columns=_F1_TARGETS, decision=decision)


_ROWS = (
    # Texts come first: "the share of rows that match exactly" is an exact match before it is an accuracy.
    Metric(
        "exact_match",
        "maximize",
        "text",
        scoring.exact_match,
        aliases=("exact match accuracy", "exact match ratio", "exactly equal", "sequence accuracy"),
        sentences=(
            rf"{_SHARE}\b[^.;\n]{{0,120}}\b(?:equals?|match(?:es)?)\b[^.;\n]{{0,60}}\bexactly",
            rf"{_SHARE}\b[^.;\n]{{0,120}}\bexactly\b[^.;\n]{{0,40}}\b(?:equals?|match)",
        ),
        formula=Formula(_EQUAL),
    ),
    Metric("word_error_rate", "minimize", "text", scoring.word_error_rate, aliases=("wer", "word error")),
    Metric(
        "accuracy",
        "maximize",
        "label",
        label_score(sk.accuracy_score),
        aliases=("classification accuracy", "accuracy score"),
        abbreviations=("acc",),
        common_words=("accuracy",),
        sentences=(r"(?:share|fraction|percentage|proportion|rate) of (?:\w+ ){0,5}?(?:right|correct|correctly)\b",),
        formula=Formula(_EQUAL),
    ),
    Metric(
        "balanced_accuracy",
        "maximize",
        "label",
        scoring.balanced_accuracy,
        aliases=("balanced accuracy score", "mean recall", "macro recall", "unweighted average recall"),
        formula=Formula('metrics.recall_score(names, decided, average="macro", zero_division=0)', decision="prior"),
    ),
    Metric(
        "f1",
        "maximize",
        "label",
        scoring.f1,
        aliases=("f1 score", "f1 measure", "binary f1", "f score", "f measure"),
        multiclass="macro_f1",
        # Written out it is much quicker than the library's function, and tuning a threshold calls it often.
        formula=Formula(
            "2 * np.sum(hits) / max(np.sum(true) + np.sum(found), 1)",
            lines=("true, found = names == CLASSES[POSITIVE], decided == CLASSES[POSITIVE]", "hits = true & found"),
            target_columns=_F1_TARGETS,
            decision="threshold",
        ),
    ),
    Metric(
        "macro_f1",
        "maximize",
        "label",
        label_score(sk.f1_score, average="macro", zero_division=0.0),
        aliases=("f1 macro", "macro f1 score", "macro averaged f1", "macro averaged f1 score", "macro average f1"),
        sentences=(rf"{_F1}(?:macro|unweighted|averaged over (?:the |all )?classes)",),
        formula=_f1_formula("macro"),
    ),
    Metric(
        "micro_f1",
        "maximize",
        "label",
        label_score(sk.f1_score, average="micro", zero_division=0.0),
        aliases=("f1 micro", "micro f1 score", "micro averaged f1", "micro averaged f1 score", "micro average f1"),
        sentences=(rf"{_F1}micro",),
        formula=_f1_formula("micro"),
    ),
    Metric(
        "weighted_f1",
        "maximize",
        "label",
        label_score(sk.f1_score, average="weighted", zero_division=0.0),
        aliases=("f1 weighted", "weighted f1 score", "weighted averaged f1", "weighted average f1"),
        sentences=(rf"{_F1}weighted",),
        formula=_f1_formula("weighted"),
    ),
    Metric(
        "mcc",
        "maximize",
        "label",
        label_score(sk.matthews_corrcoef),
        aliases=("matthews correlation coefficient", "matthews correlation", "matthews corrcoef", "phi coefficient"),
        formula=Formula("metrics.matthews_corrcoef(names, decided)", decision="threshold"),
    ),
    Metric(
        "qwk",
        "maximize",
        "label",
        scoring.qwk,
        aliases=(
            "quadratic weighted kappa",
            "quadratically weighted kappa",
            "quadratic kappa",
            "weighted kappa",
            "cohen kappa with quadratic weights",
        ),
        integer=True,
        ordinal=True,
        # Written out for the same reason as f1.
        formula=Formula(
            "1 - np.mean((true - found) ** 2) / max(by_chance, 1e-12)",
            lines=(
                "true, found = (np.searchsorted(grade_values(), part.astype(float)) for part in (names, decided))",
                "by_chance = np.mean(true**2.0) + np.mean(found**2.0) - 2 * np.mean(true) * np.mean(found)",
            ),
            decision="cuts",
        ),
    ),
    Metric(
        "auroc",
        "maximize",
        "probability",
        by_class(sk.roc_auc_score),
        aliases=(
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
        multitarget="mean_auroc",
        formula=Formula("metrics.roc_auc_score(truth, decided)"),
    ),
    Metric(
        "mean_auroc",
        "maximize",
        "probability",
        by_class(sk.roc_auc_score),
        aliases=(
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
        sentences=(r"(?:average|mean) of the (?:individual )?(?:roc )?aucs?\b",),
        formula=Formula("metrics.roc_auc_score(truth, decided)"),
    ),
    Metric(
        "average_precision",
        "maximize",
        "probability",
        by_class(sk.average_precision_score),
        aliases=(
            "average precision score",
            "mean average precision",
            "pr auc",
            "auc pr",
            "auprc",
            "area under the precision recall curve",
        ),
        formula=Formula("metrics.average_precision_score(truth, decided)"),
    ),
    Metric(
        "log_loss",
        "minimize",
        "probability",
        scoring.log_loss,
        aliases=(
            "logarithmic loss",
            "multi class log loss",
            "multi class logarithmic loss",
            "binary log loss",
            "cross entropy",
            "cross entropy loss",
            "binary cross entropy",
            "negative log likelihood",
        ),
        formula=Formula(
            "float(-np.mean(truth * np.log(kept) + (1 - truth) * np.log(1 - kept)))",
            class_columns="float(-np.mean((truth * np.log(kept)).sum(axis=1)))",
        ),
    ),
    Metric(
        "brier",
        "minimize",
        "probability",
        scoring.brier,
        aliases=("brier score", "brier loss", "brier score loss"),
        formula=Formula(
            "float(np.mean((truth - decided) ** 2))",
            class_columns="float(np.mean(((truth - decided) ** 2).sum(axis=1)))",
        ),
    ),
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
        aliases=("mean absolute percentage error", "mean absolute percent error"),
        absolute=True,
        logarithmic=True,
        formula=Formula("float(np.mean(np.abs(y - decided) / np.maximum(np.abs(y), 1e-9)))"),
    ),
    Metric(
        "smape",
        "minimize",
        "value",
        by_column(scoring.smape),
        aliases=("symmetric mean absolute percentage error", "symmetric mape"),
        absolute=True,
        logarithmic=True,
        formula=Formula("float(200 * np.mean(np.abs(y - decided) / np.maximum(np.abs(y) + np.abs(decided), 1e-9)))"),
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
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ROWS}
"""Every metric by its name, those that `register_metric` adds included. Percentage errors are fractions."""
