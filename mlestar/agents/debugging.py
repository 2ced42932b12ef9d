"""Bug summarizer and debugger: what went wrong, and the smallest change that mends it."""

from collections.abc import Sequence

from mlestar.agents.desk import Desk
from mlestar.agents.replies import prose
from mlestar.agents.replies import script as script_reply
from mlestar.script import ScriptError


async def summarize_bug(desk: Desk, script: str, problem: str) -> str:
    """Return a short account of a failure from the output it left."""
    return await desk.ask("bug_summarizer", prose, script=script, problem=problem)


async def debug_script(desk: Desk, script: str, bug: str, failed_fixes: Sequence[str]) -> str:
    """Return a mended script that differs from the failing one and from every failed fix."""
    tried = {code.strip() for code in (script, *failed_fixes)}

    def parse(reply: str) -> str:
        code = script_reply(reply)
        if code.strip() in tried:
            msg = "this script has failed before; change what causes the error"
            raise ScriptError(msg)
        return code

    return await desk.ask("debugger", parse, script=script, bug=bug, failed_fixes=failed_fixes)
