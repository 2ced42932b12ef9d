"""Ideas to improve a block: the plan in words, and the rewriting that carries it out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from mlestar.models.offline.recipes import template
from mlestar.models.offline.surgery import functions, rename, replace_function

Rewrite = Callable[[str], str]
_NUMBER = re.compile(r"(?<!< )(?<![\w.])\d+(?:\.\d+)?(?![\w.])")


@dataclass(frozen=True)
class Idea:
    """One way to improve a part of a script."""

    name: str
    part: str
    """The function it rewrites, without the letter of a merged model."""
    plan: str
    """Three to five sentences, told to the coder and the next planner."""
    cues: tuple[str, ...]
    """Words by which a plan in other words is recognized."""
    rewrite: Rewrite
    """Takes and returns the block."""
    fits: str = ""
    """Pattern that the block must hold."""


PARTS = {
    "build_features": ("build_features", "build_features"),
    "group_features": ("group_features", "group_features"),
    "date_features": ("date_features", "date_features"),
    "to_scale": ("to_scale", "from_scale"),
    "make_model": ("make_model", "make_model"),
    "fit_predict": ("fit_predict", "fit_predict"),
    "tune": ("tune", "decide"),
}
"""Blocks: the first and the last function of each."""


def part_of(block: str) -> str:
    """Return the part that a block is, empty for foreign code."""
    names = [re.sub(r"_[a-z]$", "", name) for name in functions(block)]
    return next((part for part, (first, last) in PARTS.items() if first in names and last in names), "")


def ideas_for(block: str) -> list[Idea]:
    """Return the ideas that can rewrite a block, the most promising first."""
    part = part_of(block)
    return [idea for idea in IDEAS if idea.part == part and re.search(idea.fits, block)]


def carry_out(block: str, plan: str) -> str:
    """Return the block rewritten to a plan: to every idea that it quotes, else to the idea that its words mean."""
    ideas = ideas_for(block)
    plain = " ".join(plan.split())
    chosen = [idea for idea in ideas if idea.plan in plain] or _meant(ideas, plain)
    for idea in chosen:
        if re.search(idea.fits, block):
            block = idea.rewrite(block)
    return block if chosen else _tweak(block, plain)


def _tweak(block: str, plan: str) -> str:
    """Follow a plan in other words as far as its words name an argument and the way it should go."""
    sign = 0.6 if re.search(r"\b(?:lower|smaller|fewer|reduce|decrease|halve|less)\b", plan, re.IGNORECASE) else 1.5
    named = [name for name in _ARGUMENTS if name in plan]
    return _numbers({"|".join(named): sign})(block) if named else _numbers({_ROUNDS: 1.5, "learning_rate": 0.67})(block)


def _meant(ideas: Sequence[Idea], plan: str) -> list[Idea]:
    counts = [(sum(cue in plan.lower() for cue in idea.cues), idea) for idea in ideas]
    best = max((count for count, _ in counts), default=0)
    return [idea for count, idea in counts if count == best and count][:1]


def _features(name: str, imports: str = "") -> Rewrite:
    def rewrite(block: str) -> str:
        head = f"{imports}\n\n\n" if imports else ""
        call = f"    features = {name}(features)\n    return tidy("
        return f"{head}{template(f'ideas/{name}.py.jinja')}\n\n\n{block.replace('    return tidy(', call, 1)}"

    return rewrite


def _around(name: str, imports: str = "") -> Rewrite:
    """Keep the block's function under another name and call it from one that does more."""

    def rewrite(block: str) -> str:
        own = next(found for found in functions(block) if re.fullmatch(r"fit_predict(_[a-z])?", found))
        once = _free(f"{own}_once", block)
        text = template(f"ideas/{name}.py.jinja").replace("FUNCTION", own).replace("ONCE", once)
        kept = replace_function(block, own, rename(functions(block)[own], {own: once}))
        head, body = _lift_imports(kept)
        return "\n".join([*imports.split("\n"), *head]).strip("\n") + f"\n\n\n{body}\n\n\n{text}"

    return rewrite


def _free(name: str, block: str) -> str:
    while f"def {name}(" in block:
        name += "_more"
    return name


