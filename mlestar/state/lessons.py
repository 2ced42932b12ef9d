"""What prompts contain of earlier runs, and of what other tracks of the same run confirmed."""

from pydantic import BaseModel, ConfigDict

from mlestar.metrics.finite import Finite


class _Shown(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


class TriedIdea(_Shown):
    """An idea that earlier runs on similar data tried: what came of it over all of them."""

    idea: str
    component: str = ""
    """Function that was rewritten, where the block had one."""
    ids: tuple[str, ...] = ()
    """Ideas of the offline engineer's recipes that it consists of."""
    runs: int = 1
    helped: int = 0
    """Times it was better by more than its standard error."""
    hurt: int = 0
    """Times it was worse by more than its standard error."""
    failed: int = 0
    """Times its script did not run."""
    effect: float = 0.0
    """Mean gain in its standard errors, over similar tasks; positive is better, and a failure counts as -1."""
    weight: float = 0.0
    """Sum of the similarities of the tasks that the mean is over."""
    similarity: float = 0.0
    """Of the most similar of these tasks, 0 to 1."""
    times: Finite = None
    """By what factor the script took longer, on average."""


class TriedModel(_Shown):
    """A model that earlier runs on similar data began with."""

    model: str
    runs: int = 1
    best: int = 0
    """Runs in which it was the best of the first solutions."""
    failed: int = 0
    effect: float = 0.0
    """Mean gain over the best other first solution, in its standard errors."""
    similarity: float = 0.0


class KnownFailure(_Shown):
    """How scripts of earlier runs failed, and what repaired them."""

    error: str
    met: int = 1
    fixed_by: str = ""
    """The first change of the repair that worked; empty where none did."""
    similarity: float = 0.0


class PromptLessons(_Shown):
    """What prompts of one run contain of earlier runs, the most similar first; nothing without `--lessons`."""

    runs: int = 0
    """Runs that it comes from."""
    ideas: tuple[TriedIdea, ...] = ()
    parts: tuple[TriedIdea, ...] = ()
    """Parts of scripts that ablations switched off; a negative effect means that the part helps."""
    models: tuple[TriedModel, ...] = ()
    failures: tuple[KnownFailure, ...] = ()


class ConfirmedIdea(_Shown):
    """A plan of another track of this run whose gain is larger than its standard error."""

    track: int
    component: str
    plan: str
    gain: float
    gain_error: float
