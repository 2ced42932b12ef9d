"""The offline engineer's scripts for pairs of texts: run on a holdout of generated pairs, and graded."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.agents.ensembling import Member
from mlestar.agents.whole import check_whole
from mlestar.offline.ablation import write_study
from mlestar.offline.ideas import carry_out, ideas_for
from mlestar.offline.kinds import find_kind
from mlestar.offline.merging import merge_models
from mlestar.offline.refinement import blocks_of
from mlestar.offline.sequences.columns import find_pair_columns
from mlestar.state import Brief, ModelCard
from tests.unit.offline_context import brief_of, candidate, code, facts_of, grade_on_holdout, reply, run, score_of

MEMORY = ModelCard(name="Memorised mapping with edits")
CHOOSER = ModelCard(name="HistGradientBoosting")
WORDS = [
    first + middle + last for first in "bdfg" for middle in ("aro", "eli", "ino") for last in ("k", "nd", "m", "s")
]


def old_spelling(word: str) -> str:
    """Return a word in the old spelling: f for v, a doubled last letter, and y at the end of the stem."""
    return word.replace("i", "y").replace("f", "ph") + word[-1]


def token_rows(sentences: int = 40) -> pd.DataFrame:
    """Return sentences of pairs, with punctuation and texts that other programs read as missing."""
    draw = np.random.default_rng(0)
    rows = []
    for sentence in range(sentences):
        words = [str(word) for word in draw.choice(WORDS, 5)]
        texts = [*((old_spelling(word), word) for word in words), ("null", "NA"), ('"', '"'), (".", ".")]
        rows += [(f"{sentence}_{place}", f"s{sentence}", place, *pair) for place, pair in enumerate(texts)]
    return pd.DataFrame(rows, columns=["id", "sentence_id", "token_id", "before", "after"])


def write_task(folder: Path, rows: pd.DataFrame, target: str, metric: str = "exact_match") -> Path:
    """Write a task whose test is the last quarter of the rows, which begins with a sequence."""
    start = len(rows) * 3 // 4
    folder.mkdir()
    rows[:start].to_csv(folder / "train.csv", index=False)
    rows[start:].drop(columns=target).to_csv(folder / "test.csv", index=False)
    rows[start:][["id"]].assign(**{target: "text"}).to_csv(folder / "sample_submission.csv", index=False)
    (folder / "task.toml").write_text(f"metric = {metric!r}\ntarget = [{target!r}]\n", encoding="utf-8")
    return folder


def first_script(brief: Brief, card: ModelCard) -> str:
    """Return a first script with fewer folds and rounds, which learns these few texts as well."""
    return candidate(brief, card).replace("FOLDS = 5", "FOLDS = 2").replace("max_iter=150", "max_iter=40")


def graded(folder: Path, work: Path, script: str) -> float:
    """Run a script on a holdout; return its grade, which must be near the score that it reports."""
    grade, printed = grade_on_holdout(script, folder, work)
    assert score_of(printed) == pytest.approx(grade, abs=0.2)
    return grade


@pytest.fixture
def tokens(tmp_path: Path) -> Path:
    return write_task(tmp_path / "task", token_rows(), "after")


def test_the_columns_of_pairs_are_recognised(tokens: Path) -> None:
    columns = find_pair_columns(facts_of(brief_of(tokens)))
    assert columns is not None
    assert (columns.before, columns.sequence, columns.position) == ("before", "sentence_id", "token_id")
    assert columns.kinds == []
    assert not columns.sentences


@pytest.mark.parametrize("card", [MEMORY, CHOOSER], ids=["memory", "chooser"])
def test_a_script_learns_a_spelling(card: ModelCard, tokens: Path, tmp_path: Path) -> None:
    assert graded(tokens, tmp_path, first_script(brief_of(tokens), card)) > 0.9
    written = pd.read_csv(tmp_path / "script" / "submission.csv", dtype=str, keep_default_na=False)
    assert {"NA", '"', "."} <= set(written["after"])


def test_words_of_a_list_are_preferred(tokens: Path, tmp_path: Path) -> None:
    (tokens / "words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    script = first_script(brief_of(tokens), CHOOSER)
    assert "words.txt" in script
    assert graded(tokens, tmp_path, script) > 0.9


def test_sentences_are_changed_token_by_token(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    words = [[str(word) for word in draw.choice(WORDS, 6)] for _ in range(60)]
    befores = [" ".join(map(old_spelling, line)) + "." for line in words]
    rows = pd.DataFrame({"id": range(60), "noisy": befores, "clean": [" ".join(line) + "." for line in words]})
    folder = write_task(tmp_path / "task", rows, "clean", "word_error_rate")
    assert graded(folder, tmp_path, first_script(brief_of(folder), MEMORY)) < 0.2


def test_the_kind_of_a_text_decides_what_it_becomes(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    rows = pd.DataFrame(
        {"id": range(160), "lemma": draw.choice(WORDS, 160), "form": draw.choice(["plural", "past"], 160)}
    )
    rows["inflected"] = rows["lemma"] + np.where(rows["form"] == "plural", "en", "ta")
    folder = write_task(tmp_path / "task", rows, "inflected")
    columns = find_pair_columns(facts_of(brief_of(folder)))
    assert columns is not None
    assert columns.kinds == ["form"]
    assert graded(folder, tmp_path, first_script(brief_of(folder), CHOOSER)) > 0.9


def test_numbers_are_written_as_in_similar_texts(tmp_path: Path) -> None:
    ones = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    tens = {2: "twenty", 3: "thirty", 4: "forty", 5: "fifty"}
    names = {10 * ten + one: f"{name} {ones[one - 1]}" for ten, name in tens.items() for one in range(1, 10)}
    pairs = [(f"{number} km", f"{name} kilometres") for number, name in names.items()]
    rows = pd.DataFrame(pairs, columns=["before", "after"]).sample(frac=1, random_state=0)
    rows.insert(0, "id", range(len(rows)))
    folder = write_task(tmp_path / "task", rows, "after")
    (folder / "description.md").write_text("Write numbers as words.", encoding="utf-8")
    assert graded(folder, tmp_path, candidate(brief_of(folder), MEMORY)) > 0.5


def test_ideas_change_a_script_that_still_learns(tokens: Path, tmp_path: Path) -> None:
    script, kind = first_script(brief_of(tokens), CHOOSER), find_kind(facts_of(brief_of(tokens)))
    ideas = [(block, idea) for block in blocks_of(script, kind).values() for idea in ideas_for(block, kind)]
    assert len(ideas) >= 3
    for block, idea in ideas:
        rewritten = carry_out(block, idea.plan)
        assert rewritten != block
        script = script.replace(block, rewritten)
    assert graded(tokens, tmp_path, script) > 0.9


def test_models_are_merged(tokens: Path, tmp_path: Path) -> None:
    merged = merge_models(first_script(brief_of(tokens), MEMORY), first_script(brief_of(tokens), CHOOSER))
    assert merged is not None
    assert graded(tokens, tmp_path, merged) > 0.9


def test_every_two_models_are_merged_where_a_list_of_words_is_read(tokens: Path) -> None:
    (tokens / "words.txt").write_text("\n".join(WORDS), encoding="utf-8")
    brief = brief_of(tokens)
    scripts = [candidate(brief, card) for card in (MEMORY, CHOOSER, ModelCard(name="LightGBM"))]
    assert all("WORDS = read_words()" in script for script in scripts)
    for base, reference in permutations(scripts, 2):
        merged = merge_models(base, reference)
        assert merged is not None
        check_whole(brief)(merged)


def test_an_ensemble_chooses_among_the_texts_of_its_members(tokens: Path, tmp_path: Path) -> None:
    brief = brief_of(tokens)
    scripts = [first_script(brief, MEMORY), first_script(brief, CHOOSER)]
    members = [Member(id=f"s{n}", title="", score=0.9, code=text) for n, text in enumerate(scripts)]
    plan = reply("ensemble_planner", brief, solutions=members, attempts=[])
    script = code("ensembler", brief, solutions=members, plan=plan, seconds=60)
    assert script not in scripts
    assert graded(tokens, tmp_path, script) > 0.9


def test_a_study_switches_parts_off(tokens: Path, tmp_path: Path) -> None:
    printed = run(write_study(first_script(brief_of(tokens), CHOOSER), ""), tokens, tmp_path / "study")
    assert printed.count("Ablation ") >= 3
    assert "failed" not in printed


def test_a_list_of_labels_is_no_text(tmp_path: Path) -> None:
    rows = token_rows().drop(columns="after").assign(tags="a b")
    rows.loc[::2, "tags"] = "b"
    kind = find_kind(facts_of(brief_of(write_task(tmp_path / "task", rows, "tags", "row_f1"))))
    assert kind is not None
    assert kind.name == "tables"


def test_a_text_of_few_values_is_a_label(tmp_path: Path) -> None:
    rows = token_rows().drop(columns="after").assign(tag=[str(place % 2) + "x" for place in range(320)])
    kind = find_kind(facts_of(brief_of(write_task(tmp_path / "task", rows, "tag"))))
    assert kind is not None
    assert kind.name == "tables"
