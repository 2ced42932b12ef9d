"""What a metric asks of a script: how predictions are decided, the loss, and the code that scores them."""

from dataclasses import dataclass

from mlestar.offline.facts import Facts

_NAMES = "names = np.asarray(CLASSES)[y]"
_CUT_NAMES = "names = np.asarray(CLASSES_IN_ORDER)[grade_numbers(y)]"

_LABELS = {
    "accuracy": "np.mean(names == decided)",
    "exact_match": "np.mean(names == decided)",
    "balanced_accuracy": 'metrics.recall_score(names, decided, average="macro", zero_division=0)',
    "f1": "2 * np.sum(hits) / max(np.sum(true) + np.sum(found), 1)",
    "macro_f1": 'metrics.f1_score(names, decided, average="macro", zero_division=0)',
    "micro_f1": 'metrics.f1_score(names, decided, average="micro", zero_division=0)',
    "weighted_f1": 'metrics.f1_score(names, decided, average="weighted", zero_division=0)',
    "mcc": "metrics.matthews_corrcoef(names, decided)",
    "qwk": "1 - np.mean((true - found) ** 2) / max(by_chance, 1e-12)",
}
_BEFORE = {
    "f1": (
        "true, found = names == CLASSES[POSITIVE], decided == CLASSES[POSITIVE]",
        "hits = true & found",
    ),
    "qwk": (
        "true, found = (np.searchsorted(grade_values(), part.astype(float)) for part in (names, decided))",
        "by_chance = np.mean(true**2.0) + np.mean(found**2.0) - 2 * np.mean(true) * np.mean(found)",
    ),
}
"""Lines that some scores need first; written out, they are much quicker than the library's, and tuning calls them."""
_RULES = {"f1": "threshold", "mcc": "threshold", "macro_f1": "prior", "balanced_accuracy": "prior", "qwk": "cuts"}

_PROBABILITIES = {
    "auroc": "metrics.roc_auc_score(truth, decided)",
    "mean_auroc": "metrics.roc_auc_score(truth, decided)",
    "average_precision": "metrics.average_precision_score(truth, decided)",
    "brier": "float(np.mean((truth - decided) ** 2))",
    "log_loss": "float(-np.mean(truth * np.log(kept) + (1 - truth) * np.log(1 - kept)))",
}
_MANY_COLUMNS = {
    "log_loss": "float(-np.mean((truth * np.log(kept)).sum(axis=1)))",
    "brier": "float(np.mean(((truth - decided) ** 2).sum(axis=1)))",
}
_VALUES = {
    "rmse": "float(np.mean(np.sqrt(np.mean((y - decided) ** 2, axis=0))))",
    "mcrmse": "float(np.mean(np.sqrt(np.mean((y - decided) ** 2, axis=0))))",
    "mse": "float(np.mean((y - decided) ** 2))",
    "mae": "float(np.mean(np.abs(y - decided)))",
    "medae": "float(np.mean(np.median(np.abs(y - decided), axis=0)))",
    "mape": "float(np.mean(np.abs(y - decided) / np.maximum(np.abs(y), 1e-9)))",
    "smape": "float(200 * np.mean(np.abs(y - decided) / np.maximum(np.abs(y) + np.abs(decided), 1e-9)))",
    "rmsle": "float(np.sqrt(np.mean((np.log1p(np.maximum(decided, 0)) - np.log1p(y)) ** 2)))",
    "r2": "metrics.r2_score(y, decided)",
    "spearman": "float(pd.Series(decided).corr(pd.Series(y), method='spearman'))",
    "pearson": "float(np.corrcoef(y, decided)[0, 1])",
}
_ABSOLUTE = {"mae", "medae", "mape", "smape"}
_LOGARITHMIC = {"rmsle", "mape", "smape"}


@dataclass(frozen=True)
class Goal:
    """How a script predicts and scores."""

    rule: str
    """Which `decide` it has."""
    code: str
    """Body of `score`."""
    classify: bool
    """The target is one class out of several and models give probabilities."""
    multilabel: bool
    loss: str
    """`l1` or `l2`, for values."""
    scale: str
    """`log` when the model is fitted on log1p of the target."""

    @property
    def classes(self) -> bool:
        """Models are classifiers."""
        return self.classify or self.multilabel


