"""The function of a script that an ablation study measured."""

import ast
import re
from collections.abc import Collection, Sequence

from mlestar.agents.blocks import locate
from mlestar.agents.script import Function, ScriptError, parse_tree
from mlestar.state import Variant

FILLERS = {"withou", "plain", "simple", "drop", "remove", "off", "with", "only", "use", "the", "ablati"}
"""Beginnings of words in a variant's name that do not name a part of a script."""
STEM = 6
"""Letters by which words are compared. Chosen by judgement; not measured."""


def find_measured_block(script: str, study: str, variants: Sequence[Variant], earlier: Collection[str]) -> str | None:
    """Return the function with the largest measured effect that can be a block and has not been one; None without one.

    A variant belongs to the function whose name shares a word with its own, else to one whose text does. When no name
    says anything, the largest function counts that the study has in another form.
    """
    blocks = _possible_blocks(script, earlier)
    for variant in _by_effect(variants):
        words = _words(variant.name) - FILLERS
        for text_of in (lambda name: name, lambda name: blocks[name]):
            named = [name for name in blocks if words & _words(text_of(name))]
            if named:
                return blocks[max(named, key=lambda name: len(blocks[name]))]
    changed = [name for name in blocks if name in _changed_functions(script, study)]
    return blocks[max(changed, key=lambda name: len(blocks[name]))] if changed else None


def _possible_blocks(script: str, earlier: Collection[str]) -> dict[str, str]:
    """Return the functions of a script that can be a block, by their names."""
    lines = script.split("\n")
    blocks: dict[str, str] = {}
    for name, function in _functions(script).items():
        text = "\n".join(lines[function.lineno - 1 : function.end_lineno])
        try:
            block = locate(script, text)
        except ScriptError:
            continue
        if block not in earlier:
            blocks[name] = block
    return blocks


def _functions(code: str) -> dict[str, Function]:
    tree = parse_tree(code)
    return {node.name: node for node in (tree.body if tree else ()) if isinstance(node, Function)}


def _by_effect(variants: Sequence[Variant]) -> list[Variant]:
    """Return the variants that were graded, the one that differs most from the baseline first."""
    scores = {variant.name: variant.score for variant in variants if isinstance(variant.score, float)}
    baseline = scores.get("baseline")
    if baseline is None:
        return []
    graded = [variant for variant in variants if variant.name in scores and variant.name != "baseline"]

    def effect(variant: Variant) -> float:
        return abs(variant.gain.difference if variant.gain else scores[variant.name] - baseline)

    return sorted(graded, key=lambda variant: -effect(variant))


def _words(text: str) -> set[str]:
    """Return the beginnings of the words of names, in lower case: `validate` and `validation` are one word."""
    return {word[:STEM] for word in re.findall(r"[a-z]{3,}", text.lower().replace("_", " "))}


def _changed_functions(script: str, study: str) -> set[str]:
    """Return the names of the functions that a study has in another form than the script."""
    in_study = _functions(study)
    return {
        name
        for name, function in _functions(script).items()
        if name in in_study and ast.dump(in_study[name]) != ast.dump(function)
    }
