"""The environment variables of a script."""


def common_variables(seed: int, cpus: float, home: str) -> dict[str, str]:
    """Return the variables that every runner sets for a script."""
    return {
        **_thread_variables(cpus),
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


def _thread_variables(cpus: float) -> dict[str, str]:
    """Return what keeps numeric libraries from starting a thread per core of the host.

    They see all cores whatever the quota, and their threads then spin while a partner is descheduled.
    """
    count = str(max(1, int(cpus)))
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "LOKY_MAX_CPU_COUNT")
    return dict.fromkeys((*names, "POLARS_MAX_THREADS"), count) | {"OMP_WAIT_POLICY": "PASSIVE"}
