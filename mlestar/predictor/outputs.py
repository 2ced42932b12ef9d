"""Where predictions and exported folders may be written."""

from pathlib import Path

from mlestar.data.outputs import is_run_folder
from mlestar.data.task import Task
from mlestar.errors import UserError


def check_place(path: Path, run: Path, task: Task, *, is_folder: bool = False) -> None:
    """Refuse to write into the folder of a run or among its data, by whatever name a place is reached.

    Args:
        path: what is written.
        run: the folder of the run.
        task: of the run.
        is_folder: a folder is written, not a file.

    Raises:
        UserError: the path is in one of them.
    """
    real, data = path.expanduser().resolve(), Path(task.input).resolve()
    if real.is_relative_to(run.resolve()):
        msg = f"{path} is in the folder of the run, where nothing changes: choose another place"
        raise UserError(msg)
    among = real.is_relative_to(data) and not any(map(is_run_folder, real.parents))
    beside = not is_folder and real.parent == Path(task.folder).resolve()
    if among or beside:
        msg = f"{path} is among the data of the run, which would count as changed: choose another place"
        raise UserError(msg)
