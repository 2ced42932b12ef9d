"""Packaging a winner, with a record of every file that was accepted."""

import asyncio
from pathlib import Path
from typing import Any

from mlestar.predictor import packaging
from mlestar.predictor.package import PackageInfo, record_sums
from mlestar.runtime.interrupt import run_cancellable


async def apackage(run: str | Path, **options: Any) -> PackageInfo:
    """Package the winner of a run into its folder `predictor`, and return what was accepted or why nothing was.

    Args:
        run: the run folder.
        **options: of `mlestar.predictor.packaging.apackage`.

    Raises:
        UserError: there is no such run, or its rows are no rows of one table.
        OperatorError: scripts cannot be executed here, or a model cannot be reached.
    """
    info = await packaging.apackage(run, **options)
    return await asyncio.to_thread(lambda: record_sums(Path(run).expanduser().absolute())) if info.accepted else info


def package(run: str | Path, **options: Any) -> PackageInfo:
    """Package the winner of a run; the blocking variant of `apackage`, with its options."""
    return run_cancellable(lambda: apackage(run, **options))
