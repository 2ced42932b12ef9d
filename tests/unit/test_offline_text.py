"""The offline engineer's scripts for tables of texts: run on a holdout of generated texts, and graded."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.offline.ablation import write_study
from mlestar.offline.ideas import carry_out, ideas_for
from mlestar.offline.kinds import find_kind
from mlestar.offline.merging import merge_models
from mlestar.offline.refinement import blocks_of
from mlestar.state import ModelCard
from tests.unit.offline_context import brief_of, candidate, facts_of, grade_on_holdout, run, score_of

BLEND = ModelCard(name="TF-IDF n-grams with linear models and boosting")
WORDS = ModelCard(name="Naive Bayes weights")
SIZE = 120
COMMON = ["the", "of", "and", "to", "in", "is", "that", "it", "was", "for", "on", "are", "as", "with", "they", "at"]
TOPICS = {
    "sea": ["wave", "ship", "sail", "salt"],
    "town": ["street", "shop", "tram", "roof"],
    "wood": ["tree", "leaf", "moss", "fern"],
}


def text_rows(classes: int = 2) -> pd.DataFrame:
    """Return texts of common words with a few words of their class, a number and the class."""
    draw = np.random.default_rng(0)
    names = list(TOPICS)[:classes]
    labels = [names[number] for number in draw.integers(classes, size=SIZE)]
    texts = [" ".join([*draw.choice(COMMON, 10), *draw.choice(TOPICS[label], 2)]) for label in labels]
    return pd.DataFrame({"id": range(SIZE), "message": texts, "length": draw.normal(size=SIZE), "topic": labels})


def write_task(folder: Path, rows: pd.DataFrame, targets: list[str], metric: str) -> Path:
    folder.mkdir()
    train, test = rows.iloc[:90], rows.iloc[90:].drop(columns=targets)
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    settings = f"metric = {metric!r}\ntarget = {targets!r}\n"
    (folder / "task.toml").write_text(settings, encoding="utf-8")
    return folder


def graded(folder: Path, work: Path, script: str) -> float:
    """Run a script on a holdout and return its grade; it must report a score."""
    grade, printed = grade_on_holdout(script, folder, work)
    score_of(printed)
    return grade


@pytest.fixture
def topics(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task", text_rows(), ["topic"], "accuracy")


@pytest.mark.parametrize("card", [BLEND, WORDS], ids=["blend", "words"])
@pytest.mark.parametrize(("classes", "metric"), [(2, "accuracy"), (3, "macro_f1")])
def test_classes_are_learned_from_words(card: ModelCard, classes: int, metric: str, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", text_rows(classes), ["topic"], metric)
    assert graded(folder, tmp_path, candidate(brief_of(folder), card)) > 0.8


def test_a_value_is_learned_from_words_and_numbers(tmp_path: Path) -> None:
    rows = text_rows()
    rows["worth"] = 3.0 * (rows["topic"] == "sea") + rows["length"]
    folder = write_task(tmp_path / "task", rows.drop(columns="topic"), ["worth"], "r2")
    assert graded(folder, tmp_path, candidate(brief_of(folder), BLEND)) > 0.6


def test_several_labels_are_learned(tmp_path: Path) -> None:
    rows = text_rows(3)
    rows = rows.assign(sea=(rows["topic"] == "sea").astype(int), calm=(rows["topic"] != "town").astype(int))
    folder = write_task(tmp_path / "task", rows.drop(columns="topic"), ["sea", "calm"], "auroc")
    assert graded(folder, tmp_path, candidate(brief_of(folder), WORDS)) > 0.9


def test_texts_without_words_are_no_error(tmp_path: Path) -> None:
    rows = text_rows()
    rows.loc[::2, "message"] = ""
    rows.loc[1::4, "message"] = "... !!! ... ??? ... ... ... ..."
    folder = write_task(tmp_path / "task", rows, ["topic"], "accuracy")
    assert 0.2 < graded(folder, tmp_path, candidate(brief_of(folder), BLEND)) <= 1.0


def test_a_table_with_a_short_name_column_is_no_text(tmp_path: Path) -> None:
    rows = text_rows().assign(**{f"value{number}": np.arange(SIZE) % (number + 7) for number in range(6)})
    rows["message"] = rows["message"].str.split().str[:4].str.join(" ")
    kind = find_kind(facts_of(brief_of(write_task(tmp_path / "task", rows, ["topic"], "accuracy"))))
    assert kind is not None
    assert kind.name == "tables"


@pytest.mark.parametrize("blank", [" ", ""], ids=["two words", "no blanks"])
def test_short_texts_are_learned_although_most_occur_once(blank: str, tmp_path: Path) -> None:
    rows = text_rows(3)
    draw = np.random.default_rng(1)
    rows["message"] = [
        blank.join([*draw.choice(COMMON, 2 - bool(blank)), str(draw.choice(TOPICS[topic]))]) for topic in rows["topic"]
    ]
    folder = write_task(tmp_path / "task", rows.drop(columns="length"), ["topic"], "accuracy")
    assert graded(folder, tmp_path, candidate(brief_of(folder), BLEND)) > 0.8


def test_a_text_that_is_the_id_is_learned(tmp_path: Path) -> None:
    rows = text_rows().drop(columns=["id", "length"])
    rows["message"] = [f"{text.split()[-1]}{number:03d}" for number, text in enumerate(rows["message"])]
    folder = write_task(tmp_path / "task", rows, ["topic"], "accuracy")
    sample = rows.iloc[90:].assign(topic="sea")
    sample.to_csv(folder / "sample_submission.csv", index=False)
    brief = brief_of(folder)
    assert brief.spec.id == "message"
    kind = find_kind(facts_of(brief))
    assert kind is not None
    assert kind.name == "text"
    assert graded(folder, tmp_path, candidate(brief, BLEND)) > 0.8


def test_likeness_of_two_texts_is_learned(tmp_path: Path) -> None:
    draw = np.random.default_rng(2)
    words = [f"w{number}" for number in range(400)]
    texts = [draw.choice(words, 6, replace=False) for _ in range(SIZE)]
    same = draw.random(SIZE) < 0.5
    others = [
        [*draw.permutation(text)[:4], "w0"] if alike else draw.choice(words, 5)
        for text, alike in zip(texts, same, strict=True)
    ]
    rows = pd.DataFrame({"id": range(SIZE), "one": map(" ".join, texts), "other": map(" ".join, others)})
    folder = write_task(tmp_path / "task", rows.assign(same=same.astype(int)), ["same"], "accuracy")
    assert graded(folder, tmp_path, candidate(brief_of(folder), BLEND)) > 0.8


def test_digests_and_codes_are_no_texts(tmp_path: Path) -> None:
    rows = text_rows()
    rows["message"] = [f"{number * 2654435761 % 2**32:08x}" for number in range(SIZE)]
    kind = find_kind(facts_of(brief_of(write_task(tmp_path / "task", rows, ["topic"], "accuracy"))))
    assert kind is not None
    assert kind.name == "tables"


def test_ideas_change_a_script_that_still_learns(topics: Path, tmp_path: Path) -> None:
    script, kind = candidate(brief_of(topics), BLEND), find_kind(facts_of(brief_of(topics)))
    assert kind is not None
    for idea in kind.ideas:
        block = next(text for text in blocks_of(script, kind).values() if idea in ideas_for(text, kind))
        rewritten = carry_out(block, idea.plan)
        assert rewritten != block
        script = script.replace(block, rewritten)
    assert graded(topics, tmp_path, script) > 0.8


def test_models_are_merged(topics: Path, tmp_path: Path) -> None:
    merged = merge_models(candidate(brief_of(topics), BLEND), candidate(brief_of(topics), WORDS))
    assert merged is not None
    assert graded(topics, tmp_path, merged) > 0.8


def test_a_study_switches_parts_off(topics: Path, tmp_path: Path) -> None:
    printed = run(write_study(candidate(brief_of(topics), BLEND), ""), topics, tmp_path / "study")
    assert printed.count("Ablation ") >= 3
    assert "failed" not in printed


def test_a_text_of_a_joined_table_leaves_many_columns_to_the_recipe_for_tables(tmp_path: Path) -> None:
    rows = text_rows()
    draw = np.random.default_rng(1)
    numbers = pd.DataFrame(draw.normal(size=(SIZE, 5))).add_prefix("x")
    shops = pd.DataFrame({"shop": 100 + np.arange(30), "about": rows["message"].iloc[:30]})
    own = rows[["id", "topic"]].assign(shop=draw.choice(shops["shop"], SIZE)).join(numbers)
    folder = write_task(tmp_path / "task", own, ["topic"], "accuracy")
    shops.to_csv(folder / "shops.csv", index=False)
    kind = find_kind(facts_of(brief_of(folder)))
    assert kind is not None
    assert kind.name == "tables"
