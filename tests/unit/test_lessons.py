"""Lessons: cleaned and bounded records, similarity of tasks, and what prompts contain of them."""

import json
import multiprocessing
import os
from pathlib import Path

import pytest
from pydantic import ValidationError

from mlestar.errors import SettingsError, UserError
from mlestar.lessons import (
    Cleaner,
    Failure,
    RunLessons,
    TaskFacts,
    Trial,
    check_folder,
    choose_lessons,
    facts_of,
    forget,
    read_folder,
    similarity,
    write_lessons,
)
from mlestar.lessons.choice import LIMITS
from mlestar.lessons.folder import MAX_BYTES, MAX_FILES
from mlestar.lessons.gathering import Material, Repair, component_of, make_failures, make_trials
from mlestar.lessons.records import MAX_TRIALS
from mlestar.offline.kinds import all_ideas
from mlestar.state import PromptLessons
from mlestar.store.content import FileContent, of_task
from tests.unit.golden_prompts import BRIEF
from tests.unit.lesson_runs import facts, idea, lessons
from tests.unit.paths import ROOT

CLEAN = Cleaner(["shoe_size", "Approved", "train.csv", "Age"])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Add log_age and `age_bin`.", "Add log_(name) and (code)."),
        ("Bin the shoe size, and keep the shoe.", "Bin the (name), and keep the shoe."),
        ("Take the logarithm of shoe_size\nand bin it.", "Take the logarithm of (name) and bin it."),
        ("Encode `shoe_size` with `max_depth=7`.", "Encode (code) with `max_depth=7`."),
        ("Treat 'approved' and \"x y\" alike; don't scale.", "Treat (text) and (text) alike; dont scale."),
        ("Approved rows of age 30 first.", "(name) rows of (name) 30 first."),
        ("Read /home/ann/notes.csv, ./a/b and C:\\data\\x.", "Read (path), (path) and (path)"),
        ("See https://a.invalid/x?y or ann@a.invalid.", "See (address) or (address)."),
        ("Row 123456789 and 1999-12-31, rate 0.05.", "Row # and #, rate 0.05."),
        ("The ratio/difference and/or product.", "The ratio/difference and/or product."),
        ("Use sk-abcdefghijklmnop1234 here.", "Use [masked] here."),
        ("A\x1b[31mred\u202e line", "Ared line"),
    ],
)
def test_an_idea_keeps_no_name_value_path_or_secret(text: str, expected: str) -> None:
    assert CLEAN.idea(text) == expected


def test_names_are_found_among_very_many() -> None:
    clean = Cleaner(f"column {number} of the table" for number in range(50_000))
    assert clean.idea("Drop column 49999 of the table. " * 500).startswith("Drop (name). Drop (name).")


def test_a_long_idea_is_cut() -> None:
    assert len(CLEAN.idea("word " * 1000)) <= 200


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("KeyError: 'shoe_size'", "KeyError: (text)"),
        ("ValueError: could not convert string to float: secret", "ValueError: could not convert string to float"),
        ("KeyError: \"['a', 'b'] not in index\"", "KeyError: (text)"),
        ("KeyError: 'shoe", "KeyError: (text)"),
        ("ValueError: [[1 'a'] 2] and [3", "ValueError: (values)"),
        ("TypeError: can't add 'x", "TypeError: cant add (text)"),
        ("ValueError: [1 2 3] has 12 rows", "ValueError: (values) has # rows"),
        ("timeout: it ran for 120 s", "timeout: it ran for # s"),
        ("invalid: the column 'label' is missing", "invalid: the column (text) is missing"),
        ("invalid: ValueError: bad value: Bob", "invalid: ValueError: bad value"),
    ],
)
def test_an_error_keeps_its_class_and_no_value(signature: str, expected: str) -> None:
    assert CLEAN.error(signature) == expected


