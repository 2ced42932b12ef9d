"""The process in which MLE-bench's own code grades: `official_child.py FOLDER SUBMISSION` prints its report.

It imports nothing of this package, which would take it longer than grading.
"""

import contextlib
import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any


def grade(folder: Path, submission: Path) -> dict[str, Any]:
    """Return MLE-bench's report on a submission, with the number of `teams`.

    Args:
        folder: of the prepared competition; its name is the id.
        submission: a file, which need not exist.
    """
    competition = import_module("mlebench.registry").registry.set_data_dir(folder.parent).get_competition(folder.name)
    report = import_module("mlebench.grade").grade_csv(submission, competition).to_dict()
    return {**report, "teams": len(import_module("mlebench.data").get_leaderboard(competition))}


def main() -> None:
    folder, submission = map(Path, sys.argv[1:])
    try:
        # What its graders print must not be taken for the report.
        with contextlib.redirect_stdout(sys.stderr):
            report = grade(folder, submission)
    except Exception as error:  # its graders are code of others
        sys.exit(f"{type(error).__name__}: {error}")
    sys.stdout.write(json.dumps(report) + "\n")


if __name__ == "__main__":
    main()
