"""Task analyst: completes the spec that was inferred from the files."""

from collections.abc import Collection

from pydantic import BaseModel, ConfigDict, ValidationError

from mlestar.agents.context import AgentContext
from mlestar.agents.replies import parse_json
from mlestar.agents.role import EXACT, Role
from mlestar.agents.script import ScriptError
from mlestar.data.task import Modality, PredictionKind, Problem, TaskSpec
from mlestar.errors import UserError
from mlestar.metrics import get_metric


class Amendment(BaseModel):
    """Fields of the spec that the analyst may change; files and columns are facts and stay."""

    model_config = ConfigDict(extra="ignore")

    problem: Problem | None = None
    modality: Modality | None = None
    metric: str | None = None
    prediction_kind: PredictionKind | None = None
    pos_label: str | None = None

    def apply(self, draft: TaskSpec, settled: frozenset[str], columns: Collection[str] = ()) -> TaskSpec:
        """Return the amended spec; `settled` fields were set by a person and stay.

        Args:
            draft: the spec to amend.
            settled: names of its fields that stay.
            columns: the columns of train, empty where they are unknown.
        """
        proposed = self.model_dump(exclude_none=True)
        changes = {name: value for name, value in proposed.items() if name not in settled}
        if changes.get("metric", draft.metric) != draft.metric:
            metric = get_metric(changes["metric"])
            changes["direction"] = metric.direction
            if missing := [column for column in metric.extra_columns if columns and column not in columns]:
                msg = f"metric {metric.name!r}: {draft.train} has no column {missing[0]!r}"
                raise UserError(msg)
        return TaskSpec.model_validate({**draft.model_dump(), **changes})


ANALYST = Role("analyst", "checkers", EXACT, parse_json(Amendment), Amendment)


async def ask_for_spec(agent: AgentContext, settled: frozenset[str]) -> TaskSpec:
    """Return the spec, completed from the description."""
    draft = agent.brief.spec
    columns = [column.name for file in agent.brief.statistics if file.file == draft.train for column in file.columns]

    def amend(amendment: Amendment) -> TaskSpec:
        try:
            return amendment.apply(draft, settled, columns)
        except (UserError, ValidationError) as error:
            raise ScriptError(str(error)) from None

    return await agent.ask(ANALYST.then(amend))
