"""Scripts in the styles of different authors, for a table of two classes or of values.

Train has the columns `id`, `size`, `age` (with gaps), `kind` and the target `y`; test the same without `y`.
"""

HEAD = """
import numpy as np
import pandas as pd
"""

NOTEBOOK = (
    HEAD
    + """
from sklearn.linear_model import LogisticRegression
train = pd.read_csv("./input/train.csv")
test = pd.read_csv("./input/test.csv")
train["age"] = train["age"].fillna(train["age"].median())
test["age"] = test["age"].fillna(train["age"].median())
for column in ["kind"]:
    codes = {name: place for place, name in enumerate(sorted(train[column].unique()))}
    train[column] = train[column].map(codes)
    test[column] = test[column].map(codes).fillna(-1)
X, y = train.drop(columns=["id", "y"]), train["y"]
model = LogisticRegression(max_iter=500)
model.fit(X, y)
print(f"Final Validation Performance: {model.score(X, y)}")
sub = pd.read_csv("./input/sample_submission.csv")
sub["y"] = model.predict_proba(test.drop(columns="id"))[:, 1]
sub.to_csv("submission.csv", index=False)
"""
)

FOLD_LOOP = (
    HEAD
    + """
from sklearn.model_selection import StratifiedKFold
from sklearn.ensemble import RandomForestClassifier
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
y = train.pop("y").values
features = [name for name in train.columns if name not in ("id", "kind")]
X, T = train[features].fillna(-1).values, test[features].fillna(-1).values
oof, pred, scores = np.zeros(len(X)), np.zeros(len(T)), []
for fold, (fit, held) in enumerate(StratifiedKFold(3, shuffle=True, random_state=1).split(X, y)):
    forest = RandomForestClassifier(20, random_state=fold)
    forest.fit(X[fit], y[fit])
    oof[held] = forest.predict_proba(X[held])[:, 1]
    scores.append(((oof[held] > 0.5) == y[held]).mean())
    pred += forest.predict_proba(T)[:, 1] / 3
print("Final Validation Performance:", np.mean(scores))
pd.DataFrame({"id": test.id, "y": pred}).to_csv("submission.csv", index=False)
"""
)

FIT_PREDICT = (
    HEAD
    + """
from sklearn.preprocessing import StandardScaler
from sklearn.linear_model import Ridge

def fit_predict(x, y, others):
    scaler = StandardScaler().fit(x)
    model = Ridge().fit(scaler.transform(x), y)
    return [model.predict(scaler.transform(other)) for other in others]

def main():
    train, test = (pd.read_csv(f"input/{name}.csv") for name in ("train", "test"))
    names = ["size", "age"]
    middle = train[names].mean()
    x, t = train[names].fillna(middle), test[names].fillna(middle)
    cut = int(0.8 * len(x))
    (held,) = fit_predict(x[:cut], train.y[:cut], [x[cut:]])
    print("Final Validation Performance:", float(np.abs(held - train.y[cut:]).mean()))
    (values,) = fit_predict(x, train.y, [t])
    pd.DataFrame({"id": test["id"], "y": values}).to_csv("submission.csv", index=False)

if __name__ == "__main__":
    main()
"""
)

PIPELINE = (
    HEAD
    + """
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.linear_model import LogisticRegression

def load_data(path="input"):
    return pd.read_csv(path + "/train.csv"), pd.read_csv(path + "/test.csv")

train_df, test_df = load_data()
numbers = Pipeline([("fill", SimpleImputer()), ("scale", StandardScaler())])
steps = ColumnTransformer([("n", numbers, ["size", "age"]), ("c", OneHotEncoder(handle_unknown="ignore"), ["kind"])])
clf = Pipeline([("prepare", steps), ("model", LogisticRegression())])
score = cross_val_score(clf, train_df.drop(columns=["y"]), train_df["y"], cv=3).mean()
print(f"Final Validation Performance: {score:.5f}")
clf.fit(train_df.drop(columns=["y"]), train_df["y"])
test_df["y"] = clf.predict(test_df)
test_df[["id", "y"]].to_csv("submission.csv", index=False)
"""
)

