"""A rewritten block is compared with what the script did before: shortened ones are refused, simpler ones accepted."""

import pytest

from mlestar.agents.blocks import locate, replace_block
from mlestar.agents.measured import find_measured_block
from mlestar.agents.names import undefined_names
from mlestar.agents.script import ScriptError
from mlestar.agents.shortened import find_gap
from mlestar.state import Variant

SCRIPT = """import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.model_selection import KFold

train = pd.read_csv("./input/train.csv")
test = pd.read_csv("./input/test.csv")


def add_features(frame):
    frame = frame.copy()
    frame["area"] = frame["width"] * frame["height"]
    frame["ratio"] = frame["width"] / frame["height"].clip(lower=1)
    frame["width"] = np.log1p(frame["width"])
    return frame


class Scaler:
    def fit(self, values):
        self.mean = values.mean(axis=0)
        self.scale = values.std(axis=0) + 1e-9
        return self

    def transform(self, values):
        return (values - self.mean) / self.scale


def cross_validate(x, y, folds):
    oof = np.zeros(len(x))
    models = []
    for fit, held in folds:
        scaler = Scaler().fit(x[fit])
        model = Ridge(alpha=1.0)
        model.fit(scaler.transform(x[fit]), y[fit])
        oof[held] = model.predict(scaler.transform(x[held]))
        models.append((scaler, model))
    return oof, models


def predict(models, x):
    total = 0.0
    for scaler, model in models:
        total += model.predict(scaler.transform(x))
    return total / len(models)


train, test = add_features(train), add_features(test)
columns = ["width", "height"]
x = train[columns].to_numpy() + train[["area"]].to_numpy()
y = train["price"].to_numpy()
folds = list(KFold(5, shuffle=True, random_state=0).split(x))
oof, models = cross_validate(x, y, folds)
error = float(np.sqrt(np.mean((oof - y) ** 2)))
test["price"] = predict(models, test[columns].to_numpy())
test[["id", "price"]].to_csv("./submission.csv", index=False)
print(f"Final Validation Performance: {error}")
"""
COLUMNS = {"id", "width", "height", "price"}


def part(head: str) -> str:
    """Return the function or class of the script with this head."""
    return next(text for text in SCRIPT.split("\n\n\n") if text.startswith(head))


FEATURES, VALIDATION = part("def add_features"), part("def cross_validate")
PREDICTION, SCALER = part("def predict"), part("class Scaler")

MEAN = "        self.mean = values.mean(axis=0)\n"
SCALE = "        self.scale = values.std(axis=0) + 1e-9\n"
ONE = "def _one(pair, x):\n    return pair[1].predict(pair[0].transform(x))\n\n\n"
AREA = '    frame["area"] = frame["width"] * frame["height"]\n'
RATIO = '    frame["ratio"] = frame["width"] / frame["height"].clip(lower=1)\n'

SHORTENED = {
    "dots": (FEATURES, "def add_features(frame):\n    ...", r"`\.\.\.`"),
    "pass": (FEATURES, "def add_features(frame):\n    pass", "body of `def add_features` is missing"),
    "only a docstring": (FEATURES, 'def add_features(frame):\n    """Add features."""', "body of `def add_features`"),
    "not implemented": (FEATURES, "def add_features(frame):\n    raise NotImplementedError", "body of `def"),
    "a comment": (FEATURES, "def add_features(frame):\n    # unchanged\n    return frame", "stands in place"),
    "a comment with dots": (
        FEATURES,
        "def add_features(frame):\n    # ... as before\n    return frame",
        "in place of code",
    ),
    "the rest": (
        VALIDATION,
        "def cross_validate(x, y, folds):\n    oof = np.zeros(len(x))\n    # rest of the code\n    return oof, []",
        "stands in place",
    ),
    "the loop": (
        VALIDATION,
        "def cross_validate(x, y, folds):\n    oof = np.zeros(len(x))\n    models = []\n    return oof, models",
        "oof is returned as it was created",
    ),
    "a comment in brackets": (
        VALIDATION,
        "def cross_validate(x, y, folds):\n    oof = np.ones(len(x))\n    models = [Ridge().fit(x, y)]\n"
        "    # (training loop with early stopping)\n    return oof, models",
        "stands in place",
    ),
    "a short comment": (
        FEATURES,
        FEATURES.replace(RATIO, "    # keep the other features as is\n"),
        "stands in place",
    ),
    "the loop's body": (
        PREDICTION,
        "def predict(models, x):\n    total = 0.0\n    for scaler, model in models:\n        pass\n    return total",
        "body of `for",
    ),
    "the return": (FEATURES, FEATURES.replace("\n    return frame", ""), "no longer returns a value"),
    "a returned value": (VALIDATION, VALIDATION.replace("return oof, models", "return oof, models, 1"), "3 values"),
    "the first value": (PREDICTION, PREDICTION.replace("    total = 0.0\n", ""), "total is used before it is set"),
    "a definition": (VALIDATION, VALIDATION.replace("        model = Ridge(alpha=1.0)\n", "") + "\n", "model"),
    "a column": (
        FEATURES,
        FEATURES.replace('    frame["area"] = frame["width"] * frame["height"]\n', ""),
        r"no longer sets \['area'\]",
    ),
    "an attribute": (
        SCALER,
        SCALER.replace(MEAN, ""),
        "no longer sets self.mean",
    ),
    "an argument": (PREDICTION, PREDICTION.replace("(models, x)", "(x)").replace("in models", "in x"), "arguments"),
    "an import": (PREDICTION, PREDICTION.replace("total = 0.0", "total = torch.zeros(len(x))"), "uses torch"),
    "nothing but the script around": (PREDICTION, SCRIPT.replace("total = 0.0", "total = 0"), "repeats the script"),
}

