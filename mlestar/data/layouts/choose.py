"""Which layout the files of a task are in."""

import importlib.util
from pathlib import Path

from mlestar.data.folder import is_inside
from mlestar.data.layouts.arrays import Arrays
from mlestar.data.layouts.class_folders import ClassFolders
from mlestar.data.layouts.class_in_name import ClassInName
from mlestar.data.layouts.file_pairs import FilePairs
from mlestar.data.layouts.labelled_files import LabelledFiles
from mlestar.data.layouts.layout import Layout, TaskSource
from mlestar.data.layouts.plain import PlainFiles
from mlestar.data.layouts.separate_labels import SeparateLabels
from mlestar.data.layouts.single_table import SingleTable
from mlestar.data.layouts.tables import TrainTestTables
from mlestar.errors import TaskError, first_line

LAYOUTS: tuple[type[Layout], ...] = (
    SeparateLabels,
    TrainTestTables,
    Arrays,
    LabelledFiles,
    FilePairs,
    ClassFolders,
    ClassInName,
    SingleTable,
    PlainFiles,
)
"""Tried in this order."""


def find_layout(source: TaskSource) -> Layout:
    """Return the layout of a task folder; one that is set comes first.

    Raises:
        TaskError: the files fit no layout, or the one that is set.
    """
    if source.overrides.layout:
        return _set_layout(source, source.overrides.layout)
    for layout in LAYOUTS:
        if (match := layout.find(source)) is not None:
            return match
    msg = f"{source.folder.path}: no train and test data were recognised; set train and test in task.toml"
    raise TaskError(msg)


def _set_layout(source: TaskSource, name: str) -> Layout:
    by_name = {layout.name: layout for layout in LAYOUTS}
    layout = by_name.get(name) or _load(name, source.folder.path)
    if not (isinstance(layout, type) and issubclass(layout, Layout)):
        msg = f"layout = {name!r} is not a subclass of mlestar.data.layouts.Layout"
        raise TaskError(msg)
    match = layout.find(source)
    if match is None:
        msg = f"layout = {name!r}: the files of {source.folder.path} are not in this layout"
        raise TaskError(msg)
    return match


def _load(name: str, task: Path) -> object:
    """Return what `package.module:Name` names, a class in a module that is installed.

    The author of a task folder must not have code of that folder executed, as where it is the current one.
    """
    module, _, attribute = name.partition(":")
    if not attribute:
        known = ", ".join(layout.name for layout in LAYOUTS)
        msg = f"no layout {name!r}: choose {known}, or package.module:Name"
        raise TaskError(msg)
    try:
        if _is_in(module.partition(".")[0], task):
            msg = f"layout = {name!r} names a module in the task folder, whose code is not executed: move it elsewhere"
            raise TaskError(msg)
        return getattr(importlib.import_module(module), attribute)
    except TaskError:
        raise
    except Exception as error:  # a module may raise anything
        msg = f"layout = {name!r} cannot be loaded: {first_line(str(error))}; install its module or put its folder on "
        msg += "PYTHONPATH"
        raise TaskError(msg) from error


def _is_in(package: str, folder: Path) -> bool:
    """Return whether a package that would be imported is in a folder."""
    spec = importlib.util.find_spec(package)
    if spec is None:
        return False
    places = [place for place in (spec.origin, *(spec.submodule_search_locations or ())) if place]
    return any(is_inside(Path(place), folder) for place in places)
