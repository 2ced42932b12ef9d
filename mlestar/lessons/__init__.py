"""Lessons across runs: what earlier runs tried on similar data, with the results (setting `lessons`).

A run that finishes leaves one file in the folder of lessons (`folder.py`, `records.py`). It is made from the ledger and
the state of the run, without a model (`gathering.py`), and has no rows, values, names of columns, texts of the task,
paths or secrets (`cleaning.py`): of the task only facts in coarse classes (`facts.py`), of scores only rounded
differences. A run that starts reads the folder once. `choice.py` brings equal ideas together, sorts them by how similar
their tasks are and bounds them; the result is part of the run's brief, so that a resumed run has the same lessons
whatever the folder holds by then. Prompts contain it as JSON in a section of its own, like text from the web. The
offline engineer orders its ideas by it (`mlestar/offline/lessons.py`).

docs/lessons.md has a full example.
"""

from mlestar.lessons.choice import choose_lessons
from mlestar.lessons.cleaning import Cleaner
from mlestar.lessons.facts import facts_of, similarity
from mlestar.lessons.folder import Content, Stored, check_folder, find_run, forget, read_folder, write_lessons
from mlestar.lessons.records import Failure, RunLessons, TaskFacts, Trial

__all__ = [
    "Cleaner",
    "Content",
    "Failure",
    "RunLessons",
    "Stored",
    "TaskFacts",
    "Trial",
    "check_folder",
    "choose_lessons",
    "facts_of",
    "find_run",
    "forget",
    "read_folder",
    "similarity",
    "write_lessons",
]
