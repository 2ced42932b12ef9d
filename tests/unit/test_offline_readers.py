"""Scripts read the formats that their task has, and hold nothing that nothing in them needs."""

import contextlib
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from mlestar.data.overview import make_overview
from mlestar.data.task import Task
from mlestar.offline.kinds import find_kind, usable_models
from mlestar.offline.surgery import functions, needed, without_unused
from tests.unit.offline_context import (
    brief_of,
    candidate,
    facts_of,
    grade_on_holdout,
    mixed_rows,
    run,
    score_of,
    write_task,
)

LIBRARIES = ("scikit-learn", "numpy", "pandas", "scipy", "lightgbm")
MOST_LINES = 133
"""Of a script for plain columns without its model: with that of LightGBM it has 170 lines."""

Writer = Callable[[pd.DataFrame, Path], None]


def write_zipped(rows: pd.DataFrame, path: Path) -> None:
    text = rows.to_json(orient="records", lines=True)
    path.write_bytes(gzip.compress(text.encode()))


FORMS: dict[str, tuple[str, Writer, set[str]]] = {
    "commas": (".csv", lambda rows, path: rows.to_csv(path, index=False), set()),
    "semicolons": (".csv", lambda rows, path: rows.to_csv(path, index=False, sep=";"), {"sep=';'"}),
    "tabs": (".tsv", lambda rows, path: rows.to_csv(path, index=False, sep="\t"), {"sep='\\t'"}),
    "zipped": (".csv.gz", lambda rows, path: rows.to_csv(path, index=False), set()),
    "array": (".json", lambda rows, path: rows.to_json(path, orient="records"), {"json.loads"}),
    "lines": (".jsonl", lambda rows, path: rows.to_json(path, orient="records", lines=True), {"json.loads"}),
    "zipped lines": (".jsonl.gz", write_zipped, {"json.loads", "gzip"}),
    "columns": (".parquet", lambda rows, path: rows.to_parquet(path), {"parquet", "json.dumps"}),
}
MARKS = {"sep=", "json.loads", "json.dumps", "gzip", "parquet"}


def in_form(folder: Path, suffix: str, write: Writer, names: tuple[str, ...] = ("train", "test")) -> Path:
    """Write a task folder with tables of a format."""
    write_task(folder, mixed_rows(400), "label", "accuracy")
    for name in names:
        rows = pd.read_csv(folder / f"{name}.csv")
        (folder / f"{name}.csv").unlink()
        write(rows, folder / f"{name}{suffix}")
    return folder


def first_script(folder: Path, model: str = "lightgbm") -> str:
    facts = facts_of(brief_of(folder, LIBRARIES))
    kind = find_kind(facts)
    assert kind is not None
    return kind.write_script(facts, next(known for known in usable_models(kind, facts) if known.name == model), model)


@pytest.mark.parametrize("name", FORMS)
def test_a_script_reads_the_format_that_its_tables_have(name: str, tmp_path: Path) -> None:
    suffix, write, marks = FORMS[name]
    script = first_script(in_form(tmp_path / "task", suffix, write), "linear")
    expected = {mark for mark in MARKS if any(known.startswith(mark) for known in marks)}
    if "json.loads" in expected or "parquet" in expected:
        expected.add("json.dumps")
    assert {mark for mark in MARKS if mark in script} == expected
    assert all(mark in script for mark in marks)
    assert score_of(run(script, tmp_path / "task", tmp_path / "work")) > 0.7


def test_tables_with_different_delimiters_and_formats_are_read(tmp_path: Path) -> None:
    folder = in_form(tmp_path / "task", ".csv", lambda rows, path: rows.to_csv(path, index=False, sep="|"), ("test",))
    assert "DELIMITERS = {'train.csv': ',', 'test.csv': '|'}" in first_script(folder)
    assert score_of(run(first_script(folder, "linear"), folder, tmp_path / "work")) > 0.7
    other = in_form(tmp_path / "other", ".parquet", lambda rows, path: rows.to_parquet(path), ("test",))
    assert score_of(run(first_script(other, "linear"), other, tmp_path / "other_work")) > 0.7


