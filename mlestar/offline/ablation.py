"""Writing an ablation study of a script."""

import re

from mlestar.offline.rewriting import fewer_rounds
from mlestar.offline.surgery import constants, functions, rename
from mlestar.offline.tables.recipes import render

_STEPS = ("group_features", "amount_features", "part_features", "frequency_features", "date_features", "text_features")

_PLAIN_RULES = {
    "return float(grid[": "0.5",
    "cuts = np.quantile": "(grade_values()[1:] + grade_values()[:-1]) / 2",
    "share**-power": "np.ones(len(CLASSES))",
}
"""By a piece of `tune`: the rule that nothing was tuned for."""


def write_study(script: str, summaries: str, variants: int = 3) -> str:
    """Return a study that runs the script's pipeline whole and with parts switched off."""
    if not {"run", "main", "fit_predict"} <= functions(script).keys():
        return render("study_foreign.py.jinja", {"source": script, "fewer": fewer_rounds(script)})
    changes, code = _variants(script, summaries, variants)
    study = render("study.py.jinja", {"variants": changes})
    head = script[: script.index("def main()")].rstrip()
    seconds = constants(head).get("SECONDS", "")
    # All variants share the time of a study, two scripts long, and are run on fewer folds alike.
    head = head.replace(seconds, f"{seconds} * 2 // {len(changes) + 1}") if seconds else head
    head = re.sub(r"^FOLDS = \d+$", "FOLDS = 3", head, flags=re.MULTILINE)
    return "\n\n\n".join([head, *code, study.strip("\n")]) + "\n"


def _variants(script: str, summaries: str, most: int) -> tuple[dict[str, dict[str, str]], list[str]]:
    """Return what each variant puts in whose place, and the code of the substitutes."""
    found, code = functions(script), []
    offered: list[tuple[str, dict[str, str], str]] = []
    makers = [name for name in found if re.fullmatch(r"make_model(_[a-z])?", name)]
    fewer = {name: f"fewer_{name}" for name in makers if fewer_rounds(found[name]) != found[name]}
    if fewer:
        text = "\n\n\n".join(rename(fewer_rounds(found[name]), {name: fewer[name]}) for name in fewer)
        offered.append(("fewer_rounds", fewer, text))
    members = [name for name in found if re.fullmatch(r"fit_predict_[a-z]", name)]
    if members:
        offered.append(("only_model_a", {"fit_predict": members[0]}, ""))
    plain = next((value for sign, value in _PLAIN_RULES.items() if sign in found.get("tune", "")), "")
    if plain:
        offered.append(("untuned", {"tune": "plain_tune"}, f"def plain_tune(predictions, y):\n    return {plain}"))
    steps = [
        name
        for name in _STEPS
        if not (name == "date_features" and "remove_trend" in found)
        and f"{name}(rows)," in found.get("build_features", "")
    ]
    offered += [(f"without_{name}", {name: "no_features"}, "") for name in steps]
    if "return np.log1p" in found.get("to_scale", ""):
        offered.append(("plain_scale", {"to_scale": "unchanged", "from_scale": "unchanged"}, ""))
    if "remove_trend" in found:
        offered.append(("without_trend", {"remove_trend": "keep_trend"}, ""))
    ordered = sorted(offered, key=lambda variant: f"{variant[0]}:" in summaries)[:most]
    code = [text for _, _, text in ordered if text]
    return {name: change for name, change, _ in ordered}, code
