"""Task folders in which files, names, ids or the order of rows tell the labels, and scripts that read them."""

import gzip
import json
import pickle
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd

from tests.unit.holdout_folders import divide

ROWS = 400
CLASSES = ("cat", "dog")
Extra = Callable[[Path, pd.DataFrame, pd.DataFrame], None]
"""Writes what a layout has besides the tables: (folder, train, test)."""


def make_tables(seed: int = 0, *, ordered: bool = False, ids: str = "hex") -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return train and test with an id, two features and a class that these hardly tell."""
    rng = np.random.default_rng(seed)
    label = rng.choice(CLASSES, ROWS)
    label = np.sort(label) if ordered else label
    names = {
        "hex": [f"r{number:05x}" for number in rng.permutation(2**19)[:ROWS]],
        "numbers": [str(number) for number in range(ROWS)],
        "class": [f"{name}_{number:04d}" for number, name in enumerate(label)],
    }[ids]
    frame = pd.DataFrame({"id": names, "size": rng.normal(size=ROWS).round(3), "rank": rng.integers(0, 40, ROWS)})
    return divide(frame.assign(label=label), rng.random(ROWS) < 0.3)


def write_tables(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    train.to_csv(folder / "train.csv", index=False)
    test.to_csv(folder / "test.csv", index=False)
    test[["id"]].assign(label=CLASSES[0]).to_csv(folder / "sample_submission.csv", index=False)


def _pairs(train: pd.DataFrame) -> dict[str, str]:
    return dict(zip(train["id"], train["label"], strict=True))


def _write_json(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "map.json").write_text(json.dumps(_pairs(train)))


def _write_nested(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    items = [{"image": {"name": row}, "tags": [{"cat": 7, "dog": 9}[name]]} for row, name in _pairs(train).items()]
    (folder / "meta.json").write_text(json.dumps({"info": {"version": 1}, "items": items}))


def _write_by_class(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    groups = {name: rows["id"].tolist() for name, rows in train.groupby("label")}
    (folder / "groups.json").write_text(json.dumps(groups))


def _write_pairs(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "list.txt").write_text("".join(f"{row}: {name}\n" for row, name in _pairs(train).items()))


def _write_false_picture(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "logo.jpg").write_text("".join(f"{row},{name}\n" for row, name in _pairs(train).items()))


def _write_spaced(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "list.dat").write_text("".join(f"{row}   {name}\n" for row, name in _pairs(train).items()))


def _write_packed(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    text = "".join(f"{row}|{name}\n" for row, name in _pairs(train).items())
    (folder / "list.txt.gz").write_bytes(gzip.compress(text.encode()))


def _write_database(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    with closing(sqlite3.connect(folder / "data.sqlite")) as connection:
        train[["id", "label"]].rename(columns={"id": "key", "label": "kind"}).to_sql("items", connection, index=False)


def _write_arrays(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    np.savez(folder / "extra.npz", a=train["id"].to_numpy(dtype=str), b=pd.factorize(train["label"])[0])


def _write_pickle(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "cache.pkl").write_bytes(pickle.dumps(_pairs(train)))


def _write_notes(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    lines = "".join(f"- row {row} is a {name}\n" for row, name in _pairs(train).items())
    (folder / "NOTES.md").write_text(f"# Notes\n\nWe looked at all rows by hand.\n\n{lines}\nThat is all.\n")


def _write_xml(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "annotations").mkdir()
    for row, name in _pairs(train).items():
        (folder / f"annotations/{row}.xml").write_text(f"<annotation><object><name>{name}</name></object></annotation>")


def _write_sidecars(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    (folder / "texts").mkdir()
    for row, name in _pairs(train).items():
        (folder / f"texts/{row}.json").write_text(json.dumps({"length": len(row), "kind": name}))
    for row in test["id"]:
        (folder / f"texts/{row}.json").write_text(json.dumps({"length": len(row)}))


def _write_filed(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    for row, name in _pairs(train).items():
        _write_picture(folder / f"images/{name}/{row}.png")
    for row in test["id"]:
        _write_picture(folder / f"images/unknown/{row}.png")


def _write_apart(folder: Path, train: pd.DataFrame, test: pd.DataFrame) -> None:
    for row, name in _pairs(train).items():
        _write_picture(folder / f"train_images/{name}/{row}.png")
    for row in test["id"]:
        _write_picture(folder / f"test_images/{row}.png")


def _write_picture(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + path.name.encode())


MENTIONS: dict[str, Extra] = {
    "JSON id to label": _write_json,
    "nested JSON": _write_nested,
    "JSON class to ids": _write_by_class,
    "key: value": _write_pairs,
    "text under the name of a picture": _write_false_picture,
    "text with blanks": _write_spaced,
    "text in gzip": _write_packed,
    "SQLite": _write_database,
    "arrays with ids": _write_arrays,
    "pickle": _write_pickle,
    "dump in notes": _write_notes,
    "one XML per train row": _write_xml,
    "JSON sidecars with a label for train only": _write_sidecars,
    "images filed by class": _write_filed,
    "images filed by class, those of test elsewhere": _write_apart,
}
"""Layouts in which a label stands beside an id."""


def read_mentions(folder: Path, ids: list[str]) -> dict[str, str]:
    """Return the class that stands beside each id in any file but the tables, as a hostile script would read it."""
    wanted, guesses = set(ids), dict[str, str]()
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name in ("train.csv", "test.csv", "sample_submission.csv"):
            continue
        for line in [f"{path.relative_to(folder).as_posix()} {path.stem}", *_lines(path)]:
            tokens = re.findall(r"\w+", f"{path.stem} {line}" if path.suffix in (".xml", ".json") else line)
            words = {"7": "cat", "9": "dog", "0": "first", "1": "second"}
            named = [words.get(token, token) for token in tokens]
            kinds = [name for name in named if name in (*CLASSES, "first", "second")]
            for token in tokens:
                if token in wanted and kinds:
                    guesses.setdefault(token, kinds[-1])
    return guesses


def _lines(path: Path) -> list[str]:
    if path.suffix == ".gz":
        return gzip.decompress(path.read_bytes()).decode().splitlines()
    if path.suffix == ".pkl":
        return [f"{row} {name}" for row, name in pickle.loads(path.read_bytes()).items()]
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return [f"{row} {name}" for row, name in zip(arrays["a"], arrays["b"], strict=True)]
    if path.suffix == ".sqlite":
        with closing(sqlite3.connect(path)) as connection:
            return [" ".join(row) for row in connection.execute("SELECT * FROM items")]
    if path.suffix == ".json":
        return _json_lines(json.loads(path.read_text()))
    return [] if path.suffix == ".png" else path.read_text().splitlines()


def _json_lines(content: object) -> list[str]:
    if isinstance(content, dict) and "items" in content:
        return [json.dumps(item) for item in content["items"]]
    if isinstance(content, dict):
        lists = {key: items if isinstance(items, list) else [items] for key, items in content.items()}
        pairs = [(key, item) for key, items in lists.items() for item in items]
        return [f"{item} {key}" if key in CLASSES else f"{key} {item}" for key, item in pairs]
    return []


def share_right(guesses: dict[str, str], truth: dict[str, str]) -> float:
    """Return the share of the labels that were read, under whatever name of the classes fits better."""
    other = {"first": CLASSES[1], "second": CLASSES[0]}
    same = {"first": CLASSES[0], "second": CLASSES[1]}
    shares = [
        np.mean([code.get(guesses.get(row, ""), guesses.get(row)) == name for row, name in truth.items()])
        for code in (same, other)
    ]
    return float(max(shares))


def guess_by_order(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Guess each row of test by the row at the same share of train."""
    places = ((np.arange(len(test)) + 0.5) / len(test) * len(train)).astype(int)
    return np.asarray(train["label"].to_numpy()[places])


def guess_by_number(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Guess each row of test by the row of train with the nearest number in its id."""
    known, asked = (frame["id"].astype(str).str.extract(r"(\d+)$")[0].astype(int).to_numpy() for frame in (train, test))
    order = np.argsort(known)
    places = np.clip(np.searchsorted(known[order], asked), 0, len(known) - 1)
    return np.asarray(train["label"].to_numpy()[order][places])


def guess_by_word(train: pd.DataFrame, test: pd.DataFrame) -> np.ndarray:
    """Guess each row of test by what its id begins with."""
    words = train["id"].astype(str).str.extract(r"^(\D*)")[0]
    usual = train["label"].groupby(words).agg(lambda labels: labels.mode()[0])
    return test["id"].astype(str).str.extract(r"^(\D*)")[0].map(usual).fillna(CLASSES[0]).to_numpy()
