"""Calls of an MCP client to the tools of the server."""

from typing import Any, cast

from mcp import Client
from mcp.types import TextContent


async def ask(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    """Call a tool and return its structured result."""
    answer = await client.call_tool(tool, arguments)
    assert not answer.is_error, answer.content
    return cast(dict[str, Any], answer.structured_content)


async def refusal(client: Client, tool: str, **arguments: Any) -> str:
    """Call a tool that must refuse, and return the reason."""
    answer = await client.call_tool(tool, arguments)
    assert answer.is_error
    (content,) = answer.content
    assert isinstance(content, TextContent)
    return content.text
