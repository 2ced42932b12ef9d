"""A few rows as they are, each with the winner's prediction and the truth: pictures, sounds and texts."""

import asyncio
import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from mlestar.data.layouts.files_of_rows import files_of_rows
from mlestar.data.task import Task
from mlestar.errors import StoreError, clean_text
from mlestar.evaluation import Grader
from mlestar.evaluation.examples import Example, Group
from mlestar.evaluation.outcome import NotShownError
from mlestar.report.media import MediaKind, can_make, make_media, read_own
from mlestar.report.outcome import RowsOf, find_shown_rows
from mlestar.runtime.context import RunContext
from mlestar.state import Brief, Rescoring, Solution
from mlestar.store import Blobs, RunFolder

if TYPE_CHECKING:
    from mlestar.report.result import Result

logger = logging.getLogger("mlestar.report")

CHARACTERS = 400
"""Characters of a text that are shown. Chosen by judgement."""
MOST_COLUMNS = 3
"""Texts of a row that are shown."""
_BLOB = re.compile(r"[0-9a-f]{64}")
_TEXT_BYTES = 4 * CHARACTERS


class ExampleRow(BaseModel):
    """A withheld row."""

    model_config = ConfigDict(frozen=True)

    group: Group
    true: str
    predicted: str
    texts: tuple[str, ...] = ()
    """Its texts, cut."""
    media: str = ""
    """Blob of a small picture or a short clip."""


class ExamplesRow(BaseModel):
    """Withheld rows with the winner's predictions."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["image", "audio", "text"]
    target: str
    rows_of: RowsOf
    blind: bool
    """The search had none of these rows."""
    rows: tuple[ExampleRow, ...] = ()
    reason: str = ""
    """Why none are shown."""


def read_media(result: "Result") -> dict[str, bytes]:
    """Return the small pictures and clips of a run by their blobs, as far as they can be read."""
    folder, found = RunFolder.at(result.folder), dict[str, bytes]()
    for row in result.examples.rows if result.examples else ():
        if _BLOB.fullmatch(row.media):
            with suppress(OSError, StoreError):
                found[row.media] = Blobs(folder.blobs).verified(row.media).read_bytes()
    return found


async def find_examples(
    ctx: RunContext, brief: Brief, winner: Solution, rescoring: Rescoring | None
) -> ExamplesRow | None:
    """Return rows of a task with pictures, sounds or texts; None for other tasks and where there are no predictions."""
    kind = brief.spec.modality
    if kind not in ("image", "audio", "text"):
        return None
    try:
        shown = await find_shown_rows(ctx, brief, winner, rescoring)
        if shown is None or shown.staged.grader is None:
            return None
        common = {"kind": kind, "target": brief.spec.target[0], "rows_of": shown.rows_of, "blind": shown.blind}
        if kind != "text" and not can_make(kind):
            return ExamplesRow(**common, reason="pictures need Pillow: install mlestar[images]")
        path = await asyncio.to_thread(ctx.services.blobs.verified, shown.submission)
        chosen = await ctx.grading.choose_examples(shown.staged.accepting_sample(), path)
        rows = await asyncio.to_thread(_show, ctx, shown.staged.grader, kind, chosen.examples)
    except NotShownError as reason:
        logger.info("run %s: no examples are shown: %s", ctx.folder.run_id, reason)
        return None
    except Exception:  # the result must be written without it
        logger.warning("run %s: no examples are shown", ctx.folder.run_id, exc_info=True)
        return None
    return ExamplesRow(**common, rows=tuple(rows)) if rows else None


def _show(
    ctx: RunContext, grader: Grader, kind: MediaKind | Literal["text"], chosen: tuple[Example, ...]
) -> list[ExampleRow]:
    task, numbers = grader.task, [int(grader.holdout.withheld[example.row]) for example in chosen]
    rows = []
    files = files_of_rows(task.layout, numbers)
    for example, number, names in zip(chosen, numbers, files, strict=True):
        row = ExampleRow(group=example.group, true=clean_text(example.true), predicted=clean_text(example.predicted))
        if kind == "text":
            texts = _read_texts(task, number, names)
            rows += [row.model_copy(update={"texts": texts})] if texts else []
            continue
        made = next(filter(None, (make_media(task, name, kind) for name in names)), None)
        if made is not None:
            rows.append(row.model_copy(update={"media": ctx.services.blobs.put(made)}))
    return rows


def _read_texts(task: Task, number: int, names: list[str]) -> tuple[str, ...]:
    """Return the texts of a row: of its columns that hold texts, or else of its files."""
    kinds = {column.name: column.kind for file in task.statistics for column in file.columns}
    frame = task.layout.train.rows
    columns = [name for name in task.layout.test.columns if kinds.get(name) == "text" and name in frame.columns]
    texts = [str(frame[name].iloc[number]) for name in columns[:MOST_COLUMNS]]
    if not texts:
        contents = (read_own(task, name, 2**24) for name in names[:1])
        texts = [content[:_TEXT_BYTES].decode(errors="replace") for content in contents if content]
    return tuple(_cut(clean_text(text)) for text in texts if text.strip())


def _cut(text: str) -> str:
    return text if len(text) <= CHARACTERS else text[:CHARACTERS].rstrip() + " …"
