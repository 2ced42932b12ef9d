"""What a task looks like in an interpreter and a notebook: short text, and HTML."""

from typing import TYPE_CHECKING

from mlestar import markup
from mlestar.data.statistics import FileStatistics
from mlestar.errors import one_line

if TYPE_CHECKING:
    from mlestar.data.task.task import Task

MAX_FILES = 12
"""Files in the table. Chosen by judgement."""
MAX_DESCRIPTION = 300
"""Characters of the description. Chosen by judgement."""


def task_text(task: "Task") -> str:
    """Return a task in two lines."""
    spec = task.spec
    first = f"Task {one_line(spec.name)}: {spec.problem}, {one_line(spec.metric)} ({spec.direction}), {_targets(task)}"
    return f"{first}\n{_rows(task)}, layout {spec.layout}, in {one_line(str(task.folder))}"


def task_html(task: "Task") -> str:
    """Return what is predicted and how it is scored, the files, and what is uncertain."""
    spec = task.spec
    facts = {"problem": spec.problem, "metric": f"{spec.metric} ({spec.direction})", "predicts": _targets(task)}
    facts |= {"id": spec.id or "", "rows": _rows(task), "layout": spec.layout_note or spec.layout}
    facts |= {"description": one_line(task.description, MAX_DESCRIPTION), "folder": str(task.folder)}
    files = [_file_cells(file) for file in task.statistics[:MAX_FILES]]
    rest = len(task.statistics) - len(files)
    return markup.block(
        markup.title(one_line(spec.name)),
        markup.table([(name, one_line(value)) for name, value in facts.items() if value]),
        markup.table(files, ("file", "rows", "columns")),
        *([markup.line(f"and {rest} more")] if rest > 0 else []),
        *(markup.line(one_line(warning)) for warning in task.warnings),
    )


def _file_cells(file: FileStatistics) -> tuple[str, str, str]:
    return file.file, "" if file.rows is None else str(file.rows), str(len(file.columns))


def _targets(task: "Task") -> str:
    return f"target {one_line(', '.join(task.spec.target))}" if task.spec.target else "no target column"


def _rows(task: "Task") -> str:
    test = f"{task.spec.test_rows} to predict" if task.spec.has_test else "none to predict"
    return f"{task.spec.train_rows} labelled rows, {test}"
