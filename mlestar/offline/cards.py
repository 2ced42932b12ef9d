"""Choosing model cards from what a search found."""

import json
from typing import Any

from mlestar.offline.facts import Facts
from mlestar.offline.tables.columns import treat_columns
from mlestar.offline.tables.recipes import MODELS, Model, choose_model, installed

_DEALT = 3
"""Models per track from which every other one is left to the neighbouring track."""
_FIELDS = ("name", "description", "example_code", "source", "libraries")


def choose_cards(facts: Facts) -> list[dict[str, Any]]:
    """Return as many cards as were asked for, of different installed models, in an order of the track's own."""
    found = [_load(section.text) for section in facts.all("result")]
    results = [card for card in found if card.get("example_code")] + [_own(model) for model in MODELS]
    chosen: dict[str, dict[str, Any]] = {}
    for card in results:
        model = choose_model(card, facts)
        named = any(word in str(card.get("name", "")).lower() for word in model.words)
        if named and _suits(model, facts) and _runs(card, facts):
            chosen.setdefault(model.name, {field: card.get(field, "") for field in _FIELDS})
    return _deal(list(chosen.values()), facts.track, int(facts.text("count", "4")))


def _deal(cards: list[dict[str, Any]], track: int, count: int) -> list[dict[str, Any]]:
    """Give neighbouring tracks different models, so that their solutions err differently and are worth combining."""
    if count < _DEALT:
        turn = track % max(len(cards), 1)
        return (cards[turn:] + cards[:turn])[:count]
    first = track % 2
    hand, rest = cards[first::2], cards[1 - first :: 2]
    turn = track // 2 % max(len(hand), 1)
    return [*hand[turn:], *hand[:turn], *rest][:count]


def _suits(model: Model, facts: Facts) -> bool:
    return installed(model, facts) and (model.name != "text" or bool(treat_columns(facts).texts))


def _own(model: Model) -> dict[str, Any]:
    """Return a card from what the engineer knows itself, for a search that found too little."""
    code = "\n".join([*model.imports, "# fit on the features, predict the test rows"])
    return {"name": model.words[0], "example_code": code, "source": "own knowledge", "libraries": list(model.libraries)}


def _runs(card: dict[str, Any], facts: Facts) -> bool:
    return all(str(library).lower() in facts.packages for library in card.get("libraries", ()))


def _load(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