CLASS = (
    HEAD
    + """
from dataclasses import dataclass, field
from lightgbm import LGBMClassifier

@dataclass
class Trainer:
    seeds: tuple = (0, 1)
    models: list = field(default_factory=list)
    means: dict = field(default_factory=dict)

    def prepare(self, table, learn=False):
        table = table.copy()
        if learn:
            self.means = table.groupby("kind")["size"].mean().to_dict()
        table["kind_mean"] = table["kind"].map(self.means)
        return table[["size", "age", "kind_mean"]]

    def fit(self, table, y):
        x = self.prepare(table, learn=True)
        for seed in self.seeds:
            model = LGBMClassifier(n_estimators=15, random_state=seed, verbose=-1)
            self.models.append(model.fit(x, y))
        return self

    def predict(self, table):
        x = self.prepare(table)
        return np.mean([model.predict_proba(x)[:, 1] for model in self.models], axis=0)

train = pd.read_csv("input/train.csv")
test = pd.read_csv("input/test.csv")
trainer = Trainer().fit(train, train["y"])
print("Final Validation Performance:", ((trainer.predict(train) > 0.5) == train["y"]).mean())
out = pd.DataFrame({"id": test["id"]})
out["y"] = trainer.predict(test)
out.to_csv("submission.csv", index=False)
"""
)

TOGETHER = (
    HEAD
    + """
from xgboost import XGBClassifier
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
n = len(train)
full = pd.concat([train.drop("y", axis=1), test], axis=0).reset_index(drop=True)
full["age"].fillna(full["age"].mean())
full["age"] = (full["age"] - full["age"].mean()) / full["age"].std()
full["count"] = full["kind"].map(full["kind"].value_counts())
full = pd.get_dummies(full, columns=["kind"])
x, t = full.iloc[:n].drop(columns="id"), full.iloc[n:].drop(columns="id")
model = XGBClassifier(n_estimators=20, max_depth=3)
model.fit(x, train["y"])
print("Final Validation Performance:", model.score(x, train["y"]))
pd.DataFrame({"id": test["id"], "y": model.predict_proba(t)[:, 1]}).to_csv("submission.csv", index=False)
"""
)

BOOSTER = (
    HEAD
    + """
import lightgbm as lgb
PARAMS = {"objective": "binary", "verbosity": -1, "num_leaves": 7, "seed": 3}
train = pd.read_csv("input/train.csv"); test = pd.read_csv("input/test.csv")
for frame in [train, test]:
    frame["kind"] = frame["kind"].astype("category")
    frame["ratio"] = frame["size"] / (frame["age"] + 1)
cols = [c for c in train if c not in ["id", "y"]]
rng = np.random.RandomState(0)
mask = rng.rand(len(train)) < 0.75
dtrain = lgb.Dataset(train.loc[mask, cols], train.loc[mask, "y"])
dvalid = lgb.Dataset(train.loc[~mask, cols], train.loc[~mask, "y"])
booster = lgb.train(PARAMS, dtrain, 40, valid_sets=[dvalid], callbacks=[lgb.early_stopping(5, verbose=False)])
valid = booster.predict(train.loc[~mask, cols])
best = max(np.linspace(0.2, 0.8, 13), key=lambda cut: ((valid > cut) == train.loc[~mask, "y"]).mean())
print("Final Validation Performance: %.4f" % ((valid > best) == train.loc[~mask, "y"]).mean())
labels = (booster.predict(test[cols], num_iteration=booster.best_iteration) > best).astype(int)
pd.DataFrame({"id": test["id"], "y": labels}).to_csv("submission.csv", index=False)
"""
)

CATBOOST = (
    HEAD
    + """
from catboost import CatBoostRegressor, Pool

def features(table):
    table = table.assign(long=table["kind"].str.len(), big=(table["size"] > 0).astype(int))
    return table[["size", "age", "kind", "long", "big"]]

def run_cv(train, test, folds=3):
    order = np.random.default_rng(5).permutation(len(train)) % folds
    result, errors = [], []
    for k in range(folds):
        chosen = dict(iterations=30, verbose=0, random_seed=k, allow_writing_files=False)
        model = CatBoostRegressor(**chosen, cat_features=["kind"])
        part, held = train[order != k], train[order == k]
        model.fit(features(part), part["y"])
        errors.append(np.sqrt(np.mean((model.predict(features(held)) - held["y"]) ** 2)))
        result.append(model.predict(features(test)))
    return np.column_stack(result).mean(axis=1), float(np.mean(errors))

train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
predictions, error = run_cv(train, test)
print("Final Validation Performance:", error)
submission = pd.DataFrame({"id": test["id"].values, "y": predictions})
submission.to_csv("./submission.csv", index=False)
"""
)

