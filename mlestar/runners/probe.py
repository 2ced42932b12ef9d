"""Finding out an interpreter's version and its libraries for machine learning."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from mlestar.errors import RunnerError
from mlestar.runners.base import Execution, Job, Limits
from mlestar.runners.threads import call_in_thread
from mlestar.runners.work_folder import delete_folder, make_work_folder, new_folder_path

DISTRIBUTIONS = [
    "albumentations",
    "catboost",
    "category-encoders",
    "datasets",
    "feature-engine",
    "gensim",
    "imbalanced-learn",
    "implicit",
    "joblib",
    "keras",
    "librosa",
    "lightgbm",
    "lightning",
    "matplotlib",
    "networkx",
    "nltk",
    "numba",
    "numpy",
    "opencv-python",
    "opencv-python-headless",
    "optuna",
    "pandas",
    "pillow",
    "polars",
    "prophet",
    "pyarrow",
    "python-speech-features",
    "pytorch-lightning",
    "rdkit",
    "scikit-image",
    "scikit-learn",
    "scipy",
    "seaborn",
    "sentence-transformers",
    "shap",
    "soundfile",
    "soxr",
    "spacy",
    "statsmodels",
    "sympy",
    "tensorflow",
    "tensorflow-cpu",
    "timm",
    "tokenizers",
    "torch",
    "torchaudio",
    "torchvision",
    "transformers",
    "umap-learn",
    "xgboost",
    "xgboost-cpu",
]

# A library whose shared objects cannot be loaded (LightGBM without an OpenMP runtime) is installed and cannot be used.
# Opening them costs milliseconds where importing the packages costs a second.
SCRIPT = f"""
import ctypes, glob, importlib.metadata, importlib.util, json, os, platform, re

def loads(name):
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return True
    try:
        for folder in spec.submodule_search_locations:
            for suffix in ("so", "dylib"):
                for path in glob.glob(os.path.join(folder, "lib", "*." + suffix)):
                    ctypes.CDLL(path)
    except OSError:
        return False
    return True

packages = {{}}
for name in {DISTRIBUTIONS!r}:
    try:
        packages[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        pass
for name, variant in {{"xgboost": "xgboost-cpu", "tensorflow": "tensorflow-cpu"}}.items():
    if variant in packages:
        packages[name] = packages.pop(variant)
broken = set()
for name in ("lightgbm", "xgboost"):
    if name in packages and not loads(name):
        broken |= {{name, name + "-cpu"}}
# A torchvision that was built for another torch cannot be imported, nor can timm, which needs it.
if "torchvision" in packages:
    try:
        import torchvision
    except (ImportError, RuntimeError, OSError):
        broken |= {{"torchvision", "timm"}}
packages = {{name: version for name, version in packages.items() if name not in broken}}

def canonical(name):
    return re.sub("[-_.]+", "-", name).lower()

distributions = {{}}
for distribution in importlib.metadata.distributions():
    name = canonical(distribution.metadata["Name"] or "")
    if name and name not in broken:
        distributions.setdefault(name, distribution.version)
modules = {{}}
for module, names in getattr(importlib.metadata, "packages_distributions", dict)().items():
    usable = [canonical(name) for name in names if canonical(name) in distributions]
    if usable and module.isidentifier():
        modules[module] = usable[0]
print(json.dumps({{"python": platform.python_version(), "packages": packages, "distributions": distributions,
                  "modules": modules}}))
"""


@dataclass(frozen=True)
class Interpreter:
    """An interpreter as it describes itself."""

    python: str
    packages: dict[str, str]
    """Libraries for machine learning that work."""
    distributions: dict[str, str]
    """Everything that is installed and not known to be broken."""
    modules: dict[str, str]
    """Distributions by the modules that they install."""


async def probe_interpreter(run: Callable[[Job], Awaitable[Execution]], work_dir: Path | None) -> Interpreter:
    """Return what a script finds out about its interpreter.

    Raises:
        RunnerError: even this script fails.
    """
    folder = new_folder_path(work_dir)
    try:
        work = await call_in_thread(make_work_folder, folder, SCRIPT)
        job = Job(script=SCRIPT, input=work, collect=folder, outputs=(), limits=Limits(seconds=120), name="probe")
        execution = await run(job)
    finally:
        await call_in_thread(delete_folder, folder)
    if execution.status != "ok":
        msg = f"the interpreter that scripts run in does not work: {execution.status} {execution.stderr.strip()[-300:]}"
        raise RunnerError(msg)
    return Interpreter(**json.loads(execution.stdout))
