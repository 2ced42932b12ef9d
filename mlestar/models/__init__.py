"""Chat models: which one answers, and calls recorded in the ledger."""

from mlestar.models.caller import Caller, Reply
from mlestar.models.provider import ChosenModel, choose_model, wrap_model
from mlestar.models.scripted import ScriptedModel

__all__ = ["Caller", "ChosenModel", "Reply", "ScriptedModel", "choose_model", "wrap_model"]
