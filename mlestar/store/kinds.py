"""Kinds of entries of the ledger."""

from typing import Literal

ExecutionKind = Literal["execution", "export"]
"""An export runs a solution on the real input, which takes longer than the search's input."""
WorkKind = Literal["model_call", "execution", "export", "retrieval"]
"""Entries that cost something: they count towards the caps, and a fork takes them over."""
NoteKind = Literal[
    "solution",
    "first_solution",
    "leakage",
    "refusal",
    "decision",
    "replacement",
    "answer",
    "submitted",
    "reply",
    "weak_model",
    "used_reply",
    "failure",
    "repair",
    "trial",
    "study",
    "lessons",
    "step_facts",
    "blend_seconds",
    "graded",
    "weights",
    "packages",
    "refused_supply",
    "start",
    "brief",
]
"""Facts that cost nothing. `solution`: the outcome of an evaluation. `first_solution`: the first valid one of a track,
which is exported at once. `leakage`: what the checker found in a script. `refusal`: work that a cap stopped.
`decision`: a review point that the run has passed. `replacement`: the answer by which a fork replaces a decision.
`answer`: what a person answered. `submitted`: the solution whose files are in the run folder. `reply`: whether a
model's reply satisfied its contract. `weak_model`: a model that was given up in a role, and the one that took over.
`used_reply`: the model call, or the question, that used a reply with which the graph was resumed.
`failure`: how a script failed. `repair`: the versions of a script that was repaired. `trial`: what came of a plan for a
block. `study`: what an ablation measured. `lessons`: what the run read of the folder of lessons, so that it has
the same when it is resumed. `step_facts`: what the run knew when a step began, and so what its prompts contain.
`blend_seconds`: what a blend may take, so that a run that is repeated makes the same one.
`graded`: a submission that a holdout has graded. `weights`: the commit of a repository of weights, which the run keeps.
`packages`: the lock of the packages that a script declared, which the run keeps.
`refused_supply`: a package or weights that may not be used, and why. `start`: the person's own script, as it was read
when the run began. `brief`: the blob of the brief, for who reads a run that is not finished."""
