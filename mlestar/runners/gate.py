"""Mounted in a waiting sandbox as `sitecustomize.py`, which Python imports before it opens the script.

The interpreter has been started as `python -u main.py` and will go on to run that file by itself: working folder,
`__main__`, arguments, signals, tracebacks and exit status are those of any script.
"""

import importlib
import os
import sys


def wait() -> None:
    """Import what the script imports, then wait for the supervisor to open the gate."""
    modules = os.environ.pop("MLESTAR_WARM").split(",")
    here, _, rest = os.environ.pop("PYTHONPATH").partition(os.pathsep)
    if rest:
        os.environ["PYTHONPATH"] = rest
    sys.path.remove(here)
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception:  # noqa: S110  # third parties; the script meets the same error at its own import
            pass
    if not os.read(0, 1):
        os._exit(0)
    empty = os.open("/dev/null", os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


if "MLESTAR_WARM" in os.environ:
    wait()
    # Tells `site` that there is no such module, and leaves none behind.
    raise ImportError(name="sitecustomize")