def find_goal(facts: Facts) -> Goal:
    """Return what the task's metric asks for; an unknown metric is stood in for by the usual one of its kind."""
    spec = facts.spec
    if spec.problem == "ordinal" and spec.prediction_kind == "label" and _are_numbers(spec.classes):
        return Goal("cuts", _label_code(spec.metric, _CUT_NAMES, "qwk"), False, False, "l2", "")
    if spec.problem == "multilabel" and len(spec.target) > 1:
        rule = "labels" if spec.prediction_kind == "label" else "probabilities"
        return Goal(rule, _many_code(spec.metric, rule), False, True, "l2", "")
    if spec.prediction_kind in ("label", "text"):
        rule = _RULES.get(spec.metric, "likeliest")
        rule = "prior" if rule == "threshold" and len(spec.classes) != 2 else rule
        rule = "likeliest" if rule == "cuts" else rule
        fallback = "accuracy" if rule != "prior" or spec.metric not in ("f1", "mcc") else "macro_f1"
        metric = spec.metric if rule == "threshold" or spec.metric not in ("f1", "qwk") else fallback
        return Goal(rule, _label_code(metric, _NAMES, "accuracy"), True, False, "l2", "")
    if spec.prediction_kind == "probability":
        rule = "positive" if len(spec.prediction_columns) == 1 else "probabilities"
        return Goal(rule, _probability_code(spec.metric, rule), True, False, "l2", "")
    loss = "l1" if spec.metric in _ABSOLUTE else "l2"
    scale = "log" if spec.metric in _LOGARITHMIC and _not_negative(facts) else ""
    return Goal("values", f"return {_VALUES.get(spec.metric, _VALUES['rmse'])}", False, False, loss, scale)


def _label_code(metric: str, names: str, fallback: str) -> str:
    metric = metric if metric in _LABELS else fallback
    return "\n".join([names, *_BEFORE.get(metric, ()), f"return float({_LABELS[metric]})"])


def _probability_code(metric: str, rule: str) -> str:
    if rule == "positive":
        call = _PROBABILITIES.get(metric, _PROBABILITIES["log_loss"])
        return f"truth = (y == POSITIVE).astype(int)\nkept = np.clip(decided, 1e-6, 1 - 1e-6)\nreturn {call}"
    call = _MANY_COLUMNS.get(metric, _MANY_COLUMNS["log_loss"])
    if metric in ("auroc", "mean_auroc", "average_precision"):
        call = f"float(np.mean([{_per_column(_PROBABILITIES[metric])} for k in np.unique(y)]))"
    return f"truth = np.eye(len(CLASSES))[y]\nkept = np.clip(decided, 1e-6, 1 - 1e-6)\nreturn {call}"


def _per_column(call: str, truth: str = "truth") -> str:
    return call.replace("truth", f"{truth}[:, k]").replace("decided", "decided[:, k]")


def _many_code(metric: str, rule: str) -> str:
    if rule == "labels":
        call = (
            "metrics.f1_score(y, decided, average='macro', zero_division=0)"
            if "f1" in metric
            else "float(np.mean(y == decided))"
        )
        return f"return {call}"
    wide = [k for k in ("auroc", "average_precision") if k in metric]
    if wide:
        call = _per_column(_PROBABILITIES[wide[0]], "y")
        return f"return float(np.mean([{call} for k in range(y.shape[1]) if 0 < y[:, k].mean() < 1]))"
    call = _PROBABILITIES.get(metric, _PROBABILITIES["log_loss"])
    return f"truth = y\nkept = np.clip(decided, 1e-6, 1 - 1e-6)\nreturn {call}"


def _are_numbers(classes: tuple[str, ...]) -> bool:
    try:
        return bool([float(name) for name in classes])
    except ValueError:
        return False


def _not_negative(facts: Facts) -> bool:
    lows = [column.minimum for name in facts.spec.target if (column := facts.column(name))]
    return all(low is None or not low.strip().startswith("-") for low in lows)
