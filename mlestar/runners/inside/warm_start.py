"""Has the name `sitecustomize.py` in a waiting sandbox: Python imports it before it opens the script.

The interpreter was started as `python -u main.py` and runs that file once this module has ended: working folder,
`__main__`, arguments, signals, tracebacks and exit status are those of any script.
"""

# Only modules that every interpreter has loaded already: the script would find any other one in `sys.modules`.
import _frozen_importlib as core
import _frozen_importlib_external as external
import os
import sys


def remove_traces() -> list[str]:
    """Remove the traces of this module from environment and path; return the modules to import."""
    modules = os.environ.pop("MLESTAR_WARM").split(",")
    here, _, rest = os.environ.pop("PYTHONPATH").partition(os.pathsep)
    if rest:
        os.environ["PYTHONPATH"] = rest
    sys.path.remove(here)
    return modules


def restore() -> None:
    """Replace this module by the image's own `sitecustomize`, or by nothing."""
    spec = external.PathFinder.find_spec("sitecustomize")
    if spec is None or spec.loader is None:
        # `site` ignores this error, and no module of that name remains.
        raise ImportError(name="sitecustomize")
    sys.modules["sitecustomize"] = core.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["sitecustomize"])


def wait(modules: list[str]) -> None:
    """Import what the script imports, then wait until the supervisor writes a line."""
    for name in modules:
        try:  # noqa: SIM105  # contextlib would be one module more
            __import__(name)
        except Exception:  # the script gets the same error at its own import
            pass
    if not os.read(0, 1):
        os._exit(0)
    empty = os.open("/dev/null", os.O_RDONLY)
    os.dup2(empty, 0)
    os.close(empty)


if "MLESTAR_WARM" in os.environ:
    warm_modules = remove_traces()
    try:
        restore()
    finally:
        wait(warm_modules)
