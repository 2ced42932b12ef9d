"""What scripts may be given besides what the sandbox has."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

MAX_OTHER_PACKAGES = 60
"""Names in a prompt of what is installed besides libraries for machine learning, and of what may be added: about 250
tokens. Chosen by judgement; not measured."""


class Supply(BaseModel):
    """What scripts may be given besides what the sandbox has."""

    model_config = ConfigDict(frozen=True)

    packages: Literal["image", "ask", "auto", "file"] = "image"
    """`image`: nothing is added. `ask`: a person decides. `auto`, `file`: `allowed`, from the catalogue or a file."""
    weights: Literal["local", "ask", "auto"] = "local"
    """`local`: those in the store. `ask`: a person decides about others. `auto`: others are fetched."""
    stored_weights: tuple[str, ...] = ()
    """Addresses of weights that are in the store."""
    allowed: tuple[str, ...] = ()
    """Libraries that a script may declare under this policy, with their versions; empty where a person is asked."""
    folders: tuple[str, ...] = ()
    """Names of folders with the user's own weights."""

    @property
    def adds_packages(self) -> bool:
        return self.packages != "image"

    @property
    def fetches_weights(self) -> bool:
        return self.weights != "local"

    @property
    def declares_weights(self) -> bool:
        """A script may declare weights: some are in the store, or others may be fetched."""
        return self.fetches_weights or bool(self.stored_weights)

    @property
    def declares(self) -> bool:
        """A script may declare something, so that agents are shown how."""
        return self.adds_packages or self.declares_weights

    @property
    def may_add(self) -> str:
        """The libraries that a script may declare, as prompts list them."""
        left_out = len(self.allowed) - MAX_OTHER_PACKAGES
        more = f" and {left_out} more" if left_out > 0 else ""
        return ", ".join(self.allowed[:MAX_OTHER_PACKAGES]) + more

    @property
    def example(self) -> str:
        """A package for the example of a declaration."""
        return self.allowed[0] if self.allowed else "NAME>=1.2"
