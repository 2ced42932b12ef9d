"""What a metric requires of a script: how predictions are decided, the loss, and the code that scores them."""

import re
from dataclasses import dataclass

from mlestar.errors import UserError
from mlestar.metrics import METRICS, Metric, get_metric
from mlestar.metrics.spec import PredictionKind, TaskSpec
from mlestar.offline.facts import Facts

_NAMES = "names = np.asarray(CLASSES)[y]"
_GRADE_NAMES = "names = np.asarray(CLASSES_IN_ORDER)[grade_numbers(y)]"
_KEPT = "kept = np.clip(decided, 1e-6, 1 - 1e-6)"
_SHARE_OF_RIGHT_CELLS = "float(np.mean(y == decided))"


@dataclass(frozen=True)
class Objective:
    """How a script predicts and scores."""

    rule: str
    """Name of the decision rule: which `decide` the script has."""
    code: str
    """Body of `score`."""
    classify: bool = False
    """The target is one class out of several, and models predict class probabilities."""
    multilabel: bool = False
    loss: str = "l2"
    """`l1`, `l2` or `quantile`, for values."""
    scale: str = ""
    """`log` when the model is fitted on log1p of the target."""
    quantile: float = 0.0
    """The quantile of the target that values are shifted to, 0 for none."""
    ranked: int = 0
    """Number of labels in a cell of predictions; 0 for all labels above a threshold."""

    @property
    def classes(self) -> bool:
        """Models are classifiers."""
        return self.classify or self.multilabel


def find_objective(facts: Facts) -> Objective:
    """Return the objective for the task's metric; without a formula it is that of the usual metric of its kind."""
    spec = facts.spec
    if spec.problem == "ordinal" and spec.prediction_kind == "label" and _are_numbers(spec.classes):
        metric = _find_metric(spec.metric, "qwk", "label", "text")
        return Objective("cuts", _label_code(metric, _GRADE_NAMES))
    if spec.problem == "multilabel" and len(spec.target) > 1:
        return _multilabel_objective(spec)
    named = _known(spec.metric)
    if spec.prediction_kind == "text" and named and named.several_labels:
        return _list_objective(spec, named)
    if spec.prediction_kind in ("label", "text"):
        return _label_objective(spec)
    if spec.prediction_kind == "probability":
        return _probability_objective(spec)
    return _value_objective(facts)


def _find_metric(name: str, usual: str, *kinds: PredictionKind) -> Metric:
    """Return the metric of this name if scripts can compute it for predictions of these kinds, else the usual one."""
    metric = _known(name)
    if metric is None or metric.kind not in kinds or not metric.formula.expression:
        return METRICS[usual]
    return metric if metric.kind in kinds and metric.formula.expression else METRICS[usual]


def _known(name: str) -> Metric | None:
    try:
        return get_metric(name)
    except UserError:
        return None


def _list_objective(spec: TaskSpec, metric: Metric) -> Objective:
    """Return the objective of cells that hold several labels; a single true label is one class out of several."""
    single = spec.problem != "multilabel"
    true = "{CLASSES[row]}" if single else "{name for name, flag in zip(CLASSES, row) if flag}"
    rows = f"rows = [({true}, text.split(SEPARATOR)) for row, text in zip(y, decided)]"
    code = "\n".join([rows, *metric.formula.lines, f"return float({metric.formula.expression})"])
    rule = "ranked" if metric.formula.labels else "tags"
    return Objective(rule, code, classify=single, multilabel=not single, ranked=metric.formula.labels)


def _label_objective(spec: TaskSpec) -> Objective:
    metric = _find_metric(spec.metric, "accuracy", "label", "text")
    binary = len(spec.classes) == 2
    if metric.multiclass and not binary:
        metric = get_metric("@".join(filter(None, (metric.multiclass, metric.argument))))
    rule: str = metric.formula.decision
    if rule == "threshold" and not binary:
        rule = "prior"
    if rule == "cuts":  # grades that are not numbers have no distances
        metric, rule = METRICS["accuracy"], "likeliest"
    return Objective(rule, _label_code(metric, _NAMES), classify=True)


