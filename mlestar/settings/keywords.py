"""Settings as keyword arguments."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from typing_extensions import TypedDict

from mlestar.settings import Profile, ReviewPoint, Share


class SettingKeywords(TypedDict, total=False):
    """Every setting, except those whose keywords also take objects (`model`, `runner`, `retrieval`) and `runs_dir`."""

    profile: Profile
    models: Mapping[str, str]
    base_url: str | None
    temperatures: Mapping[str, float]
    effort: Mapping[str, str]
    model_seconds: float
    model_attempts: int
    model_backoff: float
    model_parallel: int
    fallback: str | Sequence[str]
    give_up_after: int
    prices: str | Path | None
    image: str
    network: bool
    gpus: int | Literal["auto"]
    gpu_share: int
    runtime: str | None
    warm: int
    packages: str | Path
    packages_dir: str | Path
    package_mb: int
    package_seconds: float
    package_count: int
    source_builds: bool
    weights: Literal["local", "ask", "auto"]
    weights_dir: str | Path
    weights_folder: str | Sequence[str | Path]
    weight_hosts: str | Sequence[str]
    weight_mb: int
    share: Share
    isolation: Literal["standard", "strict"]
    link_above_mb: int
    retrieved_models: int
    outer_steps: int
    inner_plans: int
    tracks: int
    ensemble_rounds: int
    blend: bool
    finalists: int
    fresh_share: float
    fresh_splits: int
    resamples: int
    max_graded: int
    baselines: bool
    importance: bool
    debug_rounds: int
    accept: Literal["better", "significant"]
    leakage_rounds: int
    max_hours: float
    max_executions: int | None
    max_tokens: int | None
    max_usd: float | None
    max_output_tokens: int
    script_seconds: float
    grading_seconds: float
    trust: bool
    memory_mb: int
    cpus: float | None
    parallel: int | None
    subsample_rows: int
    seed: int
    goal: str | None
    metric: str | None
    target: str | Sequence[str]
    id_column: str | None
    split: str | None
    review: str | Sequence[ReviewPoint] | frozenset[ReviewPoint] | set[ReviewPoint]
    start: str | Path | None
    cards: str | Sequence[str | Path]
    prompts: str | Path | None
    lessons: str | Path | None
    trackers: str | Mapping[str, object]
    checkpoints: Literal["sqlite", "postgres"]
