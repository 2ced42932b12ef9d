"""Drawing withheld rows at random: whole units, of every class where classes matter."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mlestar.data.task import Task
from mlestar.evaluation.holdout.holdout import Holdout, labelled_rows
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.evaluation.holdout.units import feature_columns, row_units


@dataclass(frozen=True)
class RowUnits:
    """Train rows as units that stay together, from which holdouts are drawn."""

    units: np.ndarray
    strata: np.ndarray
    """Number of the class within which each row is drawn; zeros when classes do not matter."""
    classes: np.ndarray
    """Number of each row's class; -1 where no class has to stay in train."""
    labelled: np.ndarray
    apart: np.ndarray
    """Mask of the rows that are in no holdout: they are kept apart."""

    def draw(
        self, used: np.ndarray, share: float, rng: np.random.Generator, *, count_labelled: bool = False
    ) -> np.ndarray:
        """Return a mask of about `share` of the labelled rows, taken as whole units of which no row is used.

        Args:
            used: mask of rows.
            share: of the labelled rows.
            rng: draws the units.
            count_labelled: the size of a unit is that of its labelled rows. Without it fewer rows are drawn where some
                have no label, as in runs that earlier versions began.
        """
        _, first, inverse, sizes = np.unique(self.units, return_index=True, return_inverse=True, return_counts=True)
        if count_labelled:
            sizes = np.bincount(inverse, weights=self.labelled)
        unused = np.bincount(inverse, weights=used, minlength=len(sizes)) == 0
        drawn = np.zeros(len(sizes), dtype=bool)
        for stratum in np.unique(self.strata[self.labelled]):
            members = rng.permutation(np.flatnonzero(unused & (self.strata[first] == stratum)))
            quota = share * np.count_nonzero(self.strata[self.labelled] == stratum)
            totals = np.concatenate([[0], np.cumsum(sizes[members])])
            drawn[members[: int(np.abs(totals - quota).argmin())]] = True
        return self._keep_classes(drawn[inverse] & self.labelled)

    def _keep_classes(self, withheld: np.ndarray) -> np.ndarray:
        """Return one unit to train for every class that would be missing there."""
        for number in np.setdiff1d(self.classes[withheld], self.classes[~withheld & ~self.apart]):
            rows = np.flatnonzero(withheld & (self.classes == number))
            # A unit that was returned for another class may have had this one too.
            if number >= 0 and len(rows):
                withheld = withheld & (self.units != self.units[rows[0]])
        return withheld


def make_units(task: Task, plan: SplitPlan, apart: Holdout | None = None) -> RowUnits:
    spec, frame = task.spec, task.train.rows
    rows = np.arange(len(frame))
    labelled = labelled_rows(task)
    units = row_units(plan, frame, feature_columns(spec.id, frame, task.test.rows))
    classes = np.full(len(rows), -1)
    if spec.problem in ("binary", "multiclass", "ordinal"):
        classes = np.where(labelled, pd.factorize(frame[spec.target[0]].str.strip())[0], -1)
    strata = classes if plan.kind == "stratified" else np.zeros(len(rows), dtype=int)
    left_out = np.zeros(len(rows), dtype=bool)
    if apart is not None:
        left_out[apart.withheld] = True
    return RowUnits(units, strata, classes, labelled & ~left_out, left_out)


def make_holdout(name: str, row_units: RowUnits, withheld: np.ndarray) -> Holdout:
    train = np.flatnonzero(~withheld & ~row_units.apart)
    return Holdout(name, train, np.flatnonzero(withheld), row_units.units[withheld])
