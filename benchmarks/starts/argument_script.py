"""A tree for the command line: folders as arguments, no validation at all, a submission with the name of the model."""

import argparse
import sys

import pandas as pd
from sklearn.tree import DecisionTreeClassifier


def main():
    parse = argparse.ArgumentParser("Training!")
    parse.add_argument("--path", type=str, help="where the data are", default="../../data/")
    parse.add_argument("--model_name", type=str, default="tree")
    parse.add_argument("--depth", type=int, default=6)
    args = parse.parse_args()

    train = pd.read_csv(args.path + "train.csv")
    test = pd.read_csv(args.path + "test.csv")
    pixels = [column for column in test.columns if column != "id"]
    model = DecisionTreeClassifier(max_depth=args.depth, random_state=0)
    model.fit(train[pixels], train["digit"])

    pred = pd.read_csv("./data-readonly/sample_submission.csv.gz")
    pred["digit"] = model.predict(test[pixels])
    pred.to_csv("./Prediction/" + args.model_name + ".csv", index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