def _lift_imports(block: str) -> tuple[list[str], str]:
    lines = block.split("\n")
    head = [line for line in lines if re.match(r"(?:import|from) ", line)]
    return head, "\n".join(line for line in lines if line not in head).strip("\n")


def _numbers(factors: dict[str, float]) -> Rewrite:
    """Multiply keyword arguments; a comparison with the number of rows keeps its own number."""

    def rewrite(block: str) -> str:
        for name, factor in factors.items():
            block = re.sub(rf"\b({name})=([^\n]+?)(,?)$", partial(_scaled, factor), block, flags=re.MULTILINE)
        return block

    return rewrite


def _scaled(factor: float, match: re.Match[str]) -> str:
    def scale(number: re.Match[str]) -> str:
        value = float(number[0]) * factor
        return f"{value:.4g}" if "." in number[0] else str(max(1, round(value)))

    return f"{match[1]}={_NUMBER.sub(scale, match[2])}{match[3]}"


def _into(name: str, old: str, new: str) -> Rewrite:
    def rewrite(block: str) -> str:
        return f"{template(f'ideas/{name}.py.jinja')}\n\n\n{block.replace(old, new, 1)}"

    return rewrite


def _symmetric_log(block: str) -> str:
    block = replace_function(block, "to_scale", _SYMMETRIC_LOG[0])
    return replace_function(block, "from_scale", _SYMMETRIC_LOG[1])


_SYMMETRIC_LOG = (
    '''def to_scale(y):
    """Return the target on a scale on which large values count less."""
    return np.sign(y) * np.log1p(np.abs(y))''',
    '''def from_scale(values):
    """Return predictions in the target's own unit."""
    return np.sign(values) * np.expm1(np.abs(values))''',
)


def _square_root(block: str) -> str:
    return (
        _symmetric_log(block)
        .replace("np.log1p(np.abs(y))", "np.sqrt(np.abs(y))")
        .replace("np.expm1(np.abs(values))", "values**2")
    )


def _bagged_tuning(block: str) -> str:
    kept = replace_function(block, "tune", functions(block)["tune"].replace("def tune(", "def tune_once(", 1))
    once = functions(kept)["tune_once"]
    return kept.replace(once, f"{once}\n\n\n{template('ideas/bagged_tuning.py.jinja')}", 1)


def _snap(block: str) -> str:
    tune = '''def tune(values, y):
    """Return the range of the known values, and the values themselves where most of them repeat."""
    seen, counts = np.unique(y, return_counts=True)
    repeated = counts[counts > 1].sum() > 0.5 * len(y)
    return y.min(axis=0), y.max(axis=0), seen if repeated else seen[:0]'''
    return replace_function(replace_function(block, "tune", tune), "decide", template("ideas/snap.py.jinja"))


def _temperature(block: str) -> str:
    decide = functions(block)["decide"]
    whole = decide.replace('"""\n', '"""\n    probabilities = sharpen(probabilities, rule)\n', 1)
    return replace_function(replace_function(block, "tune", template("ideas/temperature.py.jinja")), "decide", whole)


_TREES_IMPORT = "from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor"
_LINEAR_IMPORT = (
    "from sklearn.linear_model import LogisticRegression, RidgeCV\nfrom sklearn.pipeline import make_pipeline\n"
    "from sklearn.preprocessing import QuantileTransformer, StandardScaler"
)
_ROUNDS = r"n_estimators|iterations|max_iter"
_ARGUMENTS = ("learning_rate", "n_estimators", "iterations", "max_iter", "num_leaves", "max_leaf_nodes", "max_depth")

