"""Replies that take a run through every step of the method, with the settings `FULL`."""

from collections.abc import Callable

from tests.unit.scenario import Reply, by_card, cards, choose_block, fence, rewrite, script, study


def candidates(a: float | str = 0.5, b: float | str = 0.6, c: float | str = 0.55) -> Callable[[str], str]:
    """Answer the initializer for three cards with scripts of these qualities."""
    return by_card(A=fence(script(a, "A")), B=fence(script(b, "B")), C=fence(script(c, "C")))


METHOD: dict[str, Reply] = {
    "retriever": cards("A", "B", "C"),
    "initializer": candidates(),
    "merger": [fence(script(0.65, "B C")), fence(script(0.62, "B C A"))],
    "ablator": [fence(study(0.65, ("plain", 0.5))), fence(study(0.75, ("plain", 0.6)))],
    "extractor": choose_block,
    "coder": rewrite(0.7, 0.75, 0.72, 0.8, 0.78),
    "ensembler": [fence(script(q, f"ensemble{q}")) for q in (0.78, 0.9, 0.85)],
}
"""Two merges of three candidates, of which the second is worse; two outer steps of which each finds a better plan; and
three ensembles, of which the second is the best."""