RATIO_COMMENTS = (
    "the model handles missing values natively, so the remaining features keep their NaN",
    "keep width and height as is: the trees split on them themselves",
    "height has no missing values in train, no change needed",
    "drop the ratio: the previous steps already cover it",
    "the rest of the features keep their scale as trees need no other",
    "(no ratio here)",
)

SIMPLER = {
    **{comment: (FEATURES, FEATURES.replace(RATIO, f"    # {comment}\n")) for comment in RATIO_COMMENTS},
    **{
        call: (FEATURES, FEATURES.replace(AREA, f"    {call}\n"))
        for call in (
            'frame.insert(0, "area", frame["width"] * frame["height"])',
            'frame = frame.eval("area = width * height")',
            'frame.setdefault("area", frame["width"])',
            'frame = pd.DataFrame({name: frame["width"] for name in ("area", "width", "height")})',
            "frame = defaultdict(list)".replace("defaultdict", "__import__('collections').defaultdict"),
        )
    },
    **{
        call: (SCALER, SCALER.replace(MEAN, f"        {call}\n"))
        for call in (
            'setattr(self, "mean", values.mean(axis=0))',
            'for name in ("mean",):\n            setattr(self, name, getattr(values, name)(axis=0))',
            "self.__dict__.update(mean=values.mean(axis=0))",
            'self.add_module("mean", values.mean(axis=0))',
        )
    },
    "a base class that declares": (
        SCALER,
        f"class Base:\n    def fit(self, values): ...\n\n\n{SCALER.replace('class Scaler', 'class Scaler(Base)')}",
    ),
    "one line": (
        PREDICTION,
        "def predict(models, x):\n    return sum(m.predict(s.transform(x)) for s, m in models) / len(models)",
    ),
    "a feature less": (
        FEATURES,
        FEATURES.replace('    frame["ratio"] = frame["width"] / frame["height"].clip(lower=1)\n', ""),
    ),
    "a column of the data as it is": (
        FEATURES,
        FEATURES.replace('    frame["width"] = np.log1p(frame["width"])\n', ""),
    ),
    "features made in a loop": (
        FEATURES,
        'def add_features(frame):\n    frame = frame.copy()\n    for name, how in {"area": np.multiply}.items():\n'
        '        frame[name] = how(frame["width"], frame["height"])\n    return frame',
    ),
    "assign": (FEATURES, 'def add_features(frame):\n    return frame.assign(area=frame["width"] * frame["height"])'),
    "a comment that says what stays": (
        PREDICTION,
        "def predict(models, x):\n    # the weights stay unchanged\n"
        "    parts = [m.predict(s.transform(x)) for s, m in models]\n"
        "    total = sum(parts)\n    count = len(parts)\n    return total / count",
    ),
    "a constant": (PREDICTION, "def predict(models, x):\n    return np.full(len(x), 1.0)"),
    "other models": (VALIDATION, VALIDATION.replace("Ridge(alpha=1.0)", "Ridge(alpha=3.0)")),
    "a helper": (
        PREDICTION,
        ONE + PREDICTION.replace("model.predict(scaler.transform(x))", "_one((scaler, model), x)"),
    ),
    "a further argument with a default": (PREDICTION, PREDICTION.replace("(models, x)", "(models, x, weight=1.0)")),
    "without the class's method": (
        SCALER,
        SCALER.replace(SCALE, "").replace(" / self.scale", ""),
    ),
    "an exception that passes": (
        PREDICTION,
        PREDICTION.replace(
            "    return total", "    try:\n        total += 0\n    except ValueError:\n        pass\n    return total"
        ),
    ),
    "a name from the last turn": (
        PREDICTION,
        "def predict(models, x):\n    out = 0.0\n    for turn, (s, m) in enumerate(models):\n        if turn:\n"
        "            out += last\n        last = m.predict(s.transform(x))\n    return (out + last) / len(models)",
    ),
}


