"""Pictures with held-out answers, written as a suite of `mlestar bench`.

    python -m benchmarks.made_pictures SUITE [--only ID ...] [--seed 0]

Writes `SUITE/tasks/ID` and `SUITE/answers/ID` for every set in `PICTURES`: coloured shapes anywhere in a picture, small
ones among others, mixtures of colours, textures, digits in colours, pictures with transparency, of 16 bits and of
unequal sizes; classes, values and several labels; and documents with stains and folds whose clean versions are to be
found. The same seed gives the same pictures. All sizes, colours and strengths were chosen by judgement, so that sets
differ; none was measured.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter
from scipy.ndimage import uniform_filter
from sklearn.datasets import load_digits

from mlestar.bench.generated import write_task

Draw = np.random.Generator
Drawn = tuple[list[Image.Image], pd.DataFrame]
"""Pictures, and a column for each target."""

COLOURS = {"red": (200, 60, 50), "green": (60, 160, 70), "blue": (60, 80, 190), "yellow": (200, 180, 60)}
SHAPES = ("circle", "square", "triangle", "ring", "cross")
TEST_ROWS = 400
NOISE = 16
"""Standard deviation of the noise of a pixel, whose values are from 0 to 255."""


@dataclass(frozen=True)
class MadePictures:
    """One set of pictures."""

    name: str
    rows: int
    """Of train."""
    draw: Callable[[Draw, int], Drawn]
    """Takes the number of rows."""
    metric: str = "accuracy"
    side: int = 32


def noisy(draw: Draw, picture: Image.Image) -> Image.Image:
    values = np.asarray(picture, dtype=float)
    return Image.fromarray((values + draw.normal(0, NOISE, values.shape)).clip(0, 255).astype(np.uint8))


def ground(draw: Draw, side: int, height: int = 0) -> Image.Image:
    """Return a picture of one pale or dark shade."""
    shade = draw.integers(20, 100) if draw.random() < 0.5 else draw.integers(190, 245)
    colour = (shade + draw.integers(-15, 16, 3)).clip(0, 255)
    return Image.new("RGB", (side, height or side), tuple(map(int, colour)))


def vary(draw: Draw, colour: tuple[int, int, int]) -> tuple[int, ...]:
    """Return a colour a little lighter, darker or of another hue."""
    return tuple(map(int, (np.array(colour) + draw.integers(-30, 31, 3)).clip(0, 255)))


def draw_shape(
    draw: Draw, picture: Image.Image, shape: str, colour: tuple[int, ...], reach: tuple[float, float]
) -> None:
    """Draw a shape anywhere in a picture, turned a little; `reach` is the smallest and the largest radius."""
    radius = draw.uniform(*reach)
    x, y = (draw.uniform(radius, size - radius) for size in picture.size)
    canvas = ImageDraw.Draw(picture)
    box = (x - radius, y - radius, x + radius, y + radius)
    turn = draw.uniform(-0.3, 0.3)
    if shape == "circle":
        canvas.ellipse(box, fill=colour)
    elif shape == "ring":
        canvas.ellipse(box, outline=colour, width=max(2, round(radius / 3)))
    elif shape == "cross":
        for angle in (turn, turn + np.pi / 2):
            across, down = radius * np.cos(angle), radius * np.sin(angle)
            canvas.line((x - across, y - down, x + across, y + down), fill=colour, width=max(2, round(radius / 2)))
    else:
        corners = 4 if shape == "square" else 3
        angles = turn + np.pi / 4 + 2 * np.pi * np.arange(corners) / corners
        canvas.polygon([(x + radius * np.cos(angle), y + radius * np.sin(angle)) for angle in angles], fill=colour)


def coloured_shapes(side: int, shapes: int, colours: int, beside: int = 0) -> Callable[[Draw, int], Drawn]:
    """Return a generator of pictures of one shape, whose class is shape and colour, beside small marks."""

    def make(draw: Draw, rows: int) -> Drawn:
        pictures, labels = [], []
        for _ in range(rows):
            picture = ground(draw, side)
            for _ in range(beside):
                draw_shape(draw, picture, "circle", vary(draw, (128, 128, 128)), (0.04 * side, 0.08 * side))
            shape, colour = SHAPES[draw.integers(shapes)], list(COLOURS)[draw.integers(colours)]
            draw_shape(draw, picture, shape, vary(draw, COLOURS[colour]), (0.16 * side, 0.3 * side))
            pictures.append(noisy(draw, picture))
            labels.append(f"{colour} {shape}" if colours > 1 else shape)
        return pictures, pd.DataFrame({"kind": labels})

    return make


def mixtures(draw: Draw, rows: int) -> Drawn:
    """Return pictures of many small marks; the class is the colour that most of them have."""
    pictures, labels = [], []
    for _ in range(rows):
        picture, place = ground(draw, 32), int(draw.integers(len(COLOURS)))
        shares = np.full(len(COLOURS), 0.2)
        shares[place] = 0.4
        for other in draw.choice(len(COLOURS), 30, p=shares):
            colour = vary(draw, list(COLOURS.values())[other])
            draw_shape(draw, picture, SHAPES[draw.integers(2)], colour, (1.5, 3.0))
        pictures.append(noisy(draw, picture))
        labels.append(list(COLOURS)[place])
    return pictures, pd.DataFrame({"most": labels})


def textures(draw: Draw, rows: int) -> Drawn:
    """Return grey pictures of stripes, checks, spots, clouds and grain, at changing scale and direction."""
    kinds = ("stripes", "checks", "spots", "clouds", "grain")
    down, across = np.indices((40, 40))
    pictures, labels = [], []
    for _ in range(rows):
        kind, period, turn = kinds[draw.integers(len(kinds))], draw.uniform(5, 9), draw.uniform(0, np.pi)
        first = np.sin(2 * np.pi * (down * np.cos(turn) + across * np.sin(turn)) / period + draw.uniform(0, 6))
        second = np.sin(2 * np.pi * (across * np.cos(turn) - down * np.sin(turn)) / period + draw.uniform(0, 6))
        values = {
            "stripes": first,
            "checks": np.sign(first * second),
            "spots": np.maximum(first, 0) * np.maximum(second, 0) * 2 - 1,
            "clouds": 5 * uniform_filter(draw.normal(0, 1, (40, 40)), 5),
            "grain": draw.normal(0, 0.7, (40, 40)),
        }[kind]
        shade = draw.uniform(90, 160) + draw.uniform(15, 50) * values + draw.normal(0, 2 * NOISE, (40, 40))
        pictures.append(Image.fromarray(shade.clip(0, 255).astype(np.uint8)))
        labels.append(kind)
    return pictures, pd.DataFrame({"texture": labels})


def coloured_digits(draw: Draw, rows: int) -> Drawn:
    """Return digits in any colour on any ground, enlarged and moved."""
    source = load_digits()
    pictures, labels = [], []
    for row in draw.permutation(len(source.target))[:rows]:
        picture, size = ground(draw, 28), int(draw.integers(15, 23))
        mask = Image.fromarray((source.images[row] * 15.9).astype(np.uint8)).resize((size, size))
        colour = tuple(map(int, draw.integers(0, 256, 3)))
        place = (int(draw.integers(0, 29 - size)), int(draw.integers(0, 29 - size)))
        picture.paste(colour, (*place, place[0] + size, place[1] + size), mask)
        pictures.append(noisy(draw, picture))
        labels.append(f"digit {source.target[row]}")
    return pictures, pd.DataFrame({"digit": labels})


def in_many_forms(draw: Draw, rows: int) -> Drawn:
    """Return shapes with transparency, in grey of 16 bits and in colours, of unequal sizes."""
    pictures, labels = [], []
    for row in range(rows):
        picture = ground(draw, int(draw.integers(24, 60)), int(draw.integers(24, 60)))
        shape = SHAPES[draw.integers(4)]
        size = min(picture.size)
        draw_shape(draw, picture, shape, vary(draw, COLOURS["red"]), (0.2 * size, 0.4 * size))
        picture = noisy(draw, picture)
        if row % 3 == 0:
            picture.putalpha(Image.new("L", picture.size, int(draw.integers(150, 256))))
        elif row % 3 == 1:
            picture = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
        pictures.append(picture)
        labels.append(shape)
    return pictures, pd.DataFrame({"shape": labels})


def colour_share(draw: Draw, rows: int) -> Drawn:
    """Return shapes of all colours; the target is the share of the pixels that are green."""
    pictures, shares = [], []
    for _ in range(rows):
        picture, mask = ground(draw, 32), Image.new("L", (32, 32))
        for name in draw.choice(list(COLOURS), draw.integers(2, 8)):
            before = picture.copy()
            draw_shape(draw, picture, SHAPES[draw.integers(5)], vary(draw, COLOURS[name]), (3.0, 9.0))
            changed = (np.asarray(picture) != np.asarray(before)).any(axis=2)
            mask.paste(255 * (name == "green"), None, Image.fromarray(changed))
        pictures.append(noisy(draw, picture))
        shares.append(round(float(np.asarray(mask).mean() / 255), 4))
    return pictures, pd.DataFrame({"green": shares})


def several_shapes(draw: Draw, rows: int) -> Drawn:
    """Return pictures with some of four shapes, each in any colour; each shape is a label."""
    flags = draw.random((rows, 4)) < 0.4
    pictures = []
    for row in flags:
        picture = ground(draw, 40)
        for place in draw.permutation(np.flatnonzero(row)):
            colour = vary(draw, list(COLOURS.values())[draw.integers(len(COLOURS))])
            draw_shape(draw, picture, SHAPES[place], colour, (5.0, 8.0))
        pictures.append(noisy(draw, picture))
    return pictures, pd.DataFrame(flags.astype(int), columns=list(SHAPES[:4]))


def counted_spots(draw: Draw, rows: int) -> Drawn:
    """Return pictures with up to twelve spots; the target is their number."""
    counts = draw.integers(0, 13, rows)
    pictures = []
    for count in counts:
        picture = ground(draw, 40)
        for _ in range(count):
            draw_shape(draw, picture, "circle", vary(draw, COLOURS["blue"]), (2.0, 4.0))
        pictures.append(noisy(draw, picture))
    return pictures, pd.DataFrame({"spots": counts})


PICTURES = (
    MadePictures("shapes-and-colours", 700, coloured_shapes(32, 3, 3)),
    MadePictures("shapes-and-colours-few", 200, coloured_shapes(32, 2, 2)),
    MadePictures("shapes-among-marks", 700, coloured_shapes(48, 5, 1, beside=8)),
    MadePictures("mixtures", 600, mixtures, "log_loss"),
    MadePictures("textures", 500, textures),
    MadePictures("coloured-digits", 1000, coloured_digits),
    MadePictures("many-forms", 500, in_many_forms),
    MadePictures("colour-share", 500, colour_share, "rmse"),
    MadePictures("several-shapes", 600, several_shapes, "auroc"),
    MadePictures("counted-spots", 500, counted_spots, "mae"),
)
DOCUMENTS = {"documents": (40, 8), "many-documents": (100, 20)}
"""Pictures of train and of test."""
DOCUMENT_SIZE = (420, 540)


def clean_document(draw: Draw) -> np.ndarray:
    """Return dark strokes in lines on white, from 0 to 1."""
    height, width = DOCUMENT_SIZE
    page = Image.new("L", (width, height), 255)
    canvas, size = ImageDraw.Draw(page), int(draw.integers(8, 16))
    weight = int(draw.integers(1, 4))
    for top in range(12, height - size - 8, round(1.8 * size)):
        left = 12.0
        while left < width - 3 * size:
            for _ in range(draw.integers(2, 9)):
                corners = draw.uniform(0, 1, (draw.integers(2, 5), 2)) * (0.6 * size, size) + (left, top)
                canvas.line([tuple(corner) for corner in corners], fill=int(draw.integers(0, 60)), width=weight)
                left += 0.75 * size
            left += 0.8 * size
    return np.asarray(page.filter(ImageFilter.GaussianBlur(0.6)), dtype=float) / 255


def soiled(draw: Draw, clean: np.ndarray) -> np.ndarray:
    """Return a document on uneven paper with stains, folds and grain."""
    height, width = clean.shape
    down, across = np.indices(clean.shape)
    coarse = Image.fromarray(draw.uniform(0.6, 0.95, (6, 8)).astype(np.float32))
    paper = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC)).astype(float)
    for _ in range(draw.integers(1, 4)):
        distance = np.hypot(down - draw.integers(height), across - draw.integers(width)) / draw.integers(50, 150)
        paper -= draw.uniform(0.1, 0.35) * np.exp(-(((distance - 1) / 0.07) ** 2)) + 0.08 * (distance < 1)
    for _ in range(draw.integers(0, 4)):
        slope, place = draw.uniform(-0.5, 0.5), draw.integers(width)
        paper += draw.uniform(-0.3, 0.2) * np.exp(-(((across - place - slope * down) / draw.uniform(1.5, 5)) ** 2))
    ink = draw.uniform(0.1, 0.35)
    mixed = ink + (paper - ink) * clean + draw.normal(0, 0.03, clean.shape)
    return mixed.clip(0, 1)


def as_picture(values: np.ndarray) -> Image.Image:
    return Image.fromarray((values * 255).round().astype(np.uint8))


def write_documents(folder: Path, name: str, seed: int) -> None:
    """Write documents with stains as a task whose submission has every pixel of test."""
    draw = np.random.default_rng([seed, *name.encode()])
    rows, test_rows = DOCUMENTS[name]
    data, answers = folder / "tasks" / name / "input", []
    for part in ("train", "train_cleaned", "test"):
        (data / part).mkdir(parents=True, exist_ok=True)
    for row in range(rows + test_rows):
        clean = as_picture(clean_document(draw))
        soiled_picture = as_picture(soiled(draw, np.asarray(clean, dtype=float) / 255))
        soiled_picture.save(data / ("train" if row < rows else "test") / f"{row}.png")
        if row < rows:
            clean.save(data / "train_cleaned" / f"{row}.png")
            continue
        values = np.asarray(clean) / 255
        places = np.indices(values.shape).reshape(2, -1).T + 1
        ids = [f"{row}_{down}_{across}" for down, across in places]
        answers.append(pd.DataFrame({"id": ids, "value": values.ravel().round(4)}))
    truth = pd.concat(answers)
    write_task(
        folder,
        name,
        files={"sample_submission.csv": truth.assign(value=1)},
        description="Predict the clean version of each document of `test`: `train_cleaned` has those of `train`.\n",
        answers=truth,
        grade={"metric": "rmse"},
    )
    (folder / "tasks" / name / "task.toml").write_text('metric = "rmse"\n', encoding="utf-8")


def write_pictures(folder: Path, made: MadePictures, seed: int) -> None:
    """Write one set as a task folder and a folder of answers."""
    draw = np.random.default_rng([seed, *made.name.encode()])
    pictures, targets = made.draw(draw, made.rows + TEST_ROWS)
    table = pd.concat([pd.DataFrame({"id": [f"p{row:05d}" for row in range(len(targets))]}), targets], axis=1)
    train, test = table[: made.rows], table[made.rows :]
    names = list(targets)
    filler = {name: train[name].mode()[0] for name in names}
    if made.metric == "log_loss":
        classes = sorted(train[names[0]].unique())
        filler = dict.fromkeys(classes, 1 / len(classes))
    sample = test[["id"]].assign(**filler)
    write_task(
        folder,
        made.name,
        files={"train.csv": train, "sample_submission.csv": sample},
        description=f"Predict `{'`, `'.join(names)}` for each picture; its file is named by its id.\n",
        answers=test,
        grade={"metric": made.metric},
    )
    task = folder / "tasks" / made.name
    (task / "task.toml").write_text(f'metric = "{made.metric}"\ntarget = {names!r}\n', encoding="utf-8")
    for row, picture in enumerate(pictures):
        path = task / "input" / ("train" if row < made.rows else "test") / f"p{row:05d}.png"
        path.parent.mkdir(exist_ok=True)
        picture.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path, metavar="SUITE")
    parser.add_argument("--only", nargs="*", default=[], metavar="ID")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for made in PICTURES:
        if not options.only or made.name in options.only:
            write_pictures(options.suite, made, options.seed)
    for name in DOCUMENTS:
        if not options.only or name in options.only:
            write_documents(options.suite, name, options.seed)


if __name__ == "__main__":
    main()
