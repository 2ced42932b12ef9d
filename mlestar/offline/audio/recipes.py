"""Writing a script for sounds in files."""

from typing import Any

from mlestar.offline.audio.sounds import are_readable, find_codes, find_sounds, find_suffixes
from mlestar.offline.facts import Facts
from mlestar.offline.readers import reader_values, tables_of
from mlestar.offline.recipe import Model
from mlestar.offline.rendering import finish, render, sort_imports
from mlestar.offline.signals import signal_values

_FEW_ROWS = 700
"""Rows up to which three augmented copies of each sound are added. Chosen by judgement; not measured."""
_SOME_ROWS = 3000
"""Rows up to which one augmented copy of each sound is added. Chosen by judgement; not measured."""
_FRAMES_PER_SECOND = 10_000
"""Frames of spectra per second of the time limit. Reading them and computing features takes about a quarter of the
limit: 25 microseconds per frame, measured on one core."""
_MOST_TARGETS = 1
"""Targets up to which a network, which is fitted for each target, is fast enough. Chosen by judgement; not measured."""


def suits(facts: Facts) -> bool:
    """Return whether the rows are sounds; where no script can read the sounds, other columns are used as a table."""
    return facts.spec.modality == "audio" and (are_readable(facts) or not _has_columns(facts))


def _has_columns(facts: Facts) -> bool:
    """Return whether train and test have columns other than ids and paths."""
    return any(column.kind not in ("id", "path", "empty") for column in facts.test_columns)


def is_usable(facts: Facts, model: Model) -> bool:
    """Return whether a model can be used for the task: a network is fitted once for each target."""
    return model.name != "network" or len(facts.spec.target) <= _MOST_TARGETS


def write_script(facts: Facts, model: Model, title: str) -> str:
    """Return a whole script for the task with one model."""
    if not are_readable(facts):
        return render("audio/refusal.py.jinja", {"title": title, "suffixes": ", ".join(find_suffixes(facts))})
    values = _values(facts, model, title)
    values["model"] = render(f"{_TEMPLATES[model.name]}.py.jinja", values)
    return finish(render("audio/script.py.jinja", values), "COPIES")


_TEMPLATES = {
    "discriminant": "audio/models/discriminant",
    "lightgbm": "signal_lightgbm",
    "histogram": "signal_histogram",
    "extratrees": "signal_extratrees",
    "network": "audio/models/network",
}
"""The template of each model."""


def _values(facts: Facts, model: Model, title: str) -> dict[str, Any]:
    sounds = find_sounds(facts)
    suffixes, own = find_suffixes(facts), "soundfile" not in facts.packages
    values = signal_values(facts, model, title, {sounds.train_column, sounds.test_column})
    imports = ["from scipy.fft import dct, rfft", "from sklearn.cluster import MiniBatchKMeans"]
    imports.append("from scipy.io import wavfile" if own else "import soundfile")
    rows = facts.spec.train_rows
    return {
        **values,
        **reader_values(facts, [*tables_of(facts), sounds.test_rows]),
        "noun": "sound",
        "imports": sort_imports({*values["imports"], *imports}),
        "place": sounds.place,
        "file_column": sounds.train_column,
        "test_column": sounds.test_column,
        "train_folder": sounds.train_folder,
        "test_folder": sounds.test_folder,
        "test_rows": sounds.test_rows,
        "id_in_train": sounds.place == "table" and facts.column(facts.spec.id) is None and facts.spec.id is not None,
        "roots": list(sounds.roots),
        "codes": find_codes(facts, sounds),
        "suffixes": suffixes,
        "soundfile": not own,
        "aiff": own and any(suffix.startswith(".aif") for suffix in suffixes),
        "copies": 3 if rows <= _FEW_ROWS else 1,
        "augment": rows <= _SOME_ROWS,
        "arrays": None,
        "most_frames": int(_FRAMES_PER_SECOND * facts.seconds),
    }
