"""What a run knew when a step began."""

from pydantic import BaseModel, ConfigDict

from mlestar.state.lessons import ConfirmedIdea


class StepFacts(BaseModel):
    """What the run knew when a step began; the ledger keeps it, so that a resumed run asks the same questions."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    left: dict[str, str] = {}
    """What is left of each cap, in words."""
    errors: tuple[str, ...] = ()
    """How scripts failed so far, each kind with its count, the most frequent first."""
    confirmed: tuple[ConfirmedIdea, ...] = ()
    """What other tracks confirmed so far, the largest gain for its error first."""
