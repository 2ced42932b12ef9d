"""A card of the built-in catalogue."""

from dataclasses import dataclass

from mlestar.metrics.spec import Modality


@dataclass(frozen=True)
class Entry:
    """A card with its example for classes and for values."""

    name: str
    description: str
    libraries: tuple[str, ...]
    classes: str
    """Example code when models predict classes or probabilities."""
    values: str = ""
    """Example code when they predict numbers; empty: that for classes, with `Regressor` instead of `Classifier`."""
    modalities: tuple[Modality, ...] = ("table",)
    """Kinds of data that it suits; it is offered first for them."""
    weights: tuple[str, ...] = ()
    """Addresses of pretrained weights that it loads; weights inside a library need none."""
    licence: str = ""
    """Of its pretrained weights, wherever they come from."""
