"""Tables of texts with held-out answers, written as a suite of `mlestar bench`.

    python -m benchmarks.made_texts SUITE [--only ID ...] [--seed 0] [--list]

Writes `SUITE/tasks/ID` and `SUITE/answers/ID` for every set in `TEXTS`: classes that show in words, in negated words,
in style (capitals, marks, endings) or in the parts of words; few rows and many, 2 to 20 classes; values; texts beside
numbers. The same seed gives the same texts.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.suites import write_suite
from mlestar.bench.generated import write_task

Draw = np.random.Generator
LETTERS = "etaoinshrdlucmfwygpbvkxqjz"
LETTER_SHARES = (127, 90, 82, 75, 70, 67, 63, 61, 60, 43, 40, 28, 28, 24, 22, 24, 20, 20, 19, 15, 10, 8, 2, 1, 2, 1)
VOCABULARY = 4000
MISLABELED = 0.08
"""Share of rows whose label is drawn anew."""
ENDINGS = ["ka", "lo", "min", "tur", "ez", "op", "ish", "ud", "arn", "vel"]
ENDINGS += ["os", "ti", "gu", "hep", "wim", "yo", "bax", "cri", "dun", "ful"]
TEST_ROWS = 1000


@dataclass(frozen=True)
class MadeTexts:
    """One set of texts."""

    name: str
    rows: int
    """Of train."""
    classes: int
    write: Callable[[Draw, np.ndarray, int, "Language"], list[str]]
    """Takes the labels and their number, and returns a text for each."""
    metric: str = "log_loss"
    numbers: bool = False
    """There are columns of numbers beside the text."""


class Language:
    """Words, some of them frequent, and the words that are more frequent in a class."""

    def __init__(self, draw: Draw, classes: int) -> None:
        letters, shares = list(LETTERS), np.array(LETTER_SHARES) / sum(LETTER_SHARES)
        self.words = [str("".join(draw.choice(letters, draw.integers(2, 10), p=shares))) for _ in range(VOCABULARY)]
        usual = 1 / np.arange(1, VOCABULARY + 1)
        self.usual = usual / usual.sum()
        factors = np.ones((classes, VOCABULARY))
        for row in factors:
            row[draw.choice(VOCABULARY, 80, replace=False)] = draw.choice([2, 4, 8], 80)
        by_class = usual * factors
        self.by_class = by_class / by_class.sum(axis=1, keepdims=True)

    def draw_words(self, draw: Draw, shares: np.ndarray) -> list[str]:
        length = max(3, int(draw.lognormal(np.log(20), 0.6)))
        return [self.words[place] for place in draw.choice(VOCABULARY, length, p=shares)]


def topics(draw: Draw, labels: np.ndarray, classes: int, language: Language) -> list[str]:
    """Return texts in which the words of their class are more frequent."""
    return [" ".join(language.draw_words(draw, language.by_class[label])) for label in labels]


def negations(draw: Draw, labels: np.ndarray, classes: int, language: Language) -> list[str]:
    """Return texts with good and bad words, which mean the opposite behind one other word."""
    good, bad, negation = language.words[50:110], language.words[110:170], language.words[3]
    texts = []
    for label in labels:
        words = language.draw_words(draw, language.usual)
        for _ in range(max(1, len(words) // 8)):
            is_good = label % 2 == 0 if draw.random() < 0.8 else draw.random() < 0.5
            negated = draw.random() < 0.4
            word = str(draw.choice(good if is_good != negated else bad))
            place = draw.integers(len(words) + 1)
            words[place:place] = [negation, word] if negated else [word]
        if classes > 2:
            words += [language.words[place] for place in draw.choice(VOCABULARY, 3, p=language.by_class[label])]
        texts.append(" ".join(words))
    return texts


def styles(draw: Draw, labels: np.ndarray, classes: int, language: Language) -> list[str]:
    """Return texts with more capitals, marks and endings the higher their class is."""
    texts = []
    for label in labels:
        degree, words = label / max(1, classes - 1), language.draw_words(draw, language.usual)
        words = [word.upper() if draw.random() < 0.02 + 0.08 * degree else word for word in words]
        words = [f"{word}!" if draw.random() < 0.03 + 0.1 * degree else word for word in words]
        texts.append(" ".join(f"{word}ing" if draw.random() < 0.03 + 0.06 * degree else word for word in words))
    return texts


def word_parts(draw: Draw, labels: np.ndarray, classes: int, language: Language) -> list[str]:
    """Return texts in which words have an ending of their class more often than others."""
    texts = []
    for label in labels:
        words = []
        for word in language.draw_words(draw, language.usual):
            chance = draw.random()
            ending = ENDINGS[label] if chance < 0.08 else str(draw.choice(ENDINGS)) if chance < 0.28 else ""
            words.append(word + ending)
        texts.append(" ".join(words))
    return texts


TEXTS = (
    MadeTexts("topics-2-few", 300, 2, topics),
    MadeTexts("topics-2", 1000, 2, topics, "auroc"),
    MadeTexts("topics-2-many", 4000, 2, topics),
    MadeTexts("topics-5-few", 600, 5, topics),
    MadeTexts("topics-5", 3000, 5, topics, "accuracy"),
    MadeTexts("topics-20", 2000, 20, topics),
    MadeTexts("topics-12-many", 5000, 12, topics, "macro_f1"),
    MadeTexts("negations-few", 300, 2, negations),
    MadeTexts("negations-2", 800, 2, negations),
    MadeTexts("negations-2-many", 6000, 2, negations, "auroc"),
    MadeTexts("negations-4", 2000, 4, negations),
    MadeTexts("styles-2-few", 600, 2, styles),
    MadeTexts("styles-2", 3000, 2, styles),
    MadeTexts("styles-4", 3000, 4, styles),
    MadeTexts("parts-2", 800, 2, word_parts),
    MadeTexts("parts-3", 3000, 3, word_parts),
    MadeTexts("parts-20", 3000, 20, word_parts),
    MadeTexts("values", 2000, 12, styles, "rmse"),
    MadeTexts("topics-and-numbers", 2000, 2, topics, "log_loss", numbers=True),
    MadeTexts("few-texts-and-numbers", 400, 3, topics, "accuracy", numbers=True),
)


def write_texts(folder: Path, made: MadeTexts, seed: int) -> None:
    """Write one set as a task folder and a folder of answers."""
    draw = np.random.default_rng([seed, *made.name.encode()])
    rows = made.rows + TEST_ROWS
    labels = draw.choice(made.classes, rows, p=draw.dirichlet(np.full(made.classes, 5.0)))
    texts = made.write(draw, labels, made.classes, Language(draw, made.classes))
    table = pd.DataFrame({"id": range(rows), "text": texts})
    if made.numbers:
        for place in range(4):
            table[f"number{place}"] = np.round(draw.normal(size=rows) + 0.3 * place * (labels == 0), 3)
    labels = np.where(draw.random(rows) < MISLABELED, draw.permutation(labels), labels)
    names = labels + draw.normal(size=rows) if made.metric == "rmse" else [f"class{label:02}" for label in labels]
    table["target"] = [int(name == "class01") for name in names] if made.metric == "auroc" else names
    train, test = table[: made.rows], table[made.rows :]
    sample = sample_rows(made, train, test)
    write_task(
        folder,
        made.name,
        files={"train.csv": train, "test.csv": test.drop(columns="target"), "sample_submission.csv": sample},
        description="Predict `target`.\n",
        answers=test[["id", "target"]],
        grade={"metric": made.metric},
    )
    settings = folder / "tasks" / made.name / "task.toml"
    settings.write_text(f'metric = "{made.metric}"\n', encoding="utf-8")


def sample_rows(made: MadeTexts, train: pd.DataFrame, test: pd.DataFrame) -> pd.DataFrame:
    """Return a submission in the right form: a column per class where probabilities of classes are asked for."""
    classes = sorted(train["target"].unique())
    if made.metric == "log_loss":
        return test[["id"]].assign(**dict.fromkeys(classes, 1 / len(classes)))
    return test[["id"]].assign(target=0.5 if made.metric == "auroc" else train["target"].iloc[0])


if __name__ == "__main__":
    write_suite(__doc__, TEXTS, write_texts)
