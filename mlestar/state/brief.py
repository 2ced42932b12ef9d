"""What agents are told about a task."""

from pydantic import Field

from mlestar.data.overview import Overview, make_overview
from mlestar.data.statistics import FileStatistics
from mlestar.data.targets import words_as_classes
from mlestar.evaluation.holdout.plan import SplitPlan
from mlestar.metrics import find_form
from mlestar.metrics.spec import TaskSpec
from mlestar.runners.supply.names import INSTALLERS
from mlestar.settings import Share
from mlestar.state.lessons import PromptLessons
from mlestar.state.start import StartScript
from mlestar.state.supply import MAX_OTHER_PACKAGES, Supply
from mlestar.state.values import Frozen


class Brief(Frozen):
    """What every agent is given about the task; one blob per run."""

    spec: TaskSpec
    description: str
    statistics: tuple[FileStatistics, ...]
    split: SplitPlan | None
    """None when labels cannot be located: scores are the reported ones."""
    fallback: str = ""
    """Why there is no holdout."""
    fresh_share: float = 0.0
    """Share of the labelled rows that the search never has, as far as they are enough; 0 in runs of versions that kept
    none apart."""
    warnings: tuple[str, ...] = ()
    """What makes the scores less certain, one line each."""
    python: str
    packages: dict[str, str]
    distributions: dict[str, str] = Field(default_factory=dict)
    """Everything that is installed in the sandbox, with its version; see `Environment`."""
    modules: dict[str, str] = Field(default_factory=dict)
    """Distributions by the modules that they install."""
    image: str
    cpus: float
    memory_mb: int
    gpu: str
    network: bool = False
    supply: Supply = Supply()
    seconds: float
    """Limit per script."""
    subsample_rows: int
    seed: int
    share: Share = "all"
    """What prompts contain of the data; `statistics` has no more than that."""
    start: StartScript | None = None
    lessons: PromptLessons = PromptLessons()
    """What prompts contain of earlier runs."""

    @property
    def other_packages(self) -> tuple[str, ...]:
        """Names of what is installed besides `packages`, those installed by name first; long lists end with a count."""
        shown = {*self.packages, *(f"{name}-cpu" for name in self.packages)}
        names = [name for name in self.distributions if name not in shown and name not in INSTALLERS]
        left_out = len(names) - MAX_OTHER_PACKAGES
        return (*names[:MAX_OTHER_PACKAGES], f"... {left_out} more") if left_out > 0 else tuple(names)

    @property
    def has_formats(self) -> bool:
        """Some column is written in a way that must be named to be read."""
        return any(column.number_format or column.date_format for file in self.statistics for column in file.columns)

    @property
    def has_lists(self) -> bool:
        """The cells of some column are lists of a few values."""
        return any(column.list_separator for file in self.statistics for column in file.columns)

    @property
    def odd_classes(self) -> tuple[str, ...]:
        """Classes that a reader of CSV takes for missing values."""
        return words_as_classes(self.spec.classes)

    @property
    def prediction_form(self) -> str:
        """What a cell of predictions must hold, where the kind of prediction does not say it."""
        return find_form(self.spec.metric)

    @property
    def overview(self) -> Overview:
        """What prompts contain about the files, within a limit."""
        return make_overview(self.spec, self.statistics)