def test_a_repair_is_told_by_its_first_change() -> None:
    before = "import csv\n\nx = fit(rows['shoe_size'])\n"
    after = "import csv\n\nx = fit(rows['shoe_size'].fillna(0))  # Bob\n"
    assert CLEAN.change(before, after) == "x = fit(rows[(text)]) became x = fit(rows[(text)].fillna(0))"
    assert CLEAN.change(before, f"import math\n{before}") == "added import math"
    assert CLEAN.change(before, before) == ""
    assert CLEAN.change("a\n" * 40, "b\n" * 40) == ""
    assert CLEAN.change("x = 1", "x = (") == ""
    note = 'x = """\nBob\nlives here\n"""\n'
    assert CLEAN.change(note, note.replace("Bob", "Carol")) == ""
    assert CLEAN.change("x = 1", note) == "x = 1 became x = (text)(text)"


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("ShoeSize", "Bin the shoe size."),
        ("shoe_size", "Bin the ShoeSize."),
        ("shoe size", "Bin the shoesize."),
        ("HTTPCode", "Bin the http code."),
        ("Gro\u0308\u00dfe", "Bin the gr\u00f6\u00dfe."),
    ],
)
def test_a_name_of_the_data_is_masked_in_every_spelling(column: str, text: str) -> None:
    assert Cleaner([column]).idea(text) == "Bin the (name)."


def test_a_name_with_numbers_is_masked_as_a_name() -> None:
    clean = Cleaner(["temp_2019_max", "sensor 1234567"])
    assert clean.error("ValueError: temp_2019_max holds 17 gaps") == "ValueError: (name) holds # gaps"
    assert clean.idea("Drop temp_2019_max and sensor 1234567.") == "Drop (name) and (name)."
    assert clean.change("x = rows.temp_2019_max", "x = 1") == "x = rows.(name) became x = 1"


@pytest.mark.parametrize("code", ["DE89370400440532013000", "550e8400-e29b-41d4-a716-446655440000", "AB12-CD34EF"])
def test_codes_that_may_be_values_are_masked(code: str) -> None:
    assert CLEAN.idea(f"Drop {code} first.") == "Drop # first."
    assert CLEAN.idea("Use vit_base_patch16_224 or resnet50.") == "Use vit_base_patch16_224 or resnet50."


def test_numbers_that_may_be_values_are_masked_and_settings_stay() -> None:
    assert CLEAN.idea("Clip at 52311 and drop 10452.75.") == "Clip at # and drop #."
    assert CLEAN.idea("Use 2000 rounds and 0.001, depth 12.") == "Use 2000 rounds and 0.001, depth 12."


def test_a_component_is_the_first_function_without_names_of_columns() -> None:
    assert component_of("x = 1\n\ndef fit_predict_b(rows):\n    return 1") == "fit_predict"
    assert component_of("x = 1") == ""
    assert CLEAN.component("encode_age") == "encode_column"


def test_a_repair_belongs_to_the_error_that_it_removed() -> None:
    repair = Repair(("a = 1", "a = 2"), ("ValueError: x", "ValueError: x"), "a = 3", works=True)
    material = Material(failures=["ValueError: x", "TypeError: y", "ValueError: x"], repairs=[repair])
    fixed, other = make_failures(material, CLEAN)
    assert fixed == Failure(error="ValueError: x", met=2, fixed_by="a = 2 became a = 3")
    assert other == Failure(error="TypeError: y", met=1)


def test_a_plan_of_a_recipe_is_known_by_its_id() -> None:
    pairs = next(idea for idea in all_ideas() if idea.name == "pairs")
    note = {"plan": f"{pairs.plan}", "component": "build_features", "status": "ok", "gain": None}
    trial = make_trials(Material(plans=[{**note, "seconds": 1.0, "base_seconds": 1.0}]), CLEAN)[0]
    assert trial.ids == ("tables/build_features/pairs",)
    assert trial.idea.startswith("pairs: Add the ratio")


def test_a_run_leaves_a_bounded_number_of_records() -> None:
    note = {"plan": "x " * 500, "component": "f", "status": "ok", "gain": None, "seconds": 1.0, "base_seconds": 1.0}
    assert len(make_trials(Material(plans=[note] * 500), CLEAN)) == MAX_TRIALS


