"""The offline engineer's scripts solve tasks of every layout and form of prediction: run on a holdout, and graded."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mlestar.data.task import Task
from mlestar.evaluation import Grade, Grader, search_holdout, stage
from mlestar.offline.ideas import carry_out
from mlestar.offline.kinds import all_ideas
from mlestar.offline.surgery import functions
from mlestar.state import ModelCard
from tests.unit.offline_context import CARD, brief_of, candidate, code, run, score_of

SIZE = 160
DRAW = np.random.default_rng(4)
X, Z = DRAW.normal(size=SIZE), DRAW.normal(size=SIZE)
NOISE = 0.1 * DRAW.normal(size=SIZE)
ROWS = pd.DataFrame({"id": np.arange(SIZE) + 1000, "x": X, "z": Z, "y": 2 * X + Z + NOISE})
LOW_MID_HIGH = np.select([X < -0.5, X > 0.5], ["low", "high"], "mid")


def save(folder: Path, name: str, rows: pd.DataFrame) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(folder / name, index=False)


def write_task(folder: Path, rows: pd.DataFrame, targets: list[str], metric: str, *, sample: str | None = None) -> Path:
    """Write train and test tables, and a sample submission with the value `sample` if there is one."""
    train, test = rows.iloc[:-40], rows.iloc[-40:].drop(columns=targets)
    save(folder, "train.csv", train)
    save(folder, "test.csv", test)
    if sample is not None:
        save(folder, "sample_submission.csv", test[["id"]].assign(**{name: sample for name in targets}))
    settings = f"metric = {metric!r}\ntarget = {targets!r}\n"
    (folder / "task.toml").write_text(settings, encoding="utf-8")
    return folder


def grade(folder: Path, work: Path, card: ModelCard = CARD) -> tuple[Grade, float]:
    """Return the grade of a first script on withheld rows, and the score that it reports."""
    task, brief = Task.load(folder), brief_of(folder)
    assert brief.split is not None
    holdout = search_holdout(task, brief.split, seed=0)
    stage(task, holdout, work / "staged")
    printed = run(candidate(brief, card), work / "staged", work / "script")
    graded = Grader(task, holdout).grade(work / "script" / "submission.csv")
    assert graded.problem == ""
    assert graded.score is not None
    return graded, score_of(printed)


@pytest.mark.parametrize(
    ("values", "labels", "columns"),
    [("train_values.csv", "train_labels.csv", ["id", "y"]), ("X_train.csv", "y_train.csv", ["y"])],
)
def test_labels_in_a_table_of_their_own_are_joined(
    values: str, labels: str, columns: list[str], tmp_path: Path
) -> None:
    folder = tmp_path / "task"
    save(folder, values, ROWS[:120].drop(columns="y"))
    by_key = ROWS[:120].sample(frac=1, random_state=0) if "id" in columns else ROWS[:120]
    save(folder, labels, by_key[columns])
    save(folder, values.replace("train", "test"), ROWS[120:].drop(columns="y"))
    (folder / "task.toml").write_text('metric = "r2"\n', encoding="utf-8")
    graded, _ = grade(folder, tmp_path)
    assert graded.score is not None
    assert graded.score > 0.7


WRITERS: dict[str, Callable[[pd.DataFrame, Path], None]] = {
    "rows.csv": lambda rows, path: rows.to_csv(path, index=False),
    "rows.csv.gz": lambda rows, path: rows.to_csv(path, index=False),
    "rows.jsonl": lambda rows, path: rows.to_json(path, orient="records", lines=True),
    "rows.parquet": lambda rows, path: rows.to_parquet(path),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_table_without_a_test_file_is_learned_in_every_format(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    WRITERS[name](ROWS, folder / name)
    (folder / "task.toml").write_text('metric = "r2"\ntarget = "y"\n', encoding="utf-8")
    graded, _ = grade(folder, tmp_path)
    assert graded.score is not None
    assert graded.score > 0.7


@pytest.mark.parametrize("mark", [" ", ", ", "; ", "|"])
def test_several_labels_of_a_cell_are_predicted_in_the_form_of_train(mark: str, tmp_path: Path) -> None:
    heat, water = np.where(X > 0, "warm", "cold"), np.where(Z > 0.3, f"{mark}wet", "")
    rows = ROWS.assign(y=[f"{one}{other}" for one, other in zip(heat, water, strict=True)])
    graded, reported = grade(write_task(tmp_path / "task", rows, ["y"], "row_f1", sample="warm"), tmp_path)
    predicted = pd.read_csv(tmp_path / "script" / "submission.csv", dtype=str, keep_default_na=False)["y"]
    assert graded.score is not None
    assert graded.score > 0.85
    assert reported == pytest.approx(graded.score, abs=0.12)
    assert (predicted != "").all()
    assert predicted.str.contains(mark, regex=False).any()


@pytest.mark.parametrize("metric", ["map@2", "ndcg@2", "top_k_accuracy@2"])
def test_labels_are_ranked_by_their_probability(metric: str, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", ROWS.assign(y=LOW_MID_HIGH), ["y"], metric, sample="low mid")
    graded, reported = grade(folder, tmp_path)
    assert graded.score is not None
    assert graded.score > 0.85
    assert reported == pytest.approx(graded.score, abs=0.12)


@pytest.mark.parametrize("name", ["HistGradientBoosting", "ExtraTrees", "Linear model on splines"])
def test_values_are_moved_to_the_quantile_of_the_metric(name: str, tmp_path: Path) -> None:
    rows = ROWS.assign(y=10 * DRAW.exponential(size=SIZE) + X)
    graded, _ = grade(write_task(tmp_path / "task", rows, ["y"], "pinball@0.9"), tmp_path, ModelCard(name=name))
    predicted = pd.read_csv(tmp_path / "script" / "submission.csv")["y"]
    assert graded.score is not None
    assert predicted.mean() > rows["y"].quantile(0.75)


def test_survival_times_are_ranked_by_risk(tmp_path: Path) -> None:
    time = np.exp(X + NOISE)
    ends = DRAW.exponential(3, size=SIZE)
    rows = ROWS.drop(columns="y").assign(time=np.minimum(time, ends), event=(time <= ends).astype(int))
    folder = write_task(tmp_path / "task", rows, ["time", "event"], "c_index")
    graded, reported = grade(folder, tmp_path)
    assert graded.score is not None
    assert graded.score > 0.85
    assert reported == pytest.approx(graded.score, abs=0.1)


def test_several_targets_of_different_classes_are_written_as_in_train(tmp_path: Path) -> None:
    rows = ROWS.drop(columns="y").assign(level=LOW_MID_HIGH, warm=np.where(Z > 0, "True", "False"))
    graded, reported = grade(write_task(tmp_path / "task", rows, ["level", "warm"], "accuracy"), tmp_path)
    predicted = pd.read_csv(tmp_path / "script" / "submission.csv", dtype=str)
    assert graded.score is not None
    assert graded.score > 0.85
    assert reported == pytest.approx(graded.score, abs=0.12)
    assert set(predicted["level"]) == {"low", "mid", "high"}
    assert set(predicted["warm"]) == {"True", "False"}


def test_several_targets_get_the_probability_of_their_positive_class(tmp_path: Path) -> None:
    rows = ROWS.drop(columns="y").assign(a=np.where(X > 0, "yes", "no"), b=np.where(Z > 0, "yes", "no"))
    graded, _ = grade(write_task(tmp_path / "task", rows, ["a", "b"], "mean_auroc"), tmp_path)
    assert graded.score is not None
    assert graded.score > 0.9


@pytest.mark.parametrize(
    "names", [("x[1]", "x{1}"), ("\u6e29\u5ea6", "\u6e7f\u5ea6"), ("x_1", "x:1"), ("a;b;c", "p, q|r")]
)
def test_names_that_libraries_refuse_are_replaced(names: tuple[str, str], tmp_path: Path) -> None:
    rows = ROWS.rename(columns={"x": names[0], "z": names[1]}).assign(x_1_1=NOISE)
    graded, _ = grade(write_task(tmp_path / "task", rows, ["y"], "r2"), tmp_path)
    assert graded.score is not None
    assert graded.score > 0.7


def test_a_column_without_a_name_is_named_by_its_place(tmp_path: Path) -> None:
    rows = ROWS.rename(columns={"id": ""})
    graded, _ = grade(write_task(tmp_path / "task", rows, ["y"], "r2"), tmp_path)
    assert graded.score is not None
    assert graded.score > 0.7
    assert (tmp_path / "script" / "submission.csv").read_text(encoding="utf-8").splitlines()[0] == "Unnamed: 0,y"


@pytest.mark.parametrize("name", ["HistGradientBoosting", "TF-IDF with a linear model"])
def test_texts_without_a_common_word_are_no_error(name: str, tmp_path: Path) -> None:
    texts = [f"alpha{row} beta{row} gamma{row} delta{row}" for row in range(SIZE)]
    folder = write_task(tmp_path / "task", ROWS.assign(text=texts), ["y"], "r2")
    graded, _ = grade(folder, tmp_path, ModelCard(name=name))
    assert graded.score is not None
    assert graded.score > 0


def test_blanks_around_labels_and_categories_change_nothing(tmp_path: Path) -> None:
    kind = np.where(DRAW.random(SIZE) < 0.5, " a", "a ")
    rows = ROWS.assign(kind=np.where(X > 0, kind, " b"), y=np.where(X > 0, " up ", "down"))
    graded, _ = grade(write_task(tmp_path / "task", rows, ["y"], "accuracy", sample="up"), tmp_path)
    assert graded.score == 1.0


def test_thirty_rows_of_one_number_are_enough(tmp_path: Path) -> None:
    rows = ROWS[["id", "x"]].assign(y=2 * X + NOISE)
    folder = write_task(tmp_path / "task", rows, ["y"], "r2")
    save(folder, "train.csv", rows[:30])
    graded, _ = grade(folder, tmp_path)
    assert graded.score is not None
    assert graded.score > 0.3


def test_labels_and_columns_that_the_prompt_does_not_list_are_read_from_the_files(tmp_path: Path) -> None:
    draw = np.random.default_rng(5)
    names = ["".join(draw.choice(list("abcdefgh"), 12)) for _ in range(700)]
    labels = np.array([f"{first}{last}" for first in "abcdefg" for last in ("ola", "ira", "umo", "ene", "isk", "oth")])
    number = np.arange(340) % len(labels)
    cells = pd.DataFrame(np.zeros((340, len(names))), columns=names)
    cells[names[600]] = number + draw.normal(size=340) * 0.1
    rows = pd.concat([pd.DataFrame({"id": np.arange(340)}), cells.assign(y=labels[number])], axis=1)
    folder = write_task(tmp_path / "task", rows, ["y"], "top_k_accuracy@5", sample="aola")
    graded, _ = grade(folder, tmp_path, ModelCard(name="ExtraTrees"))
    assert graded.score is not None
    assert graded.score > 0.8


def test_probabilities_of_many_classes_need_no_sample(tmp_path: Path) -> None:
    labels = np.array([f"{first}{last}" for first in "abcdefghij" for last in ("ola", "ira", "umo", "ene", "isk")])
    number = np.arange(540) % len(labels)
    rows = pd.DataFrame({"id": np.arange(540), "x": number + DRAW.normal(size=540) * 0.1, "y": labels[number]})
    graded, _ = grade(write_task(tmp_path / "task", rows, ["y"], "log_loss"), tmp_path, ModelCard(name="ExtraTrees"))
    assert graded.score is not None
    assert graded.score < 1


def test_a_column_of_fractions_is_a_feature_where_nothing_names_an_id(tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", ROWS[["x", "y"]], ["y"], "r2")
    assert Task.load(folder).spec.id is None


@pytest.mark.parametrize("idea", ["second trees", "second linear"])
def test_ideas_keep_how_a_script_reads_numbers(idea: str, tmp_path: Path) -> None:
    rows = ROWS.assign(x=[f"{number:,.2f} \u20ac" for number in 1000 * X])
    folder = write_task(tmp_path / "task", rows, ["y"], "r2")
    script = candidate(brief_of(folder))
    block = functions(script)["fit_predict"]
    plan = next(other.plan for other in all_ideas() if other.name == idea)
    changed = script.replace(block, carry_out(block, plan))
    assert score_of(run(changed, folder, tmp_path / "work")) > 0.7


SERIES = pd.DataFrame(
    {
        "id": np.arange(SIZE) + 5000,
        "store": [f"s{row % 8}" for row in range(SIZE)],
        "region": [f"r{row % 3}" for row in range(SIZE)],
        "day": np.arange(SIZE) // 8,
        "lon": DRAW.uniform(0, 10, SIZE).round(3),
        "lat": DRAW.uniform(0, 10, SIZE).round(3),
        "x": X,
        "y": X + NOISE + np.arange(SIZE) % 8,
    }
)


@pytest.mark.parametrize(
    "split", ["series:store:day", "space:lon+lat", "group:store+region", "group:store", "time:day", "stratified"]
)
def test_scripts_validate_in_the_way_of_every_split(split: str, tmp_path: Path) -> None:
    folder = write_task(tmp_path / "task", SERIES, ["y"], "mae")
    with (folder / "task.toml").open("a", encoding="utf-8") as settings:
        settings.write(f"split = {split!r}\n")
    graded, reported = grade(folder, tmp_path)
    assert graded.score is not None
    assert graded.score < 3
    assert reported < 3


@pytest.mark.parametrize("metric", ["linear_kappa", "qwk"])
def test_the_kappa_that_a_script_reports_is_that_of_the_grader(metric: str, tmp_path: Path) -> None:
    grades = np.digitize(X + NOISE, [-0.7, 0.0, 0.7]) + 1
    graded, reported = grade(write_task(tmp_path / "task", ROWS.assign(y=grades), ["y"], metric), tmp_path)
    assert graded.score is not None
    assert graded.score > 0.6
    assert reported == pytest.approx(graded.score, abs=0.15)


def write_words(task: Path) -> Path:
    """Write class folders of text files, for which there is no recipe."""
    for label in ("blue", "red"):
        for number in range(20):
            path = task / "train" / label / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{label} {number}", encoding="utf-8")
    (task / "task.md").write_text("Predict the colour; accuracy.", encoding="utf-8")
    return task


def test_a_script_for_files_says_that_a_language_model_is_needed(tmp_path: Path) -> None:
    script = candidate(brief_of(write_words(tmp_path / "task")))
    with pytest.raises(SystemExit, match="no recipe for such data"):
        exec(compile(script, "script", "exec"), {})


def test_a_script_for_files_is_repaired_by_another_that_says_so(tmp_path: Path) -> None:
    brief = brief_of(write_words(tmp_path / "task"))
    scripts = [candidate(brief)]
    for _ in range(3):
        scripts.append(
            code("debugger", brief, script=scripts[-1], bug="exit status 1", failed_fixes=scripts[:-1], study=False)
        )
    assert len(set(scripts)) == 4
    assert all("no recipe for such data" in script for script in scripts)
