"""The offline engineer's scripts for pictures: each layout is learned and graded on a holdout; ideas and studies."""

import ast
import builtins
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mlestar.offline.ablation import write_study
from mlestar.offline.ideas import carry_out, ideas_for
from mlestar.offline.kinds import all_kinds
from mlestar.offline.merging import merge_models
from mlestar.offline.recipe import Idea, Kind
from mlestar.offline.refinement import blocks_of
from mlestar.state import Brief, ModelCard
from tests.unit.offline_context import brief_of, candidate, facts_of, grade_on_holdout, run

SVM = ModelCard(name="Support vector machine")
RIDGE = ModelCard(name="Ridge regression")
PACKAGES = ("scikit-learn", "numpy", "pandas", "scipy", "pillow")
IMAGES, PAIRS = ({kind.name: kind for kind in all_kinds()}[name] for name in ("images", "pictures to pictures"))
ROWS = 48
SIDE = 20
DRAW = np.random.default_rng(3)
LYING = DRAW.random(ROWS) < 0.5
LEVEL = DRAW.uniform(40, 200, ROWS)


def bars() -> np.ndarray:
    """Return grey pictures of a bar that lies or stands, on a noisy ground."""
    pictures = DRAW.normal(30, 8, (ROWS, SIDE, SIDE))
    for picture, lies, level in zip(pictures, LYING, LEVEL, strict=True):
        place = DRAW.integers(4, SIDE - 6)
        bar = (slice(place, place + 3), slice(3, -3)) if lies else (slice(3, -3), slice(place, place + 3))
        picture[bar] += level
    return pictures.clip(0, 255).astype(np.uint8)


PICTURES = bars()
NAMES = np.where(LYING, "lying", "standing")
TEST = np.arange(ROWS) >= ROWS - 16


def save(path: Path, picture: np.ndarray | Image.Image) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path)


def in_form(row: int) -> tuple[str, Image.Image]:
    """Return a suffix and the row's picture in one of several formats and sizes."""
    grey = Image.fromarray(PICTURES[row])
    wide = grey.resize((SIDE + row % 3 * 6, SIDE + 4))
    forms = (
        (".png", grey),
        (".jpg", wide.convert("RGB")),
        (".png", wide.convert("RGBA")),
        (".png", Image.fromarray(PICTURES[row].astype(np.uint16) * 257)),
        (".png", grey.convert("P")),
        (".bmp", wide.convert("L")),
    )
    return forms[row % len(forms)]


def settings(folder: Path, metric: str, target: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    target_line = f'target = "{target}"\n' if target else ""
    (folder / "task.toml").write_text(f'metric = "{metric}"\n{target_line}', encoding="utf-8")
    return folder


def class_folders(folder: Path) -> None:
    for row in range(ROWS):
        suffix, image = in_form(row)
        save(
            folder / "test" / f"{row}{suffix}" if TEST[row] else folder / "train" / NAMES[row] / f"{row}{suffix}", image
        )
    settings(folder, "accuracy")


def class_in_name(folder: Path) -> None:
    for row in range(ROWS):
        suffix, image = in_form(row)
        save(
            folder / "test" / f"{row}{suffix}" if TEST[row] else folder / "train" / f"{NAMES[row]}.{row}{suffix}", image
        )
    settings(folder, "accuracy")


def labelled_files(folder: Path) -> None:
    for row in range(ROWS):
        suffix, image = in_form(row)
        save(folder / ("test" if TEST[row] else "train") / f"{row:03d}{suffix}", image)
    table = pd.DataFrame({"id": [f"{row:03d}" for row in range(ROWS)], "posture": NAMES})
    table[~TEST].to_csv(folder / "train.csv", index=False)
    table[TEST].assign(posture="lying").to_csv(folder / "sample_submission.csv", index=False)
    settings(folder, "accuracy")


def paths_in_tables(folder: Path) -> None:
    paths: list[str] = []
    for row in range(ROWS):
        suffix, image = in_form(row)
        paths.append(f"pictures/{row}{suffix}")
        save(folder / paths[-1], image)
    table = pd.DataFrame({"id": np.arange(ROWS) + 500, "file": paths, "weight": DRAW.normal(size=ROWS)})
    table["place"] = DRAW.choice(["north", "south", ""], ROWS)
    table["posture"] = NAMES
    table[~TEST].to_csv(folder / "train.csv", index=False)
    table[TEST].drop(columns="posture").to_csv(folder / "test.csv", index=False)
    settings(folder, "accuracy", "posture")


def arrays(folder: Path) -> None:
    folder.mkdir(parents=True)
    labels = LYING[~TEST].astype(int)
    np.savez_compressed(folder / "bars.npz", x_train=PICTURES[~TEST], y_train=labels, x_test=PICTURES[TEST])
    settings(folder, "accuracy")


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "class folders": class_folders,
    "class in the file name": class_in_name,
    "labelled files": labelled_files,
    "tables": paths_in_tables,
    "arrays": arrays,
}


