"""The cards of the built-in catalogue, by kind of data."""

from mlestar.retrieval.entry import Entry
from mlestar.retrieval.image_entries import IMAGE_ENTRIES

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
        modalities=("text",),
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
        "Depth-wise gradient boosting with second-order regularization: similar to LightGBM but with different errors, "
        "hence useful in an average.",
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
        "Extremely randomized trees: a forest with random splits, robust on small and noisy tables, with nothing to "
        "tune. Needs numbers without missing values.",
        ("scikit-learn",),
        """from sklearn.ensemble import ExtraTreesClassifier

model = ExtraTreesClassifier(n_estimators=300, min_samples_leaf=2, max_features=0.5, n_jobs=2, random_state=0)
model.fit(x, y)
predictions = model.predict_proba(x_test)
""",
    ),
    Entry(
        "Linear model on splines",
        "Every number in cubic splines and every category in dummies, in a regularized linear model: it "
        "extrapolates trends smoothly and errs differently from trees.",
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
        "Gradient boosting similar to LightGBM, part of every installation of scikit-learn; handles missing values.",
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
        "A small perceptron on normal scores of the numbers and dummies of the categories: smooth, and a good "
        "complement to trees on tables of many rows.",
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
    Entry(
        "Lags and calendar in LightGBM (gradient boosting for time series)",
        "Earlier values of the series, their rolling means and calendar fields as columns of one boosted tree for all "
        "series. Only lags at least as long as the horizon exist at test time.",
        ("lightgbm", "pandas"),
        """import lightgbm

frame = frame.sort_values(["series", "date"])  # train and test together, y missing in test
grouped = frame.groupby("series")["y"]
for lag in (horizon, horizon + 6, 2 * horizon):
    frame[f"lag_{lag}"] = grouped.shift(lag)
frame["mean"] = grouped.transform(lambda values: values.shift(horizon).rolling(28, min_periods=1).mean())
for name in ("dayofweek", "day", "month", "dayofyear"):
    frame[name] = getattr(frame["date"].dt, name)
model = lightgbm.LGBMRegressor(
    n_estimators=800, learning_rate=0.03, num_leaves=63, subsample=0.8, subsample_freq=1, colsample_bytree=0.7,
    verbose=-1, random_state=0,
)
model.fit(x, y)  # validated on the last stretch, as long as the horizon
predictions = model.predict(x_test)
""",
        modalities=("time series",),
    ),
    Entry(
        "Trend, calendar and Fourier terms by penalised least squares",
        "A linear model of trend, weekday and yearly waves: extrapolates trends, which trees cannot, robust on short "
        "series, and a good complement to a boosted tree fitted to its residuals.",
        ("scikit-learn",),
        """import numpy as np
from sklearn.linear_model import Ridge

days = (dates - dates.min()).dt.days.to_numpy()  # of train and test together
waves = [f(2 * np.pi * k * days / 365.25) for k in range(1, 6) for f in (np.sin, np.cos)]
week = np.eye(7)[dates.dt.dayofweek]
x = np.column_stack([days / 365.25, *waves, week])
model = Ridge(alpha=1.0).fit(x[:train_rows], np.log1p(y))
predictions = np.expm1(model.predict(x[train_rows:]))
""",
        modalities=("time series",),
    ),
    Entry(
        "Exponential smoothing (Holt-Winters)",
        "Level, trend and season smoothed for each series separately: hard to beat on few, short and regular series.",
        ("statsmodels",),
        """from statsmodels.tsa.holtwinters import ExponentialSmoothing

for name, series in train.groupby("series"):
    values = series.sort_values("date")["y"].to_numpy()
    season = 7 if len(values) >= 21 else None
    fitted = ExponentialSmoothing(
        values, trend="add", damped_trend=True, seasonal="add" if season else None, seasonal_periods=season
    ).fit()
    predictions[name] = fitted.forecast(horizon)
""",
        modalities=("time series",),
    ),
    *IMAGE_ENTRIES,
    Entry(
        "LightGBM on spectral statistics of sound",
        "Mean, spread and percentiles of a log spectrogram's bands, of energy and of zero crossings as columns of a "
        "boosted tree: a strong first solution on short clips.",
        ("lightgbm", "scipy", "soundfile", "numpy"),
        """import lightgbm
import numpy as np
import soundfile
from scipy.signal import spectrogram


def describe(path):
    sound, rate = soundfile.read(path, dtype="float32", always_2d=True)
    mono = sound.mean(axis=1)
    _, _, power = spectrogram(mono, rate, nperseg=512, noverlap=256)
    edges = np.unique(np.geomspace(1, power.shape[0], 33).astype(int))
    bands = np.log1p(1e6 * np.stack([power[a:b].mean(axis=0) for a, b in zip(edges[:-1], edges[1:])]))
    moves = np.abs(np.diff(bands, axis=1)).mean(axis=1) if bands.shape[1] > 1 else np.zeros(len(bands))
    crossings = np.mean(np.diff(np.signbit(mono)))
    levels = [np.percentile(bands, q, axis=1) for q in (10, 50, 90)]
    whole = [crossings, len(mono) / rate, np.abs(mono).max()]
    return np.concatenate([bands.mean(axis=1), bands.std(axis=1), moves, *levels, whole])


model = lightgbm.LGBMClassifier(n_estimators=600, learning_rate=0.03, colsample_bytree=0.4, verbose=-1, random_state=0)
model.fit(np.stack([describe(path) for path in paths]), y)
predictions = model.predict_proba(np.stack([describe(path) for path in test_paths]))
""",
        modalities=("audio",),
    ),
    Entry(
        "Convolutional network on log spectrograms",
        "Clips cut or padded to one length, turned into log spectrograms and read by a small convolutional network, "
        "with masked stretches of time and frequency as augmentation.",
        ("torch", "soundfile"),
        """import torch
from torch import nn


def spectra(waves):  # (n, samples)
    window = torch.hann_window(512)
    power = torch.stft(waves, 512, hop_length=256, window=window, return_complex=True).abs() ** 2
    return torch.log1p(1e3 * power).unsqueeze(1)


def stage(inputs, outputs):
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2)
    )


model = nn.Sequential(
    nn.BatchNorm2d(1), stage(1, 16), stage(16, 32), stage(32, 64), stage(64, 128), nn.AdaptiveAvgPool2d(1),
    nn.Flatten(), nn.Dropout(0.3), nn.Linear(128, classes),
)
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
for epoch in range(epochs):
    for waves, labels in batches:
        loss = nn.functional.cross_entropy(model(spectra(waves)), labels)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
predictions = model(spectra(test_waves)).softmax(1)
""",
        modalities=("audio",),
    ),
    Entry(
        "Most frequent answer in training, with rules for the rest",
        "A table from input (alone, and with its neighbours or kind) to its most frequent output in train, and rules "
        "for unseen inputs: the basis of good solutions that rewrite one token or phrase into another.",
        ("pandas",),
        """from collections import Counter, defaultdict

seen = defaultdict(Counter)
for before, source, target in zip(previous, sources, targets):
    seen[(before, source)][target] += 1
    seen[source][target] += 1


def answer(before, source):
    for key in ((before, source), source):
        if key in seen:
            return seen[key].most_common(1)[0][0]
    return rules(source)  # numbers, dates, units, abbreviations; unchanged when nothing applies


predictions = [answer(before, source) for before, source in zip(test_previous, test_sources)]
""",
        modalities=("sequence",),
    ),
    Entry(
        "Kind of token first, then one rewriting rule for each kind",
        "Predict the class of each input (plain, date, cardinal, letters, ...) from letters and neighbours, then apply "
        "that class's deterministic rule: sequence to sequence as classification.",
        ("lightgbm", "scikit-learn"),
        """import lightgbm
from scipy.sparse import hstack
from sklearn.feature_extraction.text import TfidfVectorizer

letters = TfidfVectorizer(analyzer="char", ngram_range=(1, 3), max_features=3000, lowercase=False)
around = TfidfVectorizer(analyzer="char", ngram_range=(1, 2), max_features=1000)
x = hstack([letters.fit_transform(sources), around.fit_transform(previous), around.transform(following)]).tocsr()
model = lightgbm.LGBMClassifier(n_estimators=200, learning_rate=0.1, verbose=-1, random_state=0)
model.fit(x, kinds)  # kinds are provided, or inferred by comparing source and target
predictions = [RULES[kind](source) for kind, source in zip(model.predict(x_test), test_sources)]
""",
        modalities=("sequence",),
    ),
    Entry(
        "Character transducer (GRU encoder and decoder with attention)",
        "Reads the input letter by letter and writes the output letter by letter, trained by teacher forcing; for "
        "what lookup tables and rules cannot do.",
        ("torch",),
        """import torch
from torch import nn


class Transducer(nn.Module):
    def __init__(self, letters, width=192):
        super().__init__()
        self.embed = nn.Embedding(letters, width, padding_idx=0)
        self.read = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.write = nn.GRU(width, 2 * width, batch_first=True)
        self.attend = nn.MultiheadAttention(2 * width, 4, batch_first=True)
        self.output = nn.Linear(4 * width, letters)

    def forward(self, source, shifted):
        memory, _ = self.read(self.embed(source))
        states, _ = self.write(self.embed(shifted))
        context, _ = self.attend(states, memory, memory, key_padding_mask=source == 0)
        return self.output(torch.cat([states, context], dim=2))


model = Transducer(letters)
optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
for source, target in batches:  # indices, padded with 0; the target begins with a start symbol
    logits = model(source, target[:, :-1])
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), target[:, 1:].flatten(), ignore_index=0)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
""",
        modalities=("sequence",),
    ),
)
