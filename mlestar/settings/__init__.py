"""Every number and choice of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from mlestar.errors import SettingsError, nearest
from mlestar.settings.form import shape_form
from mlestar.settings.trackers import TrackerSettings

Profile = Literal["quick", "standard", "paper"]
Share = Literal["all", "statistics", "names"]
Gpus = Annotated[int, Field(ge=-1)] | Literal["auto"]
ReviewPoint = Literal["models", "ablation", "block", "plan", "ensemble", "submission"]

PACKAGE_POLICIES = ("image", "ask", "auto")
"""Values of `packages` that name no file."""
RUNNERS = ("auto", "docker", "local")
"""Runners that need no dotted name."""

BUDGET = ("max_hours", "max_usd", "max_tokens", "max_executions", "parallel")
"""Settings that may differ each time a run is resumed: they change no prompt and no key of the ledger."""
UNBOUND = (
    *BUDGET,
    *("model_seconds", "model_attempts", "model_backoff", "model_parallel", "warm", "prices", "runs_dir"),
    *("link_above_mb", "grading_seconds", "weights_dir", "weight_hosts", "weight_mb"),
    *("packages_dir", "package_mb", "package_seconds", "package_count", "trackers"),
)
"""Settings that may differ when a run is started again under its own id: none changes what is asked or executed."""
EXPORT_STRETCH = 3.0
"""An export may take this factor of the limit of a script: the real input has more rows than the holdout's.
Chosen by judgement; not measured."""

PROFILES: dict[Profile, dict[str, float]] = {
    "quick": {
        "retrieved_models": 2,
        "outer_steps": 1,
        "inner_plans": 2,
        "tracks": 1,
        "ensemble_rounds": 0,
        "finalists": 2,
        "fresh_splits": 1,
        "debug_rounds": 2,
        "max_hours": 0.5,
        "script_seconds": 120,
    },
    "standard": {
        "retrieved_models": 4,
        "outer_steps": 2,
        "inner_plans": 3,
        "tracks": 2,
        "ensemble_rounds": 3,
        "finalists": 3,
        "fresh_splits": 2,
        "debug_rounds": 3,
        "max_hours": 4,
        "script_seconds": 600,
    },
    "paper": {
        "retrieved_models": 4,
        "outer_steps": 4,
        "inner_plans": 4,
        "tracks": 2,
        "ensemble_rounds": 5,
        "finalists": 4,
        "fresh_splits": 2,
        "debug_rounds": 3,
        "max_hours": 24,
        "script_seconds": 3600,
    },
}

MAX_GPU_SHARE = 4
"""Scripts that may use one GPU at once, at most. Chosen by judgement; not measured."""
GIVE_UP_AFTER = 6
"""Two questions in a row, each asked three times: one hard question alone is not enough. A model of which one reply
in five is refused, independently, has six in a row refused once in 15,625. Chosen by judgement; not measured on real
models."""


class RetrievalSettings(BaseModel):
    """Where model cards are looked for, and what is left out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sources: tuple[str, ...] = Field(
        ("auto",),
        description="google (grounding by a Gemini model), tavily, catalogue, none, or package.module:Name of a "
        "LangChain tool or retriever. Several are asked at once. auto: google when the model is Gemini, else tavily "
        "when its key is set, else the catalogue.",
    )
    exclude_domains: tuple[str, ...] = Field(
        (), description="Results from these domains are dropped; a path may follow: `kaggle.com/code`."
    )
    exclude_terms: tuple[str, ...] = Field((), description="Results that hold one of these words are dropped.")
    exclude_competition: bool = Field(
        True, description="Drop the pages of the competition that the task is named after."
    )

    @model_validator(mode="before")
    @classmethod
    def _name_sources(cls, data: Any) -> Any:
        """Read a name or a list of names as the sources; the items of a list may be comma-separated."""
        if not isinstance(data, Mapping | cls):
            data = {"sources": data}
        if isinstance(data, Mapping):
            lists = ("sources", "exclude_domains", "exclude_terms")
            data = {key: split_list(value) if key in lists else value for key, value in data.items()}
        return data