def quick(script: str) -> str:
    """Return a script with fewer folds, rounds of boosting, patches and pixels to fit on."""
    script = script.replace("FOLDS = 5", "FOLDS = 2").replace("max_iter=80", "max_iter=15")
    return re.sub(r"pixels=\d+", "pixels=2000", script).replace("filters=128", "filters=32")


def brief(folder: Path) -> Brief:
    return brief_of(folder, PACKAGES)


def grade(folder: Path, work: Path, card: ModelCard = SVM) -> tuple[float, str]:
    """Return the grade of a first script on withheld rows, and what it prints."""
    return grade_on_holdout(quick(candidate(brief(folder), card)), folder, work)


@pytest.mark.parametrize("name", LAYOUTS)
def test_pictures_of_all_forms_are_learned_in_every_layout(name: str, tmp_path: Path) -> None:
    LAYOUTS[name](tmp_path / "task")
    assert brief(tmp_path / "task").spec.layout == name
    graded, _ = grade(tmp_path / "task", tmp_path)
    assert graded > 0.8


def test_pictures_of_a_labelled_validation_folder_are_fitted_too(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    class_folders(folder)
    for name in ("lying", "standing"):
        (folder / "valid" / name).mkdir(parents=True)
        for path in sorted((folder / "train" / name).iterdir())[2:]:
            path.rename(folder / "valid" / name / path.name)
    script = quick(candidate(brief(folder), RIDGE))
    assert "ROOTS = ['train', 'valid']" in script
    run(script, folder, tmp_path / "work")
    submission = pd.read_csv(tmp_path / "work" / "submission.csv")
    assert (submission["label"].to_numpy() == NAMES[TEST]).mean() > 0.8


def test_values_of_pictures_with_several_channels_are_predicted(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    folder.mkdir()
    channels = np.stack([PICTURES, PICTURES // 2, PICTURES], axis=1) / 255
    names = np.array([f"bar_{row}" for row in range(ROWS)])
    np.savez(folder / "train.npz", id=names[~TEST], image=channels[~TEST], label=LEVEL[~TEST])
    np.savez(folder / "test.npz", id=names[TEST], image=channels[TEST])
    pd.DataFrame({"id": names[TEST], "level": 1.5}).to_csv(folder / "sample_submission.csv", index=False)
    graded, _ = grade(settings(folder, "r2"), tmp_path, RIDGE)
    assert graded > 0.5


def test_a_picture_that_cannot_be_read_is_named_and_counts_as_grey(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    class_folders(folder)
    damaged = sorted((folder / "test").iterdir())[3]
    damaged.write_bytes(b"no picture")
    printed = run(candidate(brief(folder), RIDGE), folder, tmp_path / "work")
    submission = pd.read_csv(tmp_path / "work" / "submission.csv", dtype=str)
    assert damaged.name in printed
    assert damaged.name in set(submission["id"])
    assert len(submission) == TEST.sum()


def test_rows_without_pictures_end_with_the_name_of_one(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    labelled_files(folder)
    script = candidate(brief(folder), RIDGE)
    for path in (folder / "train").iterdir():
        path.rename(path.with_name(f"x{path.name}"))
    with pytest.raises(FileNotFoundError, match=r"rows have no picture, such as .*000"):
        run(script, folder, tmp_path / "work")


def foreign_folder(row: int) -> tuple[str, list[str]]:
    return f"C:\\data\\photos\\{row}.png", [f"pictures/{row}.png"]


def several_pictures(row: int) -> tuple[str, list[str]]:
    return f"scan{row}", [f"pictures/scan{row}/{number}.png" for number in range(3)]


def beginning_of_names(row: int) -> tuple[str, list[str]]:
    return f"scan{row}", [f"pictures/scan{row}_{colour}.png" for colour in ("red", "green")]


def number_in_name(row: int) -> tuple[str, list[str]]:
    return str(row), [f"pictures/photo_{row:04d}.png"]


def other_case(row: int) -> tuple[str, list[str]]:
    return f"photo{row}.jpg", [f"pictures/Photo{row}.JPG"]


@pytest.mark.parametrize(
    "name",
    [foreign_folder, several_pictures, beginning_of_names, number_in_name, other_case],
    ids=lambda name: name.__name__,
)
def test_pictures_are_found_by_what_a_table_has_of_their_names(
    name: Callable[[int], tuple[str, list[str]]], tmp_path: Path
) -> None:
    folder = tmp_path / "task"
    rows = [name(row) for row in range(ROWS)]
    for picture, (_, files) in zip(PICTURES, rows, strict=True):
        for file in files:
            save(folder / file, picture)
    table = pd.DataFrame({"picture": [cell for cell, _ in rows], "lies": LYING.astype(int)})
    table[~TEST].to_csv(folder / "train.csv", index=False)
    table[TEST].drop(columns="lies").to_csv(folder / "test.csv", index=False)
    printed = run(quick(candidate(brief(settings(folder, "accuracy", "lies")), RIDGE)), folder, tmp_path / "work")
    assert "missing" not in printed
    submission = pd.read_csv(tmp_path / "work" / "submission.csv")
    assert (submission["lies"].to_numpy() == LYING[TEST]).mean() > 0.8


@pytest.mark.parametrize("name", ["class folders", "labelled files"])
def test_a_script_without_time_fits_on_fewer_and_smaller_pictures(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "task"
    LAYOUTS[name](folder)
    for row in range(12):  # another batch of rows
        save(folder / ("train/lying" if name == "class folders" else "train") / f"9{row:02d}.png", PICTURES[LYING][row])
    if name == "labelled files":
        more = pd.DataFrame({"id": [f"9{row:02d}" for row in range(12)], "posture": "lying"})
        more.to_csv(folder / "train.csv", index=False, mode="a", header=False)
    script = quick(candidate(brief(folder), RIDGE)).replace("SECONDS = 60", "SECONDS = 0")
    printed = run(script, folder, tmp_path / "work")
    assert "32 of 44 train rows and 16 of 16 test rows were read in time" in printed
    submission = pd.read_csv(tmp_path / "work" / "submission.csv")
    assert (submission.iloc[:, 1].to_numpy() == NAMES[TEST]).mean() > 0.7


def test_a_table_without_a_test_table_has_pictures_too(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    for row, picture in enumerate(PICTURES):
        save(folder / "photos" / f"{row}.png", picture)
    pd.DataFrame({"photo": [f"{row}.png" for row in range(ROWS)], "posture": NAMES}).to_csv(
        folder / "data.csv", index=False
    )
    graded, _ = grade(settings(folder, "accuracy", "posture"), tmp_path, RIDGE)
    assert graded > 0.8


def test_a_sample_that_lists_the_pictures_may_have_another_delimiter(tmp_path: Path) -> None:
    labelled_files(tmp_path / "task")
    path = tmp_path / "task" / "sample_submission.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",", ";"), encoding="utf-8")
    script = candidate(brief(tmp_path / "task"), RIDGE)
    assert "DELIMITERS = {'train.csv': ',', 'sample_submission.csv': ';'}" in script


def test_many_classes_get_a_column_each_in_the_order_of_the_sample(tmp_path: Path) -> None:
    """More classes than a prompt lists: the script reads them from the folders and from the sample."""
    names = [f"kind {number}" for number in range(45)]
    labelled = tmp_path / "task" / "train"
    for number, name in enumerate(names):
        pixels = DRAW.integers(0, 200, (8, 8), dtype=np.uint8)
        for copy in range(4):
            save(labelled / name / f"{number}_{copy}.png", pixels + DRAW.integers(0, 9, (8, 8), dtype=np.uint8))
    save(tmp_path / "task" / "test" / "0.png", pixels)
    sample = pd.DataFrame([["0.png", *[1 / 45] * 45]], columns=["id", *names[::-1]])
    sample.to_csv(tmp_path / "task" / "sample_submission.csv", index=False)
    settings(tmp_path / "task", "log_loss")
    assert IMAGES.first_models(facts_of(brief(tmp_path / "task"))) == ("kernel", "linear")
    run(candidate(brief(tmp_path / "task"), RIDGE), tmp_path / "task", tmp_path / "work")
    submission = pd.read_csv(tmp_path / "work" / "submission.csv", index_col="id")
    assert list(submission) == names[::-1]
    assert submission.loc["0.png"].idxmax() == names[-1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("task") / "task"
    arrays(folder)
    return folder


def with_idea(script: str, idea: Idea, kind: Kind) -> str:
    """Return a script with the first block that an idea can rewrite rewritten."""
    block = next(block for block in blocks_of(script, kind).values() if idea in ideas_for(block, kind))
    rewritten = carry_out(block, idea.plan)
    assert rewritten != block
    imports = [line for line in rewritten.split("\n") if line.startswith(("import ", "from "))]
    return script.replace(block, rewritten).replace(
        "import numpy as np\n", "\n".join([*imports, "import numpy as np\n"]), 1
    )


@pytest.mark.parametrize("idea", IMAGES.ideas, ids=lambda idea: idea.name)
def test_a_script_runs_with_each_idea(idea: Idea, folder: Path, tmp_path: Path) -> None:
    printed = run(with_idea(quick(candidate(brief(folder), SVM)), idea, IMAGES), folder, tmp_path / "work")
    submission = pd.read_csv(tmp_path / "work" / "submission.csv")
    assert "Final Validation Performance" in printed
    assert (submission["y"].to_numpy() == LYING[TEST]).mean() > 0.8


def test_a_study_switches_off_groups_of_features(folder: Path, tmp_path: Path) -> None:
    printed = run(write_study(quick(candidate(brief(folder), SVM)), ""), folder, tmp_path / "work")
    written = {path.stem for path in (tmp_path / "work" / "variants").iterdir()}
    assert "failed" not in printed
    assert {"baseline", "without_texture", "without_edges"} <= written


def every_script(folder: Path) -> dict[str, str]:
    """Return the script of every model for a task, also of those whose libraries are not installed."""
    needed = tuple(library for kind in (IMAGES, PAIRS) for model in kind.models for library in model.libraries)
    facts = brief_of(folder, (*PACKAGES, *needed))
    kind = PAIRS if facts.spec.layout == "file to file" else IMAGES
    return {model.name: candidate(facts, ModelCard(name=model.words[0])) for model in kind.models}


@pytest.mark.parametrize("name", ["arrays", "pairs"])
def test_scripts_of_all_models_are_refined_and_merged(name: str, folder: Path, pairs: Path) -> None:
    scripts = every_script(folder if name == "arrays" else pairs)
    assert len(set(scripts.values())) == len(scripts)
    for script in scripts.values():
        ast.parse(write_study(script, ""))
        kind = IMAGES if name == "arrays" else PAIRS
        for block in blocks_of(script, kind).values():
            for idea in (idea for idea in ideas_for(block, kind) if idea in kind.ideas):
                ast.parse(with_idea(script, idea, kind))
        merged = merge_models(script, scripts["network"])
        assert merged is not None
        assert undefined_names(merged) == set()


def undefined_names(script: str) -> set[str]:
    """Return the names that the functions of a script read and nothing in it defines."""
    tree = ast.parse(script)
    nodes = list(ast.walk(tree))
    read = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    defined = {node.id for node in nodes if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
    defined |= {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    defined |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    defined |= {node.name for node in nodes if isinstance(node, ast.ExceptHandler) and node.name}
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    defined |= {(alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names}
    return read - defined - set(dir(builtins))


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pairs") / "task"
    write_pairs(folder)
    return folder


@pytest.mark.parametrize("card", ["HistGradientBoosting", "Ridge"])
def test_pictures_are_cleaned_pixel_by_pixel(card: str, pairs: Path, tmp_path: Path) -> None:
    graded, _ = grade(pairs, tmp_path, ModelCard(name=card))
    assert graded < 0.6 * NOISE


def test_pixels_are_written_down_the_columns_and_in_the_range_of_the_sample(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    write_pairs(folder, by_columns=True, top=255)
    graded, _ = grade(folder, tmp_path, RIDGE)
    assert graded < 0.6 * NOISE * 255


@pytest.mark.parametrize("idea", PAIRS.ideas, ids=lambda idea: idea.name)
def test_a_script_for_pixels_runs_with_each_idea(idea: Idea, pairs: Path, tmp_path: Path) -> None:
    script = quick(candidate(brief(pairs), ModelCard(name="HistGradientBoosting")))
    run(with_idea(script, idea, PAIRS), pairs, tmp_path / "work")
    submission = pd.read_csv(tmp_path / "work" / "submission.csv")
    sample = pd.read_csv(pairs / "sample_submission.csv")
    assert submission["id"].equals(sample["id"])
    assert submission["value"].between(0, 1).all()
    assert submission["value"].std() > 0.1


def test_a_study_for_pixels_switches_off_what_is_around_them(pairs: Path, tmp_path: Path) -> None:
    printed = run(write_study(quick(candidate(brief(pairs), RIDGE)), ""), pairs, tmp_path / "work")
    written = {path.stem for path in (tmp_path / "work" / "variants").iterdir()}
    assert "failed" not in printed
    assert {"baseline", "without_background", "without_neighbours"} <= written


def test_a_picture_and_an_answer_of_different_sizes_are_named(tmp_path: Path) -> None:
    folder = tmp_path / "task"
    write_pairs(folder)
    script = candidate(brief(folder), RIDGE)
    save(folder / "clean" / "3.png", PICTURES[3][:10])
    with pytest.raises(ValueError, match=r"3\.png and .*3\.png differ in size"):
        run(script, folder, tmp_path / "work")


NOISE = 0.15


def write_pairs(folder: Path, *, by_columns: bool = False, top: int = 1) -> None:
    """Write noisy pictures of two sizes, their clean versions, and a sample of all pixels of test."""
    lines: list[str] = []
    for row in range(30):
        clean = np.tile(PICTURES[row] // 128 * 200, (2, 1 + row % 2))
        noisy = (clean + DRAW.normal(0, 255 * NOISE, clean.shape)).clip(0, 255).astype(np.uint8)
        if row < 24:
            save(folder / "train" / f"{row}.png", noisy)
            save(folder / "clean" / f"{row}.png", clean)
            continue
        save(folder / "test" / f"{row}.png", noisy)
        places = np.indices(clean.shape).reshape(2, -1).T
        ordered = places[np.lexsort(places.T)] if by_columns else places
        lines += [f"{row}_{down}_{across}" for down, across in ordered]
    pd.DataFrame({"id": lines, "value": top}).to_csv(folder / "sample_submission.csv", index=False)
    settings(folder, "rmse")
