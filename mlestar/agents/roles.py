"""The role table: one row for each agent role."""

from typing import Any

from mlestar.agents.ablator import ABLATOR
from mlestar.agents.adapter import ADAPTER
from mlestar.agents.analyst import ANALYST
from mlestar.agents.coder import CODER
from mlestar.agents.debugging import BUG_SUMMARIZER, DEBUGGER
from mlestar.agents.ensembling import ENSEMBLE_PLANNER, ENSEMBLER
from mlestar.agents.extractor import EXTRACTOR
from mlestar.agents.initializer import INITIALIZER
from mlestar.agents.leakage import LEAKAGE_CHECKER, LEAKAGE_FIXER
from mlestar.agents.merger import MERGER
from mlestar.agents.packager import PACKAGER
from mlestar.agents.planner import PLANNER
from mlestar.agents.retriever import RETRIEVER, WEB_RETRIEVER
from mlestar.agents.role import Role
from mlestar.agents.subsampling import SUBSAMPLING_EXTRACTOR, SUBSAMPLING_REMOVER
from mlestar.agents.summarizer import SUMMARIZER
from mlestar.agents.usage_checker import USAGE_CHECKER

ROLES: dict[str, Role[Any]] = {
    role.name: role
    for role in (
        WEB_RETRIEVER,
        RETRIEVER,
        INITIALIZER,
        ADAPTER,
        MERGER,
        ABLATOR,
        CODER,
        ENSEMBLER,
        PACKAGER,
        EXTRACTOR,
        PLANNER,
        ENSEMBLE_PLANNER,
        ANALYST,
        USAGE_CHECKER,
        LEAKAGE_CHECKER,
        LEAKAGE_FIXER,
        SUBSAMPLING_EXTRACTOR,
        SUBSAMPLING_REMOVER,
        SUMMARIZER,
        BUG_SUMMARIZER,
        DEBUGGER,
    )
}
"""Every role by its name, group by group. The rows are in the agents' files, beside what they ask."""


def add_role(role: Role[Any]) -> None:
    """Add a row, before a run begins; its prompt file must be in the folder that the setting `prompts` names.

    Raises:
        ValueError: the table has a role of this name.
    """
    if role.name in ROLES:
        msg = f"the role table has a role {role.name!r}"
        raise ValueError(msg)
    ROLES[role.name] = role


def groups() -> dict[str, tuple[str, ...]]:
    """Return the names of the roles by group, in the order of the table."""
    return {
        group: tuple(role.name for role in ROLES.values() if role.group == group)
        for group in dict.fromkeys(role.group for role in ROLES.values())
    }
