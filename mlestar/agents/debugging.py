"""Bug summarizer and debugger: what went wrong, and the smallest change that repairs it."""

from collections.abc import Callable, Sequence

from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.declarations import keep_needs
from mlestar.agents.pandas_lint import advise_on_pandas, describe_old_pandas
from mlestar.agents.replies import parse_code, parse_prose
from mlestar.agents.role import EXACT, VARIED, Role
from mlestar.agents.script import RepetitionError, check_script
from mlestar.agents.sharing import limit_message, limit_output
from mlestar.agents.whole import check_whole
from mlestar.state import Measured, VerdictStatus

OUTPUT_TAIL = 6000
"""Characters of output that the bug summarizer sees. A traceback is at its end. Chosen by judgement; not measured."""

BUG_SUMMARIZER = Role("bug_summarizer", "debuggers", EXACT, parse_prose)
DEBUGGER = Role("debugger", "debuggers", VARIED, parse_code)


async def summarize_bug(
    agent: AgentContext,
    script: str,
    failure: str,
    output: str,
    measured: Measured | None = None,
    status: VerdictStatus | None = None,
) -> str:
    """Return a short account of a failure and the end of its output; both unchanged when no reply is usable."""
    share = agent.brief.share
    problem = f"{limit_message(failure, share, status)}\n\n{limit_output(output[-OUTPUT_TAIL:], share)}"
    try:
        return await agent.ask(BUG_SUMMARIZER, script=script, problem=problem, measured=measured)
    except ReplyError:
        return problem


async def repair_script(
    agent: AgentContext,
    script: str,
    bug: str,
    failed_fixes: Sequence[str],
    measured: Measured | None = None,
    *,
    own: bool = False,
) -> str:
    """Return a repaired script that differs from the failing one and from every failed fix.

    A person's own script (`own`) may be repaired, and is never replaced by another one.
    """
    role = DEBUGGER.then(check_script).then(check_whole(agent.brief)).then(keep_needs(script, repairing=True))
    role = role.then(reject_failed([script, *failed_fixes]))
    advise = advise_on_pandas(agent.brief.packages)
    note = describe_old_pandas(script, agent.brief.packages)
    bug = f"{bug}\n\nNote: {note}" if note else bug
    values = {"script": script, "bug": bug, "failed_fixes": failed_fixes, "study": False, "measured": measured}
    return await agent.ask(role, advise=advise, own=own, **values)


def reject_failed(failed: Sequence[str]) -> Callable[[str], str]:
    """Return a check that refuses code which has failed before."""
    failed_codes = {code.strip() for code in failed}

    def check(code: str) -> str:
        if code.strip() in failed_codes:
            msg = "this script has failed before; change what causes the error"
            raise RepetitionError(msg)
        return code

    return check