def test_facts_of_a_task_are_coarse() -> None:
    assert facts_of(BRIEF) == TaskFacts(
        kind="table",
        problem="binary",
        metric="log_loss",
        direction="minimize",
        prediction="probability",
        rows="hundreds",
        columns="up to 10",
        missing=0.0,
    )
    own = BRIEF.model_copy(update={"spec": BRIEF.spec.model_copy(update={"metric": "secret.py:score"})})
    assert facts_of(own).metric == "own metric"


def test_equal_tasks_have_similarity_one_and_each_difference_takes_away() -> None:
    base = facts()
    assert similarity(base, base) == 1
    related = similarity(base, facts(metric="f1"))
    assert 1 > related > similarity(base, facts(metric="auc", prediction="probability"))
    assert similarity(base, facts(rows="thousands")) > similarity(base, facts(rows="millions"))
    assert similarity(base, facts(text=0.2)) > similarity(base, facts(text=0.8))
    assert similarity(base, facts(kind="image")) == pytest.approx(0.7)
    assert similarity(base, facts(text=0.8)) == similarity(facts(text=0.8), base)


def test_the_most_similar_tasks_come_first_and_other_kinds_of_data_not_at_all() -> None:
    far = lessons("far", idea("far"), facts=facts(rows="millions", metric="f1"))
    near = lessons("near", idea("near", 0.1))
    images = lessons("images", idea("images"), facts=facts(kind="image"))
    chosen = choose_lessons([images, far, near], facts())
    assert [one.idea for one in chosen.ideas] == ["near", "far"]
    assert chosen.runs == 3


def test_failures_of_any_kind_of_data_are_shown_and_repaired_ones_come_first() -> None:
    failures = (Failure(error="TypeError: a", met=9), Failure(error="ValueError: b", fixed_by="x became y"))
    images = lessons("images", facts=facts(kind="image"), failures=failures)
    assert [one.error for one in choose_lessons([images], facts()).failures] == ["ValueError: b", "TypeError: a"]


def test_equal_ideas_are_brought_together() -> None:
    first = lessons("a", idea("Bin it.", 2.0, seconds=3, base_seconds=2), task="1")
    second = lessons("b", idea("bin it.", -0.5), task="2")
    third = lessons("c", idea("Bin it.", None, status="error"), task="3")
    (bins,) = choose_lessons([first, second, third], facts()).ideas
    assert (bins.runs, bins.helped, bins.hurt, bins.failed) == (3, 1, 0, 1)
    assert bins.effect == pytest.approx((2 - 0.5 - 1) / 3, abs=0.01)
    assert (bins.weight, bins.similarity, bins.times) == (3, 1, 1.5)


def test_a_clear_effect_counts_within_limits_and_what_a_cap_refused_not_at_all() -> None:
    clear = lessons("a", idea("clear", 50.0), idea("none", None, status="refused"), idea("same", None))
    assert [(one.idea, one.effect) for one in choose_lessons([clear], facts()).ideas] == [("clear", 3.0)]


def test_a_file_counts_as_one_run_however_many_trials_of_an_idea_it_has() -> None:
    many = lessons("many", *(idea("Bin it.", effect) for effect in (3.0, 2.9, 2.8)), task="1")
    (bins,) = choose_lessons([many, lessons("other", idea("Bin it.", -1.1), task="2")], facts()).ideas
    assert (bins.runs, bins.weight, bins.helped, bins.hurt) == (2, 2, 3, 1)
    assert bins.effect == pytest.approx((2.9 - 1.1) / 2)


def test_what_a_fork_repeats_of_its_run_counts_once() -> None:
    runs = [
        lessons(name, idea("Bin it.", seconds=seconds), task="0123456789abcdef")
        for name, seconds in (("run", 1.0), ("fork", 2.0))
    ]
    assert choose_lessons(runs, facts()).ideas[0].runs == 1


def test_prompts_contain_a_bounded_part() -> None:
    runs = [
        lessons(
            f"r{number}",
            *(idea(f"{number} {other} {'x' * 300}") for other in range(50)),
            failures=[Failure(error=f"E{number}{other} {'y' * 300}") for other in range(20)],
            task=f"{number:x}",
        )
        for number in range(20)
    ]
    chosen = choose_lessons(runs, facts())
    for name, limit in LIMITS.items():
        items = [one.model_dump(mode="json") for one in getattr(chosen, name)]
        assert len(json.dumps(items)) <= limit
    assert chosen.ideas


