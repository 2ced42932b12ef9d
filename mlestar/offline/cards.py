"""Choosing model cards from the results of a retrieval."""

import json
from typing import Any

from mlestar.offline.facts import Facts
from mlestar.offline.kinds import choose_model, find_kind, usable_models
from mlestar.offline.recipe import Model

_MIN_SHARED = 3
"""Cards per track from which neighbouring tracks get alternating cards. Chosen by judgement; not measured."""
_FIELDS = ("name", "description", "example_code", "source", "libraries")


def propose_cards(facts: Facts) -> list[dict[str, Any]]:
    """Return the requested number of cards, of different installed models, in an order that depends on the track."""
    results = [_load(section.text) for section in facts.all("result")]
    with_code = [card for card in results if card.get("example_code")]
    kind = find_kind(facts)
    if kind is None:
        return with_code[: int(facts.text("count", "4"))]
    cards: dict[str, dict[str, Any]] = {}
    usable = usable_models(kind, facts)
    for card in [*with_code, *map(_own_card, usable)]:
        model = choose_model(card, kind, facts)
        named = any(word in str(card.get("name", "")).lower() for word in model.words)
        if named and model in usable and _runs(card, facts):
            cards.setdefault(model.name, {field: card.get(field, "") for field in _FIELDS})
    first = [model.name for model in usable] if kind.own_order else list(kind.first_models(facts))
    names = sorted(cards, key=lambda name: first.index(name) if name in first else len(first))
    return _share_out([cards[name] for name in names], facts.track, int(facts.text("count", "4")))


def _share_out(cards: list[dict[str, Any]], track: int, count: int) -> list[dict[str, Any]]:
    """Give neighbouring tracks different models, so that the errors of their solutions differ for the ensemble."""
    if count < _MIN_SHARED:
        return _rotate(cards, track)[:count]
    own, others = cards[track % 2 :: 2], cards[1 - track % 2 :: 2]
    return [*_rotate(own, track // 2), *others][:count]


def _rotate(cards: list[dict[str, Any]], turns: int) -> list[dict[str, Any]]:
    first = turns % max(len(cards), 1)
    return cards[first:] + cards[:first]


def _own_card(model: Model) -> dict[str, Any]:
    """Return a built-in card, for a retrieval that found too few."""
    code = "\n".join([*model.imports, "# fit on the features, predict the test rows"])
    return {"name": model.words[0], "example_code": code, "source": "own knowledge", "libraries": list(model.libraries)}


def _runs(card: dict[str, Any], facts: Facts) -> bool:
    return all(str(library).lower() in facts.packages for library in card.get("libraries", ()))


def _load(text: str) -> dict[str, Any]:
    """Return the card in a result, empty when it is not a JSON object."""
    try:
        card = json.loads(text)
    except ValueError:
        return {}
    return card if isinstance(card, dict) else {}
