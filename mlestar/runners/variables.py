"""The environment variables of a script."""

import os
from collections.abc import Sequence
from pathlib import Path

WEIGHTS = "/opt/weights"
"""Path of declared weights in a sandbox."""
WEIGHT_FOLDERS = "/opt/weight-folders"
"""Path in a sandbox of the user's own folders with weights."""


def common_variables(seed: int, cpus: float, home: str) -> dict[str, str]:
    """Return the variables that every runner sets for a script."""
    return {
        **thread_variables(cpus),
        "HOME": home,
        "TMPDIR": home,
        "USER": "sandbox",
        "LOGNAME": "sandbox",
        "LANG": "C.UTF-8",
        "MPLBACKEND": "Agg",
        "PYTHONHASHSEED": str(seed % 2**32),
        # A script that crashes, or is aborted at its time limit, writes its stack.
        "PYTHONFAULTHANDLER": "1",
    }


def weight_variables(folder: str, own: Sequence[str], home: str) -> dict[str, str]:
    """Return the variables by which a script and its libraries find weights.

    Args:
        folder: of the weights that the script declares; empty when it declares none.
        own: the user's own folders.
        home: a folder that the script can write.
    """
    if not (folder or own):
        return {}
    variables = {
        "HF_HUB_OFFLINE": "1",
        # By default these are in the folder of weights, which is read-only.
        "HF_MODULES_CACHE": f"{home}/hf-modules",
        "HF_XET_CACHE": f"{home}/hf-xet",
    }
    if folder:
        variables |= {"HF_HOME": folder, "TORCH_HOME": f"{folder}/torch", "MLESTAR_WEIGHTS": f"{folder}/files"}
    if own:
        variables["MLESTAR_WEIGHT_FOLDERS"] = os.pathsep.join(own)
    return variables


def sandbox_folders(folders: Sequence[Path]) -> list[str]:
    """Return the path of each of the user's folders in a sandbox: with its own name, numbered where two are equal."""
    paths: list[str] = []
    for folder in folders:
        path = f"{WEIGHT_FOLDERS}/{folder.name or 'weights'}"
        while path in paths:
            path += f"-{len(paths) + 1}"
        paths.append(path)
    return paths


def thread_variables(cpus: float) -> dict[str, str]:
    """Return what keeps numeric libraries from starting a thread per core of the host.

    They see all cores whatever the quota, and their threads then spin while a partner is descheduled.
    """
    count = str(max(1, int(cpus)))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
    return dict.fromkeys((*names, "POLARS_MAX_THREADS"), count) | {"OMP_WAIT_POLICY": "PASSIVE"}