TEXT = (
    HEAD
    + """
import re
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.decomposition import TruncatedSVD
from sklearn.linear_model import LogisticRegression

def clean(text):
    return re.sub(r"[^a-z ]", " ", str(text).lower()).strip()

tr = pd.read_csv("input/train.csv")
te = pd.read_csv("input/test.csv")
tr["text"] = [clean(kind) + " item" for kind in tr["kind"]]
te["text"] = te["kind"].apply(lambda kind: clean(kind) + " item")
vec = TfidfVectorizer(analyzer="char", ngram_range=(1, 2))
both = vec.fit_transform(pd.concat([tr["text"], te["text"]]))
A, B = both[: len(tr)], both[len(tr):]
svd = TruncatedSVD(3, random_state=0)
A2 = np.hstack([svd.fit_transform(A), tr[["size"]].values])
B2 = np.hstack([svd.transform(B), te[["size"]].values])
lr = LogisticRegression(C=3).fit(A2, tr["y"])
print("Final Validation Performance:", lr.score(A2, tr["y"]))
te["y"] = lr.predict_proba(B2)[:, 1]
te.loc[:, ["id", "y"]].to_csv("submission.csv", index=False)
"""
)

STACKED = (
    HEAD
    + """
from sklearn.base import clone
from sklearn.ensemble import ExtraTreesClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier

SEED = 7
np.random.seed(SEED)
df, new = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
columns = df.select_dtypes("number").columns.difference(["id", "y"]).tolist()
fill = {c: df[c].median() for c in columns}
X, T, y = df[columns].fillna(fill), new[columns].fillna(fill), df["y"]
bases = {"trees": ExtraTreesClassifier(15, random_state=SEED), "near": KNeighborsClassifier(5)}
level_one, level_one_new = pd.DataFrame(index=X.index), pd.DataFrame(index=T.index)
for name, base in bases.items():
    held_out, parts = np.zeros(len(X)), []
    for a, b in KFold(4, shuffle=True, random_state=SEED).split(X):
        fitted = clone(base).fit(X.iloc[a], y.iloc[a])
        held_out[b] = fitted.predict_proba(X.iloc[b])[:, 1]
        parts.append(fitted.predict_proba(T)[:, 1])
    level_one[name] = held_out
    level_one_new[name] = np.mean(parts, axis=0)
X_tr, X_va, y_tr, y_va = train_test_split(level_one, y, test_size=0.25, random_state=SEED)
meta = LogisticRegression().fit(X_tr, y_tr)
print("Final Validation Performance:", meta.score(X_va, y_va))
new["y"] = meta.predict_proba(level_one_new)[:, 1]
new[["id", "y"]].to_csv("submission.csv", index=False)
"""
)

NUMPY_ONLY = (
    HEAD
    + """
import csv
train = pd.read_csv("input/train.csv").fillna(0)
with open("input/test.csv") as file:
    rows = list(csv.DictReader(file))
X = np.column_stack([np.ones(len(train)), train["size"], train["age"]])
weights, *_ = np.linalg.lstsq(X, train["y"].to_numpy(float), rcond=None)
residual = train["y"] - X @ weights
print("Final Validation Performance:", float(np.sqrt((residual**2).mean())))
with open("submission.csv", "w") as out:
    out.write("id,y\\n")
    for row in rows:
        values = np.array([1.0, float(row["size"] or 0), float(row["age"] or 0)])
        out.write(f"{row['id']},{float(values @ weights)!r}\\n")
"""
)

MEMBERS = (
    HEAD
    + """
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

def first(x, y, other):
    return DecisionTreeClassifier(max_depth=3, random_state=0).fit(x, y).predict_proba(other)

def second(x, y, other):
    return LogisticRegression().fit(x, y).predict_proba(other)

def all_members(x, y, other):
    found = []
    for member in [first, second]:
        found.append(member(x, y, other))
    return np.array(found)

train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
x, t = (table[["size", "age"]].fillna(0) for table in (train, test))
half = len(x) // 2
scores = np.average(all_members(x[:half], train["y"][:half], x[half:]), axis=0)
print("Final Validation Performance:", (scores.argmax(axis=1) == train["y"][half:]).mean())
labels = np.asarray([0, 1])[np.argmax(np.average(all_members(x, train["y"], t), axis=0, weights=[1, 2]), axis=1)]
pd.DataFrame({"id": test["id"], "y": labels}).to_csv("submission.csv", index=False)
"""
)

