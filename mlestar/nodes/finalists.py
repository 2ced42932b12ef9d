"""Finalists: which scripts are scored on fresh rows, and in which order `choosing_scores` puts them."""

import math
from collections.abc import Mapping, Sequence
from statistics import stdev

from mlestar.metrics.spec import Direction, sign
from mlestar.report import Score
from mlestar.report.ranking import choosing_scores
from mlestar.state import AS_GIVEN, BASELINE, START, PipelineState, Rescoring, Solution, best_first


def ranked_scripts(state: PipelineState, direction: Direction) -> list[Solution]:
    """Return the solutions of the run that have a score, best first, each script once; baselines are none of them.

    A start comes before other solutions with its script: what it is compared with must not be the start itself.
    """
    solutions = [one for one in state.get("solutions", {}).values() if one.origin not in (BASELINE, AS_GIVEN)]
    ranked = best_first(direction, sorted(solutions, key=lambda solution: (solution.origin != START, solution.id)))
    scripts: dict[str | None, Solution] = {}
    for solution in ranked:
        scripts.setdefault(solution.script, solution)
    return list(scripts.values())


def choose_finalists(ranked: Sequence[Solution], count: int) -> list[Solution]:
    """Return the best by holdout score, best first: a blend first, and from two on the best of each kind.

    A start is one more: what is submitted is compared with it.

    The holdout score of a script or an ensemble is the best of many on the same rows, so its lead over another kind may
    be chance; that of a blend owes nothing to a choice, and looks worse than theirs for it. A blend is kept only where
    it is better than the others, chosen by other rows.
    """
    blends = [solution for solution in ranked if solution.members]
    singles = [solution for solution in ranked if solution.origin != "ensemble"]
    ensembles = [solution for solution in ranked if solution.origin == "ensemble" and not solution.members]
    kinds = (blends, singles, ensembles) if count > 1 else (blends,)
    places = [kind[0] for kind in kinds if kind][:count]
    others = [solution for solution in ranked if solution not in places]
    chosen = [*places, *others[: count - len(places)]]
    chosen += [solution for solution in ranked if solution.origin == START and solution not in chosen]
    return [solution for solution in ranked if solution in chosen]


def order_finalists(
    direction: Direction, solutions: Sequence[Solution], rescorings: Mapping[str, Rescoring]
) -> list[str]:
    """Return the ids of the solutions: finalists best first, then those without a fresh score, then those that failed.

    Of those without a fresh score, a blend comes first: see `choose_finalists`.

    Args:
        direction: of the metric.
        solutions: best first by holdout score.
        rescorings: of the finalists, by the id of the solution.
    """
    pairs = [(solution, rescorings[solution.id]) for solution in solutions if solution.id in rescorings]
    scores = choosing_scores(direction, {solution.id: _score(solution, final) for solution, final in pairs})

    def position(solution: Solution) -> tuple[int, float]:
        if solution.id in scores:
            return 0, -sign(direction) * scores[solution.id].score
        rescoring = rescorings.get(solution.id)
        if rescoring and rescoring.failed:
            return 3, 0.0
        return (1 if solution.members else 2), 0.0

    return [solution.id for solution in sorted(solutions, key=position)]


def _score(solution: Solution, rescoring: Rescoring) -> Score:
    verdict = solution.verdict
    return Score(
        holdout=verdict.holdout,
        holdout_se=verdict.holdout_se,
        fresh=rescoring.fresh,
        fresh_se=rescoring.fresh_se,
        blind=rescoring.blind,
    )


def error_of_mean(scores: Sequence[float], errors: Sequence[float]) -> float:
    """Return the standard error of the mean of scores: from their own errors, or from their spread if it is larger."""
    within = math.hypot(*errors) / len(scores)
    return max(within, stdev(scores) / math.sqrt(len(scores))) if len(scores) > 1 else within
