"""The arithmetic of a blend. Its text is part of every blend's script, so that it imports nothing of this package."""

import re
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd

CERTAIN = 1e-6
"""Distance from 0 and 1 that probabilities keep before their logits are averaged. Chosen by judgement; not measured."""


def read_table(path: Path, columns: Sequence[str], delimiter: str) -> pd.DataFrame:
    """Return a submission as text; a comma separates its cells where the delimiter does not."""
    header = pd.read_csv(path, sep=delimiter, nrows=0, encoding="utf-8-sig").columns
    mark = delimiter if set(columns) <= set(header) else ","
    # Lines with a delimiter at their end have one cell more than the header, which is no index.
    return pd.read_csv(path, sep=mark, dtype=str, na_filter=False, index_col=False, encoding="utf-8-sig")


def blend_tables(
    tables: Sequence[pd.DataFrame],
    weights: Sequence[float],
    *,
    columns: Sequence[str],
    scale: str,
    key: str | None = None,
    decimal: str = ".",
) -> pd.DataFrame:
    """Return the blend of submissions: the rows and other columns of the first one, all cells as text.

    Args:
        tables: the submissions, cells as text.
        weights: one for each.
        columns: those with predictions.
        scale: on which predictions are averaged, see `stack_members`.
        key: the column by which rows are matched; None where their order does.
        decimal: the decimal mark of predictions.

    Raises:
        ValueError: the submissions have other rows, or a prediction is not a number.
    """
    names = list(columns)
    first = tables[0]
    aligned = [align(table, first, key) for table in tables]
    if scale in ("vote", "median"):
        members = unify([np.column_stack([plain_labels(table[name]) for name in names]) for table in aligned])
    else:
        members = [np.column_stack([numbers(table[name], decimal) for name in names]) for table in aligned]
    values, labels = stack_members(members, scale)
    blended = mix(values, labels, weights, scale)
    result = first.copy()
    for place, name in enumerate(names):
        column = blended[:, place]
        result[name] = column if labels is not None else [repr(float(value)) for value in column]
    return result


def align(table: pd.DataFrame, first: pd.DataFrame, key: str | None) -> pd.DataFrame:
    """Return a table with its rows in the order of the first one; where an id is that of several rows, as they are."""
    if len(table) != len(first):
        msg = f"{len(table)} rows instead of {len(first)}"
        raise ValueError(msg)
    if key is None or key not in table.columns or key not in first.columns or first[key].duplicated().any():
        return table
    for spell in (plain_labels, _exact, _by_number):
        ids, wanted = pd.Index(spell(table[key])), pd.Index(spell(first[key]))
        if ids.is_unique and wanted.is_unique and (places := ids.get_indexer(wanted)).min(initial=0) >= 0:
            ordered: pd.DataFrame = table.iloc[places].reset_index(drop=True)
            return ordered
    msg = f"ids differ in column {key!r}"
    raise ValueError(msg)


def numbers(cells: pd.Series, decimal: str) -> np.ndarray:
    """Return the numbers of cells; a decimal comma is read where the task has one."""
    texts = cells.str.strip()
    if decimal == ",":
        texts = texts.str.replace(",", ".", regex=False)
    return pd.to_numeric(texts).to_numpy(dtype=float)


def plain_labels(cells: pd.Series) -> np.ndarray:
    """Return one spelling for equal labels: 3.0 is 3, TRUE is True."""
    return _map_unique(cells.to_numpy(dtype=object), _plain_label)


def _map_unique(texts: np.ndarray, change: Callable[[str], object]) -> np.ndarray:
    codes, unique = pd.factorize(texts)
    return np.array([change(str(text)) for text in unique], dtype=object)[codes]


def _plain_label(text: str) -> str:
    text = text.strip()
    if text.lower() in ("true", "false"):
        return text.capitalize()
    whole = re.fullmatch(r"[+]?(-?\d+)(\.0*)?", text, re.ASCII)
    return whole[1] if whole else text


