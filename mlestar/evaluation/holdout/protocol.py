"""Python code by which a script validates as its plan withholds rows."""

from typing import TYPE_CHECKING

from mlestar.evaluation.holdout.calendar_columns import unit_of
from mlestar.evaluation.holdout.rule import SplitRule

if TYPE_CHECKING:
    from mlestar.evaluation.holdout.plan import SplitPlan

_MAX_NAME = 200
"""Characters of a column's name up to which prompts contain code with it. Chosen by judgement; not measured."""
_CALENDAR = '''\
def read_times(rows):
    """Return each row's time in seconds, from columns of units of time."""
    parts = {{unit: pd.to_numeric(rows[column], errors="coerce") for unit, column in {columns}.items()}}
    if "month" in parts and parts["month"].isna().all():
        parts["month"] = pd.to_datetime(rows[{month}].str[:3], format="%b", errors="coerce").dt.month
    months = np.asarray((parts.get("year", 1970) - 1970) * 12 + parts.get("month", 1) - 1, dtype=float)
    days = np.nan_to_num(months).astype(int).astype("datetime64[M]").astype("datetime64[D]").astype(float)
    days = np.where(np.isnan(months), np.nan, days) + (parts.get("quarter", 1) - 1) * 91.3125
    days = days + (parts.get("week", 1) - 1) * 7 + parts.get("day", 1) - 1
    return np.asarray(days * 86400 + parts.get("hour", 0) * 3600 + parts.get("minute", 0) * 60, dtype=float)
'''
_SERIES = '''\
def name_series(rows):
    """Return the name of each row's series."""
    {names}


def held_rows(train, test):
    """Mark the last rows of each series, as many as test has of it and at most half; `read_times` gives the times."""
    names, sizes = name_series(train), name_series(test).value_counts()
    later = pd.Series(-read_times(train), index=names.index).groupby(names).rank(method="min")
    most = np.minimum(names.map(sizes).fillna(0), names.groupby(names).transform("size") // 2)
    return (later <= most).to_numpy()
'''
_GROUPS = '''\
def fold_groups(train):
    """Return the group of each row; a group stays on one side of a split."""
    {names}
    return names.to_numpy()
'''
_BLOCKS = '''\
def fold_groups(train):
    """Return the block in space of each row; a block stays on one side of a split."""
    places = train[{columns}].apply(pd.to_numeric, errors="coerce")
    blocks = np.floor(places / {widths}).astype(str)
    return blocks.agg(" ".join, axis=1).to_numpy()
'''
_COPIES = '''\
def fold_groups(train):
    """Return the group of near copies of each row; copies stay on one side of a split."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    points = train[{columns}].apply(pd.to_numeric, errors="coerce")
    points = (points.fillna(points.median()).fillna(0) / {widths}).to_numpy()
    places, inverse = np.unique(points, axis=0, return_inverse=True)
    pairs = cKDTree(places).query_pairs(1.0 + 1e-9, output_type="ndarray")
    links = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(places), len(places)))
    return connected_components(links, directed=False)[1][inverse.reshape(-1)]
'''


def validation_code(plan: "SplitPlan") -> str:
    """Return functions that name the units of a plan; empty where its words say all.

    No code for names that could end the fence around it in a prompt.
    """
    if any("`" in name or len(name) > _MAX_NAME for name in (*plan.keys, *plan.series)):
        return ""
    if plan.kind == "series":
        times = [calendar_code(plan)] if plan.columns else []
        return "\n\n".join([*times, series_code(plan)])
    if plan.kind == "time" and plan.columns:
        return calendar_code(plan)
    return units_code(plan)


def units_code(plan: "SplitPlan") -> str:
    """Return `fold_groups`, which names the unit of each row of train that stays on one side.

    Empty where a plan has no units, or one column names them.
    """
    if plan.kind in ("time", "series") or not plan.columns:
        return ""
    columns, widths = list(plan.keys), list(plan.widths)
    if plan.kind == "space":
        return _BLOCKS.format(columns=columns, widths=widths)
    if plan.kind == "group":
        return _GROUPS.format(names=_names_code("train", plan.keys, plan.group_rule).replace("return ", "names = "))
    return _COPIES.format(columns=columns, widths=widths)


def series_code(plan: "SplitPlan") -> str:
    """Return `held_rows`, which marks the rows of train that a split of series withholds."""
    return _SERIES.format(names=_names_code("rows", plan.series, plan.series_rule))


def calendar_code(plan: "SplitPlan") -> str:
    """Return `read_times` for times that several columns give together."""
    columns = {unit_of(column) or "": column for column in plan.columns}
    return _CALENDAR.format(columns=columns, month=repr(columns.get("month", "")))


def _names_code(rows: str, columns: tuple[str, ...], rule: SplitRule | None) -> str:
    if len(columns) > 1:
        return f'return {rows}[{list(columns)}].astype(str).agg("|".join, axis=1)'
    if rule is None:
        return f"return {rows}[{columns[0]!r}]"
    return f"cells = {rows}[{columns[0]!r}].astype(str)\n    return {rule.code}"
