"""Reading the parameter of a metric, and making the metric of it."""

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from mlestar.metrics.definition import Formula, Metric, Parameter
from mlestar.metrics.values import naive_scale

_NUMBER = r"(\d+(?:\.\d+)?|\.\d+)"
QUANTILE_PATTERNS = (
    rf"(?:quantiles?|q|tau|alpha|\u03c4|\u03b1|level|Quantil)\s*(?:=|of|:|level|is)?\s*[`*$]*{_NUMBER}",
    rf"(?:@|\bat)\s*(?:the\s+)?[`*$]*{_NUMBER}",
    rf"{_NUMBER}\s*(?:%|th|st|nd|rd)?[\s-]*(?:quantiles?|percentiles?|-?Quantils?|Perzentils?)\b",
)
_PERCENT = r"\d+(?:\.\d+)?\s*(?:%|th|st|nd|rd)?"
QUANTILES = (
    rf"{_PERCENT}\s*(?:,|/|&|and|or|und)\s*(?:and\s+|the\s+)*{_PERCENT}"
    r"\s*(?:[-\s]*(?:quantiles|percentiles)|,|and|$|\.)"
)
_COUNT = r"(\d+)(?!\.?\d)"
COUNT_PATTERNS = (
    rf"@\s*(?:k\s*=\s*)?{_COUNT}",
    rf"\bk\s*=\s*{_COUNT}",
    rf"\bat (?:k\s*=\s*)?{_COUNT}",
    rf"\btop[\s-]*{_COUNT}",
    rf"\b(?:up to|cut-?off (?:at |of )?|first|best) {_COUNT}",
)
COLUMN_PATTERNS = (r"@\s*`?(\w+(?:\.\w+)*(?:,\w+(?:\.\w+)*)*)",)
BETA_PATTERNS = (
    rf"\bF[\s_-]?{_NUMBER}",
    rf"(?:beta|\u03b2)\s*(?:=|of|is)?\s*{_NUMBER}",
    rf"@\s*{_NUMBER}",
)


def number(text: str, low: float, high: float, what: str) -> float:
    """Return a number strictly between two bounds.

    Raises:
        ValueError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low < value < high:
        msg = f"{text!r} is not {what}"
        raise ValueError(msg)
    return value


def bind_quantile(metric: Metric, text: str) -> Metric:
    """Bind a quantile; 90 means 0.9."""
    quantile = number(text, 0, 100, "a quantile between 0 and 1")
    if quantile >= 1:
        quantile /= 100
    written = f"{quantile:g}"
    expression = metric.formula.expression.replace("QUANTILE", written)
    formula = replace(metric.formula, expression=expression, quantile=quantile)
    return _bound(metric, written, form=metric.form.replace("QUANTILE", written), formula=formula, quantile=quantile)


def bind_beta(metric: Metric, text: str) -> Metric:
    beta = number(text, 0, 100, "a beta above 0")
    formula = metric.formula
    expression = formula.expression.replace("BETA", f"{beta:g}")
    return _bound(metric, f"{beta:g}", formula=replace(formula, expression=expression), beta=beta)


def bind_count(metric: Metric, text: str) -> Metric:
    k = int(number(text, 0, 10_000, "a whole number of at least 1")) if text.isdecimal() else 0
    if not k:
        msg = f"{text!r} is not a whole number of at least 1"
        raise ValueError(msg)
    form = metric.form.replace("K labels", f"{k} labels")
    expression, class_columns = (
        code.replace("K_LABELS", str(k)) for code in (metric.formula.expression, metric.formula.class_columns)
    )
    formula = replace(metric.formula, expression=expression, class_columns=class_columns, labels=k)
    return _bound(metric, str(k), form=form, formula=formula, k=k)


def bind_count_and_query(metric: Metric, text: str) -> Metric:
    count, _, column = (part.strip() for part in text.partition(","))
    if not column:
        msg = f"{text!r} has no column of the query after a comma"
        raise ValueError(msg)
    bound = bind_count(metric, count)
    return replace(bound, name=f"{metric.name}@{bound.argument},{column}", argument=text, extra_columns=(column,))


def bind_column(metric: Metric, text: str) -> Metric:
    return replace(metric, name=f"{metric.name}@{text}", argument=text, parameter=None, extra_columns=(text,))


def bind_series(power: int) -> Callable[[Metric, str], Metric]:
    """Return a function that binds the column of time and, after commas, those that name a series."""

    def bind(metric: Metric, text: str) -> Metric:
        time, *series = (part.strip() for part in text.split(","))
        name = f"{metric.name}@{','.join((time, *series))}"
        scale = partial(naive_scale, time=time, series=tuple(series), power=power)
        columns = (time, *series)
        return replace(metric, name=name, argument=text, parameter=None, extra_columns=columns, extra_function=scale)

    return bind


def _bound(metric: Metric, argument: str, *, form: str = "", formula: Formula, **values: float) -> Metric:
    function = partial(metric.function, **values)
    name = f"{metric.name}@{argument}"
    return replace(
        metric,
        name=name,
        argument=argument,
        parameter=None,
        function=function,
        form=form or metric.form,
        formula=formula,
    )


def bind(metric: Metric, argument: str) -> Metric:
    """Return a metric with its parameter.

    Raises:
        ValueError: it takes none, or the argument is not one.
    """
    argument = argument.strip()
    if metric.parameter is None:
        msg = "it takes no parameter"
        raise ValueError(msg)
    if not argument:
        msg = f"it needs {metric.parameter.what}, as in {metric.parameter.example}"
        raise ValueError(msg)
    return metric.parameter.bind(metric, argument)


def read_argument(parameter: Parameter, phrase: str, after: str, before: str) -> str:
    """Return the parameter that a description names in a metric's phrase, else close after it, else close before it."""
    if parameter.several and re.search(parameter.several, re.split(r"\n\n|\.\s", f"{phrase}{after}")[0], re.IGNORECASE):
        return ""
    for text, last in ((phrase, False), (after, False), (before, True)):
        for pattern in parameter.patterns:
            if matches := re.findall(pattern, text, re.IGNORECASE):
                return str(matches[-1 if last else 0])
    return ""
