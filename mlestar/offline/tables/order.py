"""The order in which models for tables are proposed, by the columns, the classes and the number of rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from mlestar.offline.facts import Facts
from mlestar.offline.metrics import find_objective
from mlestar.offline.tables.columns import treat_columns

_MANY_CLASSES = 10
"""Classes from which boosting, with a tree per class and round, learns too little from the rows of each. Chosen by
judgement; not measured."""
_FEW_ROWS = 1_000
"""Rows below which a linear model errs as little as trees. Chosen by judgement; not measured."""
_WIDE = 0.1
"""Features per row from which a table is wide. Chosen by judgement; not measured."""
_FEW_COLUMNS = 40
"""Numeric columns up to which distances between rows mean something. Chosen by judgement; not measured."""
_ROWS_PER_CELL = 4
"""Rows for each pair of values from which the effect of the pair can be learned: as in the model of factors. Chosen by
judgement; not measured."""
_MIN_PAIRED = 2
"""Columns of categories from which there are pairs."""


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

    * Many classes: a linear model on scaled columns, beside one on similarities between rows where the columns are
      few numbers, so that these mean something, and beside boosting elsewhere.
    * Wide or small tables: boosting and a linear model.
    * Two or more columns of categories whose pairs of values are frequent: the effects of these pairs beside boosting,
      which needs many splits for a table of one category against another.
    * Otherwise boosting, and a model of another kind whose errors differ from those of trees.
    """
    shape = measure_shape(facts)
    if treat_columns(facts).texts:
        return ("lightgbm", "text", "catboost")
    if shape.has_many_classes:
        alike = shape.numbers <= _FEW_COLUMNS and not shape.category_sizes
        return ("kernel", "linear", "lightgbm") if alike else ("lightgbm", "linear", "catboost")
    if shape.has_pairs:
        return ("lightgbm", "factors", "catboost", "linear")
    if shape.is_wide or shape.is_small:
        return ("lightgbm", "linear", "kernel", "catboost")
    return ("lightgbm", "catboost", "kernel", "xgboost")


def measure_shape(facts: Facts) -> Shape:
    """Return what the order depends on."""
    columns, objective = treat_columns(facts), find_objective(facts)
    known = {column.name: column.distinct for column in facts.test_columns}
    return Shape(
        rows=facts.spec.train_rows,
        numbers=len(columns.numbers),
        category_sizes=tuple(known[name] for name in columns.categories if name in known),
        classes=len(facts.spec.classes) if objective.classify else 0,
    )
