"""The order in which models for tables are proposed, which depends on the columns, the classes and the rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from mlestar.offline.facts import Facts
from mlestar.offline.metrics import find_objective
from mlestar.offline.tables.columns import treat_columns

_MANY_CLASSES = 10
"""Classes from which each class has too few rows for boosting, which fits a tree per class and round. Chosen by
judgement; not measured."""
_FEW_ROWS = 1_000
"""Rows below which a linear model has errors as small as those of trees. Chosen by judgement; not measured."""
_WIDE = 0.1
"""Features per row from which a table is wide. Chosen by judgement; not measured."""
_FEW_COLUMNS = 40
"""Numeric columns up to which distances between rows are informative. Chosen by judgement; not measured."""
_ROWS_PER_CELL = 4
"""Rows per pair of values from which the effect of the pair can be learned, as in the model `factors`. Chosen by
judgement; not measured."""
_MIN_PAIRED = 2
"""Columns of categories that a pair needs."""


@dataclass(frozen=True)
class Shape:
    """What the order depends on."""

    rows: int
    numbers: int
    """Columns of numbers."""
    category_sizes: tuple[int, ...]
    """Different values of each column of categories."""
    classes: int
    """Classes of the target, 0 for numbers."""

    @property
    def has_many_classes(self) -> bool:
        return self.classes >= _MANY_CLASSES

    @property
    def is_wide(self) -> bool:
        return self.numbers > _WIDE * self.rows

    @property
    def is_small(self) -> bool:
        return self.rows < _FEW_ROWS

    @property
    def has_pairs(self) -> bool:
        """Whether there are pairs of categories that are frequent enough to learn their effects."""
        sizes = self.category_sizes
        frequent = any(_ROWS_PER_CELL * left * right <= self.rows for left, right in combinations(sizes, 2))
        return len(sizes) >= _MIN_PAIRED and frequent


def first_models(facts: Facts) -> Sequence[str]:
    """Return the names of the models to begin with, the most promising first; others follow in their usual order.

    * Columns of texts: boosting and a linear model on TF-IDF.
    * Many classes: a linear model, with a kernel model where the columns are few numbers, so that distances between
      rows are informative, and with boosting elsewhere.
    * Two or more columns of categories whose pairs of values are frequent: boosting and a model of the effects of these
      pairs, for which boosting needs many splits.
    * Wide or small tables: boosting and a linear model.
    * Otherwise boosting, and a model of another type, whose errors differ from those of trees.
    """
    shape = measure_shape(facts)
    if treat_columns(facts).texts:
        return ("lightgbm", "text", "catboost")
    if shape.has_many_classes:
        few_numbers = shape.numbers <= _FEW_COLUMNS and not shape.category_sizes
        return ("kernel", "linear", "lightgbm") if few_numbers else ("lightgbm", "linear", "catboost")
    if shape.has_pairs:
        return ("lightgbm", "factors", "catboost", "linear")
    if shape.is_wide or shape.is_small:
        return ("lightgbm", "linear", "kernel", "catboost")
    return ("lightgbm", "catboost", "kernel", "xgboost")


def measure_shape(facts: Facts) -> Shape:
    """Return what the order depends on."""
    columns, objective = treat_columns(facts), find_objective(facts)
    sizes = {column.name: column.distinct for column in facts.test_columns}
    return Shape(
        rows=facts.spec.train_rows,
        numbers=len(columns.numbers),
        category_sizes=tuple(sizes[name] for name in columns.categories if name in sizes),
        classes=len(facts.spec.classes) if objective.classify else 0,
    )
