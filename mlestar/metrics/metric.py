"""The table of metrics: one row for each, with all its facts."""

from sklearn import metrics as sk

from mlestar.metrics import lists, scoring
from mlestar.metrics.definition import Decision, Formula, Metric
from mlestar.metrics.families import FAMILIES, OVER_ROWS
from mlestar.metrics.scoring import by_class, label_score
from mlestar.metrics.value_metrics import VALUE_METRICS

_SHARE = r"(?:share|fraction|percentage|proportion)"
_F1 = r"f1(?:[\s-]*scores?)?[\s,(]*"
_EQUAL = "np.mean(names == decided)"
_F1_TARGETS = "metrics.f1_score(y, decided, average='macro', zero_division=0)"
_SEVERAL = "all labels of the row in one cell, separated by blanks (by commas where labels contain blanks)"


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
        aliases=(
            "balanced accuracy score",
            "mean recall",
            "macro recall",
            "unweighted average recall",
            "per class accuracy",
            "mean per class accuracy",
            "mean class accuracy",
            "class averaged accuracy",
        ),
        formula=Formula('metrics.recall_score(names, decided, average="macro", zero_division=0)', decision="prior"),
    ),
    Metric(
        "f1",
        "maximize",
        "label",
        scoring.f1,
        aliases=("f1 score", "f1 measure", "binary f1", "f score", "f measure"),
        multiclass="macro_f1",
        multilabel="row_f1",
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
        sentences=(
            rf"{_F1}(?:macro|unweighted|averaged over (?:the |all )?classes)",
            r"(?:per[\s-]+class|class[\s-]*wise) f1(?:[\s-]*scores?)?",
        ),
        multilabel="list_macro_f1",
        formula=_f1_formula("macro"),
    ),
    Metric(
        "micro_f1",
        "maximize",
        "label",
        label_score(sk.f1_score, average="micro", zero_division=0.0),
        aliases=("f1 micro", "micro f1 score", "micro averaged f1", "micro averaged f1 score", "micro average f1"),
        sentences=(rf"{_F1}micro",),
        multilabel="list_micro_f1",
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
        "row_f1",
        "maximize",
        "text",
        lists.by_row(lists.f1_of_row),
        aliases=(
            "mean f1 over rows",
            "mean f1 score over rows",
            "samples averaged f1",
            "sample averaged f1",
            "sample averaged f score",
            "samples f1",
            "f1 samples",
            "example based f1",
            "instance averaged f1",
            "row wise f1",
            "mean row wise f1",
            "dice over rows",
        ),
        sentences=(
            rf"(?:mean|average|averaged)[\s-]+{_F1}{OVER_ROWS}",
            rf"{_F1}(?:is |are |was )?(?:computed |calculated |averaged |average )?(?:separately )?{OVER_ROWS}",
            r"(?:samples?|row|example|instance|record|document)s?[\s-]+(?:wise[\s-]+)?averaged?[\s-]+(?:mean[\s-]+)?f1",
        ),
        several_labels=True,
        form=_SEVERAL,
        formula=Formula(
            "np.mean([2 * len(true & set(guess)) / max(len(true) + len(guess), 1) for true, guess in rows])"
        ),
    ),
    Metric(
        "list_micro_f1",
        "maximize",
        "text",
        lists.micro_f1,
        aliases=("micro f1 of lists",),
        several_labels=True,
        form=_SEVERAL,
        formula=Formula(
            "2 * sum(len(true & set(guess)) for true, guess in rows)"
            " / max(sum(len(true) + len(guess) for true, guess in rows), 1)"
        ),
    ),
    Metric(
        "list_macro_f1",
        "maximize",
        "text",
        lists.macro_f1,
        aliases=("macro f1 of lists",),
        several_labels=True,
        form=_SEVERAL,
        formula=Formula(
            "np.mean([2 * sum(name in true and name in guess for true, guess in rows)"
            " / max(sum((name in true) + (name in guess) for true, guess in rows), 1) for name in CLASSES])"
        ),
    ),
    Metric(
        "row_jaccard",
        "maximize",
        "text",
        lists.by_row(lists.jaccard_of_row),
        aliases=("mean jaccard over rows", "samples averaged jaccard", "jaccard samples", "row wise jaccard"),
        several_labels=True,
        form=_SEVERAL,
        formula=Formula("np.mean([len(true & set(guess)) / max(len(true | set(guess)), 1) for true, guess in rows])"),
    ),
    Metric(
        "word_jaccard",
        "maximize",
        "text",
        lists.word_jaccard,
        aliases=("word level jaccard", "word level jaccard score", "word level jaccard index"),
        formula=Formula(_EQUAL),
    ),
    Metric(
        "jaccard",
        "maximize",
        "label",
        scoring.jaccard,
        aliases=(
            "jaccard index",
            "jaccard score",
            "jaccard similarity",
            "jaccard coefficient",
            "intersection over union",
            "iou score",
        ),
        abbreviations=("iou",),
        sentences=(r"(?<!mean )(?-i:IoU)\b(?! threshold)",),
        multiclass="macro_jaccard",
        multilabel="row_jaccard",
        formula=Formula(
            "np.sum(true & found) / max(np.sum(true | found), 1)",
            lines=("true, found = names == CLASSES[POSITIVE], decided == CLASSES[POSITIVE]",),
            decision="threshold",
        ),
    ),
    Metric(
        "macro_jaccard",
        "maximize",
        "label",
        label_score(sk.jaccard_score, average="macro", zero_division=0.0),
        aliases=("jaccard macro", "mean iou", "miou", "mean intersection over union", "macro averaged jaccard"),
        multilabel="row_jaccard",
        formula=Formula('metrics.jaccard_score(names, decided, average="macro", zero_division=0)', decision="prior"),
    ),
    Metric(
        "dice",
        "maximize",
        "label",
        scoring.f1,
        aliases=("dice coefficient", "dice score", "dice similarity coefficient", "sorensen dice", "dice index"),
        abbreviations=("dice",),
        sentences=(r"(?:scored|evaluated|judged|ranked|metric|evaluation)\b[^.;\n]{0,20}?\bdice\b",),
        multiclass="macro_f1",
        multilabel="row_f1",
        formula=Formula(
            "2 * np.sum(hits) / max(np.sum(true) + np.sum(found), 1)",
            lines=("true, found = names == CLASSES[POSITIVE], decided == CLASSES[POSITIVE]", "hits = true & found"),
            decision="threshold",
        ),
    ),
    Metric(
        "kappa",
        "maximize",
        "label",
        scoring.kappa,
        aliases=(
            "cohen kappa",
            "cohens kappa",
            "cohen kappa score",
            "unweighted kappa",
            "kappa score",
            "kappa statistic",
        ),
        formula=Formula("metrics.cohen_kappa_score(names, decided)", decision="prior"),
    ),
    Metric(
        "linear_kappa",
        "maximize",
        "label",
        scoring.linear_kappa,
        aliases=(
            "linear weighted kappa",
            "linearly weighted kappa",
            "linearly weighted cohen kappa",
            "cohen kappa with linear weights",
            "kappa with linear weights",
        ),
        integer=True,
        ordinal=True,
        formula=Formula(
            "1 - np.mean(np.abs(true - found)) / max(by_chance, 1e-12)",
            lines=(
                "true, found = (np.searchsorted(grade_values(), part.astype(float)) for part in (names, decided))",
                "steps = np.arange(len(grade_values()))",
                "shares = [np.bincount(part, minlength=len(steps)) / len(part) for part in (true, found)]",
                "by_chance = shares[0] @ np.abs(steps[:, None] - steps) @ shares[1]",
            ),
            decision="cuts",
        ),
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
            "quadratic weighted cohen kappa",
            "quadratically weighted cohen kappa",
            "kappa with quadratic weights",
            "quadratic cohen kappa",
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
)
METRICS: dict[str, Metric] = {metric.name: metric for metric in (*_ROWS, *VALUE_METRICS, *FAMILIES)}
"""Every metric by its name, those that `register_metric` adds included. Percentage errors are fractions."""
