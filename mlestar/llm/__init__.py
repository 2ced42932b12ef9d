"""Chat models: which one answers each role, what goes over the wire, and calls recorded in the ledger."""

from mlestar.llm.caller import Caller, Reply
from mlestar.llm.models import ChosenModel, Models, ModelsLike, choose_models, wrap_model
from mlestar.llm.prices import Price, Prices, Usage
from mlestar.llm.scripted import ScriptedModel
from mlestar.llm.wire import RetryPolicy, Wire

__all__ = [
    "Caller",
    "ChosenModel",
    "Models",
    "ModelsLike",
    "Price",
    "Prices",
    "Reply",
    "RetryPolicy",
    "ScriptedModel",
    "Usage",
    "Wire",
    "choose_models",
    "wrap_model",
]