def unify(members: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return labels with one spelling for each number, as 7 and 007, unless a member tells them apart."""
    own = [list(pd.unique(cells.ravel())) for cells in members]
    spellings: dict[object, str] = {}
    for label in dict.fromkeys(label for labels in own for label in labels):
        spellings.setdefault(_number(label), label)
    if any(len({_number(label) for label in labels}) < len(labels) for labels in own):
        return list(members)
    spelled = [_map_unique(cells.ravel(), lambda label: spellings[_number(label)]) for cells in members]
    return [cells.reshape(like.shape) for cells, like in zip(spelled, members, strict=True)]


def _exact(cells: pd.Series) -> np.ndarray:
    return cells.to_numpy(dtype=object)


def _by_number(cells: pd.Series) -> np.ndarray:
    return _map_unique(cells.to_numpy(dtype=object), _number)


def _number(text: str) -> object:
    """Return the exact number that a text is; other texts as they are."""
    is_number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?", text.strip(), re.ASCII)
    return Decimal(text.strip()) if is_number else text


def stack_members(members: Sequence[np.ndarray], scale: str) -> tuple[np.ndarray, np.ndarray | None]:
    """Return predictions on the scale on which they are averaged, and the labels that they are positions in.

    Args:
        members: (rows, columns) predictions of each member: floats, or labels as text.
        scale: `value` and `probability` are averaged as they are, `log` as log(1 + value), `logit` as log odds,
            `softmax` as logarithms of class probabilities, `rank` as ranks of a column; labels are decided by a
            weighted `vote`, grades by their weighted `median`.

    Returns:
        (members, rows, columns) numbers, and for labels the labels, None for others.
    """
    if scale not in ("vote", "median"):
        return np.stack([_to_scale(values, scale) for values in members]), None
    cells = np.stack(members)
    labels = np.array(list(pd.unique(cells.ravel())), dtype=object)
    if scale == "median":
        labels = np.array(sorted(labels, key=float), dtype=object)
    codes = pd.Index(labels).get_indexer(pd.Index(cells.ravel()))
    return codes.reshape(cells.shape), labels


def mix(values: np.ndarray, labels: np.ndarray | None, weights: Sequence[float] | np.ndarray, scale: str) -> np.ndarray:
    """Return the (rows, columns) blend of stacked predictions; members without weight do not count."""
    shares = np.asarray(weights, dtype=float)
    used = np.flatnonzero(shares > 0)
    values, shares = values[used], shares[used] / shares[used].sum()
    if labels is not None:
        codes = _median(values, shares) if scale == "median" else _vote(values, shares)
        return np.asarray(labels[codes])
    return _from_scale(np.tensordot(shares, values, axes=1), scale)


def _to_scale(values: np.ndarray, scale: str) -> np.ndarray:
    if scale == "log":
        return np.asarray(np.log1p(np.maximum(values, 0)))
    if scale == "logit":
        kept = np.clip(values, CERTAIN, 1 - CERTAIN)
        return np.asarray(np.log(kept / (1 - kept)))
    if scale == "softmax":
        return np.asarray(np.log(np.clip(values, CERTAIN, 1)))
    if scale == "rank":
        return pd.DataFrame(values).rank(pct=True).to_numpy(dtype=float)
    return values


def _from_scale(values: np.ndarray, scale: str) -> np.ndarray:
    if scale == "log":
        return np.asarray(np.expm1(values))
    if scale == "logit":
        return np.asarray(1 / (1 + np.exp(-values)))
    if scale == "softmax":
        powers = np.exp(values - values.max(axis=1, keepdims=True))
        return np.asarray(powers / powers.sum(axis=1, keepdims=True))
    # Rounding may carry a mean of ones over 1.
    return np.clip(values, 0, 1) if scale in ("probability", "rank") else values


def _vote(codes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the label with the largest share of each cell; among equal ones that of the first member counts."""
    support = [sum(share * (other == own) for share, other in zip(shares, codes, strict=True)) for own in codes]
    chosen = np.argmax(np.round(np.stack(support), 9), axis=0)
    return np.asarray(np.take_along_axis(codes, chosen[None], axis=0)[0])


def _median(codes: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return the lowest grade of each cell up to which members have half of the weight."""
    order = np.argsort(codes, axis=0, kind="stable")
    below = np.cumsum(shares[order], axis=0)
    chosen = np.argmax(below >= 0.5 - 1e-9, axis=0)
    ordered = np.take_along_axis(codes, order, axis=0)
    return np.asarray(np.take_along_axis(ordered, chosen[None], axis=0)[0])
