"""Chat models: which one answers each role, what goes over the wire, and calls recorded in the ledger."""

from mlestar.models.caller import Caller, Reply
from mlestar.models.prices import Price, Prices, Usage
from mlestar.models.provider import ChosenModel, Models, Passed, choose_models, wrap_model
from mlestar.models.scripted import ScriptedModel
from mlestar.models.wire import Limits, Wire

__all__ = [
    "Caller",
    "ChosenModel",
    "Limits",
    "Models",
    "Passed",
    "Price",
    "Prices",
    "Reply",
    "ScriptedModel",
    "Usage",
    "Wire",
    "choose_models",
    "wrap_model",
]