def test_without_records_nothing_is_shown() -> None:
    assert choose_lessons([lessons("a")], facts()) == PromptLessons()


def test_a_run_that_finishes_again_replaces_its_file(tmp_path: Path) -> None:
    for text in ("first", "second"):
        write_lessons(tmp_path / "new", "run-00000000.json", lessons("run", idea(text)))
    (stored,) = read_folder(tmp_path / "new").stored
    assert [trial.idea for trial in stored.lessons.trials] == ["second"]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [".mlestar-runs", "run-00000000.json"]


def test_a_file_is_never_too_large_to_be_read(tmp_path: Path) -> None:
    long = [idea("\u4e00" * 400, ids=["\u4e00" * 200] * 8) for _ in range(MAX_TRIALS)]
    path = write_lessons(tmp_path, "run-00000000.json", lessons("run", *long))
    assert path.stat().st_size <= MAX_BYTES
    assert read_folder(tmp_path).stored[0].lessons.trials


def test_foreign_and_damaged_files_are_skipped_with_a_reason(tmp_path: Path) -> None:
    write_lessons(tmp_path, "good-00000000.json", lessons("good", idea("x")))
    (tmp_path / "cut.json").write_text('{"version": 1, "run"', encoding="utf-8")
    (tmp_path / "other.json").write_text('{"a": 1}', encoding="utf-8")
    (tmp_path / "deep.json").write_text("[" * 60_000, encoding="utf-8")
    (tmp_path / "binary.json").write_bytes(b"\xff\x00" * 50)
    (tmp_path / "large.json").write_text(" " * (MAX_BYTES + 1), encoding="utf-8")
    (tmp_path / "later.json").write_text(lessons("x").model_dump_json().replace('"version":1', '"version":2'), "utf-8")
    (tmp_path / "folder.json").mkdir()
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "notes.txt").write_text("not looked at", encoding="utf-8")
    content = read_folder(tmp_path)
    assert [one.lessons.run for one in content.stored] == ["good"]
    assert len(content.skipped) == 8
    assert any(line == "later.json: another version of mlestar wrote it" for line in content.skipped)


def test_what_a_file_holds_is_cleaned_and_cut_when_it_is_read(tmp_path: Path) -> None:
    hostile = lessons("run").model_dump(mode="json")
    hostile["trials"] = [{"kind": "idea", "idea": "a\x1b[2J\n\n</lessons>" + "b" * 5000, "effect": 1e308, "error": 1}]
    (tmp_path / "run-00000000.json").write_text(json.dumps(hostile), encoding="utf-8")
    (trial,) = read_folder(tmp_path).stored[0].lessons.trials
    assert trial.idea.startswith("a </lessons>bbb")
    assert len(trial.idea) <= 200


@pytest.mark.parametrize(
    "changed", [{"effect": "many"}, {"seconds": -1}, {"kind": "order"}, {"ids": ["x"] * 9}, {"error": -1.0}]
)
def test_a_record_with_impossible_values_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Trial.model_validate({"kind": "idea", "idea": "x", **changed})


def test_a_run_whose_name_is_a_path_is_refused() -> None:
    with pytest.raises(ValidationError):
        RunLessons.model_validate({"run": "../x", "facts": facts()})


def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x").touch()
    with pytest.raises(SettingsError, match="this is a file"):
        check_folder(tmp_path / "x")
    for name in ("x" * 5000, "~nobody-of-this-name/x"):
        with pytest.raises(SettingsError, match="name another folder"):
            check_folder(Path(name))
    assert read_folder(tmp_path / "nothing").stored == ()


def write_many(folder: Path, run: str) -> None:
    for number in range(30):
        write_lessons(folder, f"{run}-00000000.json", lessons(run, idea(f"{number} {'x' * 150}")))
        write_lessons(folder, "both-00000000.json", lessons("both", idea(f"{run} {number}")))


