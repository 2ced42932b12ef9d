"""Merging the model of one script into another."""

import ast
import re
from collections.abc import Iterable

from mlestar.offline.surgery import add_imports, constants, functions, imports, needed, rename, replace_function
from mlestar.syntax import parse

_MODEL = "fit_predict"
_FEATURE_FUNCTIONS = frozenset({"is_text", "without_texts", "fit_classes"})
"""Functions that models use but that belong to the features."""
_TWO = 2
"""Classes up to which probabilities are averaged, and not their logarithms. Chosen by judgement; not measured."""
_FEATURES = ("load", "read_target", "build_features")
"""Functions whose helpers belong to the features, also where a model uses them."""


def merge_models(base: str, reference: str) -> str | None:
    """Return the base with the reference's model trained too and averaged with its own; None if a part is missing."""
    base_parts, parts = functions(base), functions(reference)
    if _MODEL not in base_parts or _MODEL not in parts:
        return None
    members = re.findall(r"\bfit_predict_[a-z]\b", base_parts[_MODEL])
    if not members:
        base, members = _as_member(base), ["fit_predict_a"]
    letter = _letter(len(members))
    fixed = _functions_of_constants(reference)
    shared = {name for name in _feature_functions(reference) if name in parts and name in functions(base)}
    required = needed(reference, _MODEL)
    base = _with_constants(base, reference, required)
    moved = [name for name in required if name in parts and name not in shared | fixed]
    new_names = {name: f"{name}_{letter}" for name in moved}
    codes = [rename(parts[name], new_names) for name in moved]
    average = _average([*members, f"fit_predict_{letter}"], classes=_predicts_classes(base))
    text = "\n\n\n".join([*codes, average])
    return add_imports(replace_function(base, _MODEL, text), imports(reference))


def _with_constants(base: str, reference: str, names: Iterable[str]) -> str:
    """Return the base with those constants of the reference that it lacks inserted before its model.

    The functions that compute these constants are inserted too.
    """
    defined, values = {**constants(base), **functions(base)}, constants(reference)
    missing = [name for name in names if name in values.keys() - defined.keys()]
    own = [name for name in needed(reference, *missing) if name in functions(reference).keys() - defined.keys()]
    code = "\n\n\n".join([*(functions(reference)[name] for name in own), "\n".join(values[name] for name in missing)])
    code = f"{code.strip()}\n\n\n" if missing else ""
    return base.replace(f"def {_MODEL}(", f"{code}def {_MODEL}(", 1)


def _as_member(base: str) -> str:
    """Return the base with its model renamed to `..._a` and called by an average of one model."""
    parts = functions(base)
    shared = _feature_functions(base) | _functions_of_constants(base)
    own = [name for name in needed(base, _MODEL) if name in parts and name not in shared]
    new_names = {name: f"{name}_a" for name in own}
    for name in own:
        base = replace_function(base, name, rename(parts[name], new_names))
    member = functions(base)["fit_predict_a"]
    return base.replace(member, f"{member}\n\n\n{_average(['fit_predict_a'], classes=False)}", 1)


def _predicts_classes(script: str) -> bool:
    """Return whether the models of a script give probabilities of three or more classes."""
    lists = [node for node in ast.walk(parse(constants(script).get("CLASSES", ""))) if isinstance(node, ast.List)]
    return bool(lists) and len(lists[0].elts) > _TWO and "to_scale" not in functions(script)


def _feature_functions(script: str) -> frozenset[str]:
    """Return the functions of a script that are not part of its model."""
    return _FEATURE_FUNCTIONS | frozenset(needed(script, *_FEATURES))


def _functions_of_constants(script: str) -> frozenset[str]:
    """Return the functions that compute the constants of a script; like the constants, they are not renamed."""
    return frozenset(functions(script).keys() & needed(script, *constants(script)))


def _letter(index: int) -> str:
    """Return `a` to `z`, then `aa` to `zz`, and so on."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    return letters[index % 26] * (index // 26 + 1)


def _average(members: list[str], *, classes: bool) -> str:
    """Return the function that fits the members and averages their predictions.

    With more than two classes it averages log probabilities, so that a member that excludes a class has more weight.
    """
    what = "probabilities, averaged as logarithms" if classes else "predictions, averaged"
    head = f'''def fit_predict(x, y, others, seed):
    """Return the models' {what}."""
    members = [{", ".join(members)}]
    predictions = [member(x, y, others, seed) for member in members]
'''
    if not classes:
        return f"{head}    return [np.mean(parts, axis=0) for parts in zip(*predictions, strict=True)]"
    return f"""{head}    logarithms = [[np.log(np.maximum(part, 1e-6)) for part in parts] for parts in predictions]
    blends = [np.exp(np.mean(parts, axis=0)) for parts in zip(*logarithms, strict=True)]
    return [blend / blend.sum(axis=1, keepdims=True) for blend in blends]"""
