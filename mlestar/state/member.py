"""A member of a blend of predictions."""

from pydantic import BaseModel, ConfigDict


class BlendMember(BaseModel):
    """A script in a blend of predictions."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    solution: str
    """Its id."""
    script: str
    """Blob."""
    weight: float
    """The weights of a blend add up to 1."""