FORESTS = (
    HEAD
    + """
from sklearn.ensemble import ExtraTreesClassifier
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
X, T, y = train[["size", "age"]].fillna(-1).values, test[["size", "age"]].fillna(-1).values, train["y"].values
forests = []
for seed in range(3):
    forest = ExtraTreesClassifier(40, random_state=seed)
    forest.fit(X, y)
    forests.append(forest)
print("Final Validation Performance:", np.mean([forest.score(X, y) for forest in forests]))
test["y"] = np.mean([forest.predict_proba(T)[:, 1] for forest in forests], axis=0)
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
)

NARROW_PART = (
    HEAD
    + """
from sklearn.linear_model import Ridge
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
X, T = (pd.DataFrame({f"x{power}": rows["size"] ** power for power in range(1, 14)}) for rows in (train, test))
held = np.arange(len(X)) < X.shape[1]
y = train["y"].to_numpy()
model = Ridge().fit(X[~held], y[~held])
print("Final Validation Performance:", model.score(X[held], y[held]))
T = T.fillna(X.median()).loc[:, X.notna().any()]
test["y"] = model.predict(T)
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
)
"""As many rows are held out as there are columns."""

OUT_OF_FOLD = (
    HEAD
    + """
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
X, T, y = train[["size", "age"]].fillna(-1), test[["size", "age"]].fillna(-1), train["y"].to_numpy()
def probabilities(x, labels, others):
    return LogisticRegression().fit(x, labels).predict_proba(others)
parts = []
for fitted, held_out in KFold(3, shuffle=True, random_state=0).split(X):
    part = np.zeros((len(held_out), 2))
    found = probabilities(X.iloc[fitted], y[fitted], X.iloc[held_out])
    part[:, : found.shape[1]] = found
    parts.append(part)
print("Final Validation Performance:", np.concatenate(parts)[:, 1].std())
test["y"] = probabilities(X, y, T)[:, 1]
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
)
"""An array of the rows of a fold is made empty and filled."""

STYLES = {
    "notebook": NOTEBOOK,
    "fold loop": FOLD_LOOP,
    "function of train and test": FIT_PREDICT,
    "pipeline": PIPELINE,
    "class": CLASS,
    "train and test together": TOGETHER,
    "booster": BOOSTER,
    "catboost": CATBOOST,
    "text": TEXT,
    "stacked": STACKED,
    "plain loops": NUMPY_ONLY,
    "members": MEMBERS,
    "forests": FORESTS,
    "part as long as the columns": NARROW_PART,
    "filled out of fold": OUT_OF_FOLD,
}

NEIGHBOURS = (
    HEAD
    + """
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
cut = train["y"].mean()
print("Final Validation Performance: 0.5")
test["y"] = (test["size"].rank(pct=True) > cut).astype(int)
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
)
"""Its predictions order the rows among each other, so that none can be predicted alone."""

TIMED = (
    HEAD
    + """
import time
from sklearn.tree import DecisionTreeRegressor
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
started, predictions = time.monotonic(), []
while not predictions or time.monotonic() - started < 0.2 and len(predictions) < 40:
    time.sleep(0.001)
    table = train.sample(len(train), replace=True, random_state=len(predictions))
    model = DecisionTreeRegressor(max_depth=3).fit(table[["size"]], table["y"])
    predictions.append(model.predict(test[["size"]]))
print("Final Validation Performance:", len(predictions))
test["y"] = np.mean(predictions, axis=0)
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
)
"""Trains as many trees as there is time for."""

COUNTED = (
    HEAD
    + """
from sklearn.linear_model import LinearRegression
train, test = pd.read_csv("input/train.csv"), pd.read_csv("input/test.csv")
both = pd.concat([train, test], ignore_index=True)
both["place"] = both.groupby("kind").cumcount()
x, t = both[: len(train)], both[len(train) :]
noise = np.random.normal(size=len(x))
model = LinearRegression().fit(x[["size", "place"]], x["y"] + 0 * noise)
print("Final Validation Performance:", model.score(x[["size", "place"]], x["y"]))
test["y"] = model.predict(t[["size", "place"]])
test[["id", "y"]].to_csv("submission.csv", index=False)
"""
)
"""Counts the rows of a kind before each row, in train and test together."""