IDEAS: tuple[Idea, ...] = (
    Idea(
        "pairs",
        "build_features",
        "Add the ratio and the difference of every two of the numeric columns that vary most. Trees cut one column at a "
        "time and need many cuts to follow a ratio, which a ready column gives them in one. Keep all existing features "
        "and the order of rows.",
        ("ratio", "difference", "interaction", "product", "pair"),
        _features("add_pairs"),
        r"return tidy\(",
    ),
    Idea(
        "group statistics",
        "build_features",
        "Add for every category the mean of the leading numbers over its rows, and each row's distance from that mean. "
        "How a row stands among its like often says more than its value alone. Only features are averaged, never the "
        "target.",
        ("mean of", "aggregat", "statistics", "category mean", "group mean"),
        _features("add_group_statistics"),
        r"return tidy\(",
    ),
    Idea(
        "crosses",
        "build_features",
        "Combine every two of the smallest categorical columns into one category and count how often each combination "
        "occurs. Combined categories let a model see an interaction in a single cut. Rare combinations are put together "
        "so that they are not learned by heart.",
        ("combin", "cross"),
        _features("add_crosses"),
        r"return tidy\(",
    ),
    Idea(
        "row statistics",
        "build_features",
        "Describe each row as a whole: the number of gaps and zeros, and the mean, spread, highest and lowest of its "
        "standardized numbers. Rows of one origin look alike in these. The columns are few and cost little time.",
        ("row", "gaps", "zeros", "spread"),
        _features("add_row_statistics"),
        r"return tidy\(",
    ),
    Idea(
        "value counts",
        "build_features",
        "Add how often the value of each leading numeric column occurs in train and test together. Values that repeat "
        "mark rounded, simulated or defaulted entries, which behave otherwise than measured ones. Nothing is computed "
        "from the target.",
        ("how often", "frequency", "count"),
        _features("add_value_counts"),
        r"return tidy\(",
    ),
    Idea(
        "clusters",
        "build_features",
        "Cluster all rows on the ranks of their numbers and add the distance to every centre. The distances describe "
        "regions that no single column bounds. The clustering sees features only.",
        ("cluster", "centre", "kmeans", "distance to"),
        _features("add_clusters", "from sklearn.cluster import MiniBatchKMeans"),
        r"return tidy\(",
    ),
    Idea(
        "second trees",
        "fit_predict",
        "Fit extremely randomized trees beside the model and average the two, about two thirds to one third. Fully random "
        "cuts err in other places than boosting does, so that the average is steadier than either. Categories are given "
        "to them as numbers and gaps are filled with the median of the fitted rows.",
        ("randomized trees", "extra trees", "extratrees", "random forest"),
        _around("second_trees", _TREES_IMPORT),
        r"def fit_predict",
    ),
    Idea(
        "seeds",
        "fit_predict",
        "Fit the model three times with different seeds and average the predictions. Row and column sampling make a "
        "single fit noisy; the average keeps the bias and loses part of the variance. Nothing else changes.",
        ("seed", "several times", "repeat"),
        _around("seeds"),
        r"def fit_predict",
    ),
    Idea(
        "second linear",
        "fit_predict",
        "Fit a regularized linear model on the normal scores of the features beside the model, and average the two with "
        "a quarter for the linear one. It carries on smooth trends that trees cut into steps. Gaps are filled with the "
        "median of the fitted rows.",
        ("linear", "logistic", "ridge"),
        _around("second_linear", _LINEAR_IMPORT),
        r"def fit_predict",
    ),
    Idea(
        "target means",
        "fit_predict",
        "Add the smoothed mean target of every category as a further column before fitting. For the fitted rows the means "
        "come from the other parts of a random division into five, so that no row sees its own target. Categories of "
        "many values become usable in a single cut.",
        ("target mean", "mean target", "target encod"),
        _around("target_means"),
        r"def fit_predict",
    ),
    Idea(
        "bags",
        "fit_predict",
        "Fit three models, each on a random nine tenths of the rows with a seed of its own, and average them. Leaving "
        "rows out makes the members differ more than seeds alone do. Nothing else changes.",
        ("bag", "nine tenths", "bootstrap", "subset of rows"),
        _around("bags"),
        r"def fit_predict",
    ),
    Idea(
        "slower",
        "make_model",
        "Halve the learning rate and nearly double the number of rounds. Smaller steps average over more trees and find "
        "a smoother fit. The size of the trees stays.",
        ("learning rate", "slower", "more trees", "more rounds"),
        _numbers({"learning_rate": 0.5, _ROUNDS: 1.8}),
        r"learning_rate|n_estimators",
    ),
    Idea(
        "sampled",
        "make_model",
        "Show every tree only six tenths of the rows and under half of the columns. Trees that see different data err "
        "differently, and their sum overfits less. The number of rounds stays.",
        ("subsample", "column sampling", "fewer columns", "half of the columns"),
        _numbers({"subsample": 0.75, "colsample_bytree": 0.6, "max_features": 0.6, "rsm": 0.6}),
        r"subsample|colsample_bytree|max_features",
    ),
    Idea(
        "smaller trees",
        "make_model",
        "Halve the leaves or take a third off the depth of the trees and regularize their values four times as strongly. "
        "A plainer model generalizes better where rows are few or labels noisy. The learning rate stays.",
        ("shallow", "smaller trees", "regulariz", "halve the leaves"),
        _numbers(
            {
                "num_leaves|max_leaf_nodes": 0.5,
                "max_depth|depth": 0.67,
                "reg_lambda|l2_leaf_reg|l2_regularization|alpha": 4.0,
                "C": 0.25,
            }
        ),
        r"num_leaves|depth|max_leaf_nodes|\bC=|alpha=",
    ),
    Idea(
        "larger trees",
        "make_model",
        "Double the leaves or add a third to the depth of the trees. Deeper trees reach interactions of more columns. "
        "The number of rounds comes down a little so that the run does not take longer.",
        ("deeper", "larger trees", "more leaves", "capacity"),
        _numbers({"num_leaves|max_leaf_nodes": 2.0, "max_depth|depth": 1.34, _ROUNDS: 0.8}),
        r"num_leaves|depth|max_leaf_nodes",
    ),
    Idea(
        "bagged tuning",
        "tune",
        "Search the threshold or cut points on twelve random draws of the rows and take the mean of what is found. A "
        "single search follows the chance of its sample. The decision itself stays as it is.",
        ("threshold", "cut point", "draws"),
        _bagged_tuning,
        r"max\(|argmax\(scores|argmax\(smooth",
    ),
    Idea(
        "temperature",
        "tune",
        "Raise the probabilities to a power found on the held-out predictions and bring them back to a sum of one. Boosted "
        "trees are often too certain, averages too timid, and the loss punishes both. The order of the rows stays.",
        ("calibrat", "temperature", "power"),
        _temperature,
        r"kept\.sum\(axis=1",
    ),
    Idea(
        "snap",
        "tune",
        "Move each prediction to the nearest value that the target takes, where known values repeat. Then a near hit is "
        "an exact one. Predictions still stay within the range that was seen.",
        ("nearest", "snap", "round"),
        _snap,
        r"np\.clip\(values, low, high\)",
    ),
    Idea(
        "symmetric log",
        "to_scale",
        "Fit on the logarithm of the target, with its sign kept, and turn predictions back. Large values then no longer "
        "rule the fit. Both functions change together.",
        ("log",),
        _symmetric_log,
        r"return y\b",
    ),
    Idea(
        "square root",
        "to_scale",
        "Fit on the square root of the target, with its sign kept, and square the predictions again. It tames large "
        "values less harshly than a logarithm does. Both functions change together.",
        ("root",),
        _square_root,
        r"return y\b",
    ),
    Idea(
        "group means",
        "group_features",
        "Add the mean of every number over the other members of a row's group. Members of a group share habits, and "
        "what one cell lacks the others show. No target is used.",
        ("members", "group mean"),
        _into(
            "add_group_means",
            "    return pd.DataFrame(features, index=rows.index, dtype=float)",
            "    sizes = pd.DataFrame(features, index=rows.index, dtype=float)\n"
            "    return pd.concat([sizes, add_group_means(rows, group_keys(rows))], axis=1)",
        ),
        r"group_keys\(rows\)",
    ),
    Idea(
        "cycles",
        "date_features",
        "Add the hour, the day of the week and the day of the year as points on a circle, and mark weekends. Midnight then "
        "lies beside eleven at night. The parts that exist stay.",
        ("circle", "cycl", "sine"),
        _into(
            "add_cycles",
            "    return pd.DataFrame(features, index=rows.index, dtype=float)",
            "    return add_cycles(pd.DataFrame(features, index=rows.index, dtype=float))",
        ),
        r"times\.dt",
    ),
)


def carry_out_numbers(code: str, rounds: float = 0.3) -> str:
    """Return code whose models get fewer rounds, or a coarser fit where they have none."""
    return _numbers({_ROUNDS: rounds, "C": 0.01})(code)
