"""Mounted in a waiting sandbox as `sitecustomize.py`, which Python imports before it opens the script.

The interpreter has been started as `python -u main.py` and will go on to run that file by itself: working folder,
`__main__`, arguments, signals, tracebacks and exit status are those of any script.
"""

# Nothing is imported here that every interpreter has not loaded already: the script would find it in `sys.modules`.
import _frozen_importlib as core
import _frozen_importlib_external as external
import os
import sys


def hide() -> list[str]:
    """Undo what brought us here; return the modules to import."""
    modules = os.environ.pop("MLESTAR_WARM").split(",")
    here, _, rest = os.environ.pop("PYTHONPATH").partition(os.pathsep)
    if rest:
        os.environ["PYTHONPATH"] = rest
    sys.path.remove(here)
    return modules


def restore() -> None:
    """Put the image's own `sitecustomize` in our place, or nothing."""
    spec = external.PathFinder.find_spec("sitecustomize")
    if spec is None or spec.loader is None:
        # Tells `site` that there is no such module, and leaves none behind.
        raise ImportError(name="sitecustomize")
    sys.modules["sitecustomize"] = core.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sitecustomize"])


def wait(modules: list[str]) -> None:
    """Import what the script imports, then wait for the supervisor to open the gate."""
    for name in modules:
        try:  # noqa: SIM105  # contextlib would be one module more
            __import__(name)
        except Exception:  # the script meets the same error at its own import
            pass
    if not os.read(0, 1):
        os._exit(0)
    empty = os.open("/dev/null", os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


if "MLESTAR_WARM" in os.environ:
    wanted = hide()
    try:
        restore()
    finally:
        wait(wanted)
