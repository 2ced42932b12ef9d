"""The weights of a blend: greedy selection from the predictions that scripts left for the same withheld rows.

Caruana, Niculescu-Mizil, Crew and Ksikes (2004, "Ensemble Selection from Libraries of Models"): members are added one
at a time, with replacement, the one first that improves the score most, from the best few on; that is repeated for
random subsets of the members (bags), each with the best one, and the counts are added.

The weights are cross-fitted: those of one half of the withheld rows are used on the other half, so that the score of
these predictions owes nothing to the choice. They are compared with the best script, which is chosen in the same way:
the best of many on all rows is better than it is by chance. Whole units of the split stay in one half.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from pydantic import BaseModel, ConfigDict

from mlestar.evaluation.answers import MIN_UNITS, Answers, read_submission
from mlestar.evaluation.blending.combine import mix, stack_members
from mlestar.evaluation.blending.scales import NotBlendedError, find_scales
from mlestar.evaluation.predictions import SubmissionError
from mlestar.metrics.spec import sign

MAX_CANDIDATES = 16
"""Submissions among which members are chosen, the best ones. Chosen by judgement; not measured."""
MAX_MEMBERS = 8
"""Members of a blend. Chosen by judgement; not measured."""
LEAST_SHARE = 0.02
"""Weight below which a member is left out, as it takes its whole time. Chosen by judgement; not measured."""
BAGS = 8
"""Random subsets of the candidates, each with half of them, the best included. Chosen by judgement; not measured."""
FIRST = 3
"""The best few with which a selection starts at most. Chosen by judgement; not measured."""
STEPS = 12
"""Members that one selection adds at most. Chosen by judgement; not measured."""
FIT_ROWS = 20_000
"""Rows from which weights are found, at most: a few weights need no more. Chosen by judgement; not measured."""
MIN_ROWS = 40
"""Withheld rows below which weights are noise. Chosen by judgement; not measured."""

Score = Callable[[np.ndarray], float]
"""Scores weights, one for each candidate; higher is better, minus infinity where the score is undefined."""


class Mixture(BaseModel):
    """A scale and the weight of each candidate, which add up to 1."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    scale: str
    weights: tuple[float, ...]


class Fit(BaseModel):
    """The weights of a blend."""

    model_config = ConfigDict(frozen=True)

    halves: tuple[Mixture, Mixture]
    """From each half of the rows, as `first_half` divides them."""
    whole: Mixture
    """From all rows."""
    singles: tuple[Mixture, Mixture]
    """The best submission alone, from each half of the rows: what a blend of that half is compared with."""


def fit_blend(answers: Answers, submissions: Sequence[Path], seconds: Sequence[float], limit: float) -> Fit:
    """Return the weights of a blend of graded submissions.

    Args:
        answers: what the submissions were graded against.
        submissions: the best first.
        seconds: what the script of each takes.
        limit: of the seconds of all members together.

    Raises:
        NotBlendedError: they cannot be blended, or the rows are too few.
    """
    scales = find_scales(answers.form)
    if len(answers.units) < MIN_ROWS:
        msg = f"fewer than {MIN_ROWS} rows are withheld"
        raise NotBlendedError(msg)
    try:
        members = [_columns(read_submission(answers.form, path)) for path in submissions]
    except SubmissionError as error:
        raise NotBlendedError(str(error)) from None
    stacks = {scale: stack_members(members, scale) for scale in scales}
    first = first_half(answers.units)
    parts = [np.flatnonzero(first), np.flatnonzero(~first), np.arange(len(first))]
    fits, singles = [], []
    for rows in parts:
        sampled = _sample(answers.units, rows)
        scores = {scale: _score_of(answers, *stacks[scale], scale, sampled) for scale in scales}
        mixtures = {scale: _fit(scores[scale], seconds, limit) for scale in scales}
        scale = max(mixtures, key=lambda name: mixtures[name][0])
        fits.append(_mixture(scale, mixtures[scale][1]))
        # On the scale that suits it: that of the blend may cost it something, such as negative values.
        alone = [(name, weights) for name in scales for weights in np.eye(len(submissions))]
        singles.append(_mixture(*max(alone, key=lambda one: scores[one[0]](one[1]))))
    return Fit(halves=(fits[0], fits[1]), whole=fits[2], singles=(singles[0], singles[1]))


def _mixture(scale: str, weights: np.ndarray) -> Mixture:
    return Mixture(scale=scale, weights=tuple(map(float, weights)))


