"""The built-in catalogue: model cards for tables and texts that need no search."""

from dataclasses import dataclass

from mlestar.spec import TaskSpec
from mlestar.state import ModelCard

SOURCE = "built-in catalogue"


@dataclass(frozen=True)
class Entry:
    """A card with its example for classes and for values."""

    name: str
    description: str
    libraries: tuple[str, ...]
    classes: str
    """Example code when models predict classes or probabilities."""
    values: str = ""
    """Example code when they predict numbers; empty: as for classes, with `Classifier` read as `Regressor`."""
    text: bool = False
    """Made for texts: first for them, left out for other tables."""

    def card(self, *, classify: bool) -> ModelCard:
        example = self.classes if classify else self.values or _for_values(self.classes)
        return ModelCard(
            name=self.name,
            description=self.description,
            example_code=example,
            source=SOURCE,
            libraries=self.libraries,
        )


def catalogue_cards(spec: TaskSpec) -> tuple[ModelCard, ...]:
    """Return the cards for a kind of task, the most promising first."""
    classify = spec.problem in ("binary", "multiclass", "multilabel")
    worded = spec.modality in ("text", "sequence")
    entries = [entry for entry in ENTRIES if worded or not entry.text]
    ordered = sorted(entries, key=lambda entry: not entry.text) if worded else entries
    return tuple(entry.card(classify=classify) for entry in ordered)


def _for_values(example: str) -> str:
    return example.replace("Classifier", "Regressor").replace("predict_proba(x_test)", "predict(x_test)")


ENTRIES = (
    Entry(
        "TF-IDF of words and letters with logistic regression",
        "Words, pairs of words and runs of letters weighted by rarity, in a regularized linear model: hard to beat on "
        "short texts, quick, and without pretrained weights.",
        ("scikit-learn",),
        """from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline, make_union

words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)
model = make_pipeline(make_union(words, letters), LogisticRegression(C=4, max_iter=300))
model.fit(texts, y)
predictions = model.predict_proba(test_texts)
""",
        """from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline, make_union

words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
letters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), min_df=3, sublinear_tf=True)
model = make_pipeline(make_union(words, letters), Ridge(alpha=2.0))
model.fit(texts, y)
predictions = model.predict(test_texts)
""",
        text=True,
    ),
    Entry(
        "LightGBM",
        "Leaf-wise gradient boosting with histograms: the usual winner on tables of mixed columns. Reads missing "
        "values and pandas categories as they are; small steps and column sampling matter most.",
        ("lightgbm",),
        """import lightgbm

model = lightgbm.LGBMClassifier(
    n_estimators=600, learning_rate=0.03, num_leaves=31, min_child_samples=20, subsample=0.8, subsample_freq=1,
    colsample_bytree=0.6, reg_lambda=1.0, n_jobs=2, verbose=-1, random_state=0,
)
model.fit(x, y)  # categorical columns of dtype `category`
predictions = model.predict_proba(x_test)
""",
    ),
    Entry(
        "CatBoost",
        "Symmetric trees and ordered target statistics: strong where categories matter and rows are few, good with its "
        "default settings.",
        ("catboost",),
        """import catboost

model = catboost.CatBoostClassifier(
    iterations=500, learning_rate=0.06, depth=6, l2_leaf_reg=4, random_seed=0, thread_count=2, verbose=False,
    allow_writing_files=False,
)
model.fit(x, y, cat_features=[name for name in x if x[name].dtype == object])
predictions = model.predict_proba(x_test)
""",
    ),
    Entry(
        "XGBoost",
        "Depth-wise gradient boosting with second-order regularization: close to LightGBM, with other errors, hence a "
        "good partner in an average.",
        ("xgboost",),
        """import xgboost

model = xgboost.XGBClassifier(
    n_estimators=500, learning_rate=0.04, max_depth=6, min_child_weight=3, subsample=0.8, colsample_bytree=0.6,
    reg_lambda=2.0, tree_method="hist", n_jobs=2, random_state=0,
)
model.fit(x, y)  # categories as numbers or dummies
predictions = model.predict_proba(x_test)
""",
    ),
    Entry(
        "ExtraTrees",
        "Extremely randomized trees: a forest with random cuts, steady on small and noisy tables, without anything to "
        "tune. Needs numbers without gaps.",
        ("scikit-learn",),
        """from sklearn.ensemble import ExtraTreesClassifier

model = ExtraTreesClassifier(n_estimators=300, min_samples_leaf=2, max_features=0.5, n_jobs=2, random_state=0)
model.fit(x, y)
predictions = model.predict_proba(x_test)
""",
    ),
    Entry(
        "Linear model on splines",
        "Every number in cubic splines and every category in dummies, in a regularized linear model: it carries "
        "trends on smoothly and errs unlike trees do.",
        ("scikit-learn",),
        """from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

splines = SplineTransformer(n_knots=6, degree=3, knots="quantile", extrapolation="linear")
model = make_pipeline(splines, StandardScaler(), LogisticRegression(C=0.1, max_iter=400))
model.fit(x, y)
predictions = model.predict_proba(x_test)
""",
        """import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

splines = SplineTransformer(n_knots=6, degree=3, knots="quantile", extrapolation="linear")
model = make_pipeline(splines, StandardScaler(), RidgeCV(alphas=np.logspace(-1, 4, 11)))
model.fit(x, y)
predictions = model.predict(x_test)
""",
    ),
    Entry(
        "Histogram gradient boosting of scikit-learn (HistGradientBoosting)",
        "Gradient boosting in the manner of LightGBM that every installation of scikit-learn has; handles missing "
        "values.",
        ("scikit-learn",),
        """from sklearn.ensemble import HistGradientBoostingClassifier

model = HistGradientBoostingClassifier(
    max_iter=250, learning_rate=0.06, max_leaf_nodes=31, l2_regularization=1.0, max_features=0.6,
    early_stopping=False, random_state=0,
)
model.fit(x, y)
predictions = model.predict_proba(x_test)
""",
    ),
    Entry(
        "MLP on quantile-transformed columns (neural network)",
        "A small perceptron on normal scores of the numbers and dummies of the categories: smooth, and a good partner "
        "for trees on tables of many rows.",
        ("scikit-learn",),
        """from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer, StandardScaler

scale = QuantileTransformer(n_quantiles=300, output_distribution="normal")
model = make_pipeline(scale, StandardScaler(), MLPClassifier((96, 48), alpha=0.01, max_iter=25, random_state=0))
model.fit(x, y)
predictions = model.predict_proba(x_test)
""",
    ),
)
