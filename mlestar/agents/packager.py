"""Packager: splits the winner's script into fitting and predicting."""

import ast

from mlestar.agents.context import AgentContext
from mlestar.agents.declarations import keep_needs
from mlestar.agents.names import undefined_names
from mlestar.agents.replies import parse_code
from mlestar.agents.role import EXACT, Role
from mlestar.agents.script import ScriptError, parse_tree

PACKAGER = Role("packager", "writers", EXACT, parse_code)
FUNCTIONS = {"fit": ("data", "model"), "predict": ("model", "data", "submission")}
"""Functions that a packaged script defines, with their arguments."""


async def package_script(agent: AgentContext, script: str, failure: str = "") -> str:
    """Return a script that defines `fit` and `predict` for the winner's script.

    Args:
        agent: who is asked.
        script: the winner's.
        failure: why an earlier answer was not accepted.
    """
    role = PACKAGER.then(check_packaged).then(keep_needs(script))
    return await agent.ask(role, script=script, failure=failure)


def check_packaged(code: str) -> str:
    """Return the code when it defines both functions and does nothing else that fails.

    Raises:
        ScriptError: it does not.
    """
    tree = parse_tree(code)
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)} if tree else {}
    for name, expected in FUNCTIONS.items():
        found = functions.get(name)
        arguments = None if found is None else tuple(argument.arg for argument in found.args.args)
        if arguments != expected:
            msg = f"the script must define `{name}({', '.join(expected)})` at its top level"
            raise ScriptError(msg)
    if undefined := undefined_names(code):
        msg = f"the script uses {', '.join(sorted(undefined))}, which it neither defines nor imports"
        raise ScriptError(msg)
    return code