def test_labels_and_gaps_of_parquet_are_read_as_in_its_statistics(tmp_path: Path) -> None:
    rows = mixed_rows(120)
    rows["label"], rows["kind"] = rows["label"] == "yes", rows["kind"].where(rows.index % 9 > 0)
    folder = write_task(tmp_path / "task", rows, "label", "accuracy")
    for name in ("train", "test"):
        pd.read_csv(folder / f"{name}.csv").convert_dtypes().to_parquet(folder / f"{name}.parquet")
        (folder / f"{name}.csv").unlink()
    defined: dict[str, Any] = {"__name__": "script"}
    exec(compile(first_script(folder, "linear"), "main.py", "exec"), defined)
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "input").symlink_to(folder)
    with contextlib.chdir(tmp_path / "work"):
        train, _ = defined["load"]()
    assert len(train) == 90
    assert set(train["kind"]) == {"", "red", "green", "blue"}
    assert set(defined["read_target"](train)) == {0, 1}


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_fields_of_objects_in_cells_are_columns(suffix: str, tmp_path: Path) -> None:
    rows = mixed_rows(200)
    draw = np.random.default_rng(0)
    size, shape = (100 * draw.normal(size=200)).round(1), draw.choice(["round", "flat"], 200)
    rows["label"] = np.where(size + 80 * (shape == "flat") > 40, "yes", "no")
    made = [{"size": float(one), "more": {"shape": str(other)}} for one, other in zip(size, shape, strict=True)]
    rows["made"] = ["" if place % 40 == 0 else json.dumps(cell) for place, cell in enumerate(made)]
    folder = write_task(tmp_path / "task", rows, "label", "accuracy")
    if suffix == ".parquet":
        for name in ("train", "test"):
            table = pd.read_csv(folder / f"{name}.csv", keep_default_na=False)
            table["made"] = [json.loads(cell) if cell else None for cell in table["made"]]
            table.to_parquet(folder / f"{name}.parquet")
            (folder / f"{name}.csv").unlink()
    script = first_script(folder, "linear")
    assert "made.size" in script
    assert "made.more.shape" in script
    assert score_of(run(script, folder, tmp_path / "work")) > 0.9


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_field_that_few_rows_have_may_be_absent_from_a_file(suffix: str, tmp_path: Path) -> None:
    rows = mixed_rows(160)
    made: list[object] = [{"size": row % 7, **({"rare": 1.5} if row in (3, 150) else {})} for row in range(160)]
    rows["made"] = pd.Series([json.dumps(cell) for cell in made] if suffix == ".csv" else made, dtype=object)
    folder = write_task(tmp_path / "task", rows, "label", "accuracy")
    if suffix == ".jsonl":
        for name, part in (("train", rows[:120]), ("test", rows[120:].drop(columns="label"))):
            (folder / f"{name}.csv").unlink()
            part.to_json(folder / f"{name}.jsonl", orient="records", lines=True)
    script = first_script(folder, "linear")
    assert "made.rare" in script
    grade, _ = grade_on_holdout(script, folder, tmp_path)
    assert grade > 0.6


def test_a_prompt_names_a_delimiter_that_is_not_the_usual_one(tmp_path: Path) -> None:
    suffix, write, _ = FORMS["semicolons"]
    task = Task.load(in_form(tmp_path / "task", suffix, write))
    shown = {file["file"]: file.get("delimiter") for file in make_overview(task.spec, task.statistics).columns}
    assert shown["train.csv"] == ";"
    suffix, write, _ = FORMS["tabs"]
    task = Task.load(in_form(tmp_path / "tabs", suffix, write))
    assert all("delimiter" not in file for file in make_overview(task.spec, task.statistics).columns)


@pytest.mark.parametrize("metric", ["accuracy", "log_loss", "roc_auc"])
def test_a_script_for_plain_columns_is_short(metric: str, tmp_path: Path) -> None:
    placeholder = None if metric == "accuracy" else 0.5
    folder = write_task(tmp_path / "task", mixed_rows(400), "label", metric, placeholder=placeholder)
    script = first_script(folder)
    model = [functions(script)[name] for name in needed(script, "fit_predict") if name in functions(script)]
    assert len(script.splitlines()) - sum(len(text.splitlines()) for text in model) <= MOST_LINES
    assert without_unused(script) == script
    assert not any(f"{name} = []" in script for name in ("DATES", "TEXTS", "HIGH_CARDINALITY"))


def test_rare_classes_and_labels_in_several_spellings_keep_their_steps(tmp_path: Path) -> None:
    rows = mixed_rows(160)
    assert "def fit_classes" in candidate(brief_of(write_task(tmp_path / "few", rows[:60], "label", "accuracy")))
    rows = rows.assign(label=(rows["label"] == "yes").map({True: "1", False: "0"}))
    rows.loc[::2, "label"] += ".0"
    assert "def plain" in candidate(brief_of(write_task(tmp_path / "two", rows, "label", "accuracy")))


def test_what_is_dropped_is_what_nothing_reaches(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", mixed_rows(400), "label", "f1")
    facts = facts_of(brief_of(folder, LIBRARIES))
    kind = find_kind(facts)
    assert kind is not None
    for model in usable_models(kind, facts):
        script = kind.write_script(facts, model, model.name)
        assert without_unused(script, {"THREADS"}) == script
