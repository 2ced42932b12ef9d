"""Chat models: which one answers each role, calls over the network, and their records in the ledger."""

from mlestar.llm.caller import Caller, ModelReply
from mlestar.llm.models import ChosenModel, Models, ModelsLike, choose_models, wrap_model
from mlestar.llm.prices import Price, Prices, TokenUsage
from mlestar.llm.reliability import Reliability
from mlestar.llm.scripted import ScriptedModel
from mlestar.llm.transport import RetryPolicy, Transport

__all__ = [
    "Caller",
    "ChosenModel",
    "ModelReply",
    "Models",
    "ModelsLike",
    "Price",
    "Prices",
    "Reliability",
    "RetryPolicy",
    "ScriptedModel",
    "TokenUsage",
    "Transport",
    "choose_models",
    "wrap_model",
]
