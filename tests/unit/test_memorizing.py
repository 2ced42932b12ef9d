"""Scripts that memorise rows are refused, and those with long lists of other things are not."""

import base64
import bz2
import json
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mlestar.agents.memorizing import RowValues, find_memorizing, row_keys
from tests.unit.scenario import SMALL, Scenario, fence, script, signs, solve, study

RNG = np.random.default_rng(5)
ROWS = 600


def make_rows(ids: list[str], labels: list[str], *, classes: bool = True) -> RowValues:
    orders = (tuple(range(0, len(labels), 2)), tuple(range(1, len(labels), 2)))
    return RowValues(ids=row_keys(ids), labels=(row_keys(labels),), orders=orders, classes=classes)


NUMBERS = [str(number) for number in range(ROWS)]
HASHES = [f"c{value:012x}" for value in RNG.integers(0, 2**48, ROWS)]
BITS = [str(value) for value in RNG.integers(0, 2, ROWS)]
WORDS = [f"breed_{value}" for value in RNG.integers(0, 30, ROWS)]
PRICES = [f"{value:.2f}" for value in RNG.gamma(2, 1000, ROWS)]
TASKS = {
    "bits by number": make_rows(NUMBERS, BITS),
    "bits by hash": make_rows(HASHES, BITS),
    "words by number": make_rows(NUMBERS, WORDS),
    "prices by number": make_rows(NUMBERS, PRICES, classes=False),
    "prices without ids": make_rows([], PRICES, classes=False),
}
LABELS = {"bits": BITS, "words": WORDS, "prices": PRICES}


def pick(task: str) -> tuple[list[str], list[str]]:
    """Return ids and labels of the first 271 rows; numbers where there are no ids."""
    ids = HASHES if "hash" in task else NUMBERS
    return ids[:271], LABELS[task.split()[0]][:271]