@pytest.mark.parametrize(("block", "new", "reason"), SHORTENED.values(), ids=SHORTENED.keys())
def test_a_shortened_block_is_refused_with_what_is_missing(block: str, new: str, reason: str) -> None:
    with pytest.raises(ScriptError, match=reason):
        replace_block(SCRIPT, block, new, COLUMNS)


@pytest.mark.parametrize(("block", "new"), SIMPLER.values(), ids=SIMPLER.keys())
def test_a_simpler_block_is_accepted(block: str, new: str) -> None:
    assert new.split("\n")[0] in replace_block(SCRIPT, block, new, COLUMNS)


def test_a_column_that_a_list_names_is_read() -> None:
    script = SCRIPT.replace('["width", "height"]', '["width", "height", "area"]').replace(
        ' + train[["area"]].to_numpy()', ""
    )
    with pytest.raises(ScriptError, match=r"no longer sets \['area'\]"):
        replace_block(script, FEATURES, FEATURES.replace(AREA, ""), COLUMNS)


ROUNDS = "def fit(x):\n    rounds = 200\n    model = len(x)\n    rounds = model or rounds\n    return model, rounds\n"


def test_a_constant_is_no_container_that_must_be_filled() -> None:
    script = f"{ROUNDS}\n\nprint(fit([1]))\n"
    assert replace_block(script, ROUNDS, ROUNDS.replace("    rounds = model or rounds\n", ""))


def test_a_sum_that_is_no_longer_added_to_is_refused() -> None:
    block = "def add(x):\n    total = 0\n    for y in x:\n        total += y\n    return total\n"
    with pytest.raises(ScriptError, match="total is returned as it was created"):
        replace_block(f"{block}\n\nprint(add([1]))\n", block, "def add(x):\n    total = 0\n    return total\n")


@pytest.mark.parametrize(
    "head",
    [
        "class Model(Protocol):\n    def fit(self, x): ...\n",
        "class Base:\n    def fit(self, x): ...\n\n\nclass Model(Base):\n    def fit(self, x):\n        return 1\n",
        "# ... and the remaining features are numeric already\n",
    ],
)
def test_methods_that_are_only_declared_are_no_gaps(head: str) -> None:
    assert find_gap(head) == ""
    assert find_gap("class Model:\n    def fit(self, x): ...\n")


def test_the_refusal_of_a_quote_shows_the_nearest_lines_and_the_difference() -> None:
    with pytest.raises(ScriptError) as error:
        locate(SCRIPT, PREDICTION.replace("total / len(models)", "total / max(1, len(models))"))
    message = str(error.value)
    assert "does not occur in the script" in message
    assert "-    return total / max(1, len(models))" in message
    assert "+    return total / len(models)" in message


def test_a_quote_of_something_else_has_no_nearest_lines() -> None:
    with pytest.raises(ScriptError) as error:
        locate(SCRIPT, "@@@@ %%%%")
    assert "nearest" not in str(error.value)


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("print(a)", {"a"}),
        ("def f():\n    return g()\n", {"g"}),
        ("def f():\n    global a\n    a = 1\n\n\nf()\nprint(a)", set()),
        ("try:\n    display(1)\nexcept NameError:\n    pass", set()),
        ("from math import *\nprint(pi)", set()),
        ("globals().update(a=1)\nprint(a)", set()),
        ("locals().update(a=1)\nprint(a)", set()),
        ("import sys\nif 'ipykernel' in sys.modules:\n    display(1)", set()),
        ("import builtins\nif hasattr(builtins, 'profile'):\n    profile(1)", set()),
        ("if 'a' in {}:\n    display(1)", {"display"}),
        ("print([a for a in range(3)], __file__)", set()),
        ("class A:\n    b = 1\n    c = b\n", set()),
    ],
)
def test_names_that_nothing_defines_are_listed(code: str, names: set[str]) -> None:
    assert undefined_names(code) == names


VARIANTS = (
    Variant(name="baseline", score=0.5),
    Variant(name="no_features", score=0.52),
    Variant(name="plain_validation", score=0.9),
    Variant(name="no_scaler", score=None),
)


def test_the_function_with_the_largest_measured_effect_is_the_block() -> None:
    assert find_measured_block(SCRIPT, "", VARIANTS, []) == VALIDATION
    assert find_measured_block(SCRIPT, "", VARIANTS, [VALIDATION]) == FEATURES


def test_a_function_that_the_study_changed_is_the_block_when_names_say_nothing() -> None:
    variants = (Variant(name="baseline", score=0.5), Variant(name="v1", score=0.6))
    assert find_measured_block(SCRIPT, PREDICTION.replace("0.0", "1.0"), variants, []) == PREDICTION
    assert find_measured_block(SCRIPT, "", variants, []) is None
