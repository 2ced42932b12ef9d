"""Ideas to improve a block: the plan in words, and the rewrite that carries it out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mlestar.offline.rewriting import (
    ROUNDS,
    Rewrite,
    add_features,
    bag_tuning,
    insert,
    scale_numbers,
    snap,
    square_root,
    symmetric_log,
    temper,
    wrap_fit,
)
from mlestar.offline.surgery import functions


@dataclass(frozen=True)
class Idea:
    """One way to improve a part of a script."""

    name: str
    part: str
    """The function it rewrites, without the letter of a merged model."""
    plan: str
    """Three to five sentences, for the coder and the next plans."""
    cues: tuple[str, ...]
    """Words by which a plan in other words is recognized."""
    rewrite: Rewrite
    """Takes and returns the block."""
    requires: str = ""
    """Pattern that the block must contain."""


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
    """Return which part a block is, empty for code that this engineer did not write."""
    names = [re.sub(r"_[a-z]$", "", name) for name in functions(block)]
    return next((part for part, (first, last) in PARTS.items() if first in names and last in names), "")


def ideas_for(block: str) -> list[Idea]:
    """Return the ideas that can rewrite a block, the most promising first."""
    part = part_of(block)
    return [idea for idea in IDEAS if idea.part == part and re.search(idea.requires, block)]


def carry_out(block: str, plan: str) -> str:
    """Return the block rewritten to a plan: with every idea that it quotes, else the idea that its words suggest."""
    ideas = ideas_for(block)
    text = " ".join(plan.split())
    chosen = [idea for idea in ideas if idea.plan in text] or _suggested(ideas, text)
    if not chosen:
        return _scale_arguments(block, text)
    for idea in chosen:
        if re.search(idea.requires, block):
            block = idea.rewrite(block)
    return block


def _scale_arguments(block: str, plan: str) -> str:
    """Return the block with larger or smaller arguments, those a plan names; slower learning if it names none."""
    arguments = [name for name in _ARGUMENTS if name in plan]
    if not arguments:
        return scale_numbers({ROUNDS: 1.5, "learning_rate": 0.67})(block)
    factor = 0.6 if _SMALLER.search(plan) else 1.5
    return scale_numbers({"|".join(arguments): factor})(block)


def _suggested(ideas: Sequence[Idea], plan: str) -> list[Idea]:
    """Return the idea with the most cues in a plan; none when no idea has any."""
    text = plan.lower()
    counts = [sum(cue in text for cue in idea.cues) for idea in ideas]
    most = max(counts, default=0)
    return [ideas[counts.index(most)]] if most else []


_TREES_IMPORT = "from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor"
_LINEAR_IMPORT = (
    "from sklearn.linear_model import LogisticRegression, RidgeCV\nfrom sklearn.pipeline import make_pipeline\n"
    "from sklearn.preprocessing import QuantileTransformer, StandardScaler"
)
_SMALLER = re.compile(r"\b(?:lower|smaller|fewer|reduce|decrease|halve|less)\b", re.IGNORECASE)
_ARGUMENTS = ("learning_rate", "n_estimators", "iterations", "max_iter", "num_leaves", "max_leaf_nodes", "max_depth")

IDEAS: tuple[Idea, ...] = (
    Idea(
        "pairs",
        "build_features",
        "Add the ratio and the difference of every two of the numeric columns that vary most. Trees split on one "
        "column at a time and need many splits to follow a ratio; a column of the ratio needs one. Keep all existing "
        "features and the order of rows.",
        ("ratio", "difference", "interaction", "product", "pair"),
        add_features("add_pairs"),
        r"return tidy\(",
    ),
    Idea(
        "group statistics",
        "build_features",
        "Add for every category the mean of the leading numbers over its rows, and each row's distance from that mean. "
        "A value relative to similar rows is often more informative than the value itself. Only features are averaged, "
        "never the target.",
        ("mean of", "aggregat", "statistics", "category mean", "group mean"),
        add_features("add_group_statistics"),
        r"return tidy\(",
    ),
    Idea(
        "crosses",
        "build_features",
        "Combine every two of the smallest categorical columns into one category and count how often each "
        "combination occurs. Combined categories let a model use an interaction in a single split. Rare combinations "
        "share one value so that they are not memorized.",
        ("combin", "cross"),
        add_features("add_crosses"),
        r"return tidy\(",
    ),
    Idea(
        "row statistics",
        "build_features",
        "Describe each row as a whole: the number of missing values and zeros, and the mean, spread, highest and "
        "lowest of its standardized numbers. Rows of the same origin are similar in these. The columns are few and "
        "cost little time.",
        ("row", "gaps", "zeros", "spread"),
        add_features("add_row_statistics"),
        r"return tidy\(",
    ),
    Idea(
        "value counts",
        "build_features",
        "Add how often the value of each leading numeric column occurs in train and test together. Values that repeat "
        "mark rounded, simulated or default entries, which behave differently from measured ones. Nothing is computed "
        "from the target.",
        ("how often", "frequency", "count"),
        add_features("add_value_counts"),
        r"return tidy\(",
    ),
    Idea(
        "clusters",
        "build_features",
        "Cluster all rows on the ranks of their numbers and add the distance to every centre. The distances describe "
        "regions that no single column can separate. The clustering sees features only.",
        ("cluster", "centre", "kmeans", "distance to"),
        add_features("add_clusters", "from sklearn.cluster import MiniBatchKMeans"),
        r"return tidy\(",
    ),
    Idea(
        "second trees",
        "fit_predict",
        "Fit extremely randomized trees beside the model and average the two, about two thirds to one third. Random "
        "splits err elsewhere than boosting does, so that the average varies less than either. Categories become "
        "numbers for these trees, and missing values are filled with the median of the fitted rows.",
        ("randomized trees", "extra trees", "extratrees", "random forest"),
        wrap_fit("second_trees", _TREES_IMPORT),
        r"def fit_predict",
    ),
    Idea(
        "seeds",
        "fit_predict",
        "Fit the model three times with different seeds and average the predictions. Row and column sampling make a "
        "single fit noisy; the average keeps the bias and loses part of the variance. Nothing else changes.",
        ("seed", "several times", "repeat"),
        wrap_fit("seeds"),
        r"def fit_predict",
    ),
    Idea(
        "second linear",
        "fit_predict",
        "Fit a regularized linear model on the normal scores of the features beside the model, and average the two "
        "with a quarter for the linear one. It follows smooth trends that trees approximate by steps. Missing values "
        "are filled with the median of the fitted rows.",
        ("linear", "logistic", "ridge"),
        wrap_fit("second_linear", _LINEAR_IMPORT),
        r"def fit_predict",
    ),
    Idea(
        "target means",
        "fit_predict",
        "Add the smoothed mean target of every category as a further column before fitting. For the fitted rows the "
        "means come from the other four of five random parts, so that no row uses its own target. "
        "Categories of many values become usable in a single split.",
        ("target mean", "mean target", "target encod"),
        wrap_fit("target_means"),
        r"def fit_predict",
    ),
    Idea(
        "bags",
        "fit_predict",
        "Fit three models, each on a random nine tenths of the rows with a seed of its own, and average them. Leaving "
        "rows out makes the models differ more than seeds alone do. Nothing else changes.",
        ("bag", "nine tenths", "bootstrap", "subset of rows"),
        wrap_fit("bags"),
        r"def fit_predict",
    ),
    Idea(
        "fewer rounds",
        "make_model",
        "Take less than half of the rounds, with the same learning rate. Where labels are noisy the last trees learn "
        "the noise; a study in which fewer rounds scored better is a sign of that. Everything else stays.",
        ("fewer rounds", "fewer trees", "less than half of the rounds"),
        scale_numbers({ROUNDS: 0.4}),
        r"n_estimators|iterations|learning_rate",
    ),
    Idea(
        "slower",
        "make_model",
        "Halve the learning rate and nearly double the number of rounds. Smaller steps average over more trees and "
        "find a smoother fit. The size of the trees stays.",
        ("learning rate", "slower", "more trees", "more rounds"),
        scale_numbers({"learning_rate": 0.5, ROUNDS: 1.8}),
        r"learning_rate|n_estimators",
    ),
    Idea(
        "sampled",
        "make_model",
        "Show every tree only six tenths of the rows and under half of the columns. Trees that see different data err "
        "differently, and their sum overfits less. The number of rounds stays.",
        ("subsample", "column sampling", "fewer columns", "half of the columns"),
        scale_numbers({"subsample": 0.75, "colsample_bytree": 0.6, "max_features": 0.6, "rsm": 0.6}),
        r"subsample|colsample_bytree|max_features",
    ),
    Idea(
        "smaller trees",
        "make_model",
        "Halve the leaves or take a third off the depth of the trees and regularize their values four times as "
        "strongly. A simpler model generalizes better where rows are few or labels noisy. The learning rate stays.",
        ("shallow", "smaller trees", "regulariz", "halve the leaves"),
        scale_numbers(
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
        "Double the leaves or add a third to the depth of the trees. Deeper trees use interactions of more columns. "
        "The number of rounds decreases a little so that the run does not take longer.",
        ("deeper", "larger trees", "more leaves", "capacity"),
        scale_numbers({"num_leaves|max_leaf_nodes": 2.0, "max_depth|depth": 1.34, ROUNDS: 0.8}),
        r"num_leaves|depth|max_leaf_nodes",
    ),
    Idea(
        "bagged tuning",
        "tune",
        "Search the threshold or cut points on twelve random draws of the rows and take the mean of the results. The "
        "optimum on a single sample depends on chance. The decision itself stays unchanged.",
        ("threshold", "cut point", "draws"),
        bag_tuning,
        r"max\(|argmax\(scores|argmax\(smooth",
    ),
    Idea(
        "temperature",
        "tune",
        "Raise the probabilities to a power tuned on the held-out predictions and normalize them to a sum of one. "
        "Boosted trees are often too confident and averages not confident enough; the loss penalizes both. The order "
        "of the rows stays.",
        ("calibrat", "temperature", "power"),
        temper,
        r"kept\.sum\(axis=1",
    ),
    Idea(
        "snap",
        "tune",
        "Move each prediction to the nearest value that the target takes, where its values repeat. A nearly right "
        "prediction then becomes exact. Predictions still stay within the range of the training values.",
        ("nearest", "snap", "round"),
        snap,
        r"np\.clip\(values, low, high\)",
    ),
    Idea(
        "symmetric log",
        "to_scale",
        "Fit on the logarithm of the target, with its sign kept, and turn predictions back. Large values then "
        "dominate the fit less. Both functions change together.",
        ("log",),
        symmetric_log,
        r"return y\b",
    ),
    Idea(
        "square root",
        "to_scale",
        "Fit on the square root of the target, with its sign kept, and square the predictions again. It reduces "
        "the weight of large values less than a logarithm does. Both functions change together.",
        ("root",),
        square_root,
        r"return y\b",
    ),
    Idea(
        "group means",
        "group_features",
        "Add the mean of every number over the other members of a row's group. Members of a group are similar, so that "
        "the others replace a missing value. No target is used.",
        ("members", "group mean"),
        insert(
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
        "Add the hour, the day of the week and the day of the year as points on a circle, and mark weekends. "
        "Midnight is then close to eleven at night. Existing features stay.",
        ("circle", "cycl", "sine"),
        insert(
            "add_cycles",
            "    return pd.DataFrame(features, index=rows.index, dtype=float)",
            "    return add_cycles(pd.DataFrame(features, index=rows.index, dtype=float))",
        ),
        r"times\.dt",
    ),
)
