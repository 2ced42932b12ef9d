"""Writing an ablation study of a script."""

import re
from collections.abc import Mapping

from mlestar.offline.kinds import all_variants
from mlestar.offline.recipe import Variant
from mlestar.offline.rendering import render
from mlestar.offline.rewriting import fewer_rounds
from mlestar.offline.surgery import add_imports, constants, functions, rename

_MAX_VARIANTS = 3
_FEATURE_STEPS = (
    "group_features",
    "amount_features",
    "part_features",
    "list_features",
    "frequency_features",
    "date_features",
    "text_features",
)
_IMPORTS = ("import time", "from pathlib import Path", "import numpy as np", "import pandas as pd")
"""Imports of a study."""
_UNTUNED_RULES = {
    "return float(grid[": "0.5",
    "cuts = np.quantile": "(grade_values()[1:] + grade_values()[:-1]) / 2",
    "share**-power": "np.ones(len(CLASSES))",
}
"""The decision rule without tuning, by a piece of the code of `tune`."""


def is_own(script: str) -> bool:
    """Return whether a script has the functions of scripts by this engineer, so that parts can be switched off."""
    return functions(script).keys() >= {"run", "main", "fit_predict"}


def write_study(script: str, summaries: str) -> str:
    """Return a study that runs the script's whole pipeline, and variants of it with parts switched off."""
    if not is_own(script):
        return render("study_foreign.py.jinja", {"source": script, "fewer": fewer_rounds(script)})
    # Variants that an earlier summary covers come last.
    variants = sorted(_variants(script), key=lambda variant: f"{variant.name}:" in summaries)[:_MAX_VARIANTS]
    changes = {variant.name: variant.substitutes for variant in variants}
    study = render("study.py.jinja", {"variants": changes})
    head = script[: script.index("def main()")].rstrip()
    seconds = constants(head).get("SECONDS", "")
    if seconds:
        # All variants share the time limit of a study, that of two scripts, and use the same smaller number of folds.
        head = head.replace(seconds, f"{seconds} * 2 // {len(changes) + 1}")
    head = re.sub(r"^FOLDS = \d+$", "FOLDS = 3", head, flags=re.MULTILINE)
    code = [variant.code for variant in variants if variant.code]
    whole = "\n\n\n".join([head, *code, study.strip("\n")]) + "\n"
    return add_imports(whole, _IMPORTS)


def _variants(script: str) -> list[Variant]:
    """Return the parts of a script that can be switched off, the most informative first."""
    parts = functions(script)
    variants = [*_fewer_rounds(parts), *_one_model(parts), *_without_tuning(parts), *_without_features(parts)]
    if "return np.log1p" in parts.get("to_scale", ""):
        variants.append(Variant("plain_scale", {"to_scale": "unchanged", "from_scale": "unchanged"}))
    if "remove_trend" in parts:
        variants.append(Variant("without_trend", {"remove_trend": "keep_trend"}))
    own = [variant for variant in all_variants() if re.search(variant.requires, script)]
    return [*own, *variants]


def _fewer_rounds(parts: Mapping[str, str]) -> list[Variant]:
    """Return a variant whose models get fewer rounds; none where no model of the script has rounds."""
    makers = [name for name in parts if re.fullmatch(r"make_model(_[a-z])?", name)]
    changed = {name: f"fewer_{name}" for name in makers if fewer_rounds(parts[name]) != parts[name]}
    if not changed:
        return []
    codes = [rename(fewer_rounds(parts[name]), {name: new}) for name, new in changed.items()]
    return [Variant("fewer_rounds", changed, "\n\n\n".join(codes))]


def _one_model(parts: Mapping[str, str]) -> list[Variant]:
    """Return a variant with only the first of several models."""
    members = [name for name in parts if re.fullmatch(r"fit_predict_[a-z]", name)]
    return [Variant("only_model_a", {"fit_predict": members[0]})] if members else []


def _without_tuning(parts: Mapping[str, str]) -> list[Variant]:
    tune = parts.get("tune", "")
    rule = next((rule for piece, rule in _UNTUNED_RULES.items() if piece in tune), "")
    if not rule:
        return []
    return [Variant("untuned", {"tune": "plain_tune"}, f"def plain_tune(predictions, y):\n    return {rule}")]


def _without_features(parts: Mapping[str, str]) -> list[Variant]:
    """Return a variant for each step of the features that leaves it out; dates stay where a trend is fitted on them."""
    build = parts.get("build_features", "")
    steps = [name for name in _FEATURE_STEPS if f"{name}(rows)," in build]
    if "remove_trend" in parts:
        steps = [name for name in steps if name != "date_features"]
    return [Variant(f"without_{name}", {name: "no_features"}) for name in steps]
