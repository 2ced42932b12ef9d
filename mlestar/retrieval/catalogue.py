"""The built-in catalogue: model cards by kind of task, for runs without a web search."""

from collections.abc import Sequence

from packaging.utils import canonicalize_name

from mlestar.metrics.spec import Modality, TaskSpec
from mlestar.retrieval.entries import ENTRIES
from mlestar.retrieval.entry import Entry
from mlestar.state import Brief, ModelCard

CATALOGUE = "built-in catalogue"
KINDS: dict[Modality, tuple[Modality, ...]] = {
    "text": ("text", "table"),
    "sequence": ("sequence", "text", "table"),
    "time series": ("time series", "table"),
    "image": ("image", "table"),
    "audio": ("audio", "table"),
    "table": ("table",),
    "unknown": ("table",),
}
"""Which entries suit which data, the most promising kind first; features of files form a table."""


class CatalogueRetriever:
    """The built-in cards for this kind of task."""

    name = "catalogue"

    async def find(self, brief: Brief, count: int) -> Sequence[ModelCard]:
        return catalogue_cards(brief.spec)


def catalogue_cards(spec: TaskSpec) -> tuple[ModelCard, ...]:
    """Return the cards for a kind of task, the most promising first."""
    classify = spec.problem in ("binary", "multiclass", "multilabel")
    first: Modality = "sequence" if spec.problem == "sequence" else spec.modality
    entries = [entry for kind in KINDS[first] for entry in ENTRIES if kind in entry.modalities]
    return tuple(_card(entry, classify=classify) for entry in entries)


def catalogue_libraries() -> tuple[str, ...]:
    """Return the canonical names of the libraries that the built-in cards need, which `packages=auto` allows."""
    return tuple(sorted({canonicalize_name(name) for entry in ENTRIES for name in entry.libraries}))


def _card(entry: Entry, *, classify: bool) -> ModelCard:
    for_values = entry.values or _for_values(entry.classes)
    return ModelCard(
        name=entry.name,
        description=entry.description,
        example_code=entry.classes if classify else for_values,
        source=CATALOGUE,
        libraries=entry.libraries,
        weights=entry.weights,
        licence=entry.licence,
    )


def _for_values(example: str) -> str:
    return example.replace("Classifier", "Regressor").replace("predict_proba(", "predict(")
