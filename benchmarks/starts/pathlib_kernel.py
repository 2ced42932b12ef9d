"""A linear baseline of a kernel: a path object of Kaggle's folder, a look around, a score by another name."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LinearRegression
from sklearn.metrics import mean_squared_error
from sklearn.model_selection import train_test_split

for dirname, _, filenames in os.walk("/kaggle/input"):
    for filename in filenames:
        print(os.path.join(dirname, filename))

input_path = Path("/kaggle/input/diabetes-progression/")
train = pd.read_csv(input_path / "train.csv", index_col="id")
test = pd.read_csv(input_path / "test.csv", index_col="id")
submission = pd.read_csv(input_path / "sample_submission.csv", index_col="id")

target = train.pop("progression")
X_train, X_valid, y_train, y_valid = train_test_split(train[["bmi", "bp", "age"]], target, random_state=1)

dummy = DummyRegressor(strategy="median").fit(X_train, y_train)
print(f"dummy: {np.sqrt(mean_squared_error(y_valid, dummy.predict(X_valid))):.4f}")
model = LinearRegression().fit(X_train, y_train)
print(f"linear: {np.sqrt(mean_squared_error(y_valid, model.predict(X_valid))):.4f}")

submission["progression"] = model.predict(test[["bmi", "bp", "age"]])
submission.to_csv("/kaggle/working/linear_3_columns.csv")