def literal(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text


def lines(ids: list[str], labels: list[str]) -> str:
    return "id,label\n" + "".join(f"{name},{label}\n" for name, label in zip(ids, labels, strict=True))


def as_pairs(ids: list[str], labels: list[str]) -> list[tuple[object, object]]:
    return [(literal(name), literal(label)) for name, label in zip(ids, labels, strict=True)]


ENCODINGS: dict[str, Callable[[list[str], list[str]], str]] = {
    "a dict": lambda ids, labels: f"known = {dict(as_pairs(ids, labels))!r}",
    "pairs": lambda ids, labels: f"known = {as_pairs(ids, labels)!r}",
    "an array of pairs": lambda ids, labels: f"known = np.array({[list(pair) for pair in as_pairs(ids, labels)]!r})",
    "two lists": lambda ids, labels: (
        f"ids = {[literal(name) for name in ids]!r}\nlabels = {tuple(literal(label) for label in labels)!r}"
    ),
    "assignments": lambda ids, labels: "\n".join(
        f"known[{name!r}] = {label!r}" for name, label in as_pairs(ids, labels)
    ),
    "comparisons": lambda ids, labels: "\n".join(
        f"if name == {name!r}: label = {label!r}" for name, label in as_pairs(ids, labels)
    ),
    "a table as text": lambda ids, labels: f"known = pd.read_csv(io.StringIO({lines(ids, labels)!r}))",
    "JSON": lambda ids, labels: f"known = json.loads({json.dumps(dict(zip(ids, labels, strict=True)))!r})",
    "text with bars": lambda ids, labels: f"known = {'|'.join(f'{i}~{x}' for i, x in zip(ids, labels, strict=True))!r}",
    "base64": lambda ids, labels: f"known = {base64.b64encode(lines(ids, labels).encode()).decode()!r}",
    "hexadecimal": lambda ids, labels: f"known = {lines(ids, labels).encode().hex()!r}",
    "compressed base85": lambda ids, labels: (
        f"known = {base64.b85encode(zlib.compress(lines(ids, labels).encode())).decode()!r}"
    ),
    "compressed bytes": lambda ids, labels: f"known = {bz2.compress(lines(ids, labels).encode())!r}",
    "compressed in pieces": lambda ids, labels: (
        f"known = ''.join({pieces(lzma.compress(lines(ids, labels).encode()))!r})"
    ),
    "a long integer": lambda ids, labels: f"known = {int.from_bytes(lines(ids, labels).encode(), 'big'):#x}",
}


def pieces(data: bytes, size: int = 30) -> list[str]:
    text = base64.b64encode(data).decode()
    return [text[start : start + size] for start in range(0, len(text), size)]


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_ids_with_labels_are_refused_in_every_encoding(task: str, encoding: str) -> None:
    code = "import pandas as pd\nprint(1)\n" + ENCODINGS[encoding](*pick(task))
    memorizing = find_memorizing(code, TASKS[task])
    assert memorizing is not None
    assert "memorises rows" in memorizing.reason
    assert memorizing.block in code


@pytest.mark.parametrize("task", ["bits by number", "words by number", "prices by number"])
@pytest.mark.parametrize(
    "form",
    [
        lambda labels: f"y = {[literal(label) for label in labels]!r}",
        lambda labels: f"y = np.array({[literal(label) for label in labels]!r})",
        lambda labels: f"y = {' '.join(labels)!r}.split()",
        lambda labels: f"y = {';'.join(labels)!r}.split(';')",
        lambda labels: f"y = {dict(enumerate(literal(label) for label in labels))!r}",
    ],
)
def test_labels_in_the_order_of_rows_are_refused(task: str, form: Callable[[list[str]], str]) -> None:
    labels = LABELS[task.split()[0]]
    for chosen in (labels, labels[1::2], labels[100:340]):
        assert find_memorizing(form(chosen), TASKS[task]) is not None


def test_labels_as_digits_of_a_text_and_ids_of_one_label_are_refused() -> None:
    rows = TASKS["bits by number"]
    positives = [int(name) for name, label in zip(NUMBERS, BITS, strict=True) if label == "1"]
    assert find_memorizing(f"y = {''.join(BITS)!r}", rows) is not None
    assert find_memorizing(f"y = {''.join(BITS[50:300])!r}", rows) is not None
    assert find_memorizing(f"positive = {positives!r}", rows) is not None


@pytest.mark.parametrize(
    "encode",
    [
        lambda data: f"model = {base64.b64encode(data).decode()!r}",
        lambda data: f"model = {data.hex()!r}",
        lambda data: f"model = {data!r}",
        lambda data: f"model = {base64.a85encode(data).decode()!r}",
        lambda data: f"model = {int.from_bytes(data, 'big'):#x}",
        lambda data: f"model = {''.join(map(chr, data))!r}",
        lambda data: f"model = {pieces(data, 30)!r}",
        lambda data: f"model = {pieces(data, 76)!r}",
        lambda data: "\n".join(f"part{n} = {piece!r}" for n, piece in enumerate(pieces(data, 9000))),
        lambda data: f"model = '''{base64.encodebytes(data).decode()}'''",
    ],
)
def test_large_encoded_data_is_refused_whatever_it_holds(encode: Callable[[bytes], str]) -> None:
    code = encode(RNG.bytes(21_000))
    memorizing = find_memorizing(code, None)
    assert memorizing is not None
    assert "encoded data" in memorizing.reason
    assert find_memorizing(encode(RNG.bytes(5_000)), None) is None


COLUMNS = [f"feature_{number}" for number in range(10_000)]
CLASSES = sorted(set(WORDS)) + [f"class {number}, also called kind {number}" for number in range(1000)]
STOP_WORDS = [f"{a}{b}{c}" for a in "bdfklmn" for b in "aeiou" for c in ("", "n", "st", "rd", "ck", "lling")]
GRID = [
    {"depth": depth, "rate": rate, "leaves": leaves}
    for depth in range(3, 11)
    for rate in (0.01, 0.05, 0.1, 0.3)
    for leaves in (15, 31, 63, 127, 255)
]
BINARY = [int(value) for value in RNG.integers(0, 2, 300)]
HOLIDAYS = [f"{year}-{day}" for year in range(1950, 2020) for day in ("01-01", "05-01", "12-25", "12-26")]
LEGITIMATE = {
    "names of columns": f"columns = {COLUMNS!r}",
    "names of columns in a text": f"columns = {' '.join(COLUMNS)!r}.split()",
    "names of columns in a text with commas": f"columns = {','.join(COLUMNS)!r}.split(',')",
    "columns that are numbers": f"columns = {[str(number) for number in range(10_000)]!r}",
    "99 classes": f"classes = {CLASSES[:99]!r}",
    "1,000 classes": f"classes = {CLASSES[:1000]!r}",
    "classes by number": f"classes = {dict(enumerate(CLASSES))!r}",
    "numbers by class": f"codes = { ({name: number for number, name in enumerate(CLASSES)})!r}",
    "stop words": f"stop = set({STOP_WORDS!r})",
    "aliases of classes": f"aliases = { ({f'alias {n}': f'breed_{n % 30}' for n in range(400)})!r}",
    "a lexicon": f"lexicon = { ({word: n % 2 for n, word in enumerate(STOP_WORDS)})!r}",
    "a grid": f"grid = {GRID!r}",
    "a grid of numbers": f"grid = {[round(0.01 * n, 2) for n in range(400)]!r}",
    "zeros and ones": f"mask = {[int(value) for value in RNG.integers(0, 2, 250)]!r}",
    "constraints by column": f"monotone = { ({f'feature_{n}': value for n, value in enumerate(BINARY)})!r}",
    "constraints by index": f"monotone = {dict(enumerate(BINARY))!r}",
    "small numbers": f"sizes = {[int(value) for value in RNG.integers(0, 10, 400)]!r}",
    "chosen columns": f"chosen = {[int(value) for value in RNG.permutation(590)[:300]]!r}",
    "seeds": f"seeds = {list(range(1000, 1400))!r}",
    "holidays": f"days = {HOLIDAYS!r}",
    "prose": f'"""{"This script fits one model to the features and averages it over folds. " * 400}"""',
    "zeros": f"start = {[0] * 600!r}",
    "weights": f"weights = {[round(float(value), 6) for value in RNG.normal(size=500)]!r}",
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("code", LEGITIMATE.values(), ids=LEGITIMATE)
def test_long_lists_of_other_things_are_not_refused(code: str, task: str) -> None:
    assert find_memorizing(code, TASKS[task]) is None


def test_days_are_not_refused_where_rows_are_days() -> None:
    days = [
        f"{year}-{month:02}-{day:02}" for year in range(2015, 2020) for month in range(1, 13) for day in range(1, 29)
    ]
    rows = make_rows(days, [str(value) for value in RNG.integers(0, 2, len(days))])
    assert find_memorizing(f"holidays = {days[::4]!r}", rows) is None


async def test_a_memorising_script_has_the_status_of_a_leak_and_never_runs(tmp_path: Path) -> None:
    train = signs().train.rows
    known = dict(zip(train["id"].astype(int), train["label"], strict=True))
    cheat = f"{script(0.99, 'A')}\nKNOWN = {known!r}\n"
    scenario = Scenario(initializer=[fence(cheat), fence(script(0.7, "B"))])
    result = await solve(tmp_path, scenario)
    row = next(row for row in result.solutions if "memorises rows" in row.message)
    assert row.status == "leak"
    assert row.id not in scenario.ran
    assert "memorises rows" in scenario.prompts["leakage_fixer"][0]
    assert result.status == "solved"


async def test_a_study_that_memorises_never_runs(tmp_path: Path) -> None:
    train = signs().train.rows
    known = dict(zip(train["id"].astype(int), train["label"], strict=True))
    scenario = Scenario(ablator=fence(study(0.8) + f"\nKNOWN = {known!r}\n"), debugger="I will not.")
    await solve(tmp_path, scenario, SMALL, debug_rounds=1)
    assert "t0.a1" not in scenario.ran
