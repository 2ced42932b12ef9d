"""What people read of a question to them, in a terminal and on a page."""

from collections.abc import Mapping

ASKED: Mapping[str, str] = {
    "models": "Which models does this track try first?",
    "ablation": "What does the ablation say about the parts of the script?",
    "block": "Is this the block of the script to refine, and is this the first plan for it?",
    "plan": "Is this the plan for the block?",
    "ensemble": "Is this the plan to combine the solutions of the tracks?",
    "submission": "Is this the solution to submit?",
    "packages": "May these packages be added for a script?",
    "weights": "May these weights be fetched for a script?",
}
TITLES: Mapping[str, str] = {
    "summary": "what the ablation says",
    "others": "other solutions, the best first",
    "problem": "not accepted",
}
"""Of the parts of a proposal whose names do not say what they are."""
TEXTS: Mapping[str, str] = {
    "ablation": "summary",
    "block": "block",
    "plan": "plan",
    "ensemble": "plan",
    "submission": "script",
}
"""Review points that propose a text, and its key in the proposal."""
