"""Merging the model of one script into another."""

import re

from mlestar.offline.surgery import add_imports, functions, imports, needed, rename, replace_function

MODEL = ("fit_predict",)


def merge(base: str, reference: str) -> str | None:
    """Return the base with the reference's model trained beside its own and averaged; None when a part is missing."""
    mine, theirs = functions(base), functions(reference)
    if "fit_predict" not in mine or "fit_predict" not in theirs:
        return None
    members = re.findall(r"\bfit_predict_[a-z]\b", mine["fit_predict"])
    if not members:
        base, members = _as_member(base), ["fit_predict_a"]
    new = _letter(len(members))
    moved = [name for name in needed(reference, *MODEL) if name in theirs and name not in _shared(base, reference)]
    renamed = {name: f"{name}_{new}" for name in moved}
    parts = [rename(theirs[name], renamed) for name in moved]
    combined = _combine([*members, f"fit_predict_{new}"])
    text = "\n\n\n".join([*parts, combined])
    return add_imports(replace_function(base, "fit_predict", text), imports(reference))


def _as_member(base: str) -> str:
    """Give the base's model functions a letter and put an empty combination in their place."""
    parts = functions(base)
    own = [name for name in needed(base, *MODEL) if name in parts and name not in SHARED]
    renamed = {name: f"{name}_a" for name in own}
    for name in own:
        base = replace_function(base, name, rename(parts[name], renamed))
    member = functions(base)["fit_predict_a"]
    return base.replace(member, f"{member}\n\n\n{_combine(['fit_predict_a'])}", 1)


SHARED = frozenset({"is_text", "without_texts", "fit_classes"})
"""Functions that models use but that belong to the features."""


def _shared(base: str, reference: str) -> set[str]:
    mine, theirs = functions(base), functions(reference)
    return {name for name in theirs if name in SHARED and name in mine}


def _letter(place: int) -> str:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return letters[place % 26] * (place // 26 + 1)


def _combine(members: list[str]) -> str:
    return f'''def fit_predict(x, y, others, seed):
    """Return the plain average of the models' predictions."""
    members = [{", ".join(members)}]
    predictions = [member(x, y, others, seed) for member in members]
    return [np.mean(parts, axis=0) for parts in zip(*predictions, strict=True)]'''