def split_list(value: Any) -> Any:
    """Return the items of a comma-separated text; anything else unchanged."""
    return [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value


class Settings(BaseModel):
    """What a run may do and how far it goes. A number that is not given comes from the profile."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, json_schema_extra=lambda form: shape_form(form, PROFILES)
    )

    profile: Profile = Field("standard", description="Preset for the numbers below: quick, standard or paper.")
    model: str | None = Field(
        None,
        description="`offline`, `ask` (answered from outside) or `provider:name`, e.g. `google_genai:gemini-2.5-pro`. "
        "Empty: the first provider whose key is set, else the offline engineer.",
    )
    models: dict[str, str] = Field(
        {},
        description="Models by role, group of roles or `default`: `offline`, `ask` or `provider:name`. "
        "Groups: retrievers, writers, planners, checkers, debuggers.",
    )
    base_url: str | None = Field(None, description="Address of the model's API, for compatible servers.")
    temperatures: dict[str, float] = Field(
        {}, description="Sampling temperatures by role, group of roles or `default`, 0 to 2. Empty: the method's own."
    )
    effort: dict[str, str] = Field(
        {},
        description="How much models think, by role, group of roles or `default`: none, minimal, low, medium, high, "
        "xhigh, max, or a number of thinking tokens. Empty: the model's own.",
    )
    model_seconds: float = Field(
        600, gt=0, description="Seconds in which a model must have answered one call; a slow model gets longer."
    )
    model_attempts: int = Field(6, ge=1, le=20, description="Times a call is tried when the provider fails.")
    model_backoff: float = Field(
        2.0, ge=0, le=60, description="Seconds before a call is tried again; about doubled each time."
    )
    model_parallel: int = Field(8, ge=1, le=256, description="Calls at once to one provider.")
    fallback: tuple[str, ...] = Field(
        (),
        description="Models that take over, in this order, from one that is too weak for a role: `offline` or "
        "`provider:name`. Without one the run stops there.",
    )
    give_up_after: int = Field(
        GIVE_UP_AFTER,
        ge=1,
        le=1000,
        description="Refused replies in a row, of one role over all tracks, after which its model is given up as too "
        "weak; twice as many once it has had a reply in this role accepted. Without any accepted reply the roles are "
        "counted together.",
    )
    prices: Path | None = Field(
        None, description="TOML file with prices of models, which take precedence over the built-in table."
    )
    runner: str = Field(
        "auto",
        description="Where scripts execute: auto, docker, local, or package.module:Name of a runner of your own. "
        "`local` protects nothing from hostile code.",
    )
    image: str = Field(
        "base",
        description="Variant of the sandbox image (base, torch, gpu), auto (picked by the kind of data and the GPUs of "
        "scripts), or any image with Python.",
    )
    network: bool = Field(False, description="Let scripts reach the network and this machine's services.")
    gpus: Gpus = Field(0, description="GPUs of one script; -1 for all; auto for one where there is any, else none.")
    gpu_share: int = Field(
        1, ge=1, le=MAX_GPU_SHARE, description="Scripts that may use one GPU at once; they share its memory."
    )
    runtime: str | None = Field(None, description="Another OCI runtime of the engine, e.g. `runsc` (gVisor).")
    warm: int = Field(0, ge=0, le=16, description="Containers that wait for a script with its libraries imported.")
    packages: str = Field(
        "image",
        description="Which declared packages are added where the sandbox lacks them. image: none. ask: a person "
        "decides. auto: the libraries of the catalogue. A file: the packages in it, a requirement such as `name>=1.2` "
        "on each line. Their dependencies are added, too.",
    )
    packages_dir: Path = Field(
        Path("~/.cache/mlestar/packages"), description="Folder for added packages, which runs share."
    )
    package_mb: int = Field(
        1000, ge=1, description="Largest size in MB of the packages added for one script, dependencies included."
    )
    package_seconds: float = Field(600, gt=0, description="Time limit in seconds of adding the packages of one script.")
    package_count: int = Field(
        50, ge=1, description="Most packages that are added for one script, dependencies included."
    )
    source_builds: bool = Field(
        False,
        description="Build packages that have no wheel, which executes their code with the network and the index "
        "settings of pip.",
    )
    weights: Literal["local", "ask", "auto"] = Field(
        "local",
        description="Pretrained weights that scripts may declare. local: those in the store. ask: a person decides "
        "what is fetched. auto: repositories of the hub, and files from `weight_hosts`, are fetched.",
    )
    weights_dir: Path = Field(Path("~/.cache/mlestar/weights"), description="Folder that keeps weights for all runs.")
    weights_folder: tuple[Path, ...] = Field(
        (), description="Folders with your own weights, which every script can read."
    )
    weight_hosts: tuple[str, ...] = Field(
        (), description="Hosts from which `weights=auto` fetches files by https addresses with a hash."
    )
    weight_mb: int = Field(
        2000, ge=1, description="Largest size in MB of one repository or file of weights that is fetched."
    )
    share: Share = Field(
        "all",
        description="What prompts contain of the data, and so what a model provider receives. all: statistics of "
        "columns, example values, two records of each table and output of scripts. statistics: column statistics "
        "without example values, records and extremes, and of the output only scores and kinds of errors. names: "
        "only names and kinds of columns. Descriptions are always sent.",
    )
    isolation: Literal["standard", "strict"] = Field(
        "standard",
        description="`strict`: no export before the search is over, and the page cache is dropped between scripts on "
        "different inputs, where the system permits it.",
    )
    link_above_mb: int = Field(
        2000,
        ge=0,
        description="MB of unchanged files that one input copies. Above it, the inputs of a run share one copy of the "
        "other files, and scores are marked.",
    )
    retrieval: RetrievalSettings = Field(
        RetrievalSettings(),
        description="Where model cards come from; a name or a list of names is short for `sources`.",
    )

    retrieved_models: int = Field(4, ge=1, le=20, description="M: models retrieved per track.")
    outer_steps: int = Field(2, ge=0, le=100, description="T: ablation steps per track.")
    inner_plans: int = Field(3, ge=1, le=50, description="K: plans tried on each code block, the first one included.")
    tracks: int = Field(2, ge=1, le=16, description="L: independent solutions.")
    ensemble_rounds: int = Field(3, ge=0, le=50, description="R: ensemble plans evaluated.")
    blend: bool = Field(
        True,
        description="Blend the predictions that scripts left for the withheld rows, without training and without a "
        "model call; a blend that half of the rows confirm is one more solution.",
    )
    finalists: int = Field(3, ge=1, le=20, description="Solutions that are rescored on fresh rows.")
    fresh_share: float = Field(
        0.15,
        ge=0,
        le=0.5,
        description="Share of the labelled rows that the search never has, in whole units of the split and at most "
        "50,000 rows; they give the fresh score. 0, or fewer than 200 rows: none are kept apart, and the fresh score "
        "comes from `fresh_splits` and is marked as not blind.",
    )
    fresh_splits: int = Field(
        2, ge=0, le=10, description="Fresh holdouts per finalist where no rows are kept apart by `fresh_share`."
    )
    resamples: int = Field(
        200, ge=10, le=10_000, description="Resamples of the bootstrap behind standard errors and comparisons, at most."
    )
    max_graded: int = Field(
        300,
        ge=1,
        description="Submissions to a holdout whose scores agents get. Of later ones they learn only whether they are "
        "better than the best so far.",
    )
    baselines: bool = Field(
        True,
        description="Grade the best constant and a simple model on the rows that the winner is graded on, without a "
        "model call; one that beats the winner is submitted in its place.",
    )
    importance: bool = Field(
        True,
        description="Measure the importance of columns when a run ends: one more execution of the winner, on withheld "
        "rows with one column after the other permuted, where time and executions are left.",
    )
    debug_rounds: int = Field(3, ge=0, le=20, description="Attempts to repair a script that fails.")
    accept: Literal["better", "significant"] = Field(
        "significant",
        description="What replaces a script: any better score on the same rows, or one the paired bootstrap confirms.",
    )
    leakage_rounds: int = Field(2, ge=0, le=10, description="Attempts to repair a script that leaks.")

    max_hours: float = Field(4, gt=0, description="Active time of the run.")
    max_executions: int | None = Field(
        None, ge=1, description="Executions of scripts, rescorings and exports included."
    )
    max_tokens: int | None = Field(None, ge=1, description="Input and output tokens of all model calls.")
    max_usd: float | None = Field(None, gt=0, description="US dollars for all model calls.")
    max_output_tokens: int = Field(
        32_768, ge=256, description="Tokens of one reply, thinking included, at most; a model may allow fewer."
    )
    script_seconds: float = Field(600, gt=0, description="Wall-clock limit of one script during the search.")
    grading_seconds: float = Field(
        60, gt=0, description="Time limit of grading one submission, or all variants of one ablation together."
    )
    trust: bool = Field(
        False,
        description="Execute `metric.py` in the run's own process, without the limits of the grading process.",
    )
    memory_mb: int = Field(8192, ge=256, description="Memory limit of one script.")
    cpus: float | None = Field(None, gt=0, description="CPUs of one script. Empty: the machine's share per script.")
    parallel: int | None = Field(None, ge=1, description="Scripts that execute at once. Empty: from CPUs and memory.")
    subsample_rows: int = Field(30_000, ge=100, description="Most train rows a script should use during the search.")
    seed: int = Field(0, ge=0, description="Seed of splits and scripts.")

    goal: str | None = Field(None, description="What to predict, in words; used when there is no description.")
    metric: str | None = Field(
        None, description="Metric name or `file.py:function`; takes precedence over the task folder."
    )
    target: tuple[str, ...] = Field(
        (), description="Columns to predict; takes precedence over `task.toml`. Empty: inferred from the files."
    )
    id_column: str | None = Field(
        None, description="Column that identifies a row; takes precedence over `task.toml`. Empty: inferred."
    )
    split: str | None = Field(
        None,
        description="How rows are withheld: random, stratified, time:COLUMN, series:COLUMN:TIME, group:COLUMN or "
        "space:X+Y; takes precedence over `task.toml`. Empty: inferred from how test differs from train.",
    )
    review: frozenset[ReviewPoint] = Field(
        frozenset(), description="Points at which the run stops and asks a person to approve or edit."
    )
    start: str | None = Field(
        None,
        description="Your own script or notebook, or RUN or RUN:SOLUTION of an earlier run: the first solution of the "
        "first track. Nothing that is worse beyond noise is submitted in its place.",
    )
    cards: tuple[Path, ...] = Field((), description="Markdown files with model cards that are tried first.")
    prompts: Path | None = Field(None, description="Folder whose prompt files override the built-in ones.")
    lessons: Path | None = Field(
        None,
        description="Folder of lessons: what earlier runs tried is read from it and shown to agents, and what this run "
        "tried is added to it. Empty: none are read or kept.",
    )
    trackers: TrackerSettings = Field(
        TrackerSettings(),
        description="Where the run is sent while it works; an address is short for `mlflow`. Nothing by default.",
    )
    runs_dir: Path = Field(Path("runs"), description="Folder that holds the run folders.")
    checkpoints: Literal["sqlite", "postgres"] = Field(
        "sqlite", description="Where checkpoints are: in the run folder, or in the database of MLESTAR_POSTGRES_DSN."
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_from_profile(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        profile: Any = data.get("profile") or "standard"
        # A form sends an empty text for a field that was left empty.
        values = {key: value for key, value in data.items() if value is not None and value != ""}
        return {**PROFILES.get(profile, {}), **values}

    @field_validator("fallback", "review", "cards", "weights_folder", "weight_hosts", mode="before")
    @classmethod
    def _split_list(cls, value: Any) -> Any:
        return split_list(value)

    @field_validator("target", mode="before")
    @classmethod
    def _wrap_target(cls, value: Any) -> Any:
        """Return one name as a list of one: the name of a column may contain a comma."""
        return [value] if isinstance(value, str) else value

    @field_validator("packages", "start", mode="before")
    @classmethod
    def _read_path(cls, value: Any) -> Any:
        return str(value) if isinstance(value, Path) else value

    @field_validator("gpus", mode="before")
    @classmethod
    def _check_gpus(cls, value: Any) -> Any:
        """Refuse what is neither a number nor `auto` in one line: the message of a union has one for each kind."""
        if str(value) not in ("auto", "-1") and not str(value).isdecimal():
            raise PydanticCustomError("gpus", "give a number of GPUs, -1 for all of them, or auto")
        return value

    @field_validator("runner")
    @classmethod
    def _check_runner(cls, name: str) -> str:
        """Refuse what cannot name a runner; whether a dotted name leads to one is found out when the run needs it."""
        module, _, attribute = name.partition(":")
        dotted = all(part.isidentifier() for part in (*module.split("."), attribute))
        if name not in RUNNERS and not dotted:
            raise PydanticCustomError(
                "runner", f"no runner {name!r}: choose {', '.join(RUNNERS)} or package.module:Name"
            )
        return name

    @classmethod
    def resolve(cls, given: object) -> "Settings":
        """Return settings from None, Settings, their values, or an object that has some of them as attributes.

        Raises:
            SettingsError: a value is out of range or a key is unknown.
        """
        if isinstance(given, cls):
            return given
        data = {} if given is None else given
        try:
            return cls.model_validate(data if isinstance(data, Mapping) else _matching(data))
        except ValidationError as error:
            raise SettingsError(_one_line(error)) from None

    @property
    def fresh_inputs(self) -> int:
        """How many fresh holdouts a finalist is scored on, at most."""
        return max(self.fresh_splits, 1 if self.fresh_share else 0)

    @property
    def other_files(self) -> tuple[Path, ...]:
        """Files and folders outside of the task folder that a run reads too, besides its start."""
        allowed = None if self.packages in PACKAGE_POLICIES else Path(self.packages)
        paths = (self.prompts, *self.cards, allowed, *self.weights_folder)
        return tuple(path for path in paths if path is not None)

    @property
    def most_finalists(self) -> int:
        """How many solutions are rescored at most: a start is rescored in addition."""
        return self.finalists + bool(self.start)

    @property
    def baseline_executions(self) -> int:
        """How many scripts run for the baselines: the simple model on the holdout and on each fresh one, at most."""
        return 1 + self.fresh_inputs if self.baselines else 0

    def change(self, values: Mapping[str, Any]) -> "Settings":
        """Return these settings with other values; another profile replaces the numbers of this one.

        Raises:
            SettingsError: a value is out of range or a key is unknown.
        """
        kept = self.model_dump(exclude_unset=True)
        if "profile" in values:
            own = PROFILES[self.profile]
            kept = {name: value for name, value in kept.items() if name not in own or own[name] != value}
        return self.resolve({**kept, **values})

    @classmethod
    def of(cls, context: object) -> "Settings":
        """Return the settings in a graph's context, which may be another application's.

        Such a context has them under `mlestar`, or fields of the same names among others.

        Raises:
            SettingsError: a value is out of range.
        """
        if isinstance(context, cls):
            return context
        values = _matching(context)
        return cls.resolve(values.get("mlestar", values))


PARTS: dict[str, type[BaseModel]] = {"retrieval": RetrievalSettings, "trackers": TrackerSettings}
"""Settings that have parts."""


def _matching(context: object) -> dict[str, Any]:
    """Return the values of a mapping's keys or an object's attributes that name settings."""
    names = ("mlestar", *Settings.model_fields)
    if isinstance(context, Mapping):
        return {name: context[name] for name in names if name in context}
    return {name: getattr(context, name) for name in names if hasattr(context, name)}


def _one_line(error: ValidationError) -> str:
    return "; ".join(_describe(detail) for detail in error.errors())


def _describe(detail: ErrorDetails) -> str:
    """Return what is wrong with a setting; one that is unknown comes with the nearest that exists."""
    *groups, name = [str(part) for part in detail["loc"]] or ["?"]
    if detail["type"] != "extra_forbidden":
        return f"setting {'.'.join([*groups, name])!r}: {detail['msg']}"
    parts = PARTS.get(groups[0]) if len(groups) == 1 else None
    fields = (parts or Settings).model_fields
    match = nearest(name, fields)
    problem = f"setting {'.'.join([*groups, name])!r} is unknown"
    return f"{problem}: did you mean {'.'.join([*groups, match])!r}?" if match else problem