def _label_code(metric: Metric, names: str) -> str:
    return "\n".join([names, *metric.formula.lines, f"return float({metric.formula.expression})"])


def _probability_objective(spec: TaskSpec) -> Objective:
    formula = _find_metric(spec.metric, "log_loss", "probability").formula
    if len(spec.prediction_columns) == 1:
        lines = ["truth = (y == POSITIVE).astype(int)", _KEPT, *formula.lines, f"return {formula.expression}"]
        return Objective("positive", "\n".join(lines), classify=True)
    score = formula.class_columns or f"float(np.mean([{_column_code(formula.expression)} for k in np.unique(y)]))"
    code = f"truth = np.eye(len(CLASSES))[y]\n{_KEPT}\nreturn {score}"
    return Objective("probabilities", code, classify=True)


def _multilabel_objective(spec: TaskSpec) -> Objective:
    if spec.prediction_kind == "label" and not set(spec.classes) <= {"0", "1"}:
        return _columns_objective(spec)
    if spec.prediction_kind == "label":
        formula = _find_metric(spec.metric, "accuracy", "label").formula
        return Objective("labels", f"return {formula.target_columns or _SHARE_OF_RIGHT_CELLS}", multilabel=True)
    formula = _find_metric(spec.metric, "log_loss", "probability").formula
    if formula.class_columns:  # a mean over rows is also a mean over cells
        return Objective("probabilities", f"truth = y\n{_KEPT}\nreturn {formula.expression}", multilabel=True)
    columns = "for k in range(y.shape[1]) if 0 < y[:, k].mean() < 1"
    code = f"return float(np.mean([{_column_code(formula.expression, truth='y')} {columns}]))"
    return Objective("probabilities", code, multilabel=True)


def _columns_objective(spec: TaskSpec) -> Objective:
    """Return the objective of several target columns of classes: the mean of the score over the columns."""
    metric = _find_metric(spec.metric, "accuracy", "label")
    if metric.multiclass or metric.ordinal:
        metric = get_metric("macro_f1") if metric.multiclass else METRICS["accuracy"]
    lines = ["def one(names, decided):", *(f"    {line}" for line in metric.formula.lines)]
    lines += [f"    return float({metric.formula.expression})", "", "names = np.asarray(CLASSES)[y]"]
    code = "\n".join([*lines, "return float(np.mean([one(names[:, k], decided[:, k]) for k in range(y.shape[1])]))"])
    return Objective("columns", code, multilabel=True)


def _column_code(expression: str, truth: str = "truth") -> str:
    """Return an expression of one column as that of column `k` of several."""
    columns = {"truth": f"{truth}[:, k]", "decided": "decided[:, k]", "kept": "np.clip(decided[:, k], 1e-6, 1 - 1e-6)"}
    return re.sub(r"\b(?:truth|decided|kept)\b", lambda name: columns[name[0]], expression)


def _value_objective(facts: Facts) -> Objective:
    spec = facts.spec
    metric = _find_metric(spec.metric, "rmse", "value")
    if metric.single_prediction and len(spec.target) > 1:
        rule = "times" if metric.single_prediction == "time" else "risk"
        return Objective(rule, "\n".join([*metric.formula.lines, f"return float({metric.formula.expression})"]))
    quantile = metric.formula.quantile
    loss = "quantile" if quantile else "l1" if metric.absolute else "l2"
    scale = "log" if metric.logarithmic and _not_negative(facts) else ""
    lines = [*metric.formula.lines, f"return {metric.formula.expression}"]
    rule = "quantile" if quantile else "values"
    return Objective(rule, "\n".join(lines), loss=loss, scale=scale, quantile=quantile)


def _are_numbers(classes: tuple[str, ...]) -> bool:
    try:
        return bool([float(name) for name in classes])
    except ValueError:
        return False


def _not_negative(facts: Facts) -> bool:
    columns = [column for name in facts.spec.target if (column := facts.column(name))]
    lows = [column.minimum for column in columns if column.minimum is not None]
    return not any(low.strip().startswith("-") for low in lows)
