"""`mlestar report`: the report of a run, written again."""

from pathlib import Path

from mlestar.cli.terminal import echo
from mlestar.report.again import write_report
from mlestar.store import RunFolder


def report_run(runs_dir: Path, run_id: str, output: Path | None) -> None:
    """Write the report of a run again and print its path.

    Raises:
        UserError: the run has not read its task yet, or the path cannot be written.
        StoreError: its ledger cannot be read.
    """
    echo(str(write_report(RunFolder(runs_dir, run_id), output)))