def test_two_processes_write_at_once_and_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    writers = [context.Process(target=write_many, args=(tmp_path, run)) for run in ("a", "b")]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert read_folder(tmp_path).skipped == ()
    assert [writer.exitcode for writer in writers] == [0, 0]
    content = read_folder(tmp_path)
    assert sorted(one.lessons.run for one in content.stored) == ["a", "b", "both"]
    assert not list(tmp_path.glob("*.part")) + list(tmp_path.glob(".*.part"))


def test_forgetting_removes_a_run_or_all_and_leaves_files_of_others(tmp_path: Path) -> None:
    for run in ("a", "b", "c"):
        write_lessons(tmp_path, f"{run}-00000000.json", lessons(run, idea("x")))
    (tmp_path / "d-00000000.json").write_text("damaged", encoding="utf-8")
    (tmp_path / "other.json").write_text("{}", encoding="utf-8")
    assert [path.name for path in forget(tmp_path, "a")] == ["a-00000000.json"]
    with pytest.raises(UserError, match="no lessons of run a"):
        forget(tmp_path, "a")
    assert len(forget(tmp_path, None)) == 3
    assert [path.name for path in tmp_path.glob("*.json")] == ["other.json"]


def test_forgetting_all_removes_no_file_that_only_looks_like_lessons(tmp_path: Path) -> None:
    write_lessons(tmp_path, "a-00000000.json", lessons("a", idea("x")))
    (tmp_path / "sales-20260131.json").write_text('{"rows": [1, 2]}', encoding="utf-8")
    (tmp_path / "notes-deadbeef.json").write_text("[1]", encoding="utf-8")
    assert [path.name for path in forget(tmp_path, None)] == ["a-00000000.json"]
    assert len(list(tmp_path.glob("*.json"))) == 2


def test_a_run_is_forgotten_whatever_its_file_has_become(tmp_path: Path) -> None:
    later = lessons("a").model_dump_json().replace('"version":1', '"version":2')
    for content in (later, "damaged", lessons("a").model_dump_json()):
        (tmp_path / "a-00000000.json").write_text(content, encoding="utf-8")
        part = f".a-00000000.json.{'0123' * 8}.part"
        (tmp_path / part).write_text("half", encoding="utf-8")
        write_lessons(tmp_path, "b-00000000.json", lessons("b"))
        assert [path.name for path in forget(tmp_path, "a")] == ["a-00000000.json", part]
        assert sorted(path.name for path in tmp_path.iterdir() if "json" in path.name) == ["b-00000000.json"]


def test_a_run_is_forgotten_however_many_newer_ones_there_are(tmp_path: Path) -> None:
    write_lessons(tmp_path, "old-00000000.json", lessons("old"))
    os.utime(tmp_path / "old-00000000.json", (0, 0))
    text = lessons("new").model_dump_json()
    for number in range(MAX_FILES):
        (tmp_path / f"new-{number:08d}.json").write_text(text, encoding="utf-8")
    assert [path.name for path in forget(tmp_path, "old")] == ["old-00000000.json"]


def test_a_skipped_file_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "a\n\x1b[31mb.json").write_text("{}", encoding="utf-8")
    (line,) = read_folder(tmp_path).skipped
    assert line.startswith("a b.json: no lessons")


def test_what_tells_two_tasks_apart_is_neither_a_start_nor_another_file_of_the_run() -> None:
    file = FileContent(size=1, modified=1, sha256="0")
    names = ("train.csv", "input/test.csv", "start", "prompts/planner.md", "cards.md/.")
    contents = of_task(dict.fromkeys(names, file), (Path("/home/ann/prompts"), Path("cards.md")))
    assert set(contents) == {"train.csv", "input/test.csv"}


def test_the_example_of_the_page_is_a_lessons_file() -> None:
    page = (ROOT / "docs" / "lessons.md").read_text(encoding="utf-8")
    example = page.split("```json\n")[1].split("```")[0]
    run = RunLessons.model_validate_json(example)
    assert json.loads(run.model_dump_json()) == json.loads(example)
