"""Bug summarizer and debugger: what went wrong, and the smallest change that repairs it."""

from collections.abc import Callable, Sequence

from mlestar.agents.context import AgentContext, ReplyError
from mlestar.agents.replies import parse_prose, parse_script
from mlestar.agents.script import ScriptError

TAIL = 6000
"""Characters of output that the bug summarizer is shown."""


async def summarize_bug(agent: AgentContext, script: str, said: str, output: str) -> str:
    """Return a short account of a failure from what is said of it and the end of its output, or these as they are."""
    problem = f"{said}\n\n{output[-TAIL:]}"
    try:
        return await agent.ask("bug_summarizer", parse_prose, script=script, problem=problem)
    except ReplyError:
        return problem


async def repair_script(agent: AgentContext, script: str, bug: str, failed_fixes: Sequence[str]) -> str:
    """Return a repaired script that differs from the failing one and from every failed fix."""
    parse = unlike((script, *failed_fixes), parse_script)
    return await agent.ask("debugger", parse, script=script, bug=bug, failed_fixes=failed_fixes, study=False)


def unlike(failed: Sequence[str], parse: Callable[[str], str]) -> Callable[[str], str]:
    """Return a parser that refuses code which has failed before."""
    tried = {code.strip() for code in failed}

    def parse_another(reply: str) -> str:
        code = parse(reply)
        if code.strip() in tried:
            msg = "this script has failed before; change what causes the error"
            raise ScriptError(msg)
        return code

    return parse_another