def first_half(units: np.ndarray) -> np.ndarray:
    """Return which rows are in the first half: whole units, drawn at random, the same ones every time."""
    _, codes = np.unique(units, return_inverse=True)
    if codes.max(initial=0) + 1 < MIN_UNITS:
        codes = np.arange(len(units))
    sizes = np.bincount(codes)
    order = np.random.default_rng(0).permutation(len(sizes))
    # The unit that holds the middle row is in the second half; at least one is in each.
    count = int(np.searchsorted(np.cumsum(sizes[order]), len(units) / 2, side="right"))
    chosen = order[: min(max(count, 1), len(sizes) - 1)]
    return np.asarray(np.isin(codes, chosen))


def _sample(units: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return some of the rows where they are many, whole units at a time."""
    if len(rows) <= FIT_ROWS:
        return rows
    _, codes = np.unique(units[rows], return_inverse=True)
    order = np.random.default_rng(0).permutation(int(codes.max()) + 1)
    places = np.argsort(order)[codes]
    kept = np.sort(np.argsort(places, kind="stable")[:FIT_ROWS])
    return np.asarray(rows[kept])


def _columns(predicted: np.ndarray) -> np.ndarray:
    return predicted.reshape(len(predicted), -1)


def _score_of(answers: Answers, values: np.ndarray, labels: np.ndarray | None, scale: str, rows: np.ndarray) -> Score:
    """Return the function that scores weights on some rows; bags ask for many weights again."""
    factor = sign(answers.form.metric.direction)
    stack = values[:, rows]
    scored: dict[bytes, float] = {}

    def score(weights: np.ndarray) -> float:
        shares = np.round(weights / weights.sum(), 9)
        key = shares.tobytes()
        if key not in scored:
            blended = mix(stack, labels, shares, scale)
            result = factor * answers.score_rows(blended[:, 0] if blended.shape[1] == 1 else blended, rows)
            scored[key] = result if np.isfinite(result) else -np.inf
        return scored[key]

    return score


def _fit(score: Score, seconds: Sequence[float], limit: float) -> tuple[float, np.ndarray]:
    """Return the score and the weights of the blend of some rows."""
    count = len(seconds)
    singles = np.array([score(weights) for weights in np.eye(count)])
    allowed = np.flatnonzero(np.asarray(seconds) <= limit)
    if not len(allowed):
        return -np.inf, np.eye(count)[int(singles.argmax())]
    counts = _bagged(score, singles, allowed)
    kept = _within_limits(counts, seconds, limit)
    if len(kept) < np.count_nonzero(counts):
        counts = _bagged(score, singles, kept)
    weights = counts / counts.sum()
    return score(weights), weights


def _bagged(score: Score, singles: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return how often each member is chosen over all bags; few members are one bag.

    The best member is in every bag: the few scripts of a run differ in strength, and bags of weak ones cost 0.034 of an
    RMSE of 1.29 on a generated table, against 0.002; where twelve equal ones had errors of their own, the gain was
    0.041 in place of 0.045.
    """
    if len(allowed) <= FIRST:
        return _select(score, singles, allowed)
    best, *others = allowed[np.argsort(-singles[allowed], kind="stable")]
    rng, size = np.random.default_rng(0), (len(allowed) + 1) // 2
    bags = [np.append(rng.choice(others, size - 1, replace=False), best) for _ in range(BAGS)]
    return np.asarray(np.sum([_select(score, singles, bag) for bag in bags], axis=0))


def _select(score: Score, singles: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Return how often each member is chosen from one bag, as shares."""
    unit = np.eye(len(singles))
    ranked = allowed[np.argsort(-singles[allowed], kind="stable")]
    starts = [unit[ranked[:size]].sum(axis=0) for size in range(1, min(FIRST, len(ranked)) + 1)]
    scores = [score(start) for start in starts]
    best = int(np.argmax(scores))
    counts, reached = starts[best], scores[best]
    for _ in range(STEPS):
        trials = [score(counts + unit[member]) for member in ranked]
        place = int(np.argmax(trials))
        if not trials[place] > reached:
            break
        counts, reached = counts + unit[ranked[place]], trials[place]
    return np.asarray(counts / counts.sum())


def _within_limits(counts: np.ndarray, seconds: Sequence[float], limit: float) -> np.ndarray:
    """Return the members with the largest weights that fit the limits together."""
    kept: list[int] = []
    left = limit
    for member in np.argsort(-counts, kind="stable"):
        enough = counts[member] >= LEAST_SHARE * counts.sum()
        if enough and len(kept) < MAX_MEMBERS and seconds[member] <= left:
            kept.append(int(member))
            left -= seconds[member]
    return np.array(sorted(kept))
