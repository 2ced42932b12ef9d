"""Pairs of texts with held-out answers, written as a suite of `mlestar bench`.

    python -m benchmarks.made_pairs SUITE [--only ID ...] [--seed 0] [--list]

Writes `SUITE/tasks/ID` and `SUITE/answers/ID` for every set in `PAIRS`: old spellings in three alphabets, whose changes
depend on the letters around them, are noisy, and for some words on the word to the left; sentences; inflection by a
class; transliteration; numbers that are written out. The same seed gives the same pairs.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.suites import write_suite
from mlestar.bench.generated import write_task

Draw = np.random.Generator

LATIN = "abcdefghijklmnoprstuvwz"
CYRILLIC = "".join(map(chr, range(0x430, 0x447)))
GREEK = "".join(map(chr, range(0x3B1, 0x3CA)))
VOWELS = "aeiou\u0430\u0435\u0438\u043e\u0443\u03b1\u03b5\u03b7\u03b9\u03bf\u03c5\u03c9"
SIZE = 3000
NOISE = 0.15
"""Share of the letters that a change leaves as they are."""
ONES = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


@dataclass(frozen=True)
class MadePairs:
    """One set of pairs."""

    name: str
    rows: int
    """With those of test, about as many for tokens of sentences."""
    make: Callable[[Draw, int], pd.DataFrame]
    """Returns rows with an id; the last column is the target, and `sentence_id` keeps tokens together."""
    word_list: bool = False
    """There is a list of most of the words."""


def words_of(draw: Draw, letters: str, size: int = SIZE) -> list[str]:
    """Return different words of syllables, in a random order."""
    vowels = [letter for letter in letters if letter in VOWELS]
    others = [letter for letter in letters if letter not in VOWELS]
    words: dict[str, None] = {}
    while len(words) < size:
        syllables = (
            str(draw.choice(others) + draw.choice(vowels)) + (str(draw.choice(others)) if draw.random() < 0.35 else "")
            for _ in range(draw.integers(1, 5))
        )
        words["".join(syllables)] = None
    return list(words)


@dataclass(frozen=True)
class Change:
    """A letter that is written in another way beside some letters, or at an end of the word."""

    letter: str
    written: str
    beside: frozenset[str]
    side: str


def make_changes(draw: Draw, letters: str, count: int = 25) -> list[Change]:
    changes = []
    for _ in range(count):
        letter, other = (str(drawn) for drawn in draw.choice(list(letters), 2))
        written = str(draw.choice([other, letter + letter, letter + other, ""]))
        beside = frozenset(map(str, draw.choice(list(letters), draw.integers(3, 9), replace=False)))
        changes.append(Change(letter, written, beside, str(draw.choice(["left", "right", "end"]))))
    return changes


def write_old(draw: Draw, word: str, changes: list[Change]) -> str:
    """Return a word in the old spelling."""
    pieces = []
    for place, letter in enumerate(word):
        left, right = word[place - 1 : place], word[place + 1 : place + 2]
        fits = {"left": left, "right": right}
        change = next(
            (
                change
                for change in changes
                if change.letter == letter
                and (not (left and right) if change.side == "end" else fits[change.side] in change.beside)
            ),
            None,
        )
        pieces.append(change.written if change and draw.random() > NOISE else letter)
    return "".join(pieces) or word


def spelling(letters: str, *, sentences: bool = False) -> Callable[[Draw, int], pd.DataFrame]:
    """Return what makes pairs of an alphabet: a token per row, or a sentence per row."""

    def make(draw: Draw, rows: int) -> pd.DataFrame:
        words, changes = words_of(draw, letters), make_changes(draw, letters)
        shares = 1 / np.arange(1, SIZE + 1) ** 0.9
        unsure = set(draw.choice(words[:400], 60, replace=False))
        pairs: list[tuple[str, int, str, str]] = []
        number = 0
        while (number if sentences else len(pairs)) < rows:
            chosen = [words[place] for place in draw.choice(SIZE, draw.integers(4, 15), p=shares / shares.sum())]
            for place, word in enumerate(chosen):
                # What these words become depends on the word to the left.
                marked = place and word in unsure and chosen[place - 1][-1] in VOWELS
                after = (
                    words[draw.integers(SIZE)] if draw.random() < 0.01 else f"{letters[0]}{word}" if marked else word
                )
                pairs.append((f"s{number}", place, write_old(draw, word, changes), after))
            pairs.append((f"s{number}", len(chosen), ".", "."))
            number += 1
        table = pd.DataFrame(pairs, columns=["sentence_id", "token_id", "before", "after"])
        if sentences:
            lines = table.groupby("sentence_id", sort=False)[["before", "after"]].agg(" ".join)
            return lines.reset_index(names="id").rename(columns={"before": "noisy", "after": "clean"})
        table.insert(0, "id", table["sentence_id"] + "_" + table["token_id"].astype(str))
        return table

    return make


def inflection(draw: Draw, rows: int) -> pd.DataFrame:
    """Return words and what becomes of them in four forms."""
    lemmas, forms = words_of(draw, LATIN, rows), draw.choice(["plural", "past", "present", "genitive"], rows)
    inflected = [inflect(lemma, form) for lemma, form in zip(lemmas, forms, strict=True)]
    return pd.DataFrame({"id": range(rows), "lemma": lemmas, "form": forms, "inflected": inflected})


def inflect(lemma: str, form: str) -> str:
    vowel = lemma[-1] in VOWELS
    if form == "plural":
        return lemma + ("s" if vowel else "es")
    if form == "past":
        return lemma + ("d" if vowel else f"{lemma[-1]}ed")
    if form == "present":
        return (lemma[:-1] if vowel else lemma) + "ing"
    return lemma + ("'" if lemma[-1] == "s" else "'s")


def transliteration(draw: Draw, rows: int) -> pd.DataFrame:
    """Return words in two alphabets: a letter becomes one or two, some of them another one behind a vowel."""
    usual = {letter: "".join(draw.choice(list(LATIN), draw.integers(1, 3))) for letter in CYRILLIC}
    behind_vowels = {str(letter): str(draw.choice(list(LATIN))) for letter in draw.choice(list(CYRILLIC), 8, False)}
    words = words_of(draw, CYRILLIC, rows)
    written = []
    for word in words:
        letters = [
            behind_vowels.get(letter, usual[letter]) if place and word[place - 1] in VOWELS else usual[letter]
            for place, letter in enumerate(word)
        ]
        written.append("".join(letters))
    return pd.DataFrame({"id": range(rows), "source": words, "target": written})


def spell(number: int) -> str:
    """Return a number below a million in words."""
    for size, name in ((1000, "thousand"), (100, "hundred")):
        if number >= size:
            rest = f" {spell(number % size)}" if number % size else ""
            return f"{spell(number // size)} {name}{rest}"
    if number < len(ONES):
        return ONES[number]
    return TENS[number // 10] + (f" {ONES[number % 10]}" if number % 10 else "")


def spell_year(year: int) -> str:
    last = year % 100
    return f"{spell(year // 100)} " + ("hundred" if not last else spell(last) if last > 9 else f"oh {spell(last)}")


def number_token(draw: Draw) -> tuple[str, str]:
    """Return a number, a year, a date or a share, and how it is spoken."""
    kind = draw.choice(["number", "year", "date", "share"], p=[0.4, 0.25, 0.2, 0.15])
    year = int(draw.integers(1710, 1999))
    if kind == "number":
        number = int(10 ** draw.uniform(0, 5))
        return f"{number:,}" if draw.random() < 0.5 else str(number), spell(number)
    if kind == "year":
        return str(year), spell_year(year)
    if kind == "date":
        day, month = int(draw.integers(1, 29)), MONTHS[draw.integers(12)]
        return f"{day} {month} {year}", f"the {spell(day)} of {month.lower()} {spell_year(year)}"
    whole, tenth = int(draw.integers(100)), int(draw.integers(10))
    return f"{whole}.{tenth}%", f"{spell(whole)} point {ONES[tenth]} percent"


def numbers(draw: Draw, rows: int) -> pd.DataFrame:
    """Return sentences of words, which stay as they are, and numbers, which are written out."""
    words = words_of(draw, LATIN)
    pairs: list[tuple[str, str, int, str, str]] = []
    sentence = 0
    while len(pairs) < rows:
        for place in range(draw.integers(5, 14)):
            word = words[int(draw.integers(SIZE) * draw.random())]
            pair = (word, word) if draw.random() < 0.6 else number_token(draw)
            pairs.append((f"s{sentence}_{place}", f"s{sentence}", place, *pair))
        sentence += 1
    return pd.DataFrame(pairs, columns=["id", "sentence_id", "token_id", "before", "after"])


PAIRS = (
    MadePairs("latin-tokens", 8000, spelling(LATIN)),
    MadePairs("latin-tokens-with-list", 8000, spelling(LATIN), word_list=True),
    MadePairs("cyrillic-tokens", 8000, spelling(CYRILLIC)),
    MadePairs("greek-tokens-few", 2000, spelling(GREEK)),
    MadePairs("latin-sentences", 2000, spelling(LATIN, sentences=True)),
    MadePairs("cyrillic-sentences", 2000, spelling(CYRILLIC, sentences=True)),
    MadePairs("inflection", 2000, inflection),
    MadePairs("transliteration", 2000, transliteration),
    MadePairs("numbers", 8000, numbers),
)


def write_pairs(folder: Path, made: MadePairs, seed: int) -> None:
    """Write one set as a task folder and a folder of answers; a sentence is on one side of the split."""
    draw = np.random.default_rng([seed, *made.name.encode()])
    table = made.make(draw, made.rows)
    target = table.columns[-1]
    groups = table["sentence_id"] if "sentence_id" in table else table["id"]
    held = groups.isin(draw.choice(groups.unique(), groups.nunique() // 4, replace=False))
    train, test = table[~held], table[held]
    before = next(name for name in ("before", "noisy", "lemma", "source") if name in table)
    sample = test[["id"]].assign(**{target: test[before]})
    write_task(
        folder,
        made.name,
        files={"train.csv": train, "test.csv": test.drop(columns=target), "sample_submission.csv": sample},
        description=f"Predict `{target}`: what the text becomes, with numbers in words.\n",
        answers=test[["id", target]],
        grade={"metric": "exact_match"},
    )
    task = folder / "tasks" / made.name
    (task / "task.toml").write_text(f'metric = "exact_match"\ntarget = ["{target}"]\n', encoding="utf-8")
    if made.word_list:
        known = sorted(set(table[target]))
        words = draw.choice(known, len(known) * 4 // 5, replace=False)
        (task / "input" / "words.txt").write_text("\n".join(words), encoding="utf-8")


if __name__ == "__main__":
    write_suite(__doc__, PAIRS, write_pairs)
